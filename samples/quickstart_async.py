"""The main job: list an HSM's roles, create a custom role, assign it, check it, and remove it again.

Run it with no arguments to use an emulated HSM, or set ``AZURE_MANAGEDHSM_URL`` to use a real one.
"""

from __future__ import annotations

import asyncio
import uuid

from azure.keyvault.administration import KeyVaultDataAction, KeyVaultPermission, KeyVaultRoleScope
from azure.keyvault.administration.aio import KeyVaultAccessControlClient
from sample_hsm import sample_hsm


async def main() -> None:
    """Run the sample."""
    async with (
        sample_hsm() as hsm,
        KeyVaultAccessControlClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as client,
    ):
        await show_roles(client)
        await lend_a_role(client, principal_id=str(uuid.uuid4()))


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
    if role.id is None or role.name is None:
        raise RuntimeError(f"the service returned a role without id or name: {role!r}")
    print(f"\nCreated the role {role.role_name!r} ({role.name}). It grants:")
    for permission in role.permissions or []:
        for action in permission.data_actions or []:
            print(f"  + {action}")

    assignment = await client.create_role_assignment(KeyVaultRoleScope.KEYS, role.id, principal_id)
    if assignment.name is None:
        raise RuntimeError(f"the service returned an assignment without a name: {assignment!r}")
    found = await client.get_role_assignment(KeyVaultRoleScope.KEYS, assignment.name)
    if found.properties is not None:
        print(f"\nAssigned it to {found.properties.principal_id} at {found.properties.scope}.")

    await client.delete_role_assignment(KeyVaultRoleScope.KEYS, assignment.name)
    await client.delete_role_definition(KeyVaultRoleScope.GLOBAL, role.name)
    left = [other.name async for other in client.list_role_definitions(KeyVaultRoleScope.GLOBAL)]
    print(f"\nRemoved both again: {'the role is still there' if role.name in left else 'the HSM is as it was'}.")


if __name__ == "__main__":
    asyncio.run(main())
