"""The way in over TLS: who is still in the doorway when it closes is not served any more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

_PATIENCE_SECONDS = 10.0


class Door:
    """Listens, and hands connections to a server once TLS has begun.

    :param server: Makes the protocol that serves a connection.
    :param context: How TLS is done.
    """

    def __init__(self, server: Callable[[], asyncio.Protocol], context: ssl.SSLContext) -> None:
        self.server = server
        self.is_open = True
        self._context = context
        self._listeners: list[asyncio.Server] = []

    async def open(self, host: str, port: int) -> list[tuple[str, int]]:
        """Start listening, and return the addresses.

        :param host: The address to listen on, or a name of several.
        :param port: The port; 0 takes any free one.
        :raises OSError: if the address or the port cannot be had.
        """
        listener = await asyncio.get_running_loop().create_server(
            lambda: _Doorway(self), host, port, ssl=self._context, ssl_handshake_timeout=_PATIENCE_SECONDS
        )
        self._listeners.append(listener)
        return [each.getsockname()[:2] for each in listener.sockets]

    def close(self) -> None:
        """Stop listening. Who is being served is up to the server."""
        self.is_open = False
        for listener in self._listeners:
            # Not waited for: newer Pythons would wait for the connections, too.
            listener.close()


class _Doorway(asyncio.Protocol):
    """A connection in its TLS handshake, of which nobody hears before that is over."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # That of TLS; asyncio declares less than it gives.
        tunnel = cast("asyncio.Transport", transport)
        if not self._door.is_open:
            tunnel.abort()
            return
        protocol = self._door.server()
        tunnel.set_protocol(protocol)
        protocol.connection_made(tunnel)
