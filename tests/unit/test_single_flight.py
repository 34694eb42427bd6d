"""One execution of the same work at a time, shared by all who ask meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from typing_extensions import Self

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


async def test_all_who_ask_meanwhile_share_one_execution() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    work = Work()
    tasks = [asyncio.create_task(flights.run("a", work)) for _ in range(50)]
    await yield_to_loop()

    work.release.set()

    assert await asyncio.gather(*tasks) == [1] * 50


async def test_a_later_caller_starts_anew() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    work = Work()
    work.release.set()

    assert [await flights.run("a", work), await flights.run("a", work)] == [1, 2]


async def test_different_keys_do_not_wait_for_each_other() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    slow, quick = Work(), Work()
    quick.release.set()
    waiting = asyncio.create_task(flights.run("slow", slow))
    await yield_to_loop()

    assert await flights.run("quick", quick) == 1

    slow.release.set()
    assert await waiting == 1


async def test_an_error_is_shared_by_all_who_waited_and_by_nobody_else() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    work = Work()
    work.error = ValueError("no")
    tasks = [asyncio.create_task(flights.run("a", work)) for _ in range(10)]
    await yield_to_loop()

    work.release.set()

    errors = await asyncio.gather(*tasks, return_exceptions=True)
    assert [repr(error) for error in errors] == ["ValueError('no')"] * 10
    work.error = None
    assert await flights.run("a", work) == 2


async def test_what_one_of_them_adds_to_an_error_is_not_on_the_others() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    work = Work()
    work.error = ValueError("no")

    async def one(number: int) -> int:
        try:
            return await flights.run("a", work)
        except ValueError as error:
            error.args = (*error.args, number)
            raise

    tasks = [asyncio.create_task(one(number)) for number in range(3)]
    await yield_to_loop()
    work.release.set()

    errors = await asyncio.gather(*tasks, return_exceptions=True)
    assert [repr(error) for error in errors] == [f"ValueError('no', {number})" for number in range(3)]


class _WithCodeError(ClientAuthenticationError):
    """Its constructor takes what none of its arguments is."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(message=f"{code}: {text}")
        self.code = code


class _WithPrefixError(ClientAuthenticationError):
    """Its constructor, given its own text, makes another text."""

    def __init__(self, text: str = "you") -> None:
        super().__init__(message=f"no token for {text}")


class _MadeBeforeError(_WithPrefixError):
    def __new__(cls, *, text: str) -> Self:
        return super().__new__(cls, text)

    def __init__(self, *, text: str) -> None:
        super().__init__(text)


class _WithKeywordError(RuntimeError):
    def __init__(self, *, reason: str) -> None:
        super().__init__()
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class _ReducedToTextError(ValueError):
    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, ("text",)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(_WithCodeError(1, "no"), id="two-arguments"),
        pytest.param(_WithPrefixError("me"), id="own-text"),
        pytest.param(_MadeBeforeError(text="me"), id="own-new"),
        pytest.param(_WithKeywordError(reason="no"), id="keyword"),
        pytest.param(_ReducedToTextError("no"), id="own-reduce"),
        pytest.param(FileNotFoundError(2, "No such file", "token.json"), id="OSError"),
        pytest.param(ModuleNotFoundError("no msal", name="msal"), id="ImportError"),
        pytest.param(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), id="UnicodeDecodeError"),
    ],
)
async def test_each_gets_an_error_of_its_own_whatever_its_constructor_takes(error: Exception) -> None:
    error.__dict__["__notes__"] = ["a note"]
    shown = str(error)
    flights: SingleFlight[str, int] = SingleFlight()
    work = Work()
    work.error = error
    tasks = [asyncio.create_task(flights.run("a", work)) for _ in range(3)]
    await yield_to_loop()
    work.release.set()

    errors: list[Any] = await asyncio.gather(*tasks, return_exceptions=True)
    for number, own in enumerate(errors):
        own.__notes__.append(number)

    assert len({id(own) for own in errors}) == 3
    assert [(type(own), str(own), own.args) for own in errors] == [(type(error), shown, error.args)] * 3
    assert {getattr(own, "name", None) for own in errors} == {getattr(error, "name", None)}
    assert [own.__notes__ for own in errors] == [["a note", number] for number in range(3)]


async def test_an_error_that_cannot_be_copied_is_shared_as_it_is() -> None:
    class StubbornError(UnicodeDecodeError):
        def __init__(self, one: int, two: int) -> None:
            super().__init__("utf-8", b"", one, two, "no")
            self.args = (one, two)

    flights: SingleFlight[str, int] = SingleFlight()
    work = Work()
    work.error = StubbornError(1, 2)
    tasks = [asyncio.create_task(flights.run("a", work)) for _ in range(3)]
    await yield_to_loop()
    work.release.set()

    assert await asyncio.gather(*tasks, return_exceptions=True) == [work.error] * 3


async def test_the_next_waiter_leads_when_the_leader_is_cancelled() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    work = Work()
    leader, *others = [asyncio.create_task(flights.run("a", work)) for _ in range(10)]
    await yield_to_loop()

    leader.cancel()
    await yield_to_loop()
    work.release.set()

    assert await asyncio.gather(*others) == [2] * 9
    assert leader.cancelled()


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


async def test_a_waiter_that_is_cancelled_disturbs_nobody() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    work = Work()
    leader, waiter, other = [asyncio.create_task(flights.run("a", work)) for _ in range(3)]
    await yield_to_loop()

    waiter.cancel()
    await yield_to_loop()
    work.release.set()

    assert [await leader, await other] == [1, 1]
    assert waiter.cancelled()


async def test_a_leader_that_times_out_takes_nobody_with_it() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    work = Work()
    leader = asyncio.create_task(asyncio.wait_for(flights.run("a", work), timeout=0.001))
    await yield_to_loop()
    other = asyncio.create_task(flights.run("a", work))

    with pytest.raises(asyncio.TimeoutError):
        await leader
    await yield_to_loop()
    work.release.set()

    assert await other == 2


async def test_those_who_waited_can_join_the_flight_that_the_first_of_them_starts_next() -> None:
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
