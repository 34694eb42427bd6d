"""An HSM in one minute: roles, keys, a backup, a simulated disaster, and the restore.

Run it without arguments to use an emulated HSM. To use a real one, set ``AZURE_MANAGEDHSM_URL``,
``AZURE_CLIENT_OBJECT_ID``, ``BLOB_CONTAINER_URL`` and ``BLOB_SAS_TOKEN``, and add ``--real-hsm`` with its name. The
disaster happens only where there are no keys to lose.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from azure.keyvault.administration import KeyVaultDataAction, KeyVaultPermission, KeyVaultRoleScope
from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient
from sample_hsm import SampleHsm, sample_hsm
from sample_keys import allow_key_management, create_key, key_names, purge_key


async def main() -> None:
    """Run the sample."""
    async with (
        sample_hsm(overwrites=True) as hsm,
        KeyVaultAccessControlClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as access,
        KeyVaultBackupClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as backup,
    ):
        await show_roles(access)
        await lend_a_role(access, principal_id=str(uuid.uuid4()))
        await survive_a_disaster(access, backup, hsm)


async def show_roles(client: KeyVaultAccessControlClient) -> None:
    """Print every role of the HSM as a table."""
    print(f"Roles of {client.vault_url}:\n")
    print(f"  {'role':<44} {'type':<15} data actions")
    async for role in client.list_role_definitions(KeyVaultRoleScope.GLOBAL):
        actions = sum(len(permission.data_actions or []) for permission in role.permissions or [])
        print(f"  {role.role_name or role.name or '':<44} {role.role_type or '':<15} {actions:>12}")


async def lend_a_role(client: KeyVaultAccessControlClient, *, principal_id: str) -> None:
    """Create a role with least privilege, assign it for all keys, look at both, and remove them."""
    role = await client.set_role_definition(
        KeyVaultRoleScope.GLOBAL,
        role_name="Key reader",
        description="Reads keys and their metadata, and nothing else.",
        permissions=[KeyVaultPermission(data_actions=[KeyVaultDataAction.READ_HSM_KEY])],
    )
    # The service gives each role an id and a name; only a role that you construct yourself may have none.
    assert role.id
    assert role.name
    print(f"\nCreated the role {role.role_name!r} ({role.name}). It grants:")
    for permission in role.permissions or []:
        for action in permission.data_actions or []:
            print(f"  + {action}")

    assignment = await client.create_role_assignment(KeyVaultRoleScope.KEYS, role.id, principal_id)
    assert assignment.name
    found = await client.get_role_assignment(KeyVaultRoleScope.KEYS, assignment.name)
    if found.properties is not None:
        print(f"\nAssigned it to {found.properties.principal_id} at {found.properties.scope}.")

    await client.delete_role_assignment(KeyVaultRoleScope.KEYS, assignment.name)
    await client.delete_role_definition(KeyVaultRoleScope.GLOBAL, role.name)
    left = [other.name async for other in client.list_role_definitions(KeyVaultRoleScope.GLOBAL)]
    print(f"Removed both again: {'the role is still there' if role.name in left else 'the HSM is as it was'}.")


async def survive_a_disaster(access: KeyVaultAccessControlClient, backup: KeyVaultBackupClient, hsm: SampleHsm) -> None:
    """Create keys, back up, lose them, restore everything, and then restore a single purged key."""
    await allow_key_management(access, hsm.principal_id)
    if others := await key_names(access):
        print(f"\nThis HSM holds keys ({', '.join(others)}): the disaster is left for an empty one.")
        return
    for name in ("payments", "signing"):
        await create_key(access, name)
    before = await key_names(access)
    print(f"\nCreated the keys {', '.join(before)}. Backing up ...")
    waiting: dict[str, Any] = {"polling_interval": hsm.polling_interval}
    result = await (await backup.begin_backup(hsm.container_url, hsm.sas_token, **waiting)).result()
    folder_url = result.folder_url
    assert folder_url
    print(f"The backup is in {folder_url}")

    for name in before:
        await purge_key(access, name)
    await create_key(access, "intruder")
    print(f"\nDisaster: the keys are now {', '.join(await key_names(access))}. Restoring everything ...")
    await (await backup.begin_restore(folder_url, hsm.sas_token, **waiting)).wait()
    after = await key_names(access)
    print(f"The keys are {', '.join(after)}: {'as before' if after == before else 'NOT as before'}.")

    await purge_key(access, "signing")
    print("\nPurged the key signing. Restoring it alone ...")
    poller = await backup.begin_restore(folder_url, hsm.sas_token, key_name="signing", **waiting)
    await poller.wait()
    print(f"{poller.details.status_details}.")
    print(f"The keys are {', '.join(await key_names(access))}.")


if __name__ == "__main__":
    asyncio.run(main())
