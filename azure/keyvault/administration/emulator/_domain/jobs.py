"""Jobs: when one may start, and how one ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

from . import errors
from .records import Job, JobKind, JobStatus

_DISABLING = {JobKind.RESTORE, JobKind.KEY_RESTORE}


class JobFailure(Exception):  # noqa: N818 - an outcome of a job, not a fault of the emulator
    """A job cannot do what it was asked to.

    :param code: What kind of failure, in the words of the storage service where it is one of storage.
    :param message: The sentence for people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def refuse_while_restoring(running: Job | None) -> None:
    """During a restore the whole data plane is disabled, but for the status of the restore."""
    if running and running.kind in _DISABLING:
        raise errors.restore_in_progress()


def begin(kind: JobKind, job_id: str, now: float, running: Job | None) -> Job:
    """Return a new job; only one runs at a time."""
    if running:
        raise errors.another_job_in_progress()
    return Job(id=job_id, kind=kind, status=JobStatus.IN_PROGRESS, started=int(now))


def succeed(job: Job, now: float, *, details: str | None = None, folder_url: str | None = None) -> Job:
    return replace(job, status=JobStatus.SUCCEEDED, ended=_end(job, now), details=details, folder_url=folder_url)


def fail(job: Job, now: float, failure: JobFailure) -> Job:
    return replace(
        job,
        status=JobStatus.FAILED,
        ended=_end(job, now),
        details=failure.message,
        error_code=failure.code,
    )


def backup_folder(hsm_name: str, now: float) -> str:
    """Return the folder of a backup begun at a time: sixteen digits, down to hundredths of a second."""
    moment = datetime.fromtimestamp(int(now), timezone.utc)
    return f"mhsm-{hsm_name}-{moment:%Y%m%d%H%M%S}{int(now * 100) % 100:02}"


def key_restore_details(restored: int, not_overwritten: int) -> str:
    return (
        f"Number of successful key versions restored: {restored}, "
        f"Number of key versions could not overwrite: {not_overwritten}"
    )


def _end(job: Job, now: float) -> int:
    return max(job.started, int(now))
