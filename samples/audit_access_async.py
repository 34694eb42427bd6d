"""Who can do what: every role assignment of an HSM as a table, with the actions that an auditor asks about first.

Run it with no arguments to use an emulated HSM. To use a real one, set ``AZURE_MANAGEDHSM_URL`` and add ``--real-hsm``.
The principal needs to read role definitions, role assignments and keys: Managed HSM Administrator does not read keys,
Crypto User does. Needs the package ``rich``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from azure.keyvault.administration import (
    KeyVaultDataAction,
    KeyVaultPermission,
    KeyVaultRoleDefinition,
    KeyVaultRoleScope,
)
from azure.keyvault.administration.aio import KeyVaultAccessControlClient
from sample_hsm import SampleHsm, sample_hsm
from sample_keys import allow_key_management, create_key, key_names

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from azure.keyvault.administration import KeyVaultRoleAssignmentProperties

QUESTIONS = {
    "give roles": KeyVaultDataAction.WRITE_ROLE_ASSIGNMENT,
    "use keys": KeyVaultDataAction.SIGN_HSM_KEY,
    "purge keys": KeyVaultDataAction.PURGE_DELETED_HSM_KEY,
    "restore": KeyVaultDataAction.START_HSM_RESTORE,
}


async def main() -> None:
    """Run the sample."""
    async with (
        sample_hsm() as hsm,
        KeyVaultAccessControlClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as client,
    ):
        if hsm.other_credential:
            await furnish(client, hsm)
        Console(width=140).print(await audit(client))


async def audit(client: KeyVaultAccessControlClient) -> Table:
    """Return the table. A definition that is assigned but deleted grants nothing, and is shown as such."""
    roles = {role.id: role async for role in client.list_role_definitions(KeyVaultRoleScope.GLOBAL)}
    table = Table("principal", "role", "scope", *QUESTIONS, title=f"Who can do what in {client.vault_url}")
    async for granted in assignments(client):
        role = roles.get(granted.role_definition_id)
        name = f"{role.role_name}" if role else "(deleted role)"
        answers = ["yes" if role and permits(role, action) else "-" for action in QUESTIONS.values()]
        table.add_row(granted.principal_id, name, granted.scope, *answers)
    return table


async def assignments(client: KeyVaultAccessControlClient) -> AsyncIterator[KeyVaultRoleAssignmentProperties]:
    """Yield what is assigned at every scope: the lists of ``/`` and ``/keys`` leave single keys out."""
    seen: set[str | None] = set()
    for scope in (KeyVaultRoleScope.GLOBAL, KeyVaultRoleScope.KEYS, *[f"/keys/{k}" for k in await key_names(client)]):
        async for assignment in client.list_role_assignments(scope):
            if assignment.properties and assignment.role_assignment_id not in seen:
                seen.add(assignment.role_assignment_id)
                yield assignment.properties


def permits(role: KeyVaultRoleDefinition, action: KeyVaultDataAction) -> bool:
    """Tell whether a role permits a data action: one of its permissions grants it and does not exclude it."""
    return any(
        _matches(permission.data_actions, action) and not _matches(permission.not_data_actions, action)
        for permission in role.permissions or []
    )


def _matches(actions: list[str] | None, wanted: str) -> bool:
    return any(action.lower() in {wanted.lower(), "*"} for action in actions or [])


async def furnish(client: KeyVaultAccessControlClient, hsm: SampleHsm) -> None:
    """Give an emulated HSM, which is new, something to audit."""
    await allow_key_management(client, hsm.principal_id)
    await create_key(client, "payments")
    role = await client.set_role_definition(
        KeyVaultRoleScope.GLOBAL,
        role_name="Signer",
        permissions=[KeyVaultPermission(data_actions=[KeyVaultDataAction.SIGN_HSM_KEY])],
    )
    assert role.id
    await client.create_role_assignment("/keys/payments", role.id, hsm.other_principal_id)


if __name__ == "__main__":
    asyncio.run(main())
