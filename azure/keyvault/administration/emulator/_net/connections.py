"""Limits on the number of connections and on their time: idle clients must not keep others out."""

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
"""Time for receiving a request, from the connection or the first byte on; and for sending a response."""
MAX_CONNECTIONS = 1024
"""Connections of a listener, unless the process can open too few files."""
MIN_IDLE_SECONDS = 1.0
"""Time that a connection is idle before it can be closed for another: its client may be about to send."""

_PAUSE_SECONDS = 0.05
# The HSM, the proxy, and what is served to the programs of this machine.
_LISTENERS = 3
# For the database, for backups, and for the rest of the process.
_RESERVED_FILES = 100
_FEWEST_CONNECTIONS = 16


class Droppable(Protocol):
    """A connection in any state, with the loop's time since which it has been idle; None while a request is served."""

    @property
    def idle_since(self) -> float | None: ...

    def drop(self) -> None: ...


class Connections:
    """The connections of one listener. At the limit, the longest idle one is closed for a new one, or new ones wait.

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
        """Return once one more connection can be opened."""
        while len(self._open) >= self._limit:
            self.warn_once(f"{self._limit} connections are open: idle ones are closed for new ones, or new ones wait")
            # A dropped connection gives its file descriptor back in the loop's next iteration.
            await asyncio.sleep(0 if self.drop_idle() else _PAUSE_SECONDS)

    def drop_idle(self) -> bool:
        """Drop the connection that has been idle longest, and return whether there was one."""
        idle = [(each.idle_since, each) for each in self._open if each.idle_since is not None]
        since, longest = min(idle, key=lambda pair: pair[0], default=(0.0, None))
        if longest is None or asyncio.get_running_loop().time() - since < MIN_IDLE_SECONDS:
            return False
        self._open.discard(longest)
        longest.drop()
        return True

    def warn_once(self, message: str) -> None:
        """Log a warning once: a client can cause it any number of times."""
        if message not in self._warnings:
            self._warnings.add(message)
            _LOGGER.warning("%s: %s", self._listener, message)


class Connection(asyncio.Protocol):
    """Applies the limits to a protocol that does not know of them."""

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
        # Of TCP or TLS; asyncio declares a base class.
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
            # The client waits for the server, which has not read everything yet.
            self._receiving.set()


class _Deadline:
    """Calls a function some time after it is set, unless it is cleared before."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def set(self) -> None:
        """Start the timer, unless it is running."""
        if self._timer is None:
            self._timer = self._loop.call_later(REQUEST_SECONDS, self._warn)

    def clear(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _warn(self) -> None:
        # If the program has blocked its loop, as a debugger does, data that arrived in time has not been read yet.
        self._timer = self._loop.call_later(REQUEST_SECONDS / 10, self._pass)

    def _pass(self) -> None:
        self._timer = None
        self._act()


def _affordable() -> int:
    """Return the number of connections that leaves the process enough file descriptors."""
    if sys.platform == "win32":
        return MAX_CONNECTIONS
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max((files - _RESERVED_FILES) // _LISTENERS, _FEWEST_CONNECTIONS)
