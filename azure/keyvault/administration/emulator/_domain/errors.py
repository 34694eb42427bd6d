"""All errors of the service: status, code and message side by side.

They are raised anywhere, and rendered by the middleware ``render_errors``, which adds the Activity ID.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class ServiceError(Exception):
    """An error response.

    :param message: The sentence for people, without the Activity ID.
    :param inner_code: The code of ``innererror``, if any.
    :param headers: Headers in addition to the usual ones.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        inner_code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.inner_code = inner_code
        self.headers = headers or {}


# The request as such.

bad_request = partial(ServiceError, 400, "BadRequest")
bad_parameter = partial(ServiceError, 400, "BadParameter")
unknown_path = partial(ServiceError, 404, "NotFound", "The requested resource does not exist on this Managed HSM")
unsupported_media_type = partial(
    ServiceError, 415, "UnsupportedMediaType", "The request body must be uncompressed application/json"
)
internal = partial(ServiceError, 500, "InternalError", "The emulator failed; its log has the details")


def invalid_token(reason: str, challenge: str) -> ServiceError:
    return ServiceError(401, "Unauthorized", reason, headers={"WWW-Authenticate": challenge})


def access_denied(action: str, scope: str) -> ServiceError:
    return ServiceError(403, "AccessDenied", f"Not authorized to access {action} on {scope}")


def too_many_requests(limit: str, retry_after: int | None) -> ServiceError:
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return ServiceError(429, "TooManyRequests", f"The rate limit of {limit} a second is exceeded", headers=headers)


def refused(status: int, reason: str) -> ServiceError:
    return ServiceError(status, reason.replace(" ", ""), f"The server refused the request: {reason}")


def method_not_allowed(method: str, allowed: Iterable[str]) -> ServiceError:
    names = ", ".join(sorted(allowed))
    message = f"{method} is not allowed here; allowed: {names}"
    return ServiceError(405, "MethodNotAllowed", message, headers={"Allow": names})


def body_too_large(limit: int) -> ServiceError:
    return ServiceError(413, "RequestBodyTooLarge", f"The request body is larger than {limit} bytes")


def not_emulated(what: str) -> ServiceError:
    return ServiceError(501, "NotImplemented", f"{what} is not part of this emulator")


def storage_unavailable(reason: str) -> ServiceError:
    return ServiceError(503, "ServiceUnavailable", f"The emulator cannot use its data directory: {reason}")


# Local RBAC.

invalid_scope = partial(ServiceError, 400, "Invalidkeyidentifier", "Invalid key identifier")
role_definition_not_found = partial(ServiceError, 404, "RoleDefinitionNotFound", "Requested role definition not found")
role_assignment_not_found = partial(ServiceError, 404, "RoleAssignmentNotFound", "Requested role assignment not found")
role_assignment_exists = partial(ServiceError, 400, "RoleAssignmentExists", "The role assignment already exists.")
# Spelled as the service does.
unknown_role_definition = partial(bad_parameter, "Unkown role definition")
role_definition_name_not_a_guid = partial(bad_parameter, "Role definition name must be a GUID")
built_in_role_name = partial(
    bad_parameter, "Cannot re-use the name/GUID matching that of a built-in role. Please use a unique role ID."
)
role_definition_still_assigned = partial(
    ServiceError, 409, "Conflict", "The role definition is assigned; the deletion of its assignments is under way"
)


def matching_role_assignment_exists(name: str, role_definition_id: str, principal: str, scope: str) -> ServiceError:
    return ServiceError(
        400,
        "MatchingRoleAssignmentExists",
        f"Role assignment '{name}' already adds role '{role_definition_id}' to principal '{principal}' "
        f"in scope '{scope}'.",
    )


def role_definition_limit(limit: int) -> ServiceError:
    return ServiceError(400, "RoleDefinitionLimitExceeded", f"No more than {limit} custom role definitions are allowed")


def role_assignment_limit(limit: int, scope: str) -> ServiceError:
    return ServiceError(
        400, "RoleAssignmentLimitExceeded", f"No more than {limit} role assignments are allowed in scope '{scope}'"
    )


# Keys.

key_limit = partial(ServiceError, 400, "KeyLimitExceeded")
# The same for every failed decryption: a more exact one would help an attacker.
decryption_failed = partial(bad_parameter, "The value cannot be decrypted with this key and these parameters")
malformed_blob = partial(
    ServiceError,
    400,
    "MalformedBackupBlob",
    "Backup blob belongs to a different crypto domain and cannot be used with this instance.",
)
no_private_key = partial(not_emulated, "The private half of a key that an older emulator made")


def key_not_found(url: str) -> ServiceError:
    return ServiceError(404, "KeyNotFound", f"Key not found: {url}")


def key_is_deleted(name: str) -> ServiceError:
    return ServiceError(
        409,
        "Conflict",
        f"Key {name} is in a deleted but recoverable state, and its name cannot be reused until it is recovered "
        "or purged",
        inner_code="ObjectIsDeletedButRecoverable",
    )


def key_exists(name: str) -> ServiceError:
    return ServiceError(409, "Conflict", f"Key {name} exists and cannot be restored over")


def key_use_refused(operation: str, why: str, inner_code: str) -> ServiceError:
    return ServiceError(403, "Forbidden", f"Operation {operation} is {why}.", inner_code=inner_code)


def bad_web_key(reason: str) -> ServiceError:
    return bad_parameter(f"JSON Web Key: {reason}")


# Settings.

invalid_setting = partial(ServiceError, 400, "InvalidSetting")
no_content = partial(ServiceError, 400, "Nocontentprovided", "No content provided")


# Jobs.

restore_in_progress = partial(
    ServiceError, 409, "Conflict", "User triggered Restore operation is in progress. Retry after the restore operation"
)
another_job_in_progress = partial(ServiceError, 409, "Conflict", "Another backup operation is in progress")


def job_not_found(job_id: str) -> ServiceError:
    return ServiceError(404, "JobNotFound", f"No job with id {job_id} is known")


def malformed_sas(reason: str) -> ServiceError:
    return bad_request(f"The customer provided SAS token is malformed. {reason}")
