"""Where an emulator listens: the HSM where it is told to, everything else on loopback only."""

from __future__ import annotations

import asyncio
import logging
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from aiohttp import HttpVersion11, hdrs, web

from .addresses import EVERY_ADDRESS, LOOPBACK
from .connect_proxy import ConnectProxy
from .connections import Connection, Connections
from .listener import Listener, bind
from .server_log import ServerLog

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from contextlib import AsyncExitStack
    from typing import TypeAlias

    _Handler: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_LOGGER = logging.getLogger(__name__)

# Idle connections are closed immediately; a response that is under way gets this long.
_SHUTDOWN_SECONDS = 1.0
_CONTINUE = "100-continue"


@dataclass(frozen=True, slots=True)
class BoundAddresses:
    """Where the HSM, the proxy and the local services listen."""

    address: str
    port: int
    localhost_port: int
    """Where localhost leads to the HSM, whatever address it was told to listen on."""
    proxy_port: int
    local_port: int


async def listen(
    hsm: web.Application,
    local: web.Application,
    cloud: Mapping[str, web.Application],
    *,
    name: str,
    host: str,
    port: int,
    local_address: str,
    allowed: Iterable[str],
    context: ssl.SSLContext,
    resources: AsyncExitStack,
) -> BoundAddresses:
    """Start listening.

    :param hsm: What is served as the HSM, over TLS.
    :param local: What is served beside it, without TLS.
    :param cloud: What else the proxy leads to, over TLS, by host name.
    :param name: The host name of the HSM, under which the proxy leads to it.
    :param host: The address for the HSM.
    :param port: The port for the HSM; 0 takes any free one.
    :param local_address: The address for the proxy and for what is served beside the HSM.
    :param allowed: Hosts and ports elsewhere that the proxy leads to.
    :param context: The TLS settings of the HSM and of the cloud.
    :param resources: Stops listening again.
    :raises OSError: if the address or the port cannot be used.
    """
    hsm_runner = await _prepare(hsm, resources)
    connections = Connections("HSM")
    addresses = await _serve(_server(hsm_runner), await bind(host, port), connections, resources, context)
    localhost = next((each for each in addresses if each[0] in {LOOPBACK, EVERY_ADDRESS}), None)
    if localhost is None:
        (localhost,) = await _serve(_server(hsm_runner), await bind(LOOPBACK, 0), connections, resources, context)
    others = {each: _server(await _prepare(app, resources)) for each, app in cloud.items()}
    proxy = ConnectProxy(name, _server(hsm_runner), context, others=others, allowed=allowed)
    resources.push_async_callback(proxy.close)
    proxy_port = await proxy.start(local_address)
    local_runner = await _prepare(local, resources)
    local_connections = Connections("Local services")
    local_sockets = await bind(local_address, 0)
    ((_, local_port),) = await _serve(_server(local_runner), local_sockets, local_connections, resources)
    return BoundAddresses(*addresses[0], localhost[1], proxy_port, local_port)


async def _serve(
    server: web.Server,
    sockets: list[socket.socket],
    connections: Connections,
    resources: AsyncExitStack,
    context: ssl.SSLContext | None = None,
) -> list[tuple[str, int]]:
    """Start serving, and return where."""
    listener = Listener(sockets, connections, lambda: Connection(connections, server()), context)
    resources.push_async_callback(listener.close)
    # It begins to accept in the next round of the loop.
    await asyncio.sleep(0)
    return listener.addresses


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
    server = _server(runner)
    server.request_handler = _guard(server.request_handler)
    resources.push_async_callback(runner.cleanup)
    return runner


def _server(runner: web.AppRunner) -> web.Server:
    # None only before the runner is set up.
    return cast("web.Server", runner.server)


def _guard(handler: _Handler) -> _Handler:
    """Keep from an application the requests that aiohttp should not let through, or fails to refuse."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        # aiohttp fails to refuse a header that is not UTF-8. HTTP/1.0 has no expectations (RFC 9110, 10.1.1).
        expectation = request.headers.get(hdrs.EXPECT, _CONTINUE)
        if request.version >= HttpVersion11 and expectation.lower() != _CONTINUE:
            raise web.HTTPExpectationFailed
        connection = request.transport.get_protocol() if request.transport else None
        # None if the client has gone meanwhile, which spares the emulator nothing: the request was made.
        with connection.serving(request) if isinstance(connection, Connection) else nullcontext():
            return await handler(request)

    return handle
