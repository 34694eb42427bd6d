"""One execution of the same work at a time, shared by all callers that ask meanwhile."""

from __future__ import annotations

import asyncio
import traceback
from typing import Any

import pytest
import trio
import trio.testing
from azure.core.exceptions import AzureError, ClientAuthenticationError, ServiceRequestError

from azure.keyvault.administration._runtime.single_flight import SingleFlight
from fakes import yield_to_loop


class Work:
    """Counts its executions and hangs until it is released."""

    def __init__(self) -> None:
        self.executions = 0
        self.release = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.executions += 1
        number = self.executions
        await self.release.wait()
        if self.error:
            raise self.error
        return number


async def test_concurrent_callers_share_one_execution_and_a_later_one_does_not() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    work = Work()
    tasks = [asyncio.create_task(flights.run("a", work)) for _ in range(50)]
    await yield_to_loop()

    work.release.set()

    assert await asyncio.gather(*tasks) == [1] * 50
    assert await flights.run("a", work) == 2


async def test_different_keys_do_not_wait_for_each_other() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    slow, quick = Work(), Work()
    quick.release.set()
    waiting = asyncio.create_task(flights.run("slow", slow))
    await yield_to_loop()

    assert await flights.run("quick", quick) == 1

    slow.release.set()
    assert await waiting == 1


class _WithCodeError(ClientAuthenticationError):
    """Its constructor takes other arguments than it passes on."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(message=f"{code}: {text}")
        self.code = code


class _TimedOutError(ServiceRequestError, TimeoutError):
    def __init__(self, *, reason: str) -> None:
        super().__init__(f"timed out: {reason}")


@pytest.mark.parametrize("error", [_WithCodeError(1, "no"), _TimedOutError(reason="no")], ids=repr)
async def test_each_waiter_gets_its_own_azure_core_error(error: AzureError) -> None:
    shown = str(error)
    flights: SingleFlight[str, int] = SingleFlight()
    work = Work()
    work.error = error

    async def one(number: int) -> None:
        try:
            await flights.run("a", work)
        except AzureError as own:
            # As azure-core's pagers do with what passes through them.
            own.continuation_token = own.continuation_token or str(number)
            raise

    tasks = [asyncio.create_task(one(number)) for number in range(3)]
    await yield_to_loop()
    work.release.set()

    errors: list[Any] = await asyncio.gather(*tasks, return_exceptions=True)
    assert errors[0] is error
    assert [own.continuation_token for own in errors] == ["0", "1", "2"]
    assert [(type(own), str(own), own.args) for own in errors] == [(type(error), shown, error.args)] * 3
    assert [getattr(own, "code", None) for own in errors] == [getattr(error, "code", None)] * 3
    assert [own.__cause__ for own in errors] == [None, error, error]


async def test_another_error_is_shared_without_a_growing_traceback() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    work = Work()
    work.error = OSError(2, "No such file", "token.json")
    tasks = [asyncio.create_task(flights.run("a", work)) for _ in range(50)]
    await yield_to_loop()
    work.release.set()

    errors = await asyncio.gather(*tasks, return_exceptions=True)

    assert errors == [work.error] * 50
    assert len(list(traceback.walk_tb(work.error.__traceback__))) < 10
    work.error = None
    assert await flights.run("a", work) == 2


async def test_a_chain_of_cancelled_leaders_ends_with_the_last_waiter() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    work = Work()
    tasks = [asyncio.create_task(flights.run("a", work)) for _ in range(5)]

    for task in tasks[:-1]:
        await yield_to_loop()
        task.cancel()
    await yield_to_loop()
    work.release.set()

    assert await tasks[-1] == 5
    assert [task.cancelled() for task in tasks[:-1]] == [True] * 4


async def test_cancelling_a_waiter_disturbs_no_other() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    work = Work()
    leader, waiter, other = [asyncio.create_task(flights.run("a", work)) for _ in range(3)]
    await yield_to_loop()

    waiter.cancel()
    await yield_to_loop()
    work.release.set()

    assert [await leader, await other] == [1, 1]
    assert waiter.cancelled()


async def test_waiters_join_the_next_flight_of_the_first_of_them() -> None:
    first: SingleFlight[str, int] = SingleFlight()
    second: SingleFlight[str, int] = SingleFlight()
    work, next_work = Work(), Work()

    async def both() -> int:
        await first.run("a", work)
        return await second.run("a", next_work)

    tasks = [asyncio.create_task(both()) for _ in range(100)]
    await yield_to_loop()
    work.release.set()
    await yield_to_loop()
    next_work.release.set()

    assert await asyncio.gather(*tasks) == [1] * 100


def test_a_flight_of_another_loop_is_not_waited_for() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    first_loop = asyncio.new_event_loop()

    async def released() -> int:
        work = Work()
        work.release.set()
        return await flights.run("a", work)

    stuck = first_loop.create_task(flights.run("a", Work()))
    first_loop.run_until_complete(yield_to_loop())

    assert asyncio.run(released()) == 1

    stuck.cancel()
    with pytest.raises(asyncio.CancelledError):
        first_loop.run_until_complete(stuck)
    first_loop.close()


def test_the_next_waiter_leads_when_the_leader_is_cancelled_on_trio() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    executions = 0
    results: list[int] = []

    async def main() -> None:
        released = trio.Event()

        async def work() -> int:
            nonlocal executions
            executions += 1
            await released.wait()
            return executions

        async def one() -> None:
            results.append(await flights.run("a", work))

        leader = trio.CancelScope()

        async def lead() -> None:
            with leader:
                await one()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(lead)
            await trio.testing.wait_all_tasks_blocked()
            for _ in range(5):
                nursery.start_soon(one)
            await trio.testing.wait_all_tasks_blocked()
            leader.cancel()
            await trio.testing.wait_all_tasks_blocked()
            released.set()

    trio.run(main)

    assert results == [2] * 5
