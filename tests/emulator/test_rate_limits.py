"""Rate limits: the rules without a server, then over HTTP by the emulator's clock, then with the client."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from azure.keyvault.administration.aio import KeyVaultAccessControlClient
from azure.keyvault.administration.emulator import ManagedHsmEmulator, RateLimits, _command_line
from azure.keyvault.administration.emulator._domain.errors import ServiceError
from azure.keyvault.administration.emulator._domain.rate_limits import Limit, RateLimiter
from emulator.operator_client import ALICE, DURATION, Operator
from emulator.raw import ADMINISTRATOR, CRYPTO_USER, ROLE_ASSIGNMENTS, ROLE_DEFINITIONS, RawClient

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from emulator.raw import Reply

NAME = "ff388517-2e5c-4d0f-8a0b-0d6f5c3b7a01"
TOO_MANY_OPERATIONS = (429, "TooManyRequests", "The rate limit of 5 RBAC operations a second is exceeded")
TOO_MANY_STARTS = (429, "TooManyRequests", "The rate limit of 1 starts of jobs a second is exceeded")


# The rules.


def admitted(limiter: RateLimiter, now: float, attempts: int, limit: Limit = Limit.RBAC) -> int:
    """Return how many of so many requests are taken."""
    return sum(_is_admitted(limiter, now, limit) for _ in range(attempts))


def _is_admitted(limiter: RateLimiter, now: float, limit: Limit) -> bool:
    try:
        limiter.admit(limit, now)
    except ServiceError:
        return False
    return True


@pytest.mark.parametrize("start", [0.0, 1_795_000_000.1])
def test_unused_requests_are_saved_for_a_second(start: float) -> None:
    limiter = RateLimiter(RateLimits(), start)

    taken = [admitted(limiter, start + after, 100) for after in (0, 0.19, 0.21, 0.65, 60, 60.1, 60.2)]

    assert taken == [5, 0, 1, 2, 5, 0, 1]


@pytest.mark.parametrize("start", [0.0, 1_795_000_000.1])
def test_a_client_that_keeps_to_the_limit_is_never_refused(start: float) -> None:
    limiter = RateLimiter(RateLimits(), start)
    assert admitted(limiter, start, 5) == 5

    assert [admitted(limiter, start + number / 5, 1) for number in range(1, 2000)] == [1] * 1999


def test_each_limit_has_its_own_count() -> None:
    limiter = RateLimiter(RateLimits(rbac_operations=3, job_starts=2), 0)

    assert [admitted(limiter, 0, 9, limit) for limit in (Limit.RBAC, Limit.JOB_START)] == [3, 2]


def test_a_clock_that_is_put_back_earns_nothing() -> None:
    limiter = RateLimiter(RateLimits(), 100)

    assert [admitted(limiter, now, 9) for now in (100, 50, 50.2)] == [5, 0, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rbac_operations": 0}, "rbac_operations must be a number from 1, got 0"),
        ({"job_starts": 0.5}, "job_starts must be a number from 1, got 0.5"),
        ({"job_starts": float("nan")}, "job_starts must be a number from 1, got nan"),
        ({"job_starts": float("inf")}, "job_starts must be a number from 1, got inf"),
        ({"job_starts": "2"}, "job_starts must be a number from 1, got '2'"),
        ({"retry_after": -1}, "retry_after must be a number of seconds from 0 to 1000000000, or None, got -1"),
    ],
)
def test_invalid_limits_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RateLimits(**arguments)  # type: ignore[arg-type]


# Over HTTP.


@asynccontextmanager
async def limited(
    *, rate_limits: bool | RateLimits = True, job_duration: float = 0.05
) -> AsyncGenerator[ManagedHsmEmulator]:
    """Run an emulator with a stopped clock, so that only the test earns requests by advancing it."""
    async with ManagedHsmEmulator(rate_limits=rate_limits, job_duration=job_duration) as hsm:
        now = hsm.clock.now()
        hsm.clock._source = lambda: now
        yield hsm


def statuses(replies: list[Reply]) -> list[int]:
    return [reply.status for reply in replies]


async def test_the_sixth_operation_in_a_second_is_refused_and_changes_nothing() -> None:
    async with limited() as hsm:
        raw = RawClient(hsm)
        replies = [
            await raw.send("GET", ROLE_DEFINITIONS),
            await raw.send("PUT", f"{ROLE_DEFINITIONS}/{NAME}", {"properties": {}}),
            await raw.send("GET", f"{ROLE_DEFINITIONS}/{NAME}"),
            await raw.send("DELETE", f"{ROLE_DEFINITIONS}/{NAME}"),
            await raw.send("GET", f"/keys{ROLE_ASSIGNMENTS}"),
        ]
        refused = [
            await raw.send("GET", ROLE_DEFINITIONS),
            await raw.send("DELETE", f"{ROLE_DEFINITIONS}/{ADMINISTRATOR}"),
            await raw.assign(ALICE, CRYPTO_USER, name=NAME),
            await raw.send("GET", f"{ROLE_ASSIGNMENTS}/{NAME}"),
            await raw.send("DELETE", f"{ROLE_ASSIGNMENTS}/{NAME}"),
        ]
        raw.hsm.clock.advance(1)
        after = await raw.send("GET", f"{ROLE_ASSIGNMENTS}/{NAME}")

        assert statuses(replies) == [200, 201, 200, 200, 200]
        assert [reply.error for reply in refused] == [TOO_MANY_OPERATIONS] * 5
        assert after.status == 404
        assert [entry.status for entry in raw.hsm.journal] == [*statuses(replies), *[429] * 5, 404]


async def test_the_second_start_of_a_job_in_a_second_is_refused_and_starts_nothing() -> None:
    async with limited(job_duration=DURATION) as hsm:
        operator = Operator(hsm)
        folder = await operator.folder()
        operator.hsm.clock.advance(1)
        started = await operator.restore(folder, "/prerestore")
        refused = [
            await operator.back_up(),
            await operator.send("POST", "/prebackup", operator.storage),
            *[await operator.restore(folder, path) for path in ("/restore", "/prerestore", "/keys/k/restore")],
        ]
        # Neither the status of a job nor keys are limited.
        others = [await operator.status(started) for _ in range(9)]
        others += [await operator.send("GET", "/keys") for _ in range(9)]
        operator.hsm.clock.advance(1)

        assert started.status == 202
        assert [reply.error for reply in refused] == [TOO_MANY_STARTS] * 5
        assert statuses(others) == [200] * 9 + [403] * 9
        assert (await operator.back_up()).status == 202


@pytest.mark.parametrize(
    ("rate_limits", "retry_after"),
    [(True, "1"), (RateLimits(retry_after=10), "10"), (RateLimits(retry_after=None), None)],
    ids=["default", "longer", "none"],
)
async def test_a_refusal_names_the_time_to_wait_or_does_not(
    rate_limits: bool | RateLimits, retry_after: str | None
) -> None:
    async with limited(rate_limits=rate_limits) as hsm:
        raw = RawClient(hsm)
        *_, refused = [await raw.send("GET", ROLE_DEFINITIONS) for _ in range(6)]

        assert (refused.error, refused.headers.get("Retry-After")) == (TOO_MANY_OPERATIONS, retry_after)


async def test_callers_share_the_limit_and_only_those_with_a_token_count() -> None:
    async with limited() as hsm:
        raw = RawClient(hsm)
        challenged = [await raw.send("GET", ROLE_DEFINITIONS, token=None) for _ in range(9)]
        # Somebody without a role is counted before that is found out.
        forbidden = [await raw.as_(ALICE).send("GET", ROLE_DEFINITIONS) for _ in range(6)]
        refused = await raw.send("GET", ROLE_DEFINITIONS)

        assert statuses([*challenged, *forbidden, refused]) == [401] * 9 + [403] * 5 + [429] * 2


async def test_nothing_is_limited_unless_asked_for(raw: RawClient) -> None:
    raw.hsm.clock._source = lambda: 0
    assert statuses([await raw.send("GET", ROLE_DEFINITIONS) for _ in range(20)]) == [200] * 20


def test_the_command_line_has_an_option_for_the_limits(capsys: pytest.CaptureFixture[str]) -> None:
    def limits(*arguments: str) -> RateLimits | None:
        return _command_line._emulator(_command_line._parser().parse_args(arguments))._settings.rate_limits

    assert limits() is None
    assert limits("--rate-limits") == RateLimits()
    assert limits("--rate-limits", "10") == RateLimits(retry_after=10)
    assert limits("--rate-limits=none") == RateLimits(retry_after=None)
    with pytest.raises(SystemExit):
        limits("--rate-limits=soon")
    assert "must be whole seconds or none, got 'soon'" in capsys.readouterr().err


# With the client.


async def test_all_of_many_calls_at_once_succeed() -> None:
    async with (
        ManagedHsmEmulator(rate_limits=True) as hsm,
        KeyVaultAccessControlClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as client,
    ):

        async def read() -> int:
            return len([item async for item in client.list_role_assignments("/")])

        assert await asyncio.gather(*(read() for _ in range(7))) == [1] * 7
        assert {429, 200} <= {entry.status for entry in hsm.journal}
