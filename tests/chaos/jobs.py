"""The jobs of a run: callers back up, restore and check, and follow each job to its end.

The contents of each restore are known: only the owner of a key restores it, and a full restore and the backup before it
are made while all other callers are paused.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from azure.core.exceptions import AzureError

from chaos.history import INTERRUPTED, Action, Contents, JobKind, Outcome, job_kind
from chaos.operation_log import Ended
from chaos.workload import new_mark

if TYPE_CHECKING:
    from azure.keyvault.administration.aio import KeyVaultBackupClient
    from chaos.fault_schedule import FaultSchedule
    from chaos.inventory import Inventory
    from chaos.operation_log import OperationLog

T = TypeVar("T")

_PATIENCE = 20
_PAUSE = 0.05
# In seconds: far longer than a restart of the service takes, or the jobs of other callers.
_LONGEST = 180.0


class GaveUpError(Exception):
    """Something that must succeed in the end never did."""


class JobStarter:
    """Starts jobs and follows them to their end, in spite of faults.

    :param log: Where each call is recorded.
    :param backup: The client.
    :param place: The URL of the container for backups, and a SAS token.
    """

    def __init__(self, log: OperationLog, backup: KeyVaultBackupClient, place: tuple[str, str]) -> None:
        self._log = log
        self._backup = backup
        self._container, self._sas = place
        self._succeeded: set[JobKind] = set()
        self._folders = [f"{self._container}/mhsm-emulated-hsm-2026112416000000"]

    def lacks(self) -> bool:
        """Return whether no job of some kind has succeeded yet."""
        return not self._succeeded >= set(JobKind)

    async def back_up(self) -> str | None:
        """Return the URL of the folder, or None if the backup failed."""
        ended = await self._run("POST /backup", partial(self._backup.begin_backup, self._container, self._sas))
        if ended.is_good:
            self._folders.append(ended.result.folder_url)
        return self._folders[-1] if ended.is_good else None

    async def check_backup(self) -> bool:
        begin = partial(self._backup.begin_pre_backup, self._container, self._sas)
        return (await self._run("POST /prebackup", begin)).is_good

    async def check_restore(self, folder: str) -> bool:
        begin = partial(self._backup.begin_pre_restore, folder, self._sas)
        return (await self._run("PUT /prerestore", begin)).is_good

    async def check_some_restore(self, source: random.Random) -> bool:
        """Check whether one of a few folders can be restored; one of them does not exist."""
        return await self.check_restore(source.choice([self._folders[0], *self._folders[-3:]]))

    async def restore(self, folder: str, marks: dict[str, str]) -> Ended:
        begin = partial(self._backup.begin_restore, folder, self._sas)
        return await self._run("PUT /restore", begin, Contents(marks))

    async def restore_key(self, folder: str, name: str, mark: str) -> bool:
        begin = partial(self._backup.begin_restore, folder, self._sas, key_name=name)
        return (await self._run(f"PUT /keys/{name}/restore", begin, Contents({name: mark}, only=name))).is_good

    async def _run(self, resource: str, begin: Callable[..., Awaitable[Any]], brings: Contents | None = None) -> Ended:
        poller: Any = None

        async def start() -> str:
            nonlocal poller
            poller = await begin(polling_interval=0.02)
            return str(poller.details.job_id)

        async def end() -> Ended:
            nonlocal poller
            try:
                result = await poller.result()
            except AzureError as error:
                if poller.details.status == "InProgress":
                    # The outcome is still unknown. Follow the job with a new poller, as a program does after a restart.
                    poller = await begin(continuation_token=poller.continuation_token(), polling_interval=0.02)
                    raise
                return Ended(str(poller.details.status), reason=str(error))
            return Ended(str(poller.details.status), result)

        outcome, job = await self._log.record(Action.START, resource, start(), brings=brings)
        if outcome is Outcome.DONE:
            for _ in range(_PATIENCE):
                outcome, ended = await self._log.record(Action.FOLLOW, str(job), end())
                if outcome is Outcome.DONE and ended:
                    self._succeeded |= {job_kind(resource)} if ended.is_good else set()
                    return ended
                await asyncio.sleep(_PAUSE)
        # The job, one of another caller, or a restart of the service may be under way.
        await asyncio.sleep(_PAUSE)
        return Ended()


class JobWorker:
    """Runs backups and checks, one after the other, while other callers work."""

    def __init__(self, seed: int, log: OperationLog, jobs: JobStarter) -> None:
        self._random = random.Random(f"{seed} jobs")
        self._log = log
        self._jobs = jobs

    async def work(self) -> None:
        choices: list[Callable[[], Awaitable[object]]] = [
            self._jobs.back_up,
            self._jobs.back_up,
            self._jobs.check_backup,
            partial(self._jobs.check_some_restore, self._random),
        ]
        while not self._log.is_full:
            async with self._log.shared():
                await self._random.choice(choices)()


class KeyWorker:
    """Creates keys, one after the other; backs each up, purges it and restores it."""

    def __init__(self, number: int, seed: int, log: OperationLog, jobs: JobStarter, inventory: Inventory) -> None:
        self._random = random.Random(f"{seed} key {number}")
        self._log = log
        self._jobs = jobs
        self._keys = inventory.keys

    async def work(self) -> None:
        while not self._log.is_full:
            await self._back_up_and_restore(new_mark(self._random))

    async def _back_up_and_restore(self, name: str) -> None:
        async with self._log.shared():
            made = self._keys.create(name, name)
            await self._log.record(Action.WRITE, name, made, value=name)
        # A full restore may come in between, and remove the key.
        async with self._log.shared():
            _, mark = await self._log.record(Action.READ, name, self._keys.mark(name))
            if mark and (folder := await self._until_good(self._jobs.back_up)):
                await self._delete(name)
                await self._until_good(partial(self._jobs.restore_key, folder, name, mark))
                await self._log.record(Action.READ, name, self._keys.mark(name))
        async with self._log.shared():
            # Once the log is full, some are kept for the look at the end.
            if not self._log.is_full:
                await self._delete(name)

    async def _until_good(self, run: Callable[[], Awaitable[Any]]) -> Any:
        """Run a job until it succeeds, a few times: other jobs and faults get in the way."""
        for _ in range(_PATIENCE):
            if result := await run():
                return result
        return None

    async def _delete(self, name: str) -> None:
        for _ in range(_PATIENCE):
            outcome, _ = await self._log.record(Action.DELETE, name, self._keys.delete(name))
            if outcome is Outcome.DONE:
                return


class Restorer:
    """Backs the whole HSM up and restores it a while later, each after a check, while all other callers are paused.

    In each round the service is also killed around such a restore: first until a kill has interrupted one, later at
    random between the request that starts it and its end.

    :param rounds: How often, spread over the run.
    """

    def __init__(
        self,
        rounds: int,
        seed: int,
        log: OperationLog,
        jobs: JobStarter,
        inventory: Inventory,
        faults: FaultSchedule,
    ) -> None:
        self._random = random.Random(f"{seed} restorer")
        self._rounds = rounds
        self._log = log
        self._jobs = jobs
        self._inventory = inventory
        self._faults = faults

    async def work(self) -> None:
        for number in range(self._rounds):
            await self._log.reaches((number + 0.25) / self._rounds)
            async with self._log.alone():
                folder, marks = await self._back_up()
            await self._log.reaches((number + 0.75) / self._rounds)
            async with self._log.alone():
                await _insist("check of the restore", partial(self._check, partial(self._jobs.check_restore, folder)))
                if number == 0:
                    await _insist("interrupted restore", partial(self._interrupt, folder, marks))
                else:
                    await self._kill_around(folder, marks, job=1, kill=self._random.uniform(0, 1))
                await _insist("full restore", partial(self._restore, folder, marks))
                await self._clear()

    async def _interrupt(self, folder: str, marks: dict[str, str]) -> bool | None:
        """Kill the service during a restore, and return whether that was early enough."""
        ended = await self._kill_around(folder, marks, job=3, kill=0.3)
        return INTERRUPTED in ended.reason or None

    async def _kill_around(self, folder: str, marks: dict[str, str], *, job: float, kill: float) -> Ended:
        """Start a restore, and kill the service meanwhile. Then look whether it was done as a whole, or not at all.

        :keyword job: How many seconds the restore takes.
        :keyword kill: After how many seconds the service is killed.
        """
        await self._faults.slow_down_restore(job)

        async def kill_later() -> None:
            await asyncio.sleep(kill)
            await self._faults.kill()

        ended: Ended
        ended, _ = await asyncio.gather(self._jobs.restore(folder, marks), kill_later())
        await self._look()
        return ended

    async def _back_up(self) -> tuple[str, dict[str, str]]:
        """Return the folder of a backup and its contents: all that is there, because all other callers are paused."""
        await _insist("check of the backup", partial(self._check, self._jobs.check_backup))
        folder = await _insist("full backup", self._jobs.back_up)
        return folder, dict(await self._look())

    async def _check(self, check: Callable[[], Awaitable[bool]]) -> bool | None:
        return await check() or None

    async def _restore(self, folder: str, marks: dict[str, str]) -> bool | None:
        ended = await self._jobs.restore(folder, marks)
        # A failed restore must not have changed anything.
        await self._look()
        return ended.is_good or None

    async def _look(self) -> tuple[tuple[str, str], ...]:
        return await _insist("look at everything", self._try_to_look)

    async def _try_to_look(self) -> tuple[tuple[str, str], ...] | None:
        _, found = await self._log.record(Action.LOOK, "everything", self._found())
        return found

    async def _found(self) -> tuple[tuple[str, str], ...]:
        resources = self._log.resources()
        return tuple((resources.get(thing.mark, thing.mark), thing.mark) for thing in await self._inventory.things())

    async def _clear(self) -> None:
        """Delete all that came back: its owners may have forgotten it, and the HSM doesn't have room for all of it."""
        try:
            things = await self._inventory.things()
        except AzureError:
            return
        resources = self._log.resources()
        for thing in things:
            await self._log.record(Action.DELETE, resources.get(thing.mark, thing.mark), thing.delete())


async def _insist(what: str, attempt: Callable[[], Awaitable[T | None]]) -> T:
    """Make an attempt until it has a result."""
    began, tries = time.monotonic(), 0
    while (took := time.monotonic() - began) < _LONGEST:
        if (result := await attempt()) is not None:
            return result
        tries += 1
    raise GaveUpError(f"no {what} succeeded, tried {tries} times in {took:.0f} s")
