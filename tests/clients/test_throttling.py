"""Many calls at a service that takes a few a second, in virtual time: all succeed, in order, at the rate it allows."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from typing import Any, NamedTuple
from unittest.mock import Mock

import pytest
import trio
from azure.core.exceptions import HttpResponseError, ServiceRequestError
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import AsyncHTTPPolicy
from azure.core.rest import AsyncHttpResponse, HttpRequest
from trio.testing import MockClock

from azure.keyvault.administration.aio import KeyVaultAccessControlClient
from fakes import CHALLENGE, VAULT, Answer, FakeCredential, ScriptedTransport, Sent, error
from virtual_time import run

RATE = 5.0
LATENCY = 0.02
CONNECTIONS = 100
EMPTY = Answer(200, {"value": []})


class TokenBucket:
    """Takes a burst of up to a second's worth."""

    def __init__(self) -> None:
        self._tokens, self._at = RATE, 0.0

    def takes(self, now: float, rate: float) -> bool:
        self._tokens, self._at = min(rate, self._tokens + (now - self._at) * rate), now
        taken = self._tokens >= 1
        self._tokens -= taken
        return taken


class FixedWindow:
    """Takes so many in each second of the clock, which began some time before the test."""

    def __init__(self) -> None:
        self._second, self._taken = 0, 0

    def takes(self, now: float, rate: float) -> bool:
        second = math.floor(now + 0.37)
        if second != self._second:
            self._second, self._taken = second, 0
        taken = self._taken < rate
        self._taken += taken
        return taken


class LimitedHsm:
    """An HSM that limits the rate of all its clients together."""

    def __init__(
        self, limit: Any = None, *, retry_after: int | None = 1, rate: Callable[[float], float] = lambda _: RATE
    ) -> None:
        self._limit = limit or TokenBucket()
        self._rate = rate
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self._refusal = Answer(429, error("TooManyRequests", "Slow down."), headers)
        self.requests: list[Sent] = []
        self.taken: list[float] = []

    async def answer(self, request: Sent) -> Answer:
        await asyncio.sleep(LATENCY / 2)
        if request.token is None:
            return CHALLENGE
        self.requests.append(request)
        now = asyncio.get_running_loop().time()
        taken = self._limit.takes(now, self._rate(now))
        if taken:
            self.taken.append(now)
        await asyncio.sleep(LATENCY / 2)
        return EMPTY if taken else self._refusal


class VirtualTransport(ScriptedTransport):
    """Opens as many connections as aiohttp, and waits on the clock of the loop."""

    def __init__(self, hsm: LimitedHsm) -> None:
        super().__init__(server=hsm.answer)
        self._connections = asyncio.Semaphore(CONNECTIONS)

    async def send(self, request: HttpRequest, **kwargs: Any) -> AsyncHttpResponse:
        async with self._connections:
            return await super().send(request, **kwargs)

    async def sleep(self, duration: float) -> None:
        await asyncio.sleep(duration)


class Outcome(NamedTuple):
    failures: int
    duration: float
    requests: int
    longest_wait: float
    order: list[int]


def make_client(hsm: LimitedHsm, **options: Any) -> KeyVaultAccessControlClient:
    return KeyVaultAccessControlClient(VAULT, FakeCredential(), transport=VirtualTransport(hsm), **options)


async def list_all(client: KeyVaultAccessControlClient, scope: str = "/", **options: Any) -> None:
    assert [item async for item in client.list_role_assignments(scope, **options)] == []


async def burst(hsm: LimitedHsm, calls: int, *, clients: int = 1) -> Outcome:
    """Make calls all at once, the same number with each client."""
    loop = asyncio.get_running_loop()
    order: list[int] = []
    waits: list[float] = []

    async def call(client: KeyVaultAccessControlClient, number: int) -> None:
        begun = loop.time()
        await list_all(client, f"/keys/{number}")
        order.append(number)
        waits.append(loop.time() - begun)

    made = [make_client(hsm) for _ in range(clients)]
    begun = loop.time()
    results = await asyncio.gather(
        *[call(client, number) for client in made for number in range(calls)], return_exceptions=True
    )
    failures = sum(isinstance(result, BaseException) for result in results)
    return Outcome(failures, loop.time() - begun, len(hsm.requests), max(waits), order)


@pytest.mark.parametrize(
    ("limit", "retry_after", "calls"),
    [
        *((limit, seconds, 60) for limit in (TokenBucket, FixedWindow) for seconds in (1, 10, None)),
        *((TokenBucket, None, 1_000), (FixedWindow, 10, 1_000)),
    ],
)
def test_all_calls_succeed_at_nearly_the_rate_of_the_service(limit: Any, retry_after: int | None, calls: int) -> None:
    outcome = run(burst(LimitedHsm(limit(), retry_after=retry_after), calls))
    ideal = calls / RATE
    # A minute's work cannot make up for the ten seconds in which the service wants to hear nothing.
    pause = 0 if calls > 60 else retry_after or 0

    assert outcome.failures == 0
    assert outcome.duration - pause <= (1.2 if calls == 60 else 1.125) * ideal
    assert outcome.longest_wait - pause <= 1.15 * ideal
    assert outcome.requests - min(calls, CONNECTIONS) <= 1.1 * calls


def test_a_service_that_wants_no_pause_is_not_flooded() -> None:
    async def scenario() -> int:
        hsm = LimitedHsm(retry_after=0, rate=lambda now: 0 if now < 20 else RATE)
        await list_all(make_client(hsm))
        return len(hsm.requests)

    assert run(scenario()) < 60


@pytest.mark.soak
def test_thousands_of_calls_cost_little_more_than_one_request_each() -> None:
    outcome = run(burst(LimitedHsm(), 5_000))

    assert outcome.failures == 0
    assert outcome.duration <= 1.1 * 5_000 / RATE
    assert outcome.requests - CONNECTIONS <= 1.05 * 5_000


def test_calls_are_served_in_the_order_in_which_they_came() -> None:
    # The limit falls to nothing for a while, so that some are refused more than once.
    outcome = run(burst(LimitedHsm(rate=lambda now: 0 if 2 < now < 6 else RATE), 300))
    after_the_burst = outcome.order[int(RATE) :]

    assert after_the_burst == sorted(after_the_burst)


def test_four_clients_share_the_rate() -> None:
    hsm = LimitedHsm(retry_after=None)
    outcome = run(burst(hsm, 250, clients=4))

    assert outcome.failures == 0
    assert outcome.duration <= 1_000 / RATE / 0.9


@pytest.mark.parametrize(("factor", "floor"), [(2, 0.85), (0.5, 0.9)])
def test_a_limit_that_changes_is_followed_within_twenty_seconds(factor: float, floor: float) -> None:
    hsm = LimitedHsm(rate=lambda now: RATE if now < 60 else RATE * factor)
    outcome = run(burst(hsm, 1_000))
    after = [at for at in hsm.taken if 80 <= at < 100]

    assert outcome.failures == 0
    assert len(after) >= floor * 20 * RATE * factor


def test_nothing_is_sent_before_the_time_that_the_service_named() -> None:
    class Noted(LimitedHsm):
        async def answer(self, request: Sent) -> Answer:
            if request.token:
                sent.append(asyncio.get_running_loop().time())
            return await super().answer(request)

    sent: list[float] = []
    run(burst(Noted(retry_after=10), 40))

    first_refusal = LATENCY
    assert [at for at in sent if first_refusal < at < first_refusal + 10 - 0.001] == []


def test_throttling_ends_after_a_while_without_refusals(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> float:
        hsm = LimitedHsm(rate=lambda now: RATE if now < 5 else math.inf)
        client = make_client(hsm)
        await asyncio.gather(*[list_all(client) for _ in range(20)])
        await asyncio.sleep(60)
        await list_all(client)
        begun = asyncio.get_running_loop().time()
        await asyncio.gather(*[list_all(client) for _ in range(CONNECTIONS)])
        return asyncio.get_running_loop().time() - begun

    caplog.set_level(logging.INFO, "azure.keyvault.administration")

    assert run(scenario()) < 0.1
    assert caplog.messages == [
        "The service throttles the client, which pauses for 1.0 s.",
        "The throttled client now sends 5 requests a second.",
        "The service no longer throttles the client, which sent 5 requests a second.",
    ]


@pytest.mark.parametrize(("limits", "of_the_client"), [({"retry_total": 0}, True), ({"retry_status": 0}, False)])
def test_a_call_that_must_not_be_retried_fails_when_it_is_refused(
    limits: dict[str, Any], of_the_client: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> int:
        hsm = LimitedHsm(rate=lambda _: 0)
        client = make_client(hsm, **(limits if of_the_client else {}))
        with pytest.raises(HttpResponseError, match="Slow down") as caught:
            await list_all(client, **({} if of_the_client else limits))
        assert caught.value.status_code == 429
        return len(hsm.requests)

    assert run(scenario()) == 1
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.parametrize("of_the_client", [True, False])
def test_a_call_whose_time_is_up_fails_and_says_how_long_it_waited(of_the_client: bool) -> None:
    async def scenario() -> list[float]:
        hsm = LimitedHsm()
        limits: dict[str, Any] = {"timeout": 3}
        client = make_client(hsm, **(limits if of_the_client else {}))
        loop = asyncio.get_running_loop()
        ended: list[float] = []

        async def call() -> None:
            with pytest.raises(HttpResponseError, match=r"Slow down.*\n.*waited 3\.0 s") as caught:
                await list_all(client, **({} if of_the_client else limits))
            assert caught.value.status_code == 429
            ended.append(loop.time())

        busy = [asyncio.create_task(list_all(client, timeout=1_000)) for _ in range(40)]
        await asyncio.sleep(0.5)
        begun = loop.time()
        await asyncio.gather(*[call() for _ in range(5)])
        await asyncio.gather(*busy)
        return [at - begun for at in ended]

    assert run(scenario()) == [pytest.approx(3, abs=0.01)] * 5


def test_a_call_does_not_outwait_its_time_for_a_long_pause() -> None:
    async def scenario() -> float:
        client = make_client(LimitedHsm(retry_after=60))
        busy = [asyncio.create_task(list_all(client)) for _ in range(20)]
        await asyncio.sleep(1)
        begun = asyncio.get_running_loop().time()
        with pytest.raises(HttpResponseError, match=r"waited 3\.0 s"):
            await list_all(client, timeout=3)
        ended = asyncio.get_running_loop().time()
        await asyncio.gather(*busy)
        return ended - begun

    assert run(scenario()) == pytest.approx(3, abs=0.01)


def test_calls_that_wait_for_their_turn_end_when_the_client_is_closed() -> None:
    async def scenario() -> tuple[float, set[type]]:
        client = make_client(LimitedHsm())
        async with client:
            calls = [asyncio.create_task(list_all(client)) for _ in range(500)]
            await asyncio.sleep(3)
        begun = asyncio.get_running_loop().time()
        results = await asyncio.gather(*calls, return_exceptions=True)
        return asyncio.get_running_loop().time() - begun, {type(result) for result in results if result}

    duration, errors = run(scenario())

    assert duration < 1
    assert [issubclass(error, ServiceRequestError) for error in errors] == [True]


def test_a_call_in_a_new_event_loop_does_not_wait_for_one_that_ended() -> None:
    async def be_throttled() -> None:
        call = asyncio.create_task(list_all(client))
        await asyncio.sleep(1)
        call.cancel()

    async def be_served() -> float:
        rate.append(RATE)
        begun = asyncio.get_running_loop().time()
        await list_all(client)
        return asyncio.get_running_loop().time() - begun

    rate = [0.0]
    hsm = LimitedHsm(FixedWindow(), retry_after=1_000, rate=lambda _: rate[-1])
    client = make_client(hsm)
    run(be_throttled())

    assert run(be_served()) < 1


@pytest.mark.parametrize(("session", "expected"), [({"limit": 10}, 10), ({"limit": 0}, 100), ({}, 100)])
def test_requests_under_way_are_limited_by_the_connections_of_the_transport(
    session: dict[str, int], expected: int
) -> None:
    async def scenario() -> int:
        hsm = LimitedHsm(rate=lambda _: math.inf)
        transport = VirtualTransport(hsm)
        # Of a mock, every attribute is another mock.
        transport.session = Mock(connector=Mock(**session))  # type: ignore[attr-defined]
        client = KeyVaultAccessControlClient(VAULT, FakeCredential(), transport=transport)
        await list_all(client)
        hsm.requests.clear()
        calls = [asyncio.create_task(list_all(client)) for _ in range(150)]
        await asyncio.sleep(LATENCY / 2 + 0.001)
        under_way = len(hsm.requests)
        await asyncio.gather(*calls)
        return under_way

    assert run(scenario()) == expected


def test_a_cancelled_call_gives_up_its_turn() -> None:
    async def scenario() -> tuple[float, int]:
        hsm = LimitedHsm()
        client = make_client(hsm)
        calls = [asyncio.create_task(list_all(client)) for _ in range(60)]
        await asyncio.sleep(0.5)
        for call in calls[:50]:
            call.cancel()
        done = await asyncio.gather(*calls, return_exceptions=True)
        taken = sum(result is None for result in done)
        return asyncio.get_running_loop().time(), taken

    duration, taken = run(scenario())

    assert taken >= 10
    assert duration < 4


@pytest.mark.parametrize("timeout", [None, (1, 2), "3"])
def test_the_time_of_a_call_is_a_number(timeout: Any) -> None:
    with pytest.raises(ValueError, match="timeout must be a number of seconds"):
        run(list_all(make_client(LimitedHsm()), timeout=timeout))


@pytest.mark.parametrize("throttling_policy", [None, "own"])
def test_the_policy_can_be_replaced(throttling_policy: Any) -> None:
    class Own(AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse]):
        seen = 0

        async def send(self, request: PipelineRequest[HttpRequest]) -> Any:
            self.seen += 1
            return await self.next.send(request)

    async def scenario() -> tuple[int, int]:
        own = Own()
        hsm = LimitedHsm(rate=lambda _: 0)
        client = make_client(hsm, throttling_policy=own if throttling_policy else None)
        with pytest.raises(HttpResponseError, match="Slow down"):
            await list_all(client)
        return own.seen, len(hsm.requests)

    seen, requests = run(scenario())

    # The retries of azure-core: three after a status.
    assert requests == 4
    assert seen == (4 if throttling_policy else 0)


def test_a_streamed_refusal_is_read_and_sent_again() -> None:
    async def scenario() -> list[str]:
        hsm = LimitedHsm()
        client = make_client(hsm)
        requests = [HttpRequest("GET", "/settings") for _ in range(8)]
        responses = await asyncio.gather(*[client.send_request(request, stream=True) for request in requests])
        return [(await response.read()).decode() for response in responses]

    assert run(scenario()) == ['{"value": []}'] * 8


def test_it_works_on_trio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fakes.yield_to_loop", trio.lowlevel.checkpoint)

    class TrioTransport(ScriptedTransport):
        async def sleep(self, duration: float) -> None:
            await trio.sleep(duration)
            # trio refuses to sleep for less than no time, which a busy loop would make of a time that is up.
            await trio.sleep(0.01)

    async def answer(request: Sent) -> Answer:
        await trio.sleep(LATENCY)
        if request.token is None:
            return CHALLENGE
        return EMPTY if limit.takes(trio.current_time(), RATE) else Answer(429, {}, {"Retry-After": "1"})

    async def call(client: KeyVaultAccessControlClient) -> None:
        await list_all(client)
        done.append(trio.current_time())

    async def give_up(client: KeyVaultAccessControlClient) -> None:
        await trio.sleep(0.5)
        with pytest.raises(HttpResponseError, match=r"waited 3\.0 s"):
            await list_all(client, timeout=3)
        given_up.append(trio.current_time())

    async def main() -> None:
        client = KeyVaultAccessControlClient(VAULT, FakeCredential(), transport=TrioTransport(server=answer))
        limit.takes(trio.current_time(), RATE)
        begun.append(trio.current_time())
        async with trio.open_nursery() as nursery:
            for _ in range(60):
                nursery.start_soon(call, client)
            for _ in range(5):
                nursery.start_soon(give_up, client)

    limit = TokenBucket()
    given_up: list[float] = []
    begun: list[float] = []
    done: list[float] = []
    trio.run(main, clock=MockClock(autojump_threshold=0))

    assert len(done) == 60
    assert len(given_up) == 5
    assert done[-1] - begun[0] <= 1.2 * 60 / RATE
