"""An event loop in its own thread, for callers without a loop or whose loop the emulator must not depend on."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from threading import Thread
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

_P = ParamSpec("_P")
_T = TypeVar("_T")


class LoopThread:
    """A thread whose event loop keeps a resource open from :meth:`start` to :meth:`stop`."""

    def __init__(self, resource: AbstractAsyncContextManager[object], name: str) -> None:
        self._resource = resource
        self._started: Future[None] = Future()
        self._ended: Future[None] = Future()
        # A program that forgets to stop it must be able to exit.
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Return when the resource is open, or raise its error."""
        self._thread.start()
        try:
            self._started.result()
        except BaseException:
            # After Ctrl-C, nothing calls stop().
            self._started.add_done_callback(self._request_stop)
            self._thread.join()
            raise

    def call(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call a function in the loop from another thread, and return its result."""

        async def run() -> _T:
            return function(*args, **kwargs)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def stop(self) -> None:
        """Return when the resource is closed and the thread has ended, or raise the resource's error."""
        self._request_stop(self._started)
        self._thread.join()
        self._ended.result()

    def _request_stop(self, started: Future[None]) -> None:
        if started.exception() is None:
            self._loop.call_soon_threadsafe(self._stop.set)

    def _run(self) -> None:
        try:
            asyncio.run(self._hold())
        except BaseException as error:  # noqa: BLE001 - raised in the thread that starts or stops this one
            self._ended.set_exception(error)
            if not self._started.done():
                self._started.set_exception(error)
        else:
            self._ended.set_result(None)

    async def _hold(self) -> None:
        async with self._resource:
            self._loop = asyncio.get_running_loop()
            self._stop = asyncio.Event()
            self._started.set_result(None)
            await self._stop.wait()
