"""The rules for jobs: when one can start, and its outcomes."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from . import errors
from .records import FailedJobForm, Job, JobKind, JobStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .errors import ServiceError
    from .faults import FailedJob
    from .records import Key

# About 20,000 versions of RSA keys. Larger backups are not read into memory, and so not written, either.
MAX_BACKUP_SIZE = 64 * 1024 * 1024
# More than a backup has, so that an error can name a few foreign files.
MAX_BACKUP_FILES = 16

_PLAIN_NAME = re.compile("[A-Za-z0-9._/-]{1,200}")

_DISABLING = {JobKind.RESTORE, JobKind.KEY_RESTORE}
_INSTANT = {JobKind.PRE_BACKUP, JobKind.PRE_RESTORE}


class JobFailure(Exception):  # noqa: N818 - an outcome of a job, not a fault of the emulator
    """The failure of a job.

    :param code: The error code; of storage errors, the storage service's own.
    :param message: The sentence for people.
    :param details: The ``statusDetails`` of the job. Defaults to the message.
    """

    def __init__(self, code: str, message: str, details: str | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.details = message if details is None else details


def refuse_while_restoring(running: Job | None) -> None:
    """Refuse a request during a restore, which disables the whole data plane but for its own status."""
    if running and running.kind in _DISABLING:
        raise errors.restore_in_progress()


def begin(kind: JobKind, job_id: str, now: float, running: Job | None) -> Job:
    """Return a new job, or refuse it while another one runs."""
    if running:
        raise errors.another_job_in_progress()
    return Job(id=job_id, kind=kind, status=JobStatus.IN_PROGRESS, started=int(now))


def with_injected_failure(job: Job, now: float, fault: FailedJob) -> Job:
    """Return a job that will fail, or has failed, in the form that a fault wants.

    :raises ServiceError: if the fault wants the start refused.
    """
    if fault.form is FailedJobForm.START_REFUSED:
        raise errors.bad_request(fault.message)
    failing = replace(job, failed_form=fault.form)
    if fault.form is FailedJobForm.AT_ONCE:
        return fail(failing, now, JobFailure(fault.code, fault.message))
    return failing


def succeed(job: Job, now: float, *, details: str | None = None, folder_url: str | None = None) -> Job:
    return replace(job, status=JobStatus.SUCCEEDED, ended=_end(job, now), details=details, folder_url=folder_url)


def fail(job: Job, now: float, failure: JobFailure) -> Job:
    return replace(
        job,
        status=JobStatus.FAILED,
        ended=_end(job, now),
        details=failure.details,
        error_code=failure.code,
        error_message=failure.message,
    )


def backup_folder(hsm_name: str, hundredths: int) -> str:
    """Return the folder of a backup that began at a time in hundredths of a second since 1970."""
    seconds, rest = divmod(hundredths, 100)
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return f"mhsm-{hsm_name}-{moment:%Y%m%d%H%M%S}{rest:02}"


def invalid_request(reason: ServiceError) -> JobFailure:
    """Return the failure of a check whose job would be refused at the start."""
    return JobFailure(reason.code, reason.message, details="Invalid Request")


def invalid_backup(reason: str) -> JobFailure:
    return JobFailure("InvalidBackup", f"Invalid backup provided: {reason}")


def folder_not_found(folder: str) -> JobFailure:
    # Anything that is not a plain name could be a URL with a token, or very long: it is neither shown nor kept.
    name = f"the folder '{folder}'" if _PLAIN_NAME.fullmatch(folder) else "a folder of the name that was given"
    return invalid_backup(f"{name} does not exist")


def check_size(sizes: Mapping[str, int]) -> None:
    """Refuse a folder with too many or too large files for a backup, before they are read."""
    if len(sizes) > MAX_BACKUP_FILES:
        raise invalid_backup(f"it has more than {MAX_BACKUP_FILES} files")
    if sum(sizes.values()) > MAX_BACKUP_SIZE:
        raise invalid_backup(f"it is larger than {MAX_BACKUP_SIZE} bytes")


def restore_key(name: str, backed_up: Key | None, existing: Key | None) -> tuple[Key | None, str]:
    """Return the key to restore, if any, and the details of the job.

    :raises JobFailure: if the backup does not hold the key, or the key is soft-deleted.
    """
    if backed_up is None or backed_up.deleted is not None:
        raise JobFailure("KeyNotFound", f"The backup does not hold the key {name}")
    # The service counts one more than there are versions, for unknown reasons.
    count = len(backed_up.versions) + 1
    if existing is None:
        return backed_up, _key_restore_details(count, 0)
    if existing.deleted is not None:
        raise JobFailure("ObjectIsDeletedButRecoverable", f"The key {name} is soft-deleted; recover or purge it first")
    return None, _key_restore_details(0, count)


def _key_restore_details(restored: int, not_overwritten: int) -> str:
    return (
        f"Number of successful key versions restored: {restored}, "
        f"Number of key versions could not overwrite: {not_overwritten}"
    )


def _end(job: Job, now: float) -> int:
    if job.kind in _INSTANT:
        return job.started
    return max(job.started, int(now))
