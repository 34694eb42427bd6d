"""Backup, restore, the restore of one key, and the checks before them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..._domain import containers, errors, sas, versions
from ..._domain.containers import Target
from ..._domain.records import FailedJobForm, JobKind, JobStatus
from ..operation import Result

if TYPE_CHECKING:
    from ..._domain.records import Job
    from ..._hsm.hsm import Hsm
    from ..json_body import JsonBody
    from ..operation import Call

_BACKUPS = {JobKind.BACKUP, JobKind.PRE_BACKUP}
_NULL_ERRORS = {FailedJobForm.STATUS_DETAILS, FailedJobForm.AT_ONCE}
_MANAGED_IDENTITY_SINCE = "7.5-preview.1"


async def full_backup(hsm: Hsm, call: Call) -> Result:
    target, _ = _read_target(call)
    return _accepted(hsm, call, hsm.jobs.start_backup(target, call.fault_match))


async def pre_full_backup(hsm: Hsm, call: Call) -> Result:
    target, _ = _read_target(call)
    return _accepted(hsm, call, await hsm.jobs.check_backup(target, call.fault_match))


async def full_restore(hsm: Hsm, call: Call) -> Result:
    target, folder = _read_target(call, "folderToRestore")
    return _accepted(hsm, call, hsm.jobs.start_restore(target, folder, call.fault_match))


async def pre_full_restore(hsm: Hsm, call: Call) -> Result:
    target, folder = _read_target(call, "folderToRestore")
    return _accepted(hsm, call, await hsm.jobs.check_restore(target, folder, call.fault_match))


async def selective_key_restore(hsm: Hsm, call: Call) -> Result:
    target, folder = _read_target(call, "folder")
    return _accepted(
        hsm, call, hsm.jobs.start_key_restore(target, folder, call.parameters["key_name"], call.fault_match)
    )


async def backup_status(hsm: Hsm, call: Call) -> Result:
    return await _status(hsm, call, is_backup=True)


async def restore_status(hsm: Hsm, call: Call) -> Result:
    return await _status(hsm, call, is_backup=False)


async def _status(hsm: Hsm, call: Call, *, is_backup: bool) -> Result:
    await hsm.jobs.wait_if_due_soon()
    job = _find(hsm, call, is_backup=is_backup)
    if job.status is JobStatus.FAILED and job.failed_form is FailedJobForm.POLL_REFUSED:
        raise errors.bad_request(job.details or "")
    return Result(_alphabetical(_job(job)))


def _find(hsm: Hsm, call: Call, *, is_backup: bool) -> Job:
    job_id = call.parameters["job_id"]
    job = hsm.store.job(job_id)
    if job is None or (job.kind in _BACKUPS) is not is_backup:
        raise errors.job_not_found(job_id)
    return job


def _read_target(call: Call, folder_member: str | None = None) -> tuple[Target, str]:
    """Read where the backup lies: at the top of the body, or one level down next to a folder."""
    with call.body as body:
        if folder_member is None:
            storage = _read_storage(body, call.api_version)
            folder = ""
        else:
            with body.required_object("sasTokenParameters") as parameters:
                storage = _read_storage(parameters, call.api_version)
            folder = body.required_text(folder_member)
    container, folder = containers.locate(storage.resource, folder)
    # A token given with the managed identity is not used, but must be valid anyway.
    token = None if storage.token is None else sas.parse(storage.token)
    return Target(container, None if storage.uses_identity else token), folder


class _Storage(NamedTuple):
    """What a caller says about storage, as it stands in the body."""

    resource: str
    token: str | None
    uses_identity: bool


def _read_storage(members: JsonBody, api_version: str) -> _Storage:
    resource = members.required_text("storageResourceUri")
    token = members.text("token")
    # An older version does not know the member, and refuses it as it does any unknown one.
    knows_identity = versions.has(api_version, _MANAGED_IDENTITY_SINCE)
    uses_identity = bool(knows_identity and members.flag("useManagedIdentity"))
    if token is None and not uses_identity:
        raise errors.bad_request("Either a SAS token or the use of the managed identity is required")
    return _Storage(resource, token, uses_identity)


def _accepted(hsm: Hsm, call: Call, job: Job) -> Result:
    is_backup = job.kind in _BACKUPS
    kind = "backup" if is_backup else "restore"
    return Result(
        # Only the start of a backup answers in the order in which the members were declared.
        _job(job) if is_backup else _alphabetical(_job(job)),
        status=202,
        headers={
            "azure-asyncoperation": f"{call.base_url}/{kind}/{job.id}/pending",
            "Retry-After": str(hsm.retry_after),
        },
    )


def _job(job: Job) -> dict[str, Any]:
    body = {
        "status": job.status.value,
        "statusDetails": job.details,
        "error": _error(job),
        "startTime": job.started,
        "endTime": job.ended,
        "jobId": job.id,
    }
    if job.kind in _BACKUPS:
        body["azureStorageBlobContainerUri"] = job.folder_url
    return body


def _error(job: Job) -> dict[str, str | None] | None:
    if job.failed_form in _NULL_ERRORS:
        return {"code": None, "innererror": None, "message": None}
    if job.error_code is None:
        return None
    return {"code": job.error_code, "innererror": None, "message": job.details}


def _alphabetical(body: dict[str, Any]) -> dict[str, Any]:
    return dict(sorted(body.items()))
