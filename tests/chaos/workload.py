"""What the clients of a run do: each worker leads resources of its own through their lives, and writes down all."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from azure.core.exceptions import AzureError, ResourceNotFoundError

from azure.keyvault.administration import KeyVaultRoleDefinition
from chaos.history import Action, Operation, Outcome

if TYPE_CHECKING:
    from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient

T = TypeVar("T")

# Far longer than all tries of an operation can take together: what is not over by then never will be.
DEADLINE = 60.0
_BUILT_IN = "/providers/Microsoft.Authorization/roleDefinitions/21dbd100-6940-42c2-9190-5d6cb909625b"
_ROLE_ID = f"Microsoft.KeyVault{_BUILT_IN}"


class Diary:
    """All operations of a run, as their callers saw them.

    :param wanted: How many operations there shall be.
    :param lacks: Whether something has not happened yet for which there shall be more, up to four times as many.
    """

    def __init__(self, wanted: int, lacks: Callable[[], bool]) -> None:
        self._wanted = wanted
        self._lacks = lacks
        self.operations: list[Operation] = []

    @property
    def full(self) -> bool:
        count = len(self.operations)
        return count >= self._wanted and (not self._lacks() or count >= 4 * self._wanted)

    async def write(
        self, action: Action, resource: str, call: Awaitable[T], *, value: str | None = None
    ) -> tuple[Outcome, T | None]:
        """Make a call and write down how it went. To find nothing is a result, too."""
        began, error, result = time.time(), "", None
        outcome = Outcome.DONE
        try:
            result = await asyncio.wait_for(call, DEADLINE)
        except AzureError as raised:
            if not (action is Action.READ and isinstance(raised, ResourceNotFoundError)):
                outcome, error = Outcome.REFUSED, repr(raised)
        except asyncio.TimeoutError:
            outcome = Outcome.HUNG
        except Exception as raised:  # noqa: BLE001 - to find these is what this is for
            outcome, error = Outcome.FOREIGN, repr(raised)
        if action in {Action.READ, Action.START, Action.FOLLOW} and outcome is Outcome.DONE:
            value = None if result is None else str(result)
        self.operations.append(Operation(action, resource, outcome, value, began, time.time(), error))
        return outcome, result


class Worker:
    """Leads one resource after the other through its life. A resource goes by the mark that it was made with."""

    def __init__(self, number: int, seed: int, diary: Diary, access: KeyVaultAccessControlClient) -> None:
        self._number = number
        self._random = random.Random(f"{seed} {number}")
        self._diary = diary
        self._access = access
        # Roles without a last word about them, with their names where these are known.
        self._orphans: dict[str, str | None] = {}

    async def work(self) -> None:
        while not self._diary.full:
            await (self._definition() if self._random.random() < 0.5 else self._assignment())

    def _mark(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    async def _definition(self) -> None:
        handle = self._mark()
        name = self._mark() if self._random.random() < 0.5 else None
        made = self._access.set_role_definition("/", name=name, role_name=handle)
        outcome, role = await self._diary.write(Action.WRITE, handle, made, value=handle)
        if role is None or role.name is None:
            self._orphans[handle] = name
            await self._look_for_orphans()
            return
        for _ in range(self._random.randrange(4)):
            if self._random.random() < 0.5:
                mark = self._mark()
                changed = self._access.set_role_definition("/", name=role.name, role_name=mark)
                await self._diary.write(Action.WRITE, handle, changed, value=mark)
            else:
                await self._diary.write(Action.READ, handle, self._role_name(role.name))
        # Once the diary is full, some are left to be looked at in the end.
        if not self._diary.full:
            deleted = self._access.delete_role_definition("/", role.name)
            outcome, _ = await self._diary.write(Action.DELETE, handle, deleted)
            if outcome is not Outcome.DONE:
                self._orphans[handle] = role.name

    async def _role_name(self, name: str) -> str | None:
        return (await self._access.get_role_definition("/", name)).role_name

    async def _look_for_orphans(self) -> None:
        """Find out what became of roles about which there was no answer, and delete those that are there."""
        for handle, name in list(self._orphans.items()):
            found: list[KeyVaultRoleDefinition] = []
            outcome, _ = await self._diary.write(Action.READ, handle, self._find(handle, name, found))
            deleted = [
                await self._diary.write(
                    Action.DELETE, handle, self._access.delete_role_definition("/", role.name or "")
                )
                for role in found
            ]
            if outcome is Outcome.DONE and all(outcome is Outcome.DONE for outcome, _ in deleted):
                del self._orphans[handle]

    async def _find(self, handle: str, name: str | None, found: list[KeyVaultRoleDefinition]) -> str | None:
        """Find the role of that name, or the one that bears the mark that it was made with."""
        roles = [role async for role in self._access.list_role_definitions("/")]
        found += [role for role in roles if (role.role_name == handle if name is None else role.name == name)]
        return found[0].role_name if found else None

    async def _assignment(self) -> None:
        handle = self._mark()
        scope = self._random.choice(["/", "/keys", f"/keys/k{self._number}"])
        name = self._mark() if self._random.random() < 0.5 else None
        made = self._access.create_role_assignment(scope, _ROLE_ID, handle, name=name)
        outcome, assignment = await self._diary.write(Action.WRITE, handle, made, value=handle)
        name = name or (assignment.name if assignment else None)
        if name is None:
            return
        if self._random.random() < 0.5:
            await self._diary.write(Action.READ, handle, self._principal(scope, name))
        if self._random.random() < 0.5:
            await self._diary.write(Action.READ, handle, self._listed_principal(scope, handle))
        if outcome is not Outcome.DONE or self._random.random() < 0.9:
            await self._diary.write(Action.DELETE, handle, self._access.delete_role_assignment(scope, name))

    async def _principal(self, scope: str, name: str) -> str | None:
        properties = (await self._access.get_role_assignment(scope, name)).properties
        return properties.principal_id if properties else None

    async def _listed_principal(self, scope: str, principal: str) -> str | None:
        assignments = [item async for item in self._access.list_role_assignments(scope)]
        principals = [item.properties.principal_id for item in assignments if item.properties]
        return next((item for item in principals if item == principal), None)


class JobWorker:
    """Starts one job after the other, and follows each to its end, whatever that takes.

    :param starts: What it starts, by method and path. No two workers have the same.
    """

    def __init__(self, seed: int, diary: Diary, starts: Mapping[str, Callable[..., Awaitable[Any]]]) -> None:
        self._random = random.Random(f"{seed} {sorted(starts)}")
        self._diary = diary
        self._starts = starts

    async def work(self) -> None:
        # The first is a check, which ends at once. Most are, so that there are many starts.
        often = [*self._starts, *[next(iter(self._starts))] * 4]
        while not self._diary.full:
            resource = self._random.choice(often)
            begin = self._starts[resource]
            poller: Any = None

            async def start(begin: Any = begin) -> str:
                nonlocal poller
                poller = await begin(polling_interval=0.02)
                return str(poller.details.job_id)

            outcome, job = await self._diary.write(Action.START, resource, start())
            if outcome is not Outcome.DONE:
                continue

            async def end(begin: Any = begin) -> str:
                nonlocal poller
                try:
                    await poller.result()
                except AzureError:
                    if not poller.done():
                        # Follow it with a poller of its own, as somebody does who comes back later.
                        poller = await begin(continuation_token=poller.continuation_token(), polling_interval=0.02)
                        raise
                return str(poller.details.status)

            for _ in range(20):
                outcome, _ = await self._diary.write(Action.FOLLOW, str(job), end())
                if outcome is Outcome.DONE:
                    break


def job_workers(seed: int, diary: Diary, backup: KeyVaultBackupClient, place: tuple[str, str]) -> list[JobWorker]:
    """Return a worker for backups and one for restores, which get into each other's way."""
    container, sas = place
    folder = f"{container}/mhsm-emulated-hsm-2026112416000000"
    backups: dict[str, Callable[..., Awaitable[Any]]] = {
        "POST /prebackup": partial(backup.begin_pre_backup, container, sas),
        "POST /backup": partial(backup.begin_backup, container, sas),
    }
    restores: dict[str, Callable[..., Awaitable[Any]]] = {
        # There is neither folder nor key: the jobs are accepted, and fail.
        "PUT /prerestore": partial(backup.begin_pre_restore, folder, sas),
        "PUT /keys/k/restore": partial(backup.begin_restore, folder, sas, key_name="k"),
    }
    return [JobWorker(seed, diary, backups), JobWorker(seed, diary, restores)]
