"""The emulator's HTTP application: read from top to bottom, this is a request's way through the server."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from .._domain import errors, versions
from .._domain.rate_limits import Limit
from .dispatch import MAX_BODY, dispatcher
from .exchange import HSM
from .fault_injection import break_connection, inject_fault
from .handlers import access_control as roles
from .handlers import backup, key_backup, key_rotation, keys, settings
from .handlers.key_operations import key_operation, random_bytes
from .headers import set_headers
from .middleware import authenticate, record, render_errors
from .operation import Body, Call, Handler, Operation, Result, Service

if TYPE_CHECKING:
    from .._hsm.hsm import Hsm

_MIDDLEWARES = (
    break_connection,  # breaks the connection, once the journal has the request, if a fault says so
    record,  # gives every request an Activity ID and writes the journal
    inject_fault,
    render_errors,  # turns all errors of those below into the service's error shape
    authenticate,  # challenges a request without a token, whatever it asks for
)

# Any text, even line breaks: rbac refuses invalid scopes, not the router.
_SCOPE = r"{scope:(?:[\s\S]+/)?}"
_ROLE_DEFINITIONS = f"/{_SCOPE}providers/Microsoft.Authorization/roleDefinitions"
_ROLE_ASSIGNMENTS = f"/{_SCOPE}providers/Microsoft.Authorization/roleAssignments"
_KEY = "/keys/{key_name}"
_DELETED_KEY = "/deletedkeys/{key_name}"
# Last parts of paths that name an operation, in upper or lower case, and so are not the version of a key.
_OPERATION_NAMES = (
    "attestation|backup|create|decrypt|encrypt|release|rotate|rotationpolicy|secureunwrapkey|securewrapkey|sign|"
    "unwrapkey|verify|versions|wrapkey"
)
_VERSION = rf"/{{version:(?!(?i:{_OPERATION_NAMES})(?:/|$))[^{{}}/]+}}"
_SECURITY_DOMAIN = "Download or upload of the security domain"
_SETTING = "/settings/{setting}"
# The version that brought rotation and random numbers.
_ROTATION = "7.3-preview"
_LIST = frozenset({"$filter", "$skiptoken"})
_PAGING = frozenset({"maxresults", "$skiptoken"})


def _named(operation: str) -> str:
    return f"/{{operation:(?i:{operation})}}"


_POLICY = _KEY + _named("rotationpolicy")

_role = partial(Operation, limit=Limit.RBAC)
_assignment = partial(_role, at="{scope}")
_job_status = partial(Operation, "GET", service=Service.BACKUP, needs_version=False)
_job_start = partial(Operation, body=Body.JSON, service=Service.BACKUP, limit=Limit.JOB_START)
_check_start = partial(_job_start, since="7.6-preview.1")

_DEFINITION = _ROLE_DEFINITIONS + "/{name}"
_ASSIGNMENT = _ROLE_ASSIGNMENTS + "/{name}"

_ADMINISTRATION = (
    _role("GET", _ROLE_DEFINITIONS, roles.list_role_definitions, "/roleDefinitions/read/action", query=_LIST),
    _role("GET", _DEFINITION, roles.get_role_definition, "/roleDefinitions/read/action"),
    _role("PUT", _DEFINITION, roles.set_role_definition, "/roleDefinitions/write/action", body=Body.JSON),
    _role("DELETE", _DEFINITION, roles.delete_role_definition, "/roleDefinitions/delete/action"),
    _assignment("GET", _ROLE_ASSIGNMENTS, roles.list_role_assignments, "/roleAssignments/read/action", query=_LIST),
    _assignment("GET", _ASSIGNMENT, roles.get_role_assignment, "/roleAssignments/read/action"),
    _assignment("PUT", _ASSIGNMENT, roles.create_role_assignment, "/roleAssignments/write/action", body=Body.JSON),
    _assignment("DELETE", _ASSIGNMENT, roles.delete_role_assignment, "/roleAssignments/delete/action"),
    _job_start("POST", "/backup", backup.full_backup, "/backup/start/action", declared_order=True),
    _check_start("POST", "/prebackup", backup.pre_full_backup, "/backup/start/action"),
    _job_status("/backup/{job_id}/pending", backup.backup_status, "/backup/status/action"),
    _job_start("PUT", "/restore", backup.full_restore, "/restore/start/action"),
    _check_start("PUT", "/prerestore", backup.pre_full_restore, "/restore/start/action"),
    _job_start("PUT", _KEY + "/restore", backup.selective_key_restore, "/restore/start/action"),
    _job_status("/restore/{job_id}/pending", backup.restore_status, "/restore/status/action", while_restoring=True),
)

# Without a version, the newest is used; several slashes count as one.
_VERSIONS = ("", _VERSION)
_key = partial(Operation, at=_KEY, since=versions.KEYS_SINCE)
_json = partial(_key, body=Body.JSON)
_attestation = partial(_key, action="/keys/read/action", since="7.6-preview.2")

_KEYS = (
    _json("POST", _KEY + _named("create"), keys.create_key, "/keys/create", at="/keys"),
    _json("PUT", _KEY, keys.import_key, "/keys/import/action", at="/keys"),
    _json("POST", "/keys/restore", key_backup.restore_key, "/keys/restore/action", at="/keys"),
    _key("GET", "/keys", keys.list_keys, "/keys/read/action", at="/keys", query=_PAGING),
    _key("GET", _KEY + _named("versions"), keys.list_key_versions, "/keys/read/action", query=_PAGING),
    *(_key("GET", _KEY + version, keys.get_key, "/keys/read/action") for version in (*_VERSIONS, "/")),
    *(_json("PATCH", _KEY + version, keys.update_key, "/keys/write/action") for version in (*_VERSIONS, "/")),
    _key("DELETE", _KEY, keys.delete_key, "/keys/delete"),
    _key("GET", "/deletedkeys", keys.list_deleted_keys, "/keys/deletedKeys/read/action", at="/keys", query=_PAGING),
    _key("GET", _DELETED_KEY, keys.get_deleted_key, "/keys/deletedKeys/read/action"),
    _key("POST", _DELETED_KEY + "/recover", keys.recover_deleted_key, "/keys/deletedKeys/recover/action"),
    _key("DELETE", _DELETED_KEY, keys.purge_deleted_key, "/keys/deletedKeys/delete"),
    _key("POST", _KEY + _named("backup"), key_backup.backup_key, "/keys/backup/action"),
    *(
        _json("POST", _KEY + version + _named(name), key_operation(name), f"/keys/{action}/action")
        for name, action in (
            ("encrypt", "encrypt"),
            ("decrypt", "decrypt"),
            ("wrapKey", "wrap"),
            ("unwrapKey", "unwrap"),
            ("sign", "sign"),
            ("verify", "verify"),
        )
        for version in _VERSIONS
    ),
    *(_attestation("GET", _KEY + version + _named("attestation"), keys.get_key_attestation) for version in _VERSIONS),
    _key("POST", _KEY + _named("rotate"), key_rotation.rotate_key, "/keys/rotate/action", since=_ROTATION),
    _key("GET", _POLICY, key_rotation.get_rotation_policy, "/keys/read/action", since=_ROTATION),
    _json("PUT", _POLICY, key_rotation.set_rotation_policy, "/keys/write/action", since=_ROTATION),
    _json("POST", "/rng", random_bytes, "/rng/action", at="/", since=_ROTATION),
)

_setting = partial(Operation, since="7.4-preview.1")
_SETTINGS = (
    _setting("GET", "/settings", settings.list_settings, "/settings/read/action"),
    _setting("GET", _SETTING, settings.get_setting, "/settings/read/action"),
    _setting("PATCH", _SETTING, settings.update_setting, "/settings/write/action", body=Body.OPTIONAL_JSON),
)


def not_emulated(what: str) -> Handler:
    async def refuse(_hsm: Hsm, _call: Call) -> Result:
        raise errors.not_emulated(what)

    return refuse


# Operations that the emulator lacks: authorized as usual, then answered 501 with their name.
_NOT_EMULATED = tuple(
    Operation(method, path, not_emulated(what), action, at=at, body=Body.IGNORED)
    for method, path, what, action, at in (
        *(
            ("POST", _KEY + version + _named(name), what, f"/keys/{action}/action", _KEY)
            for name, what, action in (
                ("release", "Releasing a key", "release"),
                ("secureWrapKey", "Wrapping a key securely", "wrap"),
                ("secureUnwrapKey", "Unwrapping a key securely", "unwrap"),
            )
            for version in _VERSIONS
        ),
        *(
            (method, path, "The external key manager (EKM)", f"/ekm/{action}/action", "/")
            for method, action in (("GET", "read"), ("POST", "write"), ("PATCH", "write"), ("DELETE", "delete"))
            for path in ("/ekm", "/ekm/{rest:.+}")
        ),
        ("POST", "/securitydomain/download", _SECURITY_DOMAIN, "/securitydomain/download/action", "/"),
        ("GET", "/securitydomain/download/pending", _SECURITY_DOMAIN, "/securitydomain/download/read", "/"),
        ("GET", "/securitydomain/upload", _SECURITY_DOMAIN, "/securitydomain/transferkey/read", "/"),
        ("POST", "/securitydomain/upload", _SECURITY_DOMAIN, "/securitydomain/upload/action", "/"),
        ("GET", "/securitydomain/upload/pending", _SECURITY_DOMAIN, "/securitydomain/upload/read", "/"),
    )
)


def make_app(hsm: Hsm) -> web.Application:
    app = web.Application(middlewares=_MIDDLEWARES, client_max_size=MAX_BODY + 1)
    app[HSM] = hsm
    operations = _ADMINISTRATION + _KEYS + _SETTINGS + _NOT_EMULATED
    app.router.add_route("*", r"/{path:[\s\S]*}", dispatcher(operations))
    app.on_response_prepare.append(set_headers)
    return app
