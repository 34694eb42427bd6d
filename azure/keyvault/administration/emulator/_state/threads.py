"""Work in threads whose callers wait for its end, even if they are cancelled."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def run_in_thread(work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run a function in a thread, and return only once it has ended.

    ``asyncio.to_thread`` returns immediately when it is cancelled, while its thread goes on and might write into a
    directory that is closed or removed by then.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        # Even if it is cancelled again. The result no longer matters.
        while not running.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({running})
        raise
