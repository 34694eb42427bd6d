"""What an injected fault does to a request and to its response."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from .._domain.errors import ServiceError
from .._domain.faults import (
    Challenge,
    ClaimsChallenge,
    Delay,
    Drop,
    Fault,
    MalformedBody,
    OperationFault,
    Reset,
    Status,
    Throttle,
    TruncatedBody,
)
from . import responses
from .exchange import HSM, exchange_of, normalized_path
from .middleware import caller_of

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

_NO_LINGER = struct.pack("ii", 1, 0)


@web.middleware
async def break_connection(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Break the connection if a fault says so; last of all, so that the journal has it before the client knows."""
    response = await handler(request)
    act = exchange_of(request).break_connection
    return response if act is None else await act(request, response)


@web.middleware
async def inject_fault(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Inject the fault that matches this request, if any."""
    exchange = exchange_of(request)
    has_token = hdrs.AUTHORIZATION in request.headers
    match = request.app[HSM].faults.match(request.method, normalized_path(request), has_token=has_token)
    exchange.fault_match = match
    if match.rule is None or isinstance(match.rule.fault, OperationFault):
        return await handler(request)
    # The journal names the caller even if a fault keeps the request from being authenticated.
    with suppress(ServiceError):
        exchange.principal = caller_of(request)
    fault = match.take(Fault)
    return await _deliver(fault, request, handler) if fault else await handler(request)


async def _deliver(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    if isinstance(fault, Delay):
        response = await handler(request) if fault.after_work else None
        clock = request.app[HSM].clock
        await clock.sleep_until(clock.now() + fault.seconds)
        return await handler(request) if response is None else response
    if isinstance(fault, TruncatedBody):
        exchange_of(request).break_connection = _send_half
        return await handler(request)
    if isinstance(fault, MalformedBody):
        return _with_half_body(await handler(request))
    if isinstance(fault, Status | Drop | Reset) and fault.after_work:
        await handler(request)
    else:
        # Closing with unread data would reset the connection. The client may be gone.
        with suppress(web.HTTPException, web.RequestPayloadError, ConnectionError):
            await request.read()
    return _instead(fault, request)


def _instead(fault: Fault, request: web.Request) -> web.Response:
    """Return what the client gets instead of the operation's response."""
    hsm = request.app[HSM]
    if isinstance(fault, Throttle):
        fault = Status(429, headers={"Retry-After": str(fault.retry_after)})
    if isinstance(fault, Status):
        return responses.plain(fault.status, fault.content, fault.headers)
    if isinstance(fault, Challenge):
        return responses.challenge(request.method, hsm.authority.challenge)
    if isinstance(fault, ClaimsChallenge):
        return responses.challenge(request.method, hsm.authority.claims_challenge(hsm.clock.now()))
    exchange = exchange_of(request)
    exchange.is_answered = False
    exchange.break_connection = _reset if isinstance(fault, Reset) else _close
    return web.Response()


async def _close(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.close()
    return response


async def _reset(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        request.transport.abort()
    return response


async def _send_half(request: web.Request, whole: web.StreamResponse) -> web.StreamResponse:
    body = _body(whole)
    if whole.status == HTTPStatus.NO_CONTENT:
        # A 204 has no body to truncate, so nothing at all is sent.
        exchange_of(request).is_answered = False
        return await _close(request, whole)
    part = web.StreamResponse(status=whole.status, headers=whole.headers)
    # At least one byte is missing, even if the body is empty.
    part.content_length = max(len(body), 1)
    # The client may be gone.
    with suppress(ConnectionError):
        await part.prepare(request)
        await part.write(body[: len(body) // 2])
    return await _close(request, part)


def _with_half_body(whole: web.StreamResponse) -> web.StreamResponse:
    body = _body(whole)
    return responses.plain(whole.status, body[: len(body) // 2] or b"{", whole.headers)


def _body(response: web.StreamResponse) -> bytes:
    body = response.body if isinstance(response, web.Response) else None
    return body if isinstance(body, bytes) else b""
