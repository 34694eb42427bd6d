"""Who can do what: every role assignment of an HSM as a table, with the most important actions.

Run it without arguments to use an emulated HSM. To use a real one, set ``AZURE_MANAGEDHSM_URL`` and add ``--real-hsm``.
The principal needs to read role definitions, role assignments and keys: Managed HSM Administrator does not read keys,
Crypto User does. Needs the package ``rich``.

All scopes are read concurrently. A Managed HSM accepts 5 such requests a second, and the client keeps to the rate that
the HSM accepts, so reading a thousand keys takes little more than 200 seconds.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
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
    from azure.keyvault.administration import KeyVaultRoleAssignment, KeyVaultRoleAssignmentProperties

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
    """Return the table. Assignments of deleted roles grant nothing, and are marked."""
    roles = {role.id: role async for role in client.list_role_definitions(KeyVaultRoleScope.GLOBAL)}
    table = Table("principal", "role", "scope", *QUESTIONS, title=f"Who can do what in {client.vault_url}")
    for granted in await assignments(client):
        role = roles.get(granted.role_definition_id)
        name = f"{role.role_name}" if role else "(deleted role)"
        answers = ["yes" if role and permits(role, action) else "-" for action in QUESTIONS.values()]
        table.add_row(granted.principal_id, name, granted.scope, *answers)
    return table


async def assignments(client: KeyVaultAccessControlClient) -> list[KeyVaultRoleAssignmentProperties]:
    """Return the assignments at every scope: the lists of ``/`` and ``/keys`` omit single keys."""
    scopes = [KeyVaultRoleScope.GLOBAL, KeyVaultRoleScope.KEYS, *[f"/keys/{name}" for name in await key_names(client)]]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("scopes read", total=len(scopes))

        async def read(scope: str) -> list[KeyVaultRoleAssignment]:
            found = [assignment async for assignment in client.list_role_assignments(scope)]
            progress.advance(bar)
            return found

        # One call per scope, all at once: no semaphore, no sleep, no retry.
        lists = await asyncio.gather(*(read(scope) for scope in scopes))
    by_id = {each.role_assignment_id: each.properties for found in lists for each in found if each.properties}
    return list(by_id.values())


def permits(role: KeyVaultRoleDefinition, action: KeyVaultDataAction) -> bool:
    """Return whether a role permits a data action: one of its permissions grants it and does not exclude it."""
    return any(
        _matches(permission.data_actions, action) and not _matches(permission.not_data_actions, action)
        for permission in role.permissions or []
    )


def _matches(actions: list[str] | None, wanted: str) -> bool:
    return any(action.lower() in {wanted.lower(), "*"} for action in actions or [])


async def furnish(client: KeyVaultAccessControlClient, hsm: SampleHsm) -> None:
    """Create something to audit in a new emulated HSM."""
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
