"""The control path, for programs in other processes: faults, the journal, the clock, revocations."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, cast

from aiohttp import web

from .._domain import faults
from .._domain.arguments import parse_guid
from .._hsm.hsm import Hsm
from .._hsm.journal import JournalEntry
from .._state.sqlite import StoreError
from .._state.threads import run_in_thread

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp.typedefs import Handler

    from .._domain.faults import FaultRule


@dataclass(frozen=True, slots=True)
class ControlTarget:
    """The HSM that the control path controls, and the key to it."""

    hsm: Hsm
    key: str = field(repr=False)
    """Part of the URL; proves that the caller has read the emulator's environment."""


CONTROL_TARGET = web.AppKey("control_target", ControlTarget)

_RULE = {"fault", "method", "path", "times", "skip", "anonymous"}
_ENTRY = tuple(each.name for each in fields(JournalEntry))


@web.middleware
async def require_key(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse callers without the key: other users of this machine can reach loopback, too."""
    # /control/<key>/...; taken from the path because an unknown path has no match_info.
    given = "".join(request.path.split("/")[2:3])
    if not secrets.compare_digest(given.encode("utf-8", "surrogateescape"), request.app[CONTROL_TARGET].key.encode()):
        raise _failure(web.HTTPForbidden, "This URL lacks the key to the control path: use EMULATOR_CONTROL_URL")
    return await handler(request)


async def list_faults(request: web.Request) -> web.Response:
    return web.json_response({"value": [_rule(each) for each in request.app[CONTROL_TARGET].hsm.faults]})


async def add_fault(request: web.Request) -> web.Response:
    body = await _read(request, _RULE)
    wanted = body.pop("fault", None)
    if not isinstance(wanted, dict):
        raise _bad("fault must be an object")
    try:
        rule = request.app[CONTROL_TARGET].hsm.faults.add(faults.parse(cast("dict[str, Any]", wanted)), **body)
    except ValueError as error:
        raise _bad(str(error)) from error
    return web.json_response(_rule(rule), status=201)


async def remove_fault(request: web.Request) -> web.Response:
    """Remove a fault, unless it is gone already."""
    pending = request.app[CONTROL_TARGET].hsm.faults
    number = int(request.match_info["id"])
    for rule in pending:
        if rule.id == number:
            pending.remove(rule)
    return web.Response(status=204)


async def clear_faults(request: web.Request) -> web.Response:
    request.app[CONTROL_TARGET].hsm.faults.clear()
    return web.Response(status=204)


async def read_journal(request: web.Request) -> web.Response:
    # It can be long, and the HSM must go on serving.
    shown = await run_in_thread(_show, list(request.app[CONTROL_TARGET].hsm.journal))
    return web.Response(text=f'{{"value": [{shown}]}}', content_type="application/json")


async def clear_journal(request: web.Request) -> web.Response:
    request.app[CONTROL_TARGET].hsm.journal.clear()
    return web.Response(status=204)


async def read_clock(request: web.Request) -> web.Response:
    return web.json_response({"now": request.app[CONTROL_TARGET].hsm.clock.now()})


async def advance_clock(request: web.Request) -> web.Response:
    seconds: Any = (await _read(request, {"advance"})).get("advance")
    try:
        request.app[CONTROL_TARGET].hsm.clock.advance(seconds)
    except ValueError as error:
        raise _bad(f"advance: {error}") from error
    return await read_clock(request)


async def revoke_tokens(request: web.Request) -> web.Response:
    """Revoke the tokens of a principal, or of all principals."""
    principal = (await _read(request, {"objectId"})).get("objectId")
    try:
        object_id = None if principal is None else parse_guid("objectId", principal)
        request.app[CONTROL_TARGET].hsm.revoke_tokens(object_id)
    except ValueError as error:
        raise _bad(str(error)) from error
    except StoreError as error:
        raise _failure(web.HTTPServiceUnavailable, f"The revocation could not be stored: {error}") from error
    return web.Response(status=204)


def _show(entries: Iterable[JournalEntry]) -> str:
    """Return entries as JSON. Encoding them in a single call would block every other thread."""
    return ", ".join(json.dumps({name: getattr(entry, name) for name in _ENTRY}) for entry in entries)


def _rule(rule: FaultRule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "fault": faults.describe(rule.fault),
        "method": rule.method,
        "path": rule.path,
        "times": rule.times,
        "skip": rule.skip,
        "anonymous": rule.anonymous,
        "delivered": rule.delivered,
    }


async def _read(request: web.Request, known: set[str]) -> dict[str, Any]:
    # A web page can send any other type without a preflight request.
    if request.content_type != "application/json":
        raise _failure(web.HTTPUnsupportedMediaType, "The body must be application/json")
    try:
        body: object = json.loads(await request.read())
    except (ValueError, RecursionError) as error:
        raise _bad("The body is not valid JSON") from error
    if not isinstance(body, dict) or not body.keys() <= known:
        raise _bad(f"The body must be an object; it may have {', '.join(sorted(known))}")
    return cast("dict[str, Any]", body)


def _bad(message: str) -> web.HTTPException:
    return _failure(web.HTTPBadRequest, message)


def _failure(kind: type[web.HTTPException], message: str) -> web.HTTPException:
    return kind(text=json.dumps({"message": message}), content_type="application/json")
