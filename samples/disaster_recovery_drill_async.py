"""A disaster recovery drill: encrypt, back up, lose everything, restore, compare, and decrypt.

Run it without arguments to use an emulated HSM. To use a real one, set ``AZURE_MANAGEDHSM_URL``,
``AZURE_CLIENT_OBJECT_ID``, ``BLOB_CONTAINER_URL`` and ``BLOB_SAS_TOKEN``, and add ``--real-hsm`` with its name: **the
drill purges the keys and deletes the custom roles of that HSM**, so use one that is there for drills. The principal
needs the roles Managed HSM Administrator, Crypto Officer and Crypto User.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass

from azure.keyvault.keys.aio import KeyClient
from azure.keyvault.keys.crypto import EncryptionAlgorithm
from azure.keyvault.keys.crypto.aio import CryptographyClient

from azure.keyvault.administration import KeyVaultDataAction, KeyVaultPermission, KeyVaultRoleScope
from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient
from sample_hsm import SampleHsm, sample_hsm
from sample_keys import allow_key_management, create_key, key_names, key_versions, purge_key

DRILL_KEY = "drill-payments"
MESSAGE = b"Pay 100 to the drill team."


async def main() -> int:
    """Run the sample, and return its exit code."""
    async with (
        sample_hsm(overwrites=True) as hsm,
        KeyVaultAccessControlClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as access,
        KeyVaultBackupClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as backup,
    ):
        if hsm.other_credential:
            await furnish(access, hsm)
        return await drill(access, backup, hsm)


async def drill(access: KeyVaultAccessControlClient, backup: KeyVaultBackupClient, hsm: SampleHsm) -> int:
    """Run the whole drill."""
    key_id, encrypted = await encrypt(hsm)
    before = await inventory(access)
    print(f"Before:   {before}")

    began = time.monotonic()
    poller = await backup.begin_backup(hsm.container_url, hsm.sas_token, polling_interval=hsm.polling_interval)
    folder_url = (await poller.result()).folder_url
    assert folder_url
    print(f"Backup:   {folder_url} in {time.monotonic() - began:.1f} s")

    check = await backup.begin_pre_restore(folder_url, hsm.sas_token, polling_interval=hsm.polling_interval)
    await check.wait()
    print("Check:    the backup can be restored")

    await wipe(access)
    print(f"Disaster: {await inventory(access)}")

    began = time.monotonic()
    restore = await backup.begin_restore(folder_url, hsm.sas_token, polling_interval=hsm.polling_interval)
    await restore.wait()
    print(f"Restore:  done in {time.monotonic() - began:.1f} s")

    after = await inventory(access)
    print(f"After:    {after}")
    if after != before:
        print("The drill FAILED: the HSM is not as it was.")
        return 1
    if await decrypt(hsm, key_id, encrypted) != MESSAGE:
        print("The drill FAILED: what was encrypted before cannot be decrypted.")
        return 1
    print("Message:  decrypted with the restored key")
    print("The drill succeeded: the HSM is as it was.")
    return 0


async def encrypt(hsm: SampleHsm) -> tuple[str, bytes]:
    """Encrypt a message with a new key, and return the id of the key and the ciphertext."""
    async with KeyClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as keys:
        key = await keys.create_rsa_key(DRILL_KEY, hardware_protected=True)
    assert key.id
    async with CryptographyClient(key, hsm.credential, **hsm.client_kwargs) as cryptography:
        encrypted = await cryptography.encrypt(EncryptionAlgorithm.rsa_oaep_256, MESSAGE)
    return key.id, encrypted.ciphertext


async def decrypt(hsm: SampleHsm, key_id: str, ciphertext: bytes) -> bytes:
    """Decrypt a message, which requires the private key in the HSM."""
    async with CryptographyClient(key_id, hsm.credential, **hsm.client_kwargs) as cryptography:
        decrypted = await cryptography.decrypt(EncryptionAlgorithm.rsa_oaep_256, ciphertext)
    return decrypted.plaintext


@dataclass
class Inventory:
    """The content of an HSM that its administrator can see. Two are equal if nothing was lost."""

    keys: dict[str, list[str]]
    """Ids of all versions by the key's name."""
    roles: dict[str | None, object]
    """Custom roles by id."""
    assignments: dict[str | None, object]

    def __str__(self) -> str:
        return f"{len(self.keys)} keys, {len(self.roles)} custom roles, {len(self.assignments)} role assignments"


async def inventory(client: KeyVaultAccessControlClient) -> Inventory:
    """Read everything."""
    keys = {name: await key_versions(client, name) for name in await key_names(client)}
    roles = {role.id: role async for role in client.list_role_definitions("/") if role.role_type == "CustomRole"}
    scopes = (KeyVaultRoleScope.GLOBAL, KeyVaultRoleScope.KEYS, *[f"/keys/{name}" for name in keys])
    assignments = {
        assignment.role_assignment_id: assignment
        for scope in scopes
        async for assignment in client.list_role_assignments(scope)
    }
    return Inventory(keys, {**roles}, {**assignments})


async def wipe(client: KeyVaultAccessControlClient) -> None:
    """Lose the keys, the assignments at them, and the custom roles."""
    for name in await key_names(client):
        # Read whole lists first: later pages may shift while items are deleted.
        for assignment in [item async for item in client.list_role_assignments(f"/keys/{name}")]:
            assert assignment.name
            await client.delete_role_assignment(f"/keys/{name}", assignment.name)
        await purge_key(client, name)
    for role in [item async for item in client.list_role_definitions(KeyVaultRoleScope.GLOBAL)]:
        if role.role_type == "CustomRole" and role.name:
            await client.delete_role_definition(KeyVaultRoleScope.GLOBAL, role.name)


async def furnish(client: KeyVaultAccessControlClient, hsm: SampleHsm) -> None:
    """Create something to lose in a new emulated HSM."""
    await allow_key_management(client, hsm.principal_id)
    for _ in range(2):
        await create_key(client, "signing")
    role = await client.set_role_definition(
        KeyVaultRoleScope.GLOBAL,
        role_name="Signer",
        permissions=[KeyVaultPermission(data_actions=[KeyVaultDataAction.SIGN_HSM_KEY])],
    )
    assert role.id
    await client.create_role_assignment("/keys/signing", role.id, hsm.other_principal_id)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
