"""The default transport, and what keeps aiohttp from repeating a request on its own account."""

from __future__ import annotations

import asyncio
import urllib.request
import zlib
from typing import TYPE_CHECKING, Any, cast

from aiohttp import ClientConnectionError, ClientConnectorError, ServerTimeoutError
from typing_extensions import override

from azure.core.exceptions import AzureError, ServiceRequestError, ServiceResponseError
from azure.core.pipeline.policies import AsyncHTTPPolicy, SansIOHTTPPolicy
from azure.core.pipeline.transport import AioHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest

from .._identifiers import hostname
from .errors import broken_encoding
from .transport_errors import safe_error

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

    from azure.core.pipeline import PipelineRequest, PipelineResponse
    from azure.core.pipeline.transport import AsyncHttpTransport

    from .tls import OwnTls


def default_transport(**options: Any) -> AsyncHttpTransport[HttpRequest, AsyncHttpResponse]:
    """Return azure-core's aiohttp transport.

    It does not look at the environment: aiohttp would read proxies and ``.netrc`` anew in a thread for each request,
    which costs more than all else that a call does, and a ``.netrc`` entry would add a password to requests. Proxies
    come from :func:`environment_proxies`.

    :param options: The client's keywords. What they say about trust is for :class:`OwnTls`.
    """
    # Where a certificate is shown, the context of OwnTls counts, which azure-core's False would replace.
    is_verifying = options.get("connection_verify", True) is not False or bool(options.get("connection_cert"))
    trust = {"connection_verify": is_verifying, "connection_cert": None}
    transport = AioHttpTransport(**{**options, **trust, "use_env_settings": False})
    # azure-core declares the transport for its older request type only; it sends both.
    return cast("AsyncHttpTransport[HttpRequest, AsyncHttpResponse]", transport)


def environment_proxies(endpoint: str) -> dict[str, str] | None:
    """Return the proxy that the environment names for a host. A client talks to one host: one look is enough.

    :param endpoint: URL of the HSM.
    """
    proxy = urllib.request.getproxies().get("https")
    if not proxy or urllib.request.proxy_bypass(hostname(endpoint)):
        return None
    return {"https": proxy}


class OneLoopPolicy(SansIOHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Refuses to use aiohttp's connections from another event loop than theirs. The first policy: no retry can help.

    aiohttp itself would fail in one of several obscure ways, or wait for a loop that no longer runs.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    @override
    def on_request(self, request: PipelineRequest[HttpRequest]) -> None:
        if not isinstance(request.context.transport, AioHttpTransport):
            return
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise ServiceRequestError(
                "The client belongs to another event loop: its connections live in the loop of its first request."
                " Create a client in each loop, for example inside the function that asyncio.run() is given."
            )


class SendOncePolicy(AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Makes aiohttp send each request once, and its errors fit to be shown. The last policy before the transport.

    aiohttp sends PUT, GET and DELETE again if a kept-alive connection breaks, whether or not the service got the
    request. How often a request is sent must be the retry policy's decision alone.

    :param tls: Whom the client trusts, if that is its own affair and not the transport's.
    :keyword not_for_transport: Options that are for policies: no transport takes one that was left.
    """

    def __init__(self, tls: OwnTls | None = None, *, not_for_transport: Iterable[str] = ()) -> None:
        super().__init__()
        self._tls = tls
        self._not_for_transport = tuple(not_for_transport)

    @override
    async def send(self, request: PipelineRequest[HttpRequest]) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        for name in self._not_for_transport:
            request.context.options.pop(name, None)
        if isinstance(request.context.transport, AioHttpTransport):
            request.context.options["middlewares"] = (_send_once,)
            if self._tls is not None:
                self._tls.apply(request.context.options)
        try:
            return await self.next.send(request)
        except AzureError as error:
            failure = error
        except zlib.error as error:
            raise broken_encoding(error) from error
        # Raised outside of the handler, because an exception keeps what is being handled.
        raise safe_error(failure, request.http_request)


async def _send_once(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Turn lost connections into azure-core's error, before aiohttp answers them with a replay.

    A connection that was never made proves that nothing was sent, and time-outs are no reason for a replay: those pass.
    """
    try:
        return await handler(request)
    except (ClientConnectorError, ServerTimeoutError):
        raise
    except ClientConnectionError as error:
        raise ServiceResponseError(error, error=error) from error
