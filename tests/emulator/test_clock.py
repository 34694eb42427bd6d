"""The clock that a test may put forward."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from azure.keyvault.administration.emulator import ManagedHsmEmulator
from azure.keyvault.administration.emulator._state.clock import WakingClock


def test_it_shows_the_time_of_its_source() -> None:
    assert WakingClock(lambda: 5.5).now() == 5.5


def test_it_can_be_put_forward_and_not_back() -> None:
    clock = WakingClock(lambda: 5.0)

    clock.advance(10)
    clock.advance(0.5)

    assert clock.now() == 15.5
    with pytest.raises(ValueError, match="must be a number from 0"):
        clock.advance(-1)


async def test_who_sleeps_wakes_when_the_clock_is_put_far_enough() -> None:
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
async def test_who_is_cancelled_while_waking_up_too_early_does_not_sleep_on(steps: int) -> None:
    clock = WakingClock(lambda: 0.0)
    sleeper = asyncio.create_task(clock.sleep_until(1000))
    await asyncio.sleep(0)

    clock.advance(1)
    for _ in range(steps):
        await asyncio.sleep(0)
    sleeper.cancel()

    with pytest.raises(asyncio.CancelledError):
        await sleeper


async def test_nobody_sleeps_until_a_time_that_is_past() -> None:
    await WakingClock(lambda: 5.0).sleep_until(5.0)


async def test_who_sleeps_wakes_by_itself_when_time_passes() -> None:
    clock = WakingClock()

    await clock.sleep_until(clock.now() + 0.01)


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 1e15, 10**400])
async def test_a_clock_cannot_be_advanced_without_limit(hsm: ManagedHsmEmulator, seconds: float) -> None:
    before = hsm.clock.now()

    with pytest.raises(ValueError, match=r"seconds must be a number from 0 to 1000000000"):
        hsm.clock.advance(seconds)

    assert hsm.clock.now() - before < 1000


@pytest.mark.parametrize("name", ["job_duration", "retry_after", "propagation_delay"])
@pytest.mark.parametrize("value", [-1, float("nan"), 1e10])
def test_seconds_that_are_none_are_refused(name: str, value: float) -> None:
    options: dict[str, Any] = {name: value}

    with pytest.raises(ValueError, match=f"{name} must be a number from 0 to 1000000000"):
        ManagedHsmEmulator(**options)
