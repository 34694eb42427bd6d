"""Work in threads that nobody leaves behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def run_in_thread(work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run something in a thread, and do not return before the thread has ended.

    ``asyncio.to_thread`` returns at once when it is cancelled, and the thread goes on: it would write into a directory
    that its owner takes for closed, and may have removed.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        # However often it is cancelled. What became of the work interests nobody any more.
        while not running.done():
            await _settled(running)
        raise


async def _settled(running: asyncio.Future[_T]) -> None:
    try:
        await asyncio.wait({running})
    except asyncio.CancelledError:
        return
