"""The jobs of an HSM: each does its work, waits until it is due, and ends in one transaction."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, TypeAlias
from uuid import uuid4

from .._domain import archive, jobs
from .._domain.faults import FailedJob, JobFault, SlowJob
from .._domain.jobs import JobFailure
from .._domain.records import Job, JobKind, JobStatus
from .._state.sqlite import StoreError
from .._state.threads import run_in_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .._domain.containers import Target
    from .._domain.faults import FaultMatch
    from .._domain.records import Snapshot
    from .._state.backup_storage import BackupStorage, Storage
    from .._state.clock import WakingClock
    from .._state.sqlite import SqliteStore
    from .authorization import Access

_LOGGER = logging.getLogger(__name__)

# The newest jobs are kept.
_MAX_JOBS = 1000
# A poll waits for a job that is due this soon, because the client would poll again only seconds later.
_DUE_SOON_SECONDS = 0.25
# The longest time that such a poll waits.
_MAX_WAIT_SECONDS = 2.0
# Before the next attempt to store the end of a job.
_RETRY_SECONDS = 1.0

# Ends a job: changes the state and returns the finished job, inside the transaction that saves the job. So a restore
# and its success are stored together.
Finish: TypeAlias = "Callable[[float], Job]"
Work: TypeAlias = "Callable[[], Awaitable[Finish]]"


class Jobs:
    """Starts jobs, runs them, and stops them with the emulator.

    :param hsm_name: Part of the names of backup folders.
    :param security_domain: Ties a backup to the HSMs that can restore it.
    :param duration: Seconds that a job is in progress, at least.
    """

    def __init__(
        self,
        *,
        hsm_name: str,
        store: SqliteStore,
        access: Access,
        clock: WakingClock,
        storage: Storage,
        security_domain: bytes,
        duration: float,
    ) -> None:
        self._hsm_name = hsm_name
        self._store = store
        self._access = access
        self._clock = clock
        self._storage = storage
        self._security_domain = security_domain
        self._duration = duration
        self._newest_folder = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._due = 0.0

    def start_backup(self, target: Target, fault_match: FaultMatch) -> Job:
        """Start writing the current state into a new folder."""
        storage = self._storage.open(target)
        with self._store.transaction():
            job, fault = self._begin(JobKind.BACKUP, fault_match)
            snapshot = self._store.snapshot()
            folder = self._new_folder()
        return self._start(job, partial(self._back_up, job, storage, target, snapshot, folder), fault)

    def start_restore(self, target: Target, folder: str, fault_match: FaultMatch) -> Job:
        """Start replacing the state by that of a backup."""
        return self._start_reading(JobKind.RESTORE, target, folder, self._replace_state, fault_match)

    def start_key_restore(self, target: Target, folder: str, key_name: str, fault_match: FaultMatch) -> Job:
        """Start restoring one key with all its versions."""
        end = partial(self._restore_key, key_name)
        return self._start_reading(JobKind.KEY_RESTORE, target, folder, end, fault_match)

    async def check_backup(self, target: Target, fault_match: FaultMatch) -> Job:
        """Check whether a backup would work; the job has ended when this returns."""
        storage = self._storage.open(target)
        return await self._check(JobKind.PRE_BACKUP, storage.check, fault_match)

    async def check_restore(self, target: Target, folder: str, fault_match: FaultMatch) -> Job:
        """Check whether a restore would work; the job has ended when this returns."""
        storage = self._storage.open(target)
        return await self._check(JobKind.PRE_RESTORE, partial(self._read, storage, folder), fault_match)

    async def fail_check(self, kind: JobKind, failure: JobFailure, fault_match: FaultMatch) -> Job:
        """Return a failed check; the job has ended when this returns."""

        async def check() -> None:
            raise failure

        return await self._check(kind, check, fault_match)

    async def wait_if_due_soon(self) -> None:
        """Wait for a job that is about to end."""
        if self._tasks and self._due - self._clock.now() < _DUE_SOON_SECONDS:
            await asyncio.wait(self._tasks, timeout=_MAX_WAIT_SECONDS)

    def fail_interrupted(self) -> None:
        """Fail the job that was running when the previous process ended."""
        if job := self._store.running_job():
            failure = JobFailure("Interrupted", "The HSM was stopped while the job was in progress")
            self._store.save_job(jobs.fail(job, self._clock.now(), failure))

    async def close(self) -> None:
        """Stop all jobs; the next start fails them as interrupted."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _new(self, kind: JobKind, fault_match: FaultMatch) -> tuple[Job, JobFault | None]:
        """Return a job that can start, and its fault."""
        now = self._clock.now()
        job = jobs.begin(kind, uuid4().hex, now, self._store.running_job())
        fault = fault_match.take(JobFault)
        return jobs.with_injected_failure(job, now, fault) if isinstance(fault, FailedJob) else job, fault

    def _begin(self, kind: JobKind, fault_match: FaultMatch) -> tuple[Job, JobFault | None]:
        job, fault = self._new(kind, fault_match)
        self._remember(job)
        return job, fault

    def _remember(self, job: Job) -> None:
        self._store.save_job(job)
        self._store.forget_jobs(keep=_MAX_JOBS)

    async def _check(self, kind: JobKind, check: Callable[[], Awaitable[object]], fault_match: FaultMatch) -> Job:
        """Return the job as it was at the start, which the response shows; its outcome is saved."""
        job, fault = self._new(kind, fault_match)

        async def work() -> Finish:
            await check()
            return partial(jobs.succeed, job)

        if isinstance(fault, SlowJob):
            self._remember(job)
            return self._start(job, work, fault)
        # Saved only now that it has ended, so it is never interrupted.
        finish = await self._outcome(job, work, fault)
        self._remember(finish(self._clock.now()))
        return job

    def _start_reading(
        self,
        kind: JobKind,
        target: Target,
        folder: str,
        end: Callable[[Job, Snapshot, float], Job],
        fault_match: FaultMatch,
    ) -> Job:
        storage = self._storage.open(target)
        with self._store.transaction():
            job, fault = self._begin(kind, fault_match)

        async def read() -> Finish:
            return partial(end, job, await self._read(storage, folder))

        return self._start(job, read, fault)

    def _start(self, job: Job, work: Work, fault: JobFault | None) -> Job:
        if job.status is not JobStatus.IN_PROGRESS:
            return job
        task = asyncio.create_task(self._run(job, work, fault))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    async def _run(self, job: Job, work: Work, fault: JobFault | None) -> None:
        self._due = due = self._clock.now() + (fault.seconds if isinstance(fault, SlowJob) else self._duration)
        finish = await self._outcome(job, work, fault)
        await self._clock.sleep_until(due)
        await self._finish(job, finish)

    async def _outcome(self, job: Job, work: Work, fault: JobFault | None) -> Finish:
        if isinstance(fault, FailedJob):
            return partial(jobs.fail, job, failure=JobFailure(fault.code, fault.message))
        try:
            return await work()
        except JobFailure as failure:
            return partial(jobs.fail, job, failure=failure)
        except Exception:
            _LOGGER.exception("The job %s failed", job.id)
            return partial(jobs.fail, job, failure=_internal())

    async def _finish(self, job: Job, finish: Finish) -> None:
        """End the job, with retries if that cannot be stored: a job without an end would block all others."""
        failure = self._save(job, finish)
        while failure and self._save(job, partial(jobs.fail, job, failure=failure)):
            await self._clock.sleep_until(self._clock.now() + _RETRY_SECONDS)

    def _save(self, job: Job, finish: Finish) -> JobFailure | None:
        """Store the end of the job, or return why that failed."""
        try:
            with self._store.transaction():
                self._store.save_job(finish(self._clock.now()))
        except JobFailure as failure:
            return failure
        except StoreError as error:
            _LOGGER.warning("The end of the job %s could not be stored: %s", job.id, error)
            return JobFailure("StorageUnavailable", f"The emulator cannot use its data directory: {error}")
        except Exception:
            _LOGGER.exception("The job %s failed", job.id)
            return _internal()
        return None

    def _new_folder(self) -> str:
        # Two backups within a hundredth of a second need different folders.
        self._newest_folder = max(int(self._clock.now() * 100), self._newest_folder + 1)
        return jobs.backup_folder(self._hsm_name, self._newest_folder)

    async def _back_up(
        self, job: Job, storage: BackupStorage, target: Target, snapshot: Snapshot, folder: str
    ) -> Finish:
        files = await run_in_thread(
            archive.pack, snapshot, security_domain=self._security_domain, hsm_name=self._hsm_name, created=job.started
        )
        await storage.write(folder, files)
        return partial(jobs.succeed, job, folder_url=f"{target.container.url}/{folder}")

    async def _read(self, storage: BackupStorage, folder: str) -> Snapshot:
        files = await storage.read(folder)
        return await run_in_thread(archive.unpack, files, security_domain=self._security_domain)

    def _replace_state(self, job: Job, snapshot: Snapshot, now: float) -> Job:
        with self._access.changing():
            self._store.replace(snapshot)
        return jobs.succeed(job, now)

    def _restore_key(self, key_name: str, job: Job, snapshot: Snapshot, now: float) -> Job:
        key = next((each for each in snapshot.keys if each.name == key_name), None)
        restored, details = jobs.restore_key(key_name, key, self._store.key(key_name))
        if restored:
            self._store.save_key(restored)
        return jobs.succeed(job, now, details=details)


def _internal() -> JobFailure:
    return JobFailure("InternalError", "The emulator failed; its log has the details")
