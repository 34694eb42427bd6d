"""The emulator's clock, which a test may put forward."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from azure.keyvault.administration.emulator import ManagedHsmEmulator
from azure.keyvault.administration.emulator._state.clock import WakingClock


def test_clock_adds_what_it_was_put_forward() -> None:
    clock = WakingClock(lambda: 5.0)

    clock.advance(10)
    clock.advance(0.5)

    assert clock.now() == 15.5


async def test_sleeper_wakes_when_the_clock_is_put_far_enough() -> None:
    clock = WakingClock(lambda: 0.0)
    sleeper = asyncio.create_task(clock.sleep_until(1000))
    await asyncio.sleep(0)

    clock.advance(999)
    await asyncio.sleep(0)
    early = sleeper.done()
    clock.advance(1)
    await sleeper

    assert not early


@pytest.mark.parametrize("steps", range(6))
async def test_sleeper_cancelled_while_it_wakes_too_early_ends(steps: int) -> None:
    clock = WakingClock(lambda: 0.0)
    sleeper = asyncio.create_task(clock.sleep_until(1000))
    await asyncio.sleep(0)

    clock.advance(1)
    for _ in range(steps):
        await asyncio.sleep(0)
    sleeper.cancel()

    with pytest.raises(asyncio.CancelledError):
        await sleeper


async def test_sleeper_wakes_by_itself_when_time_passes() -> None:
    clock = WakingClock()

    await clock.sleep_until(clock.now() - 1)
    await clock.sleep_until(clock.now() + 0.01)


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 1e15, 10**400])
def test_clock_refuses_to_go_back_or_beyond_the_last_date(seconds: float) -> None:
    clock = WakingClock(lambda: 5.0)

    with pytest.raises(ValueError, match=r"seconds must be a number of seconds from 0 to 1000000000"):
        clock.advance(seconds)

    assert clock.now() == 5.0


def test_clock_refuses_to_go_beyond_the_last_date_in_several_steps() -> None:
    clock = WakingClock()
    clock.advance(1e9)

    with pytest.raises(ValueError, match=r"seconds must be .* in all"):
        clock.advance(1)


@pytest.mark.parametrize(
    "option", [{"job_duration": -1}, {"retry_after": float("nan")}, {"propagation_delay": 1e10}], ids=str
)
def test_invalid_seconds_are_refused(option: dict[str, Any]) -> None:
    with pytest.raises(
        ValueError, match=f"{next(iter(option))} must be a number of seconds from 0 to 1000000000, got "
    ):
        ManagedHsmEmulator(**option)
