"""The sockets of an emulator: the HSM on its own address, everything else on loopback unless it is advertised."""

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

# Idle connections are closed immediately; a request that is being served gets this long.
_SHUTDOWN_SECONDS = 1.0
_CONTINUE = "100-continue"


@dataclass(frozen=True, slots=True)
class BoundAddresses:
    """The addresses of the HSM, the proxy and the local services."""

    address: str
    port: int
    localhost_port: int
    """The HSM's port on localhost, whatever its address."""
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

    :param hsm: The HSM, over TLS.
    :param local: The local services, without TLS.
    :param cloud: Other hosts that the proxy serves, over TLS, by host name.
    :param name: The host name of the HSM.
    :param host: The HSM's address.
    :param port: The HSM's port; 0 takes any free one.
    :param local_address: The address of the proxy and the local services.
    :param allowed: Hosts and ports to which the proxy opens tunnels.
    :param context: The TLS settings.
    :param resources: Stops listening.
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
    """Start serving, and return the addresses."""
    listener = Listener(sockets, connections, lambda: Connection(connections, server()), context)
    resources.push_async_callback(listener.close)
    # Accepting starts in the loop's next iteration.
    await asyncio.sleep(0)
    return listener.addresses


async def _prepare(app: web.Application, resources: AsyncExitStack) -> web.AppRunner:
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=ServerLog(_LOGGER, None),
        shutdown_timeout=_SHUTDOWN_SECONDS,
        # Compressed bodies are refused as they are.
        auto_decompress=False,
    )
    await runner.setup()
    server = _server(runner)
    server.request_handler = _guard(server.request_handler)
    resources.push_async_callback(runner.cleanup)
    return runner


def _server(runner: web.AppRunner) -> web.Server:
    # None only before setup().
    return cast("web.Server", runner.server)


def _guard(handler: _Handler) -> _Handler:
    """Refuse unknown expectations, and mark the connection as busy while a request is being served."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        # aiohttp fails to refuse a header that is not UTF-8. HTTP/1.0 has no expectations (RFC 9110, 10.1.1).
        expectation = request.headers.get(hdrs.EXPECT, _CONTINUE)
        if request.version >= HttpVersion11 and expectation.lower() != _CONTINUE:
            raise web.HTTPExpectationFailed
        connection = request.transport.get_protocol() if request.transport else None
        # None if the client is gone; the request is served anyway.
        with connection.serving(request) if isinstance(connection, Connection) else nullcontext():
            return await handler(request)

    return handle
