"""A custom role with the least privilege for backups, and the proof that it permits nothing else.

Run it without arguments to use an emulated HSM. To use a real one, set ``AZURE_MANAGEDHSM_URL`` and
``OTHER_OBJECT_ID``, the object id of the principal that is to make backups, and add ``--real-hsm``; the proof needs the
credential of that principal, and is left out there.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from azure.core.exceptions import HttpResponseError

from azure.keyvault.administration import KeyVaultDataAction, KeyVaultPermission, KeyVaultRoleScope
from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient
from sample_hsm import SampleHsm, sample_hsm

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

# With a fixed name, another run replaces the role instead of creating a second one.
ROLE_NAME = "c6a4f8c2-2f57-4d0e-9c1a-6c1f0d3b7a55"


async def main() -> None:
    """Run the sample."""
    async with (
        sample_hsm() as hsm,
        KeyVaultAccessControlClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as client,
    ):
        role = await client.set_role_definition(
            KeyVaultRoleScope.GLOBAL,
            name=ROLE_NAME,
            role_name="Backup operator",
            description="Makes backups and follows them. Cannot restore them, use a key, or see who has access.",
            permissions=[
                KeyVaultPermission(
                    data_actions=[KeyVaultDataAction.START_HSM_BACKUP, KeyVaultDataAction.READ_HSM_BACKUP_STATUS]
                )
            ],
        )
        print(f"The role {role.role_name!r} permits:")
        for permission in role.permissions or []:
            for action in permission.data_actions or []:
                print(f"  + {action}")

        assert role.id
        assignment = await client.create_role_assignment(KeyVaultRoleScope.GLOBAL, role.id, hsm.other_principal_id)
        print(f"Assigned to {hsm.other_principal_id}.")
        if hsm.other_credential:
            await prove(hsm, hsm.other_credential)
        assert assignment.name
        await client.delete_role_assignment(KeyVaultRoleScope.GLOBAL, assignment.name)
        await client.delete_role_definition(KeyVaultRoleScope.GLOBAL, ROLE_NAME)
        print("Took both away again.")


async def prove(hsm: SampleHsm, credential: AsyncTokenCredential) -> None:
    """Act as the principal that has the role."""
    async with (
        KeyVaultBackupClient(hsm.vault_url, credential, **hsm.client_kwargs) as backup,
        KeyVaultAccessControlClient(hsm.vault_url, credential, **hsm.client_kwargs) as access,
    ):
        poller = await backup.begin_backup(hsm.container_url, hsm.sas_token, polling_interval=hsm.polling_interval)
        result = await poller.result()
        print(f"It can back up: {result.folder_url}")
        assert result.folder_url
        try:
            await backup.begin_restore(result.folder_url, hsm.sas_token)
        except HttpResponseError as error:
            print(f"It cannot restore: {_code(error)}")
        try:
            print([role async for role in access.list_role_definitions(KeyVaultRoleScope.GLOBAL)])
        except HttpResponseError as error:
            print(f"It cannot list roles: {_code(error)}")


def _code(error: HttpResponseError) -> str:
    return (error.error.code if error.error else None) or str(error.status_code)


if __name__ == "__main__":
    asyncio.run(main())
