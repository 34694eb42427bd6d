"""Cancel a coroutine at any one of the points at which it waits."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Awaitable, Callable, Generator
from enum import Enum
from typing import Any


class Moment(Enum):
    """When a cancellation hits a task that waits."""

    WAITING = "while it waits"
    WOKEN = "when what it waited for has come, but it has not yet been told"


async def cancelled_at(
    step: int, moment: Moment, coroutine: Awaitable[Any], *, bystander: Awaitable[Any] | None = None
) -> bool:
    """Run a coroutine in its own task, and cancel it at its step-th wait.

    :param step: Which of its waits, counted from 1.
    :param moment: When during that wait.
    :param coroutine: The coroutine.
    :keyword bystander: Something that begins right after it and is not cancelled: it has to end well.
    :returns: False if the coroutine came to its end before.
    :raises AssertionError: If the coroutine was cancelled and goes on anyway.
    """
    reached = False

    def suspended(awaited: asyncio.Future[Any] | None) -> None:
        nonlocal reached
        reached = True
        if moment is Moment.WAITING or awaited is None:
            task.cancel()
        else:
            # The task adds its own callback after this one, so the cancellation comes first.
            awaited.add_done_callback(lambda _: task.cancel())

    async def stepped() -> object:
        # From Python 3.12 on a task takes nothing but a coroutine.
        return await _stepwise(coroutine, step, suspended)

    task = asyncio.create_task(stepped())
    other = None if bystander is None else asyncio.ensure_future(bystander)
    await asyncio.wait([task], timeout=10)
    assert task.done(), f"the wait number {step} never ends"
    if other is not None:
        await asyncio.wait_for(other, 10)
    if not reached:
        task.result()
        return False
    assert task.cancelled(), f"the cancellation of the wait number {step} was swallowed"
    return True


@types.coroutine
def _stepwise(
    awaitable: Awaitable[Any], step: int, suspended: Callable[[asyncio.Future[Any] | None], None]
) -> Generator[Any, Any, Any]:
    """Await something by hand, and tell when it waits for the step-th time, and for what."""
    waits = awaitable.__await__()
    count = 0
    try:
        awaited = waits.send(None)
        while True:
            count += 1
            if count == step:
                suspended(awaited)
            try:
                value = yield awaited
            except BaseException as error:  # noqa: BLE001 - handed on, whatever it is
                awaited = waits.throw(error)
            else:
                awaited = waits.send(value)
    except StopIteration as ended:
        return ended.value
