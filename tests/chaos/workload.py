"""The role operations of a run: each worker creates, reads, changes and deletes its own roles and assignments."""

from __future__ import annotations

import random
import uuid
from collections.abc import Awaitable
from typing import TYPE_CHECKING, TypeVar

from chaos.history import Action, Outcome
from chaos.inventory import SCOPES

if TYPE_CHECKING:
    from azure.keyvault.administration import KeyVaultRoleDefinition
    from azure.keyvault.administration.aio import KeyVaultAccessControlClient
    from chaos.operation_log import OperationLog

T = TypeVar("T")

_BUILT_IN = "/providers/Microsoft.Authorization/roleDefinitions/21dbd100-6940-42c2-9190-5d6cb909625b"
_ROLE_ID = f"Microsoft.KeyVault{_BUILT_IN}"


def new_mark(source: random.Random) -> str:
    return str(uuid.UUID(int=source.getrandbits(128), version=4))


class Worker:
    """Creates roles and assignments, one after the other, and deletes them again.

    A resource is known by the mark with which it was created.
    """

    def __init__(self, number: int, seed: int, log: OperationLog, access: KeyVaultAccessControlClient) -> None:
        self._random = random.Random(f"{seed} {number}")
        self._log = log
        self._access = access
        # Roles that may or may not exist, with their names if these are known.
        self._orphans: dict[str, str | None] = {}

    async def work(self) -> None:
        while not self._log.is_full:
            await (self._definition() if self._random.random() < 0.5 else self._assignment())

    async def _write(
        self, action: Action, resource: str, call: Awaitable[T], *, value: str | None = None
    ) -> tuple[Outcome, T | None]:
        """Make a call while no caller is alone."""
        async with self._log.shared():
            return await self._log.record(action, resource, call, value=value)

    def _mark(self) -> str:
        return new_mark(self._random)

    async def _definition(self) -> None:
        handle = self._mark()
        name = self._mark() if self._random.random() < 0.5 else None
        made = self._access.set_role_definition("/", name=name, role_name=handle)
        outcome, role = await self._write(Action.WRITE, handle, made, value=handle)
        if role is None or role.name is None:
            self._orphans[handle] = name
            await self._look_for_orphans()
            return
        for _ in range(self._random.randrange(4)):
            if self._random.random() < 0.5:
                mark = self._mark()
                changed = self._access.set_role_definition("/", name=role.name, role_name=mark)
                await self._write(Action.WRITE, handle, changed, value=mark)
            else:
                await self._write(Action.READ, handle, self._role_name(role.name))
        # Once the log is full, some are kept for the look at the end.
        if not self._log.is_full:
            deleted = self._access.delete_role_definition("/", role.name)
            outcome, _ = await self._write(Action.DELETE, handle, deleted)
            if outcome is not Outcome.DONE:
                self._orphans[handle] = role.name

    async def _role_name(self, name: str) -> str | None:
        return (await self._access.get_role_definition("/", name)).role_name

    async def _look_for_orphans(self) -> None:
        """Find the roles whose creation or deletion got no response, and delete them."""
        for handle, name in list(self._orphans.items()):
            found: list[KeyVaultRoleDefinition] = []
            outcome, _ = await self._write(Action.READ, handle, self._find(handle, name, found))
            deleted = [
                await self._write(Action.DELETE, handle, self._access.delete_role_definition("/", role.name or ""))
                for role in found
            ]
            if outcome is Outcome.DONE and all(outcome is Outcome.DONE for outcome, _ in deleted):
                del self._orphans[handle]

    async def _find(self, handle: str, name: str | None, found: list[KeyVaultRoleDefinition]) -> str | None:
        """Find the role by its name, or by its mark if the name is unknown."""
        roles = [role async for role in self._access.list_role_definitions("/")]
        found += [role for role in roles if (role.role_name == handle if name is None else role.name == name)]
        return found[0].role_name if found else None

    async def _assignment(self) -> None:
        handle = self._mark()
        scope = self._random.choice(SCOPES)
        name = self._mark() if self._random.random() < 0.5 else None
        made = self._access.create_role_assignment(scope, _ROLE_ID, handle, name=name)
        outcome, assignment = await self._write(Action.WRITE, handle, made, value=handle)
        name = name or (assignment.name if assignment else None)
        if name is None:
            return
        if self._random.random() < 0.5:
            await self._write(Action.READ, handle, self._principal(scope, name))
        if self._random.random() < 0.5:
            await self._write(Action.READ, handle, self._listed_principal(scope, handle))
        if outcome is not Outcome.DONE or self._random.random() < 0.9:
            await self._write(Action.DELETE, handle, self._access.delete_role_assignment(scope, name))

    async def _principal(self, scope: str, name: str) -> str | None:
        properties = (await self._access.get_role_assignment(scope, name)).properties
        return properties.principal_id if properties else None

    async def _listed_principal(self, scope: str, principal: str) -> str | None:
        assignments = [item async for item in self._access.list_role_assignments(scope)]
        principals = [item.properties.principal_id for item in assignments if item.properties]
        return next((item for item in principals if item == principal), None)
