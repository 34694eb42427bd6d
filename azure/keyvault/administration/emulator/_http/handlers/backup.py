"""Backup, restore, the restore of one key, and the checks before them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..._domain import containers, errors, jobs, sas
from ..._domain.containers import Target
from ..._domain.records import FailedJobForm, JobKind, JobStatus
from ..operation import Result

if TYPE_CHECKING:
    from ..._domain.jobs import JobFailure
    from ..._domain.records import Job
    from ..._hsm.hsm import Hsm
    from ..json_body import JsonBody
    from ..operation import Call

_BACKUPS = {JobKind.BACKUP, JobKind.PRE_BACKUP}
_NULL_ERRORS = {FailedJobForm.STATUS_DETAILS, FailedJobForm.AT_ONCE}


async def full_backup(hsm: Hsm, call: Call) -> Result:
    target, _ = _locate(_read(call))
    return _accepted(hsm, call, hsm.jobs.start_backup(target, call.fault_match))


async def pre_full_backup(hsm: Hsm, call: Call) -> Result:
    request = _read(call)
    if failure := _token_failure(request):
        return _accepted(hsm, call, await hsm.jobs.fail_check(JobKind.PRE_BACKUP, failure, call.fault_match))
    target, _ = _locate(request)
    return _accepted(hsm, call, await hsm.jobs.check_backup(target, call.fault_match))


async def full_restore(hsm: Hsm, call: Call) -> Result:
    target, folder = _locate(_read(call, "folderToRestore"))
    return _accepted(hsm, call, hsm.jobs.start_restore(target, folder, call.fault_match))


async def pre_full_restore(hsm: Hsm, call: Call) -> Result:
    request = _read(call, "folderToRestore")
    if failure := _token_failure(request):
        return _accepted(hsm, call, await hsm.jobs.fail_check(JobKind.PRE_RESTORE, failure, call.fault_match))
    target, folder = _locate(request)
    return _accepted(hsm, call, await hsm.jobs.check_restore(target, folder, call.fault_match))


async def selective_key_restore(hsm: Hsm, call: Call) -> Result:
    target, folder = _locate(_read(call, "folder"))
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
    return Result(_sorted_members(_job(job)))


def _find(hsm: Hsm, call: Call, *, is_backup: bool) -> Job:
    job_id = call.parameters["job_id"]
    job = hsm.store.job(job_id)
    if job is None or (job.kind in _BACKUPS) is not is_backup:
        raise errors.job_not_found(job_id)
    return job


class _Request(NamedTuple):
    """The content of the request body."""

    resource: str
    token: str | None
    uses_identity: bool
    folder: str


def _read(call: Call, folder_member: str | None = None) -> _Request:
    """Read the storage parameters: at the top of the body, or one level down next to a folder."""
    with call.body as body:
        if folder_member is None:
            return _read_storage(body)
        with body.required_object("sasTokenParameters") as parameters:
            request = _read_storage(parameters)
        return request._replace(folder=body.required_text(folder_member))


def _read_storage(members: JsonBody) -> _Request:
    resource = members.required_text("storageResourceUri")
    token = members.text("token")
    # New in 7.5-preview.1; older versions accept it, too.
    uses_identity = bool(members.flag("useManagedIdentity"))
    if token is None and not uses_identity:
        raise errors.bad_request("Either a SAS token or the use of the managed identity is required")
    return _Request(resource, token, uses_identity, folder="")


def _locate(request: _Request) -> tuple[Target, str]:
    """Return the container with the SAS token, and the folder. The token is checked before the URL."""
    # A token given with the managed identity is not used, but must be valid anyway.
    token = None if request.token is None else sas.parse(request.token)
    container, folder = containers.locate(request.resource, request.folder)
    return Target(container, None if request.uses_identity else token), folder


def _token_failure(request: _Request) -> JobFailure | None:
    """Return the failure of a check whose token is malformed; the job itself would be refused at the start."""
    try:
        if request.token is not None:
            sas.parse(request.token)
    except errors.ServiceError as error:
        return jobs.invalid_request(error)
    return None


def _accepted(hsm: Hsm, call: Call, job: Job) -> Result:
    is_backup = job.kind in _BACKUPS
    kind = "backup" if is_backup else "restore"
    return Result(
        # Only the response to the start of a backup has its members in the order of declaration.
        _job(job) if is_backup else _sorted_members(_job(job)),
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


def _error(job: Job) -> dict[str, Any] | None:
    if job.failed_form in _NULL_ERRORS:
        return {"code": None, "message": None, "innererror": None}
    if job.error_code is None:
        return None
    return {"code": job.error_code, "message": job.error_message, "innererror": None}


def _sorted_members(body: dict[str, Any]) -> dict[str, Any]:
    error = body["error"]
    return dict(sorted({**body, "error": error and dict(sorted(error.items()))}.items()))
