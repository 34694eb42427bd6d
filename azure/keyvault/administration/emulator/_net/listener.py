"""Listening, with a limit on the number of connections.

``asyncio``'s own servers accept every connection, and log each one for which the process has no file descriptor: a few
hundred idle clients would stop the service and fill the disk.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from typing import TYPE_CHECKING, Any

from . import connections

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Coroutine

    from .connections import Connections

_LOGGER = logging.getLogger(__name__)

_BACKLOG = 1024
_PAUSE_SECONDS = 0.1


class Listener:
    """Accepts the connections to some sockets, which :func:`bind` returns.

    :param accepted: Gets the connections.
    :param protocol: Makes the protocol that serves a connection.
    :param context: TLS settings; None for plain TCP.
    """

    def __init__(
        self,
        sockets: list[socket.socket],
        accepted: Connections,
        protocol: Callable[[], asyncio.Protocol],
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._sockets = sockets
        self._connections = accepted
        self._protocol = protocol
        self._context = context
        self._openings: set[_Opening] = set()
        self._accepting = [self._loop.create_task(self._accept(each)) for each in sockets]

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of each socket."""
        return [each.getsockname()[:2] for each in self._sockets]

    async def close(self) -> None:
        """Stop listening, and drop the connections that are still in their TLS handshake."""
        ending = [*self._accepting, *(each.task for each in self._openings)]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        for each in self._sockets:
            each.close()

    async def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                accepted, _ = await self._loop.sock_accept(listening)
            except ConnectionError:
                # The client is gone already.
                continue
            except OSError as error:
                self._connections.warn_once(f"New connections have to wait: {error.strerror}")
                self._connections.drop_idle()
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            try:
                await self._connections.make_room()
            except BaseException:
                accepted.close()
                raise
            self._open(accepted)
            # While clients are waiting, accepting never suspends, so nothing else would run.
            await asyncio.sleep(0)

    def _open(self, accepted: socket.socket) -> None:
        opening = _Opening(self._loop, self._start(accepted))
        self._openings.add(opening)
        self._connections.add(opening)
        opening.task.add_done_callback(lambda _: self._end(opening))

    async def _start(self, accepted: socket.socket) -> None:
        timeout = connections.REQUEST_SECONDS if self._context else None
        try:
            await self._loop.connect_accepted_socket(
                self._protocol, accepted, ssl=self._context, ssl_handshake_timeout=timeout
            )
        except OSError as error:
            _LOGGER.debug("A TLS handshake failed: %s", error)

    def _end(self, opening: _Opening) -> None:
        self._openings.discard(opening)
        self._connections.discard(opening)


class _Opening:
    """A connection that is still being set up."""

    def __init__(self, loop: asyncio.AbstractEventLoop, start: Coroutine[None, None, None]) -> None:
        self.task = loop.create_task(start)
        self.idle_since = loop.time()

    def drop(self) -> None:
        self.task.cancel()


async def bind(host: str, port: int) -> list[socket.socket]:
    """Return sockets that listen on every address of a host; port 0 takes any free one for each address.

    :raises OSError: if an address or the port cannot be used.
    """
    try:
        # An address needs no resolver, and so no thread.
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            sockets.append(_listen(family, address))
    except BaseException:
        for each in sockets:
            each.close()
        raise
    return sockets


def _listen(family: int, address: tuple[Any, ...]) -> socket.socket:
    try:
        listening = socket.create_server(address, family=family, backlog=_BACKLOG)
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
        raise OSError(error.errno, f"error while attempting to bind on address {address!r}: {reason}") from error
    listening.setblocking(False)
    return listening
