"""The operations of a second process become part of the first one's log before any lock that they need is free."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any

import pytest

from chaos.attempts import AttemptsPolicy, collect, is_throttled
from chaos.history import Action, Contents, Operation, Outcome
from chaos.operation_log import OperationLog
from chaos.second_process import Lender, decode

SHARED, START = "shared", "POST /backup"
WRITTEN = Operation(Action.WRITE, "a", Outcome.DONE, "1", 1, 2, process=1)
RESTORED = Operation(
    Action.START, "PUT /keys/a/restore", Outcome.DONE, "job", 3, 4, brings=Contents({"a": "1"}, only="a"), process=1
)
LOOKED = Operation(Action.LOOK, "everything", Outcome.DONE, found=(("a", "1"), ("b", "2")), process=1)
FAILED = Operation(Action.FOLLOW, "job", Outcome.DONE, "Failed", error="it was stopped", process=1)
GAVE_UP = Operation(Action.DELETE, "a", Outcome.THROTTLED, error="429", process=1)


@pytest.mark.parametrize("operation", [WRITTEN, RESTORED, LOOKED, FAILED, GAVE_UP], ids=lambda each: each.action.value)
def test_operation_survives_the_way_between_processes(operation: Operation) -> None:
    assert decode(json.dumps({"operation": operation.as_json()}).encode()) == {"operation": operation}


class Pair:
    """A log, and a lender whose messages are kept."""

    def __init__(self) -> None:
        self.log = OperationLog(100)
        self.said: list[dict[str, Any]] = []
        self.lender = Lender(self.log, lambda **message: self.said.append(message))

    async def borrow(self, name: str, number: int) -> None:
        self.lender.hear({"borrow": name, "loan": number})
        await self.rest()

    @staticmethod
    async def rest() -> None:
        for _ in range(10):
            await asyncio.sleep(0)


async def test_caller_that_is_alone_finds_all_operations_of_the_second_process() -> None:
    pair = Pair()
    await pair.borrow(SHARED, 1)
    assert pair.said == [{"lent": 1}]

    async def look() -> list[Operation]:
        async with pair.log.alone():
            return list(pair.log.operations)

    alone = asyncio.create_task(look())
    await pair.rest()
    assert not alone.done()

    pair.lender.hear({"operation": WRITTEN})
    pair.lender.hear({"release": 1})

    assert await alone == [WRITTEN]


@pytest.mark.parametrize("name", [SHARED, START])
async def test_second_process_waits_for_locks_of_the_first(name: str) -> None:
    pair = Pair()
    async with AsyncExitStack() as held:
        await held.enter_async_context(pair.log.alone() if name == SHARED else pair.log.start_lock(name))
        await pair.borrow(name, 1)
        assert pair.said == []

    await pair.rest()
    assert pair.said == [{"lent": 1}]
    pair.lender.hear({"release": 1})
    await pair.rest()
    async with pair.log.alone():
        pass


async def test_locks_of_a_second_process_that_ended_are_free() -> None:
    pair = Pair()
    await pair.borrow(SHARED, 1)

    await pair.lender.close()

    async with pair.log.alone():
        pass


@pytest.mark.parametrize(
    ("statuses", "throttled"),
    [
        ([429], True),
        ([429, 401, 429], True),
        ([503, 429], False),
        ([None, 429], False),
        ([401], False),
        ([], False),
    ],
)
def test_operation_is_throttled_if_each_request_was_refused(statuses: list[int | None], throttled: bool) -> None:
    assert is_throttled(statuses) is throttled


async def test_request_without_response_has_no_status() -> None:
    policy = AttemptsPolicy()
    request: Any = object()
    response: Any = SimpleNamespace(http_response=SimpleNamespace(status_code=429))
    statuses = collect()

    policy.on_request(request)
    policy.on_request(request)
    policy.on_response(request, response)

    assert (statuses, policy.count) == ([None, 429], 2)
