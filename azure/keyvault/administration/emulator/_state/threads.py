"""Work in threads that are never left running."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def run_in_thread(work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run something in a thread, and do not return before the thread has ended.

    ``asyncio.to_thread`` returns immediately when it is cancelled, and the thread goes on: it would write into a
    directory that its owner considers closed, and may have removed.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        # However often it is cancelled. The outcome of the work no longer matters.
        while not running.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({running})
        raise
