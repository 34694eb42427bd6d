"""The response headers of each part of the service."""

from __future__ import annotations

import time
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import hdrs

from .._net.addresses import LOOPBACK
from .exchange import exchange_of
from .operation import Service

if TYPE_CHECKING:
    from aiohttp.web import Request, StreamResponse

_ALWAYS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'self'",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
}
_PLACE = {
    "x-ms-keyvault-network-info": f"conn_type=Ipv4;addr={LOOPBACK};act_addr_fam=Ipv4;",
    "x-ms-keyvault-region": "emulator",
}
_BUILD = {"x-ms-build-version": "1.0.20260429-1-emulator"}
_BACKUP = {"Server": "Kestrel", "api-supported-versions": "20180927, 20211111"}


async def set_headers(request: Request, response: StreamResponse) -> None:
    """Turn aiohttp's headers into the service's, just before a response is sent."""
    exchange = exchange_of(request)
    is_backup = exchange.service is Service.BACKUP
    headers = response.headers
    headers.popall(hdrs.SERVER, None)
    headers.update(_ALWAYS)
    headers["x-ms-request-id"] = exchange.activity_id
    headers["x-ms-server-latency"] = str(round((time.perf_counter() - exchange.started) * 1000))
    # The front end shows its place only after it has admitted a request.
    if is_backup or response.status < HTTPStatus.BAD_REQUEST:
        headers.update(_PLACE)
    if request.method == hdrs.METH_GET:
        headers.update(_BUILD)
    if is_backup:
        headers.update(_BACKUP)
        headers["mise-correlation-id"] = str(uuid.uuid4())
    else:
        headers.popall(hdrs.DATE, None)
    if response.status == HTTPStatus.NO_CONTENT:
        # As the service does; aiohttp omits it, as the RFC requires.
        headers[hdrs.CONTENT_LENGTH] = "0"
