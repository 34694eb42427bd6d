"""A proxy that tunnels to the emulator under its real-looking name, and to other hosts only if they are allowed.

A program that cannot be told how to resolve a name can nearly always be given a proxy. For the emulator, this one opens
no connection: the emulator's server starts TLS on the client's own connection.
"""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from . import connections
from .addresses import LOOPBACK
from .connect import Refusal, read_target
from .connections import Connection, Connections
from .listener import Listener, bind
from .relay import relay

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeAlias

    _Server: TypeAlias = Callable[[], asyncio.Protocol]

_LOGGER = logging.getLogger(__name__)

_HTTPS = 443
_LINGER_SECONDS = 1.0
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class ConnectProxy:
    """Serves CONNECT.

    :param host: The host name of the HSM; its port is 443.
    :param server: Makes the protocol that serves a tunnel to the HSM.
    :param context: The TLS settings of all servers.
    :param others: Servers for other host names.
    :param allowed: Hosts and ports to which a tunnel may leave the emulator.
    :param timeout: Seconds that a client has for its request, and again for the TLS handshake.
    """

    def __init__(
        self,
        host: str,
        server: _Server,
        context: ssl.SSLContext,
        *,
        others: Mapping[str, _Server] | None = None,
        allowed: Iterable[str] = (),
        timeout: float | None = None,
    ) -> None:
        self.authority = f"{host}:{_HTTPS}"
        self.context = context
        # An allowed host is the real one, even if it is among the others; but the HSM is always this one.
        self.targets: dict[str, _Server | None] = {
            **{f"{each}:{_HTTPS}": serving for each, serving in (others or {}).items()},
            **dict.fromkeys(allowed),
            self.authority: server,
        }
        self.timeout = connections.REQUEST_SECONDS if timeout is None else timeout
        self.connections = Connections("Proxy")
        self._clients: set[_Client] = set()
        self._listener: Listener | None = None

    async def start(self, address: str = LOOPBACK) -> int:
        """Start listening, and return the port."""
        self._listener = Listener(await bind(address, 0), self.connections, lambda: _Client(self))
        ((_, port),) = self._listener.addresses
        return port

    async def close(self) -> None:
        """Stop listening, and drop clients without a tunnel. A tunnel belongs to the server, which closes it."""
        listener, self._listener = self._listener, None
        if listener:
            await listener.close()
        clients = list(self._clients)
        for client in clients:
            client.drop()
        await asyncio.gather(*(client.gone for client in clients))

    def enter(self, client: _Client) -> bool:
        """Register a client, and return whether the proxy is still open."""
        self._clients.add(client)
        self.connections.add(client)
        client.gone.add_done_callback(lambda _: self._leave(client))
        return self._listener is not None

    def _leave(self, client: _Client) -> None:
        self._clients.discard(client)
        self.connections.discard(client)


class _Client(asyncio.Protocol):
    """One connection, until it is refused or the server takes it over."""

    def __init__(self, proxy: ConnectProxy) -> None:
        self._proxy = proxy
        self._loop = asyncio.get_running_loop()
        self._head = b""
        self._is_answered = False
        self._opening: asyncio.Task[None] | None = None
        self.gone = self._loop.create_future()
        self.idle_since: float | None = self._loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Of TCP; asyncio declares a base class.
        self._transport = cast("asyncio.Transport", transport)
        too_long = Refusal(408, "The request took too long.")
        self._timer = self._loop.call_later(self._proxy.timeout, self._refuse, too_long)
        if not self._proxy.enter(self):
            self.drop()

    def data_received(self, data: bytes) -> None:
        if self._is_answered:
            return
        self._head += data
        try:
            if target := read_target(self._head, self._proxy.authority, self._proxy.targets):
                self._accept(target)
        except Refusal as refusal:
            self._refuse(refusal)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - part of asyncio's interface
        if not self._opening:
            self._leave()

    def drop(self) -> None:
        """Close the connection without a response."""
        if self._opening:
            self._opening.cancel()
        self._transport.abort()

    def _accept(self, target: str) -> None:
        self._is_answered = True
        self._timer.cancel()
        # What comes next is TLS, which the server reads.
        self._transport.pause_reading()
        serving = self._proxy.targets[target]
        opening = self._serve(serving) if serving else self._tunnel_out(target)
        self._opening = self._loop.create_task(opening)
        self._opening.add_done_callback(self._end)

    def _end(self, opening: asyncio.Task[None]) -> None:
        # Not if the tunnel was refused after all: then the client gets a response first.
        if self._opening is opening:
            self._leave()

    async def _tunnel_out(self, target: str) -> None:
        # The proxy does not see what happens in the tunnel, so it never counts as idle.
        self.idle_since = None
        try:
            await relay(self._transport, target, _ESTABLISHED, self._proxy.timeout)
        # In Python 3.10, asyncio's TimeoutError is not an OSError.
        except (OSError, asyncio.TimeoutError) as error:
            _LOGGER.info("No connection to %s: %s", target, error)
            self._opening = None
            self._transport.resume_reading()
            self._refuse(Refusal(502, f"The emulator's proxy cannot connect to {target}."))

    async def _serve(self, server: _Server) -> None:
        self._transport.write(_ESTABLISHED)
        if self._transport.is_closing():
            # The client is gone, so a TLS handshake would never end.
            return
        early = _EarlyData()
        try:
            tunnel = await self._loop.start_tls(
                self._transport,
                early,
                self._proxy.context,
                server_side=True,
                ssl_handshake_timeout=self._proxy.timeout,
            )
        except OSError as error:
            _LOGGER.info("No TLS in a tunnel: %s", error)
            return
        if tunnel and not early.is_lost:
            early.hand_over(tunnel, Connection(self._proxy.connections, server()))

    def _refuse(self, refusal: Refusal) -> None:
        _LOGGER.info("Refused a client of the proxy: %s", refusal)
        self._is_answered = True
        self._timer.cancel()
        self._transport.write(_render(refusal))
        self._transport.write_eof()
        # Closing with unread data resets the connection, so the client gets time to read and to hang up.
        self._timer = self._loop.call_later(_LINGER_SECONDS, self._transport.abort)

    def _leave(self) -> None:
        self._timer.cancel()
        if not self.gone.done():
            self.gone.set_result(None)


class _EarlyData(asyncio.Protocol):
    """Keeps what arrives with the end of the TLS handshake, before the server has the connection."""

    def __init__(self) -> None:
        self._data = b""
        self.is_lost = False

    def data_received(self, data: bytes) -> None:
        self._data += data

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - part of asyncio's interface
        self.is_lost = True

    def hand_over(self, tunnel: asyncio.Transport, server: asyncio.Protocol) -> None:
        tunnel.set_protocol(server)
        server.connection_made(tunnel)
        if self._data:
            server.data_received(self._data)


def _render(refusal: Refusal) -> bytes:
    body = f"{refusal.reason}\n"
    lines = [
        # Of a proxy's response, clients show this line and seldom the body.
        f"HTTP/1.1 {refusal.status} {refusal.reason}",
        *(["Allow: CONNECT"] if refusal.status == HTTPStatus.METHOD_NOT_ALLOWED else []),
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    return "\r\n".join([*lines, "", body]).encode("ascii")
