"""What the clients of a run do with jobs: they back up, restore and check, and follow each job to its end.

What a restore brings back is known: the restore of one key is led by who owns the key; a full restore, and the backup
for it, by somebody who is alone meanwhile.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from azure.core.exceptions import AzureError

from chaos.history import SUCCEEDED, Action, Contents, JobKind, Outcome, job_kind
from chaos.workload import new_mark

if TYPE_CHECKING:
    from azure.keyvault.administration.aio import KeyVaultBackupClient
    from chaos.diary import Diary
    from chaos.inventory import Inventory

T = TypeVar("T")

_PATIENCE = 20
_PAUSE = 0.05
# In seconds: far longer than a killed service is away, and than the jobs of others last.
_LONGEST = 180.0


class GaveUpError(Exception):
    """Something that must succeed in the end never did."""


class Ended(NamedTuple):
    """How a job ended."""

    status: str | None = None
    """None if nobody could find out, or if it may never have started."""
    result: Any = None

    @property
    def is_good(self) -> bool:
        return self.status == SUCCEEDED


class JobStarter:
    """Starts jobs and follows them to their end, whatever that takes.

    :param diary: Where that is written down.
    :param backup: The client.
    :param place: Where backups lie: the URL of the container and a SAS token.
    """

    def __init__(self, diary: Diary, backup: KeyVaultBackupClient, place: tuple[str, str]) -> None:
        self._diary = diary
        self._backup = backup
        self._container, self._sas = place
        self._succeeded: set[JobKind] = set()
        self._folders = [f"{self._container}/mhsm-emulated-hsm-2026112416000000"]

    def lacks(self) -> bool:
        """Return whether there is a kind of job of which none has succeeded yet."""
        return not self._succeeded >= set(JobKind)

    async def back_up(self) -> str | None:
        """Return the URL of the folder, if that went well."""
        ended = await self._lead("POST /backup", partial(self._backup.begin_backup, self._container, self._sas))
        if ended.is_good:
            self._folders.append(ended.result.folder_url)
        return self._folders[-1] if ended.is_good else None

    async def check_backup(self) -> bool:
        begin = partial(self._backup.begin_pre_backup, self._container, self._sas)
        return (await self._lead("POST /prebackup", begin)).is_good

    async def check_restore(self, folder: str) -> bool:
        begin = partial(self._backup.begin_pre_restore, folder, self._sas)
        return (await self._lead("PUT /prerestore", begin)).is_good

    async def check_some_restore(self, source: random.Random) -> bool:
        """Check whether one of a few folders could be restored; the first of all does not exist."""
        return await self.check_restore(source.choice([self._folders[0], *self._folders[-3:]]))

    async def restore(self, folder: str, marks: dict[str, str]) -> bool:
        begin = partial(self._backup.begin_restore, folder, self._sas)
        return (await self._lead("PUT /restore", begin, Contents(marks))).is_good

    async def restore_key(self, folder: str, name: str, mark: str) -> bool:
        begin = partial(self._backup.begin_restore, folder, self._sas, key_name=name)
        return (await self._lead(f"PUT /keys/{name}/restore", begin, Contents({name: mark}, only=name))).is_good

    async def _lead(self, resource: str, begin: Callable[..., Awaitable[Any]], brings: Contents | None = None) -> Ended:
        poller: Any = None
        result: Any = None

        async def start() -> str:
            nonlocal poller
            poller = await begin(polling_interval=0.02)
            return str(poller.details.job_id)

        async def end() -> str:
            nonlocal poller, result
            try:
                result = await poller.result()
            except AzureError:
                if poller.details.status == "InProgress":
                    # Nobody told the end, even if a poll was refused. Follow the job with another poller, as somebody
                    # does who comes back later.
                    poller = await begin(continuation_token=poller.continuation_token(), polling_interval=0.02)
                    raise
            return str(poller.details.status)

        outcome, job = await self._diary.write(Action.START, resource, start(), brings=brings)
        if outcome is Outcome.DONE:
            for _ in range(_PATIENCE):
                outcome, status = await self._diary.write(Action.FOLLOW, str(job), end())
                if outcome is Outcome.DONE:
                    ended = Ended(status, result)
                    self._succeeded |= {job_kind(resource)} if ended.is_good else set()
                    return ended
                await asyncio.sleep(_PAUSE)
        # There may be a job, of this caller or another, or no service.
        await asyncio.sleep(_PAUSE)
        return Ended()


class JobWorker:
    """Makes one backup or check after the other, beside everybody else."""

    def __init__(self, seed: int, diary: Diary, jobs: JobStarter) -> None:
        self._random = random.Random(f"{seed} jobs")
        self._diary = diary
        self._jobs = jobs

    async def work(self) -> None:
        choices: list[Callable[[], Awaitable[object]]] = [
            self._jobs.back_up,
            self._jobs.back_up,
            self._jobs.check_backup,
            partial(self._jobs.check_some_restore, self._random),
        ]
        while not self._diary.full:
            async with self._diary.gate.shared():
                await self._random.choice(choices)()


class KeyWorker:
    """Makes one key after the other, backs it up, purges it and brings it back."""

    def __init__(self, number: int, seed: int, diary: Diary, jobs: JobStarter, inventory: Inventory) -> None:
        self._random = random.Random(f"{seed} key {number}")
        self._diary = diary
        self._jobs = jobs
        self._keys = inventory.keys

    async def work(self) -> None:
        while not self._diary.full:
            await self._life(new_mark(self._random))

    async def _life(self, name: str) -> None:
        gate = self._diary.gate
        async with gate.shared():
            made = self._keys.create(name, name)
            await self._diary.write(Action.WRITE, name, made, value=name)
        # Whoever wants to be alone comes in between, and may take the key away.
        async with gate.shared():
            _, mark = await self._diary.write(Action.READ, name, self._keys.mark(name))
            if mark and (folder := await self._until_good(self._jobs.back_up)):
                await self._delete(name)
                await self._until_good(partial(self._jobs.restore_key, folder, name, mark))
                await self._diary.write(Action.READ, name, self._keys.mark(name))
        async with gate.shared():
            # Once the diary is full, some are left to be looked at in the end.
            if not self._diary.full:
                await self._delete(name)

    async def _until_good(self, lead: Callable[[], Awaitable[Any]]) -> Any:
        """Try a few times: other jobs get into the way, and faults do."""
        for _ in range(_PATIENCE):
            if result := await lead():
                return result
        return None

    async def _delete(self, name: str) -> None:
        for _ in range(_PATIENCE):
            outcome, _ = await self._diary.write(Action.DELETE, name, self._keys.delete(name))
            if outcome is Outcome.DONE:
                return


class Restorer:
    """Backs the whole HSM up and restores that a while later, each after a check.

    It is alone when it does so, but not in between.

    :param rounds: How often, spread over the run.
    """

    def __init__(self, rounds: int, diary: Diary, jobs: JobStarter, inventory: Inventory) -> None:
        self._rounds = rounds
        self._diary = diary
        self._jobs = jobs
        self._inventory = inventory

    async def work(self) -> None:
        for number in range(self._rounds):
            await self._diary.reaches((number + 0.25) / self._rounds)
            async with self._diary.gate.alone():
                folder, marks = await self._back_up()
            await self._diary.reaches((number + 0.75) / self._rounds)
            async with self._diary.gate.alone():
                await _insist("check of the restore", partial(self._check, partial(self._jobs.check_restore, folder)))
                await _insist("full restore", partial(self._restore, folder, marks))
                await self._look()
                await self._clear()

    async def _back_up(self) -> tuple[str, dict[str, str]]:
        """Return the folder of a backup and what it holds: what is there now, since nobody else changes anything."""
        await _insist("check of the backup", partial(self._check, self._jobs.check_backup))
        folder = await _insist("full backup", self._jobs.back_up)
        return folder, dict(await self._look())

    async def _check(self, check: Callable[[], Awaitable[bool]]) -> bool | None:
        return await check() or None

    async def _restore(self, folder: str, marks: dict[str, str]) -> bool | None:
        if await self._jobs.restore(folder, marks):
            return True
        # What failed must not have changed anything.
        await self._look()
        return None

    async def _look(self) -> tuple[tuple[str, str], ...]:
        return await _insist("look at everything", self._try_to_look)

    async def _try_to_look(self) -> tuple[tuple[str, str], ...] | None:
        _, found = await self._diary.write(Action.LOOK, "everything", self._found())
        return found

    async def _found(self) -> tuple[tuple[str, str], ...]:
        resources = self._diary.resources()
        return tuple((resources.get(thing.mark, thing.mark), thing.mark) for thing in await self._inventory.things())

    async def _clear(self) -> None:
        """Delete all that has come back: its owners may have forgotten it, and there is not room for all of it."""
        try:
            things = await self._inventory.things()
        except AzureError:
            return
        resources = self._diary.resources()
        for thing in things:
            await self._diary.write(Action.DELETE, resources.get(thing.mark, thing.mark), thing.delete())


async def _insist(what: str, attempt: Callable[[], Awaitable[T | None]]) -> T:
    """Try until there is a result."""
    began, tries = time.monotonic(), 0
    while (took := time.monotonic() - began) < _LONGEST:
        if (result := await attempt()) is not None:
            return result
        tries += 1
    raise GaveUpError(f"no {what} succeeded, tried {tries} times in {took:.0f} s")
