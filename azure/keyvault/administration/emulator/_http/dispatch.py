"""From an authenticated request to the operation that serves it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from aiohttp import hdrs, web
from yarl import URL

from .._domain import errors, jobs, keys, rbac, versions
from . import responses
from .exchange import HSM, base_url, exchange_of, normalized_path
from .json_body import JsonBody
from .operation import Body, Call, Operation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aiohttp.typedefs import Handler

    from .._hsm.hsm import Hsm

MAX_BODY = 1024 * 1024

_VERSION = "api-version"


def dispatcher(operations: Iterable[Operation]) -> Handler:
    """Return a handler that finds the operation for each request."""
    router = web.UrlDispatcher()
    for operation in operations:
        router.add_route(operation.method, operation.path, partial(_serve, operation))
    return partial(_dispatch, router)


async def _dispatch(router: web.UrlDispatcher, request: web.Request) -> web.StreamResponse:
    folded = URL.build(path=normalized_path(request), encoded=True)
    match = await router.resolve(request.clone(rel_url=folded))
    refusal = match.http_exception
    if isinstance(refusal, web.HTTPMethodNotAllowed):
        raise errors.method_not_allowed(request.method, refusal.allowed_methods)
    if refusal is not None:
        raise errors.unknown_path()
    exchange_of(request).parameters = dict(match)
    return await match.handler(request)


async def _serve(operation: Operation, request: web.Request) -> web.StreamResponse:
    """Check the request in the order of the service, and run the operation."""
    hsm = request.app[HSM]
    exchange = exchange_of(request)
    content = await _read(request)
    if hsm.rate_limiter and operation.limit:
        hsm.rate_limiter.admit(operation.limit, hsm.clock.now())
    # Nothing is awaited between these checks and the handler, so they still hold when it runs.
    query = _query(request, operation)
    _check_version(query.get(_VERSION), operation)
    _check_key_name(exchange.parameters)
    scope = rbac.parse_scope(operation.at.format_map(exchange.parameters))
    admit = partial(_admit, hsm, exchange.principal or "", operation, scope)
    admit()
    hsm.store.delete_keys_deleted_before(keys.purge_time(hsm.clock.now()))

    exchange.operation = operation
    call = Call(
        path=normalized_path(request),
        parameters=exchange.parameters,
        query=query,
        api_version=query.get(_VERSION, versions.NEWEST),
        scope=scope,
        body=_parse(content, request, operation),
        base_url=base_url(request),
        now=hsm.clock.now(),
        admit_again=admit,
        fault_match=exchange.fault_match,
    )
    return responses.success(await operation.handler(hsm, call))


async def _read(request: web.Request) -> bytes:
    try:
        content = await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise errors.body_too_large(MAX_BODY) from error
    except (web.RequestPayloadError, ConnectionError) as error:
        raise errors.bad_request("The request body cannot be read") from error
    # aiohttp's limit is a byte higher, because its versions differ in whether the limit itself is allowed.
    if len(content) > MAX_BODY:
        raise errors.body_too_large(MAX_BODY)
    return content


def _query(request: web.Request, operation: Operation) -> Mapping[str, str]:
    query = request.rel_url.query
    known = {_VERSION, *operation.query}
    for name in query:
        if name not in known:
            raise errors.bad_parameter(f"The query parameter {name!a} is unknown")
        if len(query.getall(name)) > 1:
            raise errors.bad_parameter(f"The query parameter {name} is given more than once")
    return query


def _check_version(version: str | None, operation: Operation) -> None:
    if version is not None or operation.needs_version:
        versions.check(version, since=operation.since)


def _check_key_name(parameters: Mapping[str, str]) -> None:
    # The scope of the action can be all keys, so the name is checked separately.
    if "key_name" in parameters:
        rbac.parse_scope(f"{rbac.KEYS}/{parameters['key_name']}")


def _admit(hsm: Hsm, principal: str, operation: Operation, scope: str) -> None:
    """Refuse a caller without permission, and most operations while a restore runs."""
    hsm.access.authorize(principal, operation.action, scope)
    if not operation.while_restoring:
        jobs.refuse_while_restoring(hsm.store.running_job())


def _parse(content: bytes, request: web.Request, operation: Operation) -> JsonBody:
    """Return the body of an operation that has one, or refuse any body."""
    if operation.body is Body.JSON or (operation.body is Body.OPTIONAL_JSON and content):
        if request.content_type != "application/json" or hdrs.CONTENT_ENCODING in request.headers:
            raise errors.unsupported_media_type()
        return JsonBody.parse(content)
    if operation.body is Body.NONE and content:
        raise errors.bad_request("This operation has no request body")
    return JsonBody({})
