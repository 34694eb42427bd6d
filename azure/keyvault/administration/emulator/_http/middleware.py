"""The middlewares for every request: journal, errors, authentication."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from .._domain import errors
from .._domain.errors import ServiceError
from .._domain.tokens import InvalidTokenError
from .._hsm.journal import JournalEntry
from .._state.sqlite import StoreError
from . import responses
from .exchange import HSM, exchange_of

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

_LOGGER = logging.getLogger(__name__)


@web.middleware
async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Record the request, its caller and the status of the response."""
    exchange = exchange_of(request)  # starts the exchange: its Activity ID and its time
    hsm = request.app[HSM]
    arrived = hsm.clock.now()
    response = await handler(request)
    entry = JournalEntry(
        request.method,
        request.rel_url.raw_path,
        exchange.principal,
        response.status if exchange.is_answered else None,
        fault=exchange.fault_match.shown,
        time=arrived,
    )
    hsm.journal.append(entry)
    _LOGGER.info("%s %s by %s: %s", entry.method, entry.path, entry.principal or "nobody", entry.status or entry.fault)
    return response


@web.middleware
async def render_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into the service's error shape."""
    try:
        return await handler(request)
    except ServiceError as error:
        failure = error
    except web.HTTPException as error:
        # Refused by aiohttp itself, such as OPTIONS *.
        failure = errors.refused(error.status, error.reason)
    except StoreError as error:
        # The raw path holds no line break, whatever it encodes.
        _LOGGER.error("%s %s could not be stored: %s", request.method, request.rel_url.raw_path, error)  # noqa: TRY400
        failure = errors.storage_unavailable(str(error))
    except Exception:
        _LOGGER.exception("%s %s failed", request.method, request.rel_url.raw_path)
        failure = errors.internal()
    return responses.failure(failure, exchange_of(request))


@web.middleware
async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Ask for a token before looking at anything else of the request."""
    exchange = exchange_of(request)
    exchange.principal = caller_of(request)
    if exchange.principal is None:
        return responses.challenge(request.method, request.app[HSM].authority.challenge)
    return await handler(request)


def caller_of(request: web.Request) -> str | None:
    """Return the object id of the caller; None if the request has no token.

    :raises ServiceError: if it has an invalid one.
    """
    hsm = request.app[HSM]
    authority = hsm.authority
    fields = request.headers.getall(hdrs.AUTHORIZATION, [""])
    if len(fields) > 1:
        raise errors.invalid_token("The request has more than one Authorization header.", authority.challenge)
    scheme, _, token = fields[0].partition(" ")
    if scheme.lower() != "bearer":
        return None
    try:
        return authority.principal(token.strip(), hsm.clock.now())
    except InvalidTokenError as error:
        raise errors.invalid_token(str(error), error.challenge) from error
