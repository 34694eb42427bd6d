"""The emulator as an instrument, for programs in other processes: faults, the journal, the clock, revocations."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from aiohttp import web

from .._domain import faults
from .._hsm import Hsm

if TYPE_CHECKING:
    from .._domain.faults import FaultRule

CONTROLLED = web.AppKey("controlled", Hsm)

_RULE = {"fault", "method", "path", "times", "skip", "anonymous"}


async def list_faults(request: web.Request) -> web.Response:
    """Return the faults that are still to happen."""
    return web.json_response({"value": [_rule(each) for each in request.app[CONTROLLED].faults]})


async def add_fault(request: web.Request) -> web.Response:
    """Let a fault happen."""
    body = await _read(request, _RULE)
    wanted = body.pop("fault", None)
    if not isinstance(wanted, dict):
        raise _bad("fault must be an object")
    try:
        rule = request.app[CONTROLLED].faults.add(faults.parse(cast("dict[str, Any]", wanted)), **body)
    except ValueError as error:
        raise _bad(str(error)) from error
    return web.json_response(_rule(rule), status=201)


async def remove_fault(request: web.Request) -> web.Response:
    """Take a fault back; one that is gone may be removed again."""
    pending = request.app[CONTROLLED].faults
    number = int(request.match_info["id"])
    for rule in pending:
        if rule.id == number:
            pending.remove(rule)
    return web.Response(status=204)


async def clear_faults(request: web.Request) -> web.Response:
    """Take all faults back."""
    request.app[CONTROLLED].faults.clear()
    return web.Response(status=204)


async def read_journal(request: web.Request) -> web.Response:
    """Return what the server saw, oldest first."""
    return web.json_response({"value": [asdict(entry) for entry in request.app[CONTROLLED].journal]})


async def clear_journal(request: web.Request) -> web.Response:
    """Forget what the server saw."""
    request.app[CONTROLLED].journal.clear()
    return web.Response(status=204)


async def read_clock(request: web.Request) -> web.Response:
    """Return the time."""
    return web.json_response({"now": request.app[CONTROLLED].clock.now()})


async def advance_clock(request: web.Request) -> web.Response:
    """Put the clock forward, and return the time."""
    body = await _read(request, {"advance"})
    seconds = body.get("advance")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise _bad(f"advance must be a number of seconds; got {seconds!r}")
    try:
        request.app[CONTROLLED].clock.advance(seconds)
    except ValueError as error:
        raise _bad(str(error)) from error
    return await read_clock(request)


async def revoke_tokens(request: web.Request) -> web.Response:
    """Take back the tokens of a principal, or of everybody."""
    body = await _read(request, {"objectId"})
    principal = body.get("objectId")
    try:
        object_id = None if principal is None else str(UUID(principal))
    except (ValueError, TypeError, AttributeError) as error:
        raise _bad(f"objectId must be a GUID; got {principal!r}") from error
    request.app[CONTROLLED].revoke_tokens(object_id)
    return web.Response(status=204)


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
    # A web page could send any other type without asking.
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
