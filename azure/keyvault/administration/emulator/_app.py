"""The emulator's HTTP application: read from top to bottom, this is a request's way through the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from ._call import Body, Operation, Service
from ._dispatch import MAX_BODY, dispatcher
from ._exchange import HSM
from ._handlers import access_control, backup
from ._headers import stamp
from ._middleware import authenticate, identify, record, render_errors

if TYPE_CHECKING:
    from ._hsm import Hsm

MIDDLEWARES = (
    identify,  # every request has an Activity ID
    record,  # every answer is in the journal
    render_errors,  # nothing below answers with anything but the service's error shape
    authenticate,  # no token, no answer: a request without one is challenged whatever it asks for
)

_ROLE_DEFINITIONS = "/{scope:(?:.+/)?}providers/Microsoft.Authorization/roleDefinitions"
_ROLE_ASSIGNMENTS = "/{scope:(?:.+/)?}providers/Microsoft.Authorization/roleAssignments"
_FILTER = frozenset({"$filter"})

OPERATIONS = (
    Operation(
        "GET",
        _ROLE_DEFINITIONS,
        access_control.list_role_definitions,
        "/roleDefinitions/read/action",
        query=_FILTER,
    ),
    Operation(
        "GET",
        _ROLE_DEFINITIONS + "/{name}",
        access_control.get_role_definition,
        "/roleDefinitions/read/action",
    ),
    Operation(
        "PUT",
        _ROLE_DEFINITIONS + "/{name}",
        access_control.set_role_definition,
        "/roleDefinitions/write/action",
        body=Body.JSON,
    ),
    Operation(
        "DELETE",
        _ROLE_DEFINITIONS + "/{name}",
        access_control.delete_role_definition,
        "/roleDefinitions/delete/action",
    ),
    Operation(
        "GET",
        _ROLE_ASSIGNMENTS,
        access_control.list_role_assignments,
        "/roleAssignments/read/action",
        at="{scope}",
        query=_FILTER,
    ),
    Operation(
        "GET",
        _ROLE_ASSIGNMENTS + "/{name}",
        access_control.get_role_assignment,
        "/roleAssignments/read/action",
        at="{scope}",
    ),
    Operation(
        "PUT",
        _ROLE_ASSIGNMENTS + "/{name}",
        access_control.create_role_assignment,
        "/roleAssignments/write/action",
        at="{scope}",
        body=Body.JSON,
    ),
    Operation(
        "DELETE",
        _ROLE_ASSIGNMENTS + "/{name}",
        access_control.delete_role_assignment,
        "/roleAssignments/delete/action",
        at="{scope}",
    ),
    Operation(
        "POST",
        "/backup",
        backup.full_backup,
        "/backup/start/action",
        body=Body.JSON,
        service=Service.BACKUP,
    ),
    Operation(
        "POST",
        "/prebackup",
        backup.pre_full_backup,
        "/backup/start/action",
        body=Body.JSON,
        service=Service.BACKUP,
        since="7.6-preview.1",
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
    ),
    Operation(
        "PUT",
        "/prerestore",
        backup.pre_full_restore,
        "/restore/start/action",
        body=Body.JSON,
        service=Service.BACKUP,
        since="7.6-preview.1",
    ),
    Operation(
        "PUT",
        "/keys/{key_name}/restore",
        backup.selective_key_restore,
        "/restore/start/action",
        body=Body.JSON,
        service=Service.BACKUP,
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
)


def make_app(hsm: Hsm) -> web.Application:
    app = web.Application(middlewares=MIDDLEWARES, client_max_size=MAX_BODY)
    app[HSM] = hsm
    app.router.add_route("*", "/{path:.*}", dispatcher(OPERATIONS))
    app.on_response_prepare.append(stamp)
    return app
