"""Where an emulator listens: the HSM where it is told to, and what belongs to this machine on loopback only."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from aiohttp import HttpVersion11, hdrs, web

from .addresses import EVERY_ADDRESS, LOOPBACK
from .connect_proxy import ConnectProxy
from .door import Door
from .server_log import ServerLog

if TYPE_CHECKING:
    import asyncio
    import ssl
    from collections.abc import Awaitable, Callable
    from contextlib import AsyncExitStack
    from typing import TypeAlias

    _Handler: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_LOGGER = logging.getLogger(__name__)

# Connections that are idle are closed at once; an answer that is under way gets this long to leave.
_SHUTDOWN_SECONDS = 1.0
_CONTINUE = "100-continue"


@dataclass(frozen=True, slots=True)
class Listeners:
    """The addresses that were had."""

    address: str
    port: int
    localhost_port: int
    """Where localhost leads to the HSM, whatever address it was told to listen on."""
    proxy_port: int
    local_port: int


async def listen(
    hsm: web.Application,
    local: web.Application,
    *,
    name: str,
    host: str,
    port: int,
    context: ssl.SSLContext,
    resources: AsyncExitStack,
) -> Listeners:
    """Start listening.

    :param hsm: What is served as the HSM, over TLS.
    :param local: What is served to the programs of this machine.
    :param name: The host name of the HSM, under which the proxy leads there.
    :param host: The address for the HSM.
    :param port: The port for the HSM; 0 takes any free one.
    :param context: How the HSM does TLS.
    :param resources: Stops listening again.
    :raises OSError: if the address or the port cannot be had.
    """
    hsm_runner = await _prepare(hsm, resources)
    # None only before the runner is set up.
    serve = cast("Callable[[], asyncio.Protocol]", hsm_runner.server)
    door = Door(serve, context)
    resources.callback(door.close)
    addresses = await door.open(host, port)
    # Where the HSM does not listen on loopback yet, it does so on a port of its own.
    served = [each for each in addresses if each[0] in {LOOPBACK, EVERY_ADDRESS}] or await door.open(LOOPBACK, 0)
    proxy = ConnectProxy(name, serve, context)
    resources.push_async_callback(proxy.close)
    proxy_port = await proxy.start()
    local_runner = await _prepare(local, resources)
    await web.TCPSite(local_runner, LOOPBACK, 0).start()
    return Listeners(*addresses[0], served[0][1], proxy_port, local_runner.addresses[0][1])


async def _prepare(app: web.Application, resources: AsyncExitStack) -> web.AppRunner:
    """Make an application ready to listen."""
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=ServerLog(_LOGGER, None),
        shutdown_timeout=_SHUTDOWN_SECONDS,
        # A compressed body is refused, so nothing needs to unfold it first.
        auto_decompress=False,
    )
    await runner.setup()
    # None only before the runner is set up.
    server = cast("web.Server", runner.server)
    server.request_handler = _refusing_expectations(server.request_handler)
    resources.push_async_callback(runner.cleanup)
    return runner


def _refusing_expectations(handler: _Handler) -> _Handler:
    """Refuse whoever expects what no server knows. aiohttp's own refusal fails at a wish that is no text."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        wish = request.headers.get(hdrs.EXPECT, _CONTINUE)
        # A server must ignore the wishes of HTTP/1.0 (RFC 9110, 10.1.1).
        if request.version >= HttpVersion11 and wish.lower() != _CONTINUE:
            raise web.HTTPExpectationFailed
        return await handler(request)

    return handle
