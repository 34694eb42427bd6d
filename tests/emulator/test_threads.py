"""Work in threads that outlives no caller."""

from __future__ import annotations

import asyncio
import threading

import pytest

from azure.keyvault.administration.emulator._state.threads import run_in_thread


async def test_thread_returns_the_result_or_raises_the_error() -> None:
    assert await run_in_thread(divmod, 7, 2) == (3, 1)
    with pytest.raises(ValueError, match="invalid literal"):
        await run_in_thread(int, "x")


async def test_however_often_it_is_cancelled_it_ends_after_the_work_and_as_cancelled() -> None:
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        may_end.wait(10)
        ended.set()

    task = asyncio.create_task(run_in_thread(work))
    await asyncio.to_thread(begun.wait, 10)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not task.done()
    may_end.set()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_error_of_cancelled_work_is_ignored() -> None:
    begun, may_end = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        may_end.wait(10)
        raise OSError

    task = asyncio.create_task(run_in_thread(work))
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    await asyncio.sleep(0)
    may_end.set()

    with pytest.raises(asyncio.CancelledError):
        await task
