"""One client and one emulator under load for minutes: no error, and no slower in the end than in the beginning.

Prints figures: run it with ``-s``. How fast a machine is, is nobody's promise; that the client does not get slower is.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from azure.keyvault.administration.aio import KeyVaultAccessControlClient
from emulator import application
from hsm_process import HsmProcess, ProcessCredential

_CALLERS = 256
_RATE = 100
_SECONDS = 180
_SLICE = 30
_FULL_SPEED_SECONDS = 20
_ROLE = "21dbd100-6940-42c2-9190-5d6cb909625b"
_PATH = f"/providers/Microsoft.Authorization/roleDefinitions/{_ROLE}?api-version=2026-04-01"

Call = Callable[[], Awaitable[object]]


async def _full_speed(call: Call) -> float:
    """Return how many calls a second all callers together make when none of them ever pauses."""
    began = time.monotonic()

    async def caller() -> int:
        done = 0
        while time.monotonic() - began < _FULL_SPEED_SECONDS:
            await call()
            done += 1
        return done

    return sum(await asyncio.gather(*(caller() for _ in range(_CALLERS)))) / (time.monotonic() - began)


async def _paced(call: Call) -> list[tuple[float, float]]:
    """Call at a steady rate, and return when each call was due and how long after that it was done."""
    loop = asyncio.get_running_loop()
    began = loop.time() + 0.1
    calls = []

    async def caller(number: int) -> None:
        for turn in range(number, _RATE * _SECONDS, _CALLERS):
            due = began + turn / _RATE
            await asyncio.sleep(due - loop.time())
            await call()
            calls.append((due - began, loop.time() - due))

    await asyncio.gather(*(caller(number) for number in range(_CALLERS)))
    return calls


def _p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[-1]


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_a_steady_load_meets_no_error_and_the_same_p99_all_the_time(tmp_path: Path) -> None:
    async with HsmProcess(tmp_path) as hsm:
        headers = {"Authorization": f"Bearer {await application.get_token(hsm.variables)}"}
        client = KeyVaultAccessControlClient(hsm.url, ProcessCredential(hsm), **hsm.client_options(limit=_CALLERS))
        async with client, hsm.session(limit=_CALLERS) as session:
            raw = await _full_speed(lambda: _raw(session, hsm.url, headers))
            ours = await _full_speed(lambda: client.get_role_definition("/", _ROLE))
            calls = await _paced(lambda: client.get_role_definition("/", _ROLE))
    slices = [
        _p99([took for due, took in calls if start <= due < start + _SLICE]) for start in range(0, _SECONDS, _SLICE)
    ]

    print(  # noqa: T201 - the figures are what the test is for
        f"\nat full speed, {_CALLERS} callers: {ours:.0f} calls/s, {ours / raw:.2f} of aiohttp's {raw:.0f};"
        f" at {_RATE} calls/s for {_SECONDS} s: {len(calls)} calls, p50"
        f" {statistics.median(took for _, took in calls) * 1000:.1f} ms, p99 by {_SLICE} s"
        f" {[round(each * 1000, 1) for each in slices]} ms"
    )
    assert len(calls) == _RATE * _SECONDS
    # One slice may meet somebody else's work on this machine; a client that tires gets slower from slice to slice.
    assert statistics.median(slices[3:]) < 3 * statistics.median(slices[:3])


async def _raw(session: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> bytes:
    async with session.get(url + _PATH, headers=headers) as answer:
        assert answer.status == 200
        return await answer.read()
