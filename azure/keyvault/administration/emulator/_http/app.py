"""The emulator's HTTP application: read from top to bottom, this is a request's way through the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from .._domain.rate_limits import Limit
from .dispatch import MAX_BODY, dispatcher
from .exchange import HSM
from .fault_injection import break_off, inject_fault
from .handlers import access_control, backup, keys
from .handlers.not_emulated import not_emulated
from .headers import stamp
from .middleware import authenticate, record, render_errors
from .operation import Body, Operation, Service

if TYPE_CHECKING:
    from .._hsm.hsm import Hsm

MIDDLEWARES = (
    break_off,  # a response that a fault withholds is withheld, once the journal has it
    record,  # every request has an Activity ID, and every response is in the journal
    inject_fault,  # a request that matches a fault meets it
    render_errors,  # nothing below answers with anything but the service's error shape
    authenticate,  # a request without a token is challenged, whatever it asks for
)

# Whatever a path encodes, line breaks too: the scope is refused by the rules, not by the router.
_SCOPE = r"{scope:(?:[\s\S]+/)?}"
_ROLE_DEFINITIONS = f"/{_SCOPE}providers/Microsoft.Authorization/roleDefinitions"
_ROLE_ASSIGNMENTS = f"/{_SCOPE}providers/Microsoft.Authorization/roleAssignments"
_KEY = "/keys/{key_name}"
_DELETED_KEY = "/deletedkeys/{key_name}"
_LIST = frozenset({"$filter", "$skiptoken"})
_PAGING = frozenset({"maxresults", "$skiptoken"})

OPERATIONS = (
    Operation(
        "GET",
        _ROLE_DEFINITIONS,
        access_control.list_role_definitions,
        "/roleDefinitions/read/action",
        query=_LIST,
        limit=Limit.RBAC,
    ),
    Operation(
        "GET",
        _ROLE_DEFINITIONS + "/{name}",
        access_control.get_role_definition,
        "/roleDefinitions/read/action",
        limit=Limit.RBAC,
    ),
    Operation(
        "PUT",
        _ROLE_DEFINITIONS + "/{name}",
        access_control.set_role_definition,
        "/roleDefinitions/write/action",
        body=Body.JSON,
        limit=Limit.RBAC,
    ),
    Operation(
        "DELETE",
        _ROLE_DEFINITIONS + "/{name}",
        access_control.delete_role_definition,
        "/roleDefinitions/delete/action",
        limit=Limit.RBAC,
    ),
    Operation(
        "GET",
        _ROLE_ASSIGNMENTS,
        access_control.list_role_assignments,
        "/roleAssignments/read/action",
        at="{scope}",
        query=_LIST,
        limit=Limit.RBAC,
    ),
    Operation(
        "GET",
        _ROLE_ASSIGNMENTS + "/{name}",
        access_control.get_role_assignment,
        "/roleAssignments/read/action",
        at="{scope}",
        limit=Limit.RBAC,
    ),
    Operation(
        "PUT",
        _ROLE_ASSIGNMENTS + "/{name}",
        access_control.create_role_assignment,
        "/roleAssignments/write/action",
        at="{scope}",
        body=Body.JSON,
        limit=Limit.RBAC,
    ),
    Operation(
        "DELETE",
        _ROLE_ASSIGNMENTS + "/{name}",
        access_control.delete_role_assignment,
        "/roleAssignments/delete/action",
        at="{scope}",
        limit=Limit.RBAC,
    ),
    Operation(
        "POST",
        "/backup",
        backup.full_backup,
        "/backup/start/action",
        body=Body.JSON,
        service=Service.BACKUP,
        declared_order=True,
        limit=Limit.JOB_START,
    ),
    Operation(
        "POST",
        "/prebackup",
        backup.pre_full_backup,
        "/backup/start/action",
        body=Body.JSON,
        service=Service.BACKUP,
        since="7.6-preview.1",
        limit=Limit.JOB_START,
    ),
    Operation(
        "GET",
        "/backup/{job_id}/pending",
        backup.backup_status,
        "/backup/status/action",
        service=Service.BACKUP,
        needs_version=False,
    ),
    Operation(
        "PUT",
        "/restore",
        backup.full_restore,
        "/restore/start/action",
        body=Body.JSON,
        service=Service.BACKUP,
        limit=Limit.JOB_START,
    ),
    Operation(
        "PUT",
        "/prerestore",
        backup.pre_full_restore,
        "/restore/start/action",
        body=Body.JSON,
        service=Service.BACKUP,
        since="7.6-preview.1",
        limit=Limit.JOB_START,
    ),
    Operation(
        "PUT",
        "/keys/{key_name}/restore",
        backup.selective_key_restore,
        "/restore/start/action",
        body=Body.JSON,
        service=Service.BACKUP,
        limit=Limit.JOB_START,
    ),
    Operation(
        "GET",
        "/restore/{job_id}/pending",
        backup.restore_status,
        "/restore/status/action",
        service=Service.BACKUP,
        needs_version=False,
        while_restoring=True,
    ),
    Operation("POST", _KEY + "/create", keys.create_key, "/keys/create", at="/keys", body=Body.JSON),
    Operation("GET", "/keys", keys.list_keys, "/keys/read/action", at="/keys", query=_PAGING),
    # An empty version means the newest one, so the path may end in a slash.
    Operation("GET", _KEY, keys.get_key, "/keys/read/action", at=_KEY),
    Operation("GET", _KEY + "/", keys.get_key, "/keys/read/action", at=_KEY),
    Operation("GET", _KEY + "/versions", keys.list_key_versions, "/keys/read/action", at=_KEY, query=_PAGING),
    Operation("GET", _KEY + "/{version}", keys.get_key, "/keys/read/action", at=_KEY),
    Operation("PATCH", _KEY, keys.update_key, "/keys/write/action", at=_KEY, body=Body.JSON),
    Operation("PATCH", _KEY + "/", keys.update_key, "/keys/write/action", at=_KEY, body=Body.JSON),
    Operation("PATCH", _KEY + "/{version}", keys.update_key, "/keys/write/action", at=_KEY, body=Body.JSON),
    Operation("DELETE", _KEY, keys.delete_key, "/keys/delete", at=_KEY),
    Operation(
        "GET", "/deletedkeys", keys.list_deleted_keys, "/keys/deletedKeys/read/action", at="/keys", query=_PAGING
    ),
    Operation("GET", _DELETED_KEY, keys.get_deleted_key, "/keys/deletedKeys/read/action", at=_KEY),
    Operation("POST", _DELETED_KEY + "/recover", keys.recover_deleted_key, "/keys/deletedKeys/recover/action", at=_KEY),
    Operation("DELETE", _DELETED_KEY, keys.purge_deleted_key, "/keys/deletedKeys/delete", at=_KEY),
)

# What the service has and the emulator has not: the caller is authorized first, and then refused by name. These come
# before the others, because the router would take the end of /keys/k/rotationpolicy for a version.
NOT_EMULATED = tuple(
    Operation(method, path, not_emulated(what), action, at=at, body=Body.IGNORED)
    for method, path, what, action, at in (
        ("PUT", _KEY, "Importing a key", "/keys/import/action", "/keys"),
        ("POST", _KEY + "/backup", "Backing up a single key", "/keys/backup/action", _KEY),
        ("POST", "/keys/restore", "Restoring a single key from a blob", "/keys/restore/action", "/keys"),
        ("POST", _KEY + "/rotate", "Rotating a key", "/keys/rotate/action", _KEY),
        ("GET", _KEY + "/rotationpolicy", "A rotation policy", "/keys/read/action", _KEY),
        ("PUT", _KEY + "/rotationpolicy", "A rotation policy", "/keys/write/action", _KEY),
        ("GET", _KEY + "/{version}/attestation", "Attestation", "/keys/read/action", _KEY),
        ("POST", _KEY + "/{version}/encrypt", "Encrypting", "/keys/encrypt/action", _KEY),
        ("POST", _KEY + "/{version}/decrypt", "Decrypting", "/keys/decrypt/action", _KEY),
        ("POST", _KEY + "/{version}/sign", "Signing", "/keys/sign/action", _KEY),
        ("POST", _KEY + "/{version}/verify", "Verifying", "/keys/verify/action", _KEY),
        ("POST", _KEY + "/{version}/wrapkey", "Wrapping a key", "/keys/wrap/action", _KEY),
        ("POST", _KEY + "/{version}/unwrapkey", "Unwrapping a key", "/keys/unwrap/action", _KEY),
        ("POST", _KEY + "/{version}/release", "Releasing a key", "/keys/release/action", _KEY),
        ("POST", "/rng", "The random number generator", "/rng/action", "/"),
        ("GET", "/settings", "Settings", "/settings/read/action", "/"),
        ("GET", "/settings/{setting}", "Settings", "/settings/read/action", "/"),
        ("PATCH", "/settings/{setting}", "Settings", "/settings/write/action", "/"),
    )
)


def make_app(hsm: Hsm) -> web.Application:
    app = web.Application(middlewares=MIDDLEWARES, client_max_size=MAX_BODY + 1)
    app[HSM] = hsm
    app.router.add_route("*", r"/{path:[\s\S]*}", dispatcher(NOT_EMULATED + OPERATIONS))
    app.on_response_prepare.append(stamp)
    return app
