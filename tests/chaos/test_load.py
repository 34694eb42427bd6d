"""One client and one emulator in another process under full load: 256 callers that never pause.

The same load is made with aiohttp alone, in turn, on the same machine and against the same emulator, and the client's
figures are ratios to those: the speed of a machine is not promised. The promise is that there is no error, that no
request is sent twice, and that the client does not get slower over time.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

from azure.keyvault.administration.aio import KeyVaultAccessControlClient
from emulator import application
from hsm_process import HsmProcess, ProcessCredential

_CALLERS = 256
_ROLE = "21dbd100-6940-42c2-9190-5d6cb909625b"
_PATH = f"/providers/Microsoft.Authorization/roleDefinitions/{_ROLE}"

Call = Callable[[], Awaitable[object]]


class Window(NamedTuple):
    """The calls of all callers in one stretch of time."""

    calls: int
    rate: float
    """Calls in a second."""
    p50: float
    """In seconds, as p99 is."""
    p99: float
    in_flight: int
    """The most requests that had a connection at once."""

    def __str__(self) -> str:
        return f"{self.rate:.0f}/s p50 {self.p50 * 1000:.0f} p99 {self.p99 * 1000:.0f} ms"


class Wire:
    """Counts the requests that have a connection or open one, but not those that wait for one."""

    def __init__(self) -> None:
        self._now = 0
        self._most = 0
        self.trace = aiohttp.TraceConfig()
        self.trace.on_connection_create_start.append(self._begin)
        self.trace.on_connection_reuseconn.append(self._begin)
        self.trace.on_request_end.append(self._end)

    def take_most(self) -> int:
        """Return the highest number at once since the last call of this method."""
        most, self._most = self._most, self._now
        return most

    async def _begin(self, *_: Any) -> None:
        self._now += 1
        self._most = max(self._most, self._now)

    async def _end(self, *_: Any) -> None:
        self._now -= 1


@dataclass
class Load:
    """Makes the load, and holds the results.

    :param hsm: The emulator.
    :param wire: Counts the requests of both.
    :param ours: The windows of the client.
    :param raw: Those of aiohttp, each right after the client's.
    :param answers: How often the emulator returned each status code, for both together.
    :param calls: The number of calls, for both together.
    """

    hsm: HsmProcess
    wire: Wire = field(default_factory=Wire)
    ours: list[Window] = field(default_factory=list)
    raw: list[Window] = field(default_factory=list)
    answers: Counter[int | None] = field(default_factory=Counter)
    calls: int = 0

    async def alternate(self, ours: Call, raw: Call, *, windows: int, slices: int, seconds: float) -> None:
        """Measure the two in turn, once all connections are open."""
        await self._window(ours, 1, 0)
        await self._window(raw, 1, 0)
        for _ in range(windows):
            self.ours.append(await self._window(ours, slices, seconds))
            self.raw.append(await self._window(raw, slices, seconds))

    async def _window(self, call: Call, slices: int, seconds: float) -> Window:
        took, elapsed, in_flight = list[float](), 0.0, _CALLERS
        for _ in range(slices):
            began = time.perf_counter()
            await _make_calls(call, seconds, took)
            elapsed += time.perf_counter() - began
            in_flight = min(in_flight, self.wire.take_most())
            # The emulator keeps the newest 100,000 requests: more than one slice has.
            self.answers += Counter(entry["status"] for entry in (await self.hsm.control("GET", "journal"))["value"])
            await self.hsm.control("DELETE", "journal")
        self.calls += len(took)
        percentiles = statistics.quantiles(took, n=100)
        return Window(len(took), len(took) / elapsed, percentiles[49], percentiles[98], in_flight)

    def slowdown(self) -> float:
        """Return the growth of the client's p99 from the first windows to the last, as a ratio to aiohttp's."""
        p99 = [ours.p99 / raw.p99 for ours, raw in zip(self.ours, self.raw, strict=True)]
        return statistics.mean(p99[-2:]) / statistics.mean(p99[:2])

    def __str__(self) -> str:
        pairs = list(zip(self.ours, self.raw, strict=True))
        rate = statistics.median(ours.rate / raw.rate for ours, raw in pairs)
        p99 = statistics.median(ours.p99 / raw.p99 for ours, raw in pairs)
        ratios = (f"rate x{ours.rate / raw.rate:.2f}, p99 x{ours.p99 / raw.p99:.2f}" for ours, raw in pairs)
        return "\n".join(
            [
                f"{_CALLERS} callers, {self.calls} calls, each window first the client and then aiohttp alone:",
                *(f"  {ours}; aiohttp {raw}; {ratio}" for (ours, raw), ratio in zip(pairs, ratios, strict=True)),
                f"  median of the ratios: rate x{rate:.2f}, p99 x{p99:.2f}",
            ]
        )


async def _make_calls(call: Call, seconds: float, took: list[float]) -> None:
    """Let all callers make calls without a pause until the time is over."""
    began = time.perf_counter()

    async def caller() -> None:
        # Each calls at least once, however slow the machine is.
        while True:
            start = time.perf_counter()
            await call()
            end = time.perf_counter()
            took.append(end - start)
            if end - began >= seconds:
                return

    await asyncio.gather(*(caller() for _ in range(_CALLERS)))


async def _measure(folder: Path, *, windows: int, slices: int, seconds: float) -> Load:
    async with HsmProcess(folder) as hsm:
        load = Load(hsm)
        headers = {"Authorization": f"Bearer {await application.get_token(hsm.variables)}"}
        options: dict[str, Any] = {"limit": _CALLERS, "trace": load.wire.trace}
        client = KeyVaultAccessControlClient(hsm.url, ProcessCredential(hsm), **hsm.client_options(**options))
        async with client, hsm.session(**options) as session:
            await load.alternate(
                lambda: client.get_role_definition("/", _ROLE),
                lambda: _raw(session, hsm.url, headers),
                windows=windows,
                slices=slices,
                seconds=seconds,
            )
    return load


async def _raw(session: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> bytes:
    async with session.get(f"{url}{_PATH}?api-version=2026-04-01", headers=headers) as answer:
        assert answer.status == 200
        return await answer.read()


def _assert_one_request_per_call(load: Load) -> None:
    """Expect one challenge, and one request for each call of either: no retry, no second challenge, no error."""
    assert load.answers == {401: 1, 200: load.calls}
    assert {window.in_flight for window in (*load.ours, *load.raw)} == {_CALLERS}


@pytest.mark.timeout(600)
async def test_256_callers_at_once_meet_no_error_and_send_nothing_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load = await _measure(tmp_path, windows=2, slices=1, seconds=1)

    with capsys.disabled():
        print(f"\n{load}")  # noqa: T201 - the figures are the purpose of the test
    _assert_one_request_per_call(load)


@pytest.mark.soak
@pytest.mark.timeout(1200)
async def test_256_callers_hold_their_rate_for_minutes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load = await _measure(tmp_path, windows=4, slices=2, seconds=10)

    with capsys.disabled():
        print(f"\n{load}")  # noqa: T201 - the figures are the purpose of the test
    _assert_one_request_per_call(load)
    assert load.slowdown() < 2, load


@pytest.mark.parametrize(
    ("ours", "slowdown"),
    [
        pytest.param([0.2, 0.2, 0.2, 0.2], 1, id="as fast as before"),
        pytest.param([0.2, 0.4, 0.6, 0.9], 2.5, id="slower in each window"),
    ],
)
def test_slowdown_of_the_client_is_found(tmp_path: Path, ours: list[float], slowdown: float) -> None:
    load = Load(HsmProcess(tmp_path))
    load.ours = [Window(256, 256, p99 / 2, p99, 256) for p99 in ours]
    load.raw = [Window(256, 256, 0.05, 0.1, 256)] * 4

    assert load.slowdown() == pytest.approx(slowdown)
