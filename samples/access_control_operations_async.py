"""Each operation of ``KeyVaultAccessControlClient`` once.

Run it without arguments to use an emulated HSM. To use a real one, set ``AZURE_MANAGEDHSM_URL`` and add ``--real-hsm``.
"""

from __future__ import annotations

import asyncio
import uuid

from azure.core.exceptions import ResourceNotFoundError

from azure.keyvault.administration import KeyVaultDataAction, KeyVaultPermission, KeyVaultRoleScope
from azure.keyvault.administration.aio import KeyVaultAccessControlClient
from sample_hsm import sample_hsm


async def main() -> None:
    """Run the sample."""
    async with (
        sample_hsm() as hsm,
        KeyVaultAccessControlClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as client,
    ):
        role_name = uuid.uuid4()
        await role_definitions(client, role_name)
        await role_assignments(client, role_name)
        await client.delete_role_definition(KeyVaultRoleScope.GLOBAL, role_name)
        try:
            await client.get_role_definition(KeyVaultRoleScope.GLOBAL, role_name)
        except ResourceNotFoundError as error:
            print(f"The role is gone: {error.error.code if error.error else error.reason}.")


async def role_definitions(client: KeyVaultAccessControlClient, name: uuid.UUID) -> None:
    """Create a custom role, replace it and read it back."""
    permissions = [KeyVaultPermission(data_actions=[KeyVaultDataAction.CREATE_HSM_KEY])]
    created = await client.set_role_definition(
        KeyVaultRoleScope.GLOBAL, name=name, role_name="Key creator", permissions=permissions
    )
    print(f"Created {created.role_name!r}.")

    # An update replaces the whole definition: omitted parts become empty.
    permissions.append(KeyVaultPermission(data_actions=[KeyVaultDataAction.READ_HSM_KEY]))
    await client.set_role_definition(
        KeyVaultRoleScope.GLOBAL, name=name, role_name="Key creator and reader", permissions=permissions
    )
    updated = await client.get_role_definition(KeyVaultRoleScope.GLOBAL, name)
    print(f"It is now {updated.role_name!r} with {len(updated.permissions or [])} permissions.")


async def role_assignments(client: KeyVaultAccessControlClient, role_name: uuid.UUID) -> None:
    """Assign a role at the scope of one key, list the assignments there page by page, and remove it."""
    role = await client.get_role_definition(KeyVaultRoleScope.GLOBAL, role_name)
    # The service gives each role an id; only a role that you construct yourself may have none.
    assert role.id
    scope = "/keys/payments"
    assignment_name = uuid.uuid4()
    await client.create_role_assignment(scope, role.id, str(uuid.uuid4()), name=assignment_name)

    async for page in client.list_role_assignments(scope).by_page():
        async for assignment in page:
            print(f"At {scope}: {assignment.properties}")

    await client.delete_role_assignment(scope, assignment_name)
    # Deleting a missing assignment is not an error, so clean-up code can run twice.
    await client.delete_role_assignment(scope, assignment_name)


if __name__ == "__main__":
    asyncio.run(main())
