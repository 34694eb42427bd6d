"""How many connections a server keeps, and for how long: clients that stay idle must not keep others out."""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, cast

if sys.platform != "win32":
    import resource

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from aiohttp import web

_LOGGER = logging.getLogger(__name__)

REQUEST_SECONDS = 10.0
"""How long a client has for a request, from its first byte or from the connection to its last; and for a response."""
MAX_CONNECTIONS = 1024
"""How many connections a listener has, unless the process may open too few files."""
SPARED_SECONDS = 1.0
"""How long a connection may be idle before it makes room for another: its client may be about to send."""

_PAUSE_SECONDS = 0.05
# The HSM, the proxy, and what is served to the programs of this machine.
_LISTENERS = 3
# Left for the database, for backups, and for the rest of the process.
_RESERVED_FILES = 100
_FEWEST_CONNECTIONS = 16


class Droppable(Protocol):
    """A connection, however far it has got."""

    @property
    def idle_since(self) -> float | None:
        """The loop's time since which nothing is done for the client, if nothing is."""
        ...

    def drop(self) -> None:
        """Close the connection immediately."""
        ...


class Connections:
    """The connections of one listener. At the limit the one that is idle longest makes room, or new ones wait.

    :param listener: What the log calls the listener.
    """

    def __init__(self, listener: str) -> None:
        self._listener = listener
        self._limit = min(MAX_CONNECTIONS, _affordable())
        self._open: set[Droppable] = set()
        self._warnings: set[str] = set()

    def add(self, connection: Droppable) -> None:
        self._open.add(connection)

    def discard(self, connection: Droppable) -> None:
        self._open.discard(connection)

    async def make_room(self) -> None:
        """Return when one more connection may be opened."""
        while len(self._open) >= self._limit:
            self.warn_once(f"{self._limit} connections are open: idle ones are closed for new ones, or new ones wait")
            # One that was dropped is closed, and gives its file descriptor back, when the loop gets to it.
            await asyncio.sleep(0 if self.drop_idle() else _PAUSE_SECONDS)

    def drop_idle(self) -> bool:
        """Drop the connection that has been idle longest, and return whether there was one."""
        idle = [(each.idle_since, each) for each in self._open if each.idle_since is not None]
        since, longest = min(idle, key=lambda pair: pair[0], default=(0.0, None))
        if longest is None or asyncio.get_running_loop().time() - since < SPARED_SECONDS:
            return False
        self._open.discard(longest)
        longest.drop()
        return True

    def warn_once(self, message: str) -> None:
        """Log a warning, unless it has been logged: a client can cause it as often as it likes."""
        if message not in self._warnings:
            self._warnings.add(message)
            _LOGGER.warning("%s: %s", self._listener, message)


class Connection(asyncio.Protocol):
    """A connection that is served, by a protocol that knows nothing of these limits.

    :param connections: The connections that this one belongs to.
    :param server: The protocol that serves it.
    """

    def __init__(self, connections: Connections, server: asyncio.Protocol) -> None:
        self._connections = connections
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._receiving = _Deadline(self._give_up_receiving)
        self._sending = _Deadline(self.drop)
        self.idle_since: float | None = self._loop.time()

    @contextmanager
    def serving(self, request: web.BaseRequest) -> Generator[None]:
        """Keep the connection from being idle while a request is being handled."""
        self.idle_since = None
        request.content.on_eof(self._receiving.clear)
        try:
            yield
        finally:
            self.idle_since = self._loop.time()

    def drop(self) -> None:
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # That of TCP or of TLS; asyncio declares less than it gives.
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)
        self._receiving.set()
        self._server.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self.idle_since is not None:
            self._receiving.set()
        self._server.data_received(data)

    def eof_received(self) -> bool | None:
        return self._server.eof_received()

    def pause_writing(self) -> None:
        self._sending.set()
        self._server.pause_writing()

    def resume_writing(self) -> None:
        self._sending.clear()
        self._server.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._receiving.clear()
        self._sending.clear()
        self._connections.discard(self)
        self._server.connection_lost(exc)

    def _give_up_receiving(self) -> None:
        if self._transport.is_reading():
            self.drop()
        else:
            # The client waits for the server, which has not read what there is.
            self._receiving.set()


class _Deadline:
    """Calls a function some time after it was set, unless it is cleared before."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def set(self) -> None:
        """Start the time, unless it is running."""
        if self._timer is None:
            self._timer = self._loop.call_later(REQUEST_SECONDS, self._warn)

    def clear(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _warn(self) -> None:
        # In a program that has blocked its loop, in a debugger for one, what has arrived in time is still to be read.
        self._timer = self._loop.call_later(REQUEST_SECONDS / 10, self._pass)

    def _pass(self) -> None:
        self._timer = None
        self._act()


def _affordable() -> int:
    """Return how many connections a listener may have before the process runs out of file descriptors."""
    if sys.platform == "win32":
        return MAX_CONNECTIONS
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max((files - _RESERVED_FILES) // _LISTENERS, _FEWEST_CONNECTIONS)
