"""The emulator's clock: the wall clock, which a test may put forward."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """Tells the time to everything in one emulator: tokens, jobs, soft-deleted keys.

    :param source: Where the time comes from before anybody puts it forward; unix seconds.
    """

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self._ahead = 0.0
        self._advanced = asyncio.Event()

    def now(self) -> float:
        """Return the time in unix seconds."""
        return self._source() + self._ahead

    def advance(self, seconds: float) -> None:
        """Put the clock forward: tokens expire, jobs come due, without anybody waiting.

        :param seconds: By how much; a clock does not go back.
        :raises ValueError: if seconds is negative.
        """
        if seconds < 0:
            raise ValueError(f"seconds must not be negative, got {seconds!r}")
        self._ahead += seconds
        self._advanced.set()
        self._advanced = asyncio.Event()

    async def sleep_until(self, due: float) -> None:
        """Wait until the clock shows a time, by itself or because somebody put it forward.

        :param due: The time in unix seconds.
        """
        while (left := due - self.now()) > 0:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._advanced.wait(), left)
