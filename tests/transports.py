"""azure-core's transports as users configure them: each trusts a server of the tests."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, cast

import aiohttp
from azure.core.pipeline.transport import AioHttpTransport, AsyncHttpTransport, AsyncioRequestsTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

Transport = AsyncHttpTransport[HttpRequest, AsyncHttpResponse]


class Wrapper(AsyncHttpTransport[HttpRequest, AsyncHttpResponse]):
    """A transport that hands everything on to another one."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def send(self, request: HttpRequest, **kwargs: Any) -> AsyncHttpResponse:
        return cast("AsyncHttpResponse", await self._inner.send(request, **kwargs))

    async def sleep(self, duration: float) -> None:
        await self._inner.sleep(duration)

    async def open(self) -> None:
        await self._inner.open()

    async def close(self) -> None:
        await self._inner.close()

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self._inner.__aexit__(exc_type, exc_value, traceback)


def aiohttp_transport(ca_file: str, *, read_timeout: float = 10) -> Any:
    return AioHttpTransport(connection_verify=ca_file, read_timeout=read_timeout)


def own_session(ca_file: str, *, read_timeout: float = 10, **session: Any) -> Any:
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=ca_file))
    opened = aiohttp.ClientSession(connector=connector, auto_decompress=False, **session)
    return AioHttpTransport(session=opened, read_timeout=read_timeout)


def requests_transport(ca_file: str, *, read_timeout: float = 10, **options: Any) -> Any:
    # Its only timeout is for connecting and reading alike.
    return AsyncioRequestsTransport(connection_verify=ca_file, connection_timeout=read_timeout, **options)


def wrapped_aiohttp(ca_file: str, *, read_timeout: float = 10) -> Any:
    return Wrapper(aiohttp_transport(ca_file, read_timeout=read_timeout))


def wrapped_requests(ca_file: str, *, read_timeout: float = 10) -> Any:
    return Wrapper(requests_transport(ca_file, read_timeout=read_timeout))


TRANSPORTS = (aiohttp_transport, own_session, wrapped_aiohttp, requests_transport, wrapped_requests)
