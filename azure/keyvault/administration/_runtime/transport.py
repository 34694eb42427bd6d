"""The default transport, its event loop, and the keywords of a call that policies must not see."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import override

from azure.core.exceptions import ServiceRequestError
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.core.pipeline.transport import AioHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest

from .proxies import PROXY_SCHEMES, usable_proxies, usable_proxy
from .starts import START_PROGRESS

if TYPE_CHECKING:
    from azure.core.pipeline import PipelineRequest
    from azure.core.pipeline.transport import AsyncHttpTransport

# Keywords that generated clients accept. Here they have no effect: bodies are JSON in UTF-8.
_WITHOUT_EFFECT = ("decompress", "response_encoding")

_SECONDS = frozenset({"timeout", "connection_timeout", "read_timeout"})


def default_transport(**options: Any) -> AsyncHttpTransport[HttpRequest, AsyncHttpResponse]:
    """Return azure-core's aiohttp transport.

    It does not look at the environment: aiohttp would read proxies and ``.netrc`` in a thread for each request,
    which costs more than everything else in a call, and a ``.netrc`` entry would add a password to requests. Proxies
    come from :func:`~.proxies.environment_proxies`.

    :param options: The client's keywords. What they say about trust is for :class:`OwnTls`.
    """
    # Where a certificate is shown, the context of OwnTls counts, which azure-core's False would replace.
    is_verifying = options.get("connection_verify", True) is not False or bool(options.get("connection_cert"))
    trust = {"connection_verify": is_verifying, "connection_cert": None}
    transport = AioHttpTransport(**{**options, **trust, "use_env_settings": False})
    # azure-core declares the transport for its older request type only; it sends both.
    return cast("AsyncHttpTransport[HttpRequest, AsyncHttpResponse]", transport)


class FirstPolicy(SansIOHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Checks a call before any other policy does: its event loop, and keywords that it must check or remove.

    aiohttp's connections can't be used from another event loop than theirs: aiohttp itself would fail in one of several
    obscure ways, or wait for a loop that no longer runs. No retry can help.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    @override
    def on_request(self, request: PipelineRequest[HttpRequest]) -> None:
        uses_aiohttp = isinstance(request.context.transport, AioHttpTransport)
        if uses_aiohttp:
            self._require_own_loop()
        options = request.context.options
        if not options:
            return
        if (start := options.pop(START_PROGRESS, None)) is not None:
            request.context[START_PROGRESS] = start
        for name in _WITHOUT_EFFECT:
            options.pop(name, None)
        if (content_type := options.pop("content_type", None)) and request.http_request.content is not None:
            request.http_request.headers["Content-Type"] = content_type
        for name in _SECONDS & options.keys():
            # None, and requests' pair of timeouts, are up to the transport. The time of a whole call is not.
            allowed = (int, float) if name == "timeout" else (int, float, tuple, type(None))
            if not isinstance(options[name], allowed):
                raise ValueError(  # noqa: TRY004 - the error of every bad argument
                    f"{name} must be a number of seconds, got {type(options[name]).__name__}"
                )
        schemes = PROXY_SCHEMES if uses_aiohttp else None
        if options.get("proxies") is not None:
            options["proxies"] = usable_proxies(options["proxies"], "proxies", schemes=schemes)
        if options.get("proxy"):
            options["proxy"] = usable_proxy(options["proxy"], "proxy", schemes=schemes)

    def _require_own_loop(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError as error:
            raise ServiceRequestError(
                "aiohttp needs asyncio, which isn't running here. With trio, create the client with"
                " transport=azure.core.pipeline.transport.TrioRequestsTransport()."
            ) from error
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise ServiceRequestError(
                "The client belongs to another event loop: its connections live in the loop of its first request."
                " Create a client in each loop, for example inside the function that asyncio.run() is given."
            )
