"""Results and errors as HTTP responses: the only place where either becomes bytes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aiohttp import hdrs, web

from .operation import Service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._domain.errors import ServiceError
    from .exchange import Exchange
    from .operation import Result

_JSON = "application/json; charset=utf-8"


def success(result: Result) -> web.Response:
    body = b"" if result.body is None else _encode(result.body)
    return plain(result.status, body, result.headers)


def failure(error: ServiceError, exchange: Exchange) -> web.Response:
    """Render an error in the form of the part of the service that responds."""
    body: dict[str, Any]
    if exchange.service is Service.BACKUP:
        body = {"code": error.code, "message": error.message, "innererror": None}
        if not (exchange.operation and exchange.operation.declared_order):
            body = dict(sorted(body.items()))
    else:
        body = {"code": error.code, "message": f"{error.message} (Activity ID: {exchange.activity_id})"}
        if error.inner_code:
            body["innererror"] = {"code": error.inner_code}
    return plain(error.status, _encode({"error": body}), error.headers)


def challenge(method: str, header: str) -> web.Response:
    """Ask for a token; as with the service, the body of a GET is OK, labeled as JSON."""
    return plain(401, b"OK" if method == hdrs.METH_GET else b"", {hdrs.WWW_AUTHENTICATE: header})


def plain(status: int, body: bytes, headers: Mapping[str, str]) -> web.Response:
    return web.Response(status=status, body=body, headers={hdrs.CONTENT_TYPE: _JSON, **headers})


def _encode(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
