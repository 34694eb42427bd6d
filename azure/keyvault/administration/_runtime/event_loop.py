"""The async library that runs now: asyncio, or trio with azure-core's transport for it."""

from __future__ import annotations

import asyncio
import math
import sys
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Event(Protocol):
    """What the events of asyncio and trio have in common."""

    def set(self) -> object:
        """Wake all waiters."""

    async def wait(self) -> object:
        """Wait until the event is set."""


def running_loop() -> tuple[object, type[Event]]:
    """Return the identity of the running event loop, and the class of its events.

    asyncio comes first, as in azure-core. trio is looked for only where the caller's program has imported it.

    :raises RuntimeError: If neither library runs.
    """
    try:
        return asyncio.get_running_loop(), asyncio.Event
    except RuntimeError:
        if "trio" not in sys.modules:
            raise
    import trio  # noqa: PLC0415 - not a dependency

    return trio.lowlevel.current_trio_token(), trio.Event


def running_clock() -> Callable[[], float]:
    """Return the clock of the running event loop, which tells the time in seconds.

    :raises RuntimeError: If neither library runs.
    """
    try:
        return asyncio.get_running_loop().time
    except RuntimeError:
        if "trio" not in sys.modules:
            raise
    import trio  # noqa: PLC0415 - not a dependency

    clock: Callable[[], float] = trio.current_time
    return clock


async def wait(event: Event, seconds: float) -> None:
    """Wait until an event is set, but no longer than so many seconds.

    asyncio's own ``wait_for`` may swallow a cancellation before Python 3.12.

    :param event: The event, which may be set when the time is up.
    :param seconds: How long to wait at most.
    """
    if seconds == math.inf:
        await event.wait()
    elif isinstance(event, asyncio.Event):
        timer = asyncio.get_running_loop().call_later(seconds, event.set)
        try:
            await event.wait()
        finally:
            timer.cancel()
    else:
        import trio  # noqa: PLC0415 - not a dependency

        with trio.move_on_after(seconds):
            await event.wait()
