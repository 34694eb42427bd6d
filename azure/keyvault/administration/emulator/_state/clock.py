"""The emulator's clock: the wall clock, which a test can advance."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Lock

from .._domain.arguments import SECONDS, is_seconds, require


class Clock:
    """The time for everything in one emulator: tokens, jobs, soft-deleted keys.

    It can be read and advanced from any thread.
    """

    def __init__(self) -> None:
        self._source = time.time
        self._ahead = 0.0
        self._lock = Lock()
        self._sleepers: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}

    def now(self) -> float:
        """Return the time in unix seconds."""
        return self._source() + self._ahead

    def advance(self, seconds: float) -> None:
        """Advance the clock: tokens expire and jobs come due without waiting.

        :param seconds: By how much; the clock cannot go back.
        :raises ValueError: if seconds is negative or not a number, or the clock would be over thirty years ahead.
        """
        with self._lock:
            is_valid = is_seconds(seconds) and is_seconds(self._ahead + seconds)
            require(is_valid, "seconds", seconds, f"{SECONDS} in all")
            self._ahead += seconds
            for wake_up, loop in self._sleepers.items():
                # The loop is closed.
                with suppress(RuntimeError):
                    loop.call_soon_threadsafe(wake_up.set)


class WakingClock(Clock):
    """The clock as the emulator itself uses it: it can also be waited for.

    :param source: Returns the unix time to which :meth:`advance` adds.
    """

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._source = source

    async def sleep_until(self, due: float) -> None:
        """Wait until the clock shows a unix time, by itself or because it was advanced."""
        wake_up = asyncio.Event()
        loop = asyncio.get_running_loop()
        with self._lock:
            self._sleepers[wake_up] = loop
        try:
            # The event is cleared before the clock is read: advancing the clock after that sets it again.
            while (left := due - self.now()) > 0:
                # Not wait_for: that of Python 3.10 and 3.11 forgets a cancellation that comes together with the event.
                timer = loop.call_later(left, wake_up.set)
                try:
                    await wake_up.wait()
                finally:
                    timer.cancel()
                wake_up.clear()
        finally:
            with self._lock:
                del self._sleepers[wake_up]
