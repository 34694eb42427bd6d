"""The clock that a test may put forward."""

from __future__ import annotations

import asyncio

import pytest

from azure.keyvault.administration.emulator._clock import Clock


def test_it_shows_the_time_of_its_source() -> None:
    assert Clock(lambda: 5.5).now() == 5.5


def test_it_can_be_put_forward_and_not_back() -> None:
    clock = Clock(lambda: 5.0)

    clock.advance(10)
    clock.advance(0.5)

    assert clock.now() == 15.5
    with pytest.raises(ValueError, match="must not be negative"):
        clock.advance(-1)


async def test_who_sleeps_wakes_when_the_clock_is_put_far_enough() -> None:
    clock = Clock(lambda: 0.0)
    sleeper = asyncio.create_task(clock.sleep_until(1000))
    await asyncio.sleep(0)

    clock.advance(999)
    await asyncio.sleep(0)
    early = sleeper.done()
    clock.advance(1)
    await sleeper

    assert not early


async def test_nobody_sleeps_until_a_time_that_is_past() -> None:
    await Clock(lambda: 5.0).sleep_until(5.0)


async def test_who_sleeps_wakes_by_itself_when_time_passes() -> None:
    clock = Clock()

    await clock.sleep_until(clock.now() + 0.01)
