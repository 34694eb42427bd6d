"""Runs the steps: with this package, with the published one, and the floor, in turn."""

from __future__ import annotations

import json
import statistics
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from . import emulator_costs, steps
from .environments import PUBLISHED, Process, here

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from .steps import Arguments, Crowd, Step

T = TypeVar("T")

Measurements = dict[str, float]


@dataclass(frozen=True)
class Row:
    """The results of a step: medians of its rounds."""

    step: Step
    ours: Measurements
    published: Measurements
    floor: Measurements | None

    @property
    def ratio(self) -> float:
        """The cost of this package, as a share of the published one's."""
        return self.ours[self.step.value] / self.published[self.step.value]


@dataclass(frozen=True)
class CrowdRow:
    """The results of many calls at once to an HSM with rate limits."""

    crowd: Crowd
    ours: Measurements
    published: Measurements | None


@dataclass(frozen=True)
class EmulatorCosts:
    """The costs of the emulator, in seconds."""

    command_start: float
    """Until the command after ``managed-hsm-emulator --`` begins."""
    first_fixture: float
    """For the first test of a session, imports included."""
    further_fixture: float
    requests: list[tuple[int, float, float]]
    """How many requests are sent at a time, the emulator's CPU time for each, and how many it serves in a second."""


@dataclass(frozen=True)
class Outcome:
    """All results."""

    rows: list[Row]
    bursts: list[Row]
    call_growth: dict[int, float]
    """Microseconds per call, by how many calls a client made."""
    item_growth: dict[int, float]
    """Microseconds per item, by how many a list had."""
    json_growth: dict[int, float]
    """The same for its JSON alone."""
    crowds: list[CrowdRow]
    against_aiohttp: dict[str, Measurements]
    """A call over TLS against aiohttp alone, by package."""
    emulator: EmulatorCosts
    seconds: dict[str, float]
    """The duration of each part."""


class Bench:
    """The processes that are always needed: one worker with each package, and the emulator.

    :param published: The interpreter with the published package.
    :param folder: A folder for temporary files.
    """

    def __init__(self, published: str, folder: Path) -> None:
        self._pythons = {"ours": here(), "published": published}
        self._folder = folder
        self._ca_file = folder / "ca.pem"
        self._resources = ExitStack()
        # Two rows may show two results of one long measurement.
        self._measured: dict[str, Measurements] = {}
        self._seconds: dict[str, float] = {}
        # aiohttp reads the CAs to trust when it is imported.
        self._environment = {"SSL_CERT_FILE": str(self._ca_file)}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._hsm = stack.enter_context(Process(here(), "hsm", str(self._ca_file)))
            self._address: Arguments = self._hsm.hear()
            self._workers = {who: stack.enter_context(self._worker(who)) for who in self._pythons}
            self._resources = stack.pop_all()
        versions = {who: worker.ask(["version", {}]) for who, worker in self._workers.items()}
        if versions["published"] != PUBLISHED or versions["ours"] == PUBLISHED:
            raise RuntimeError(f"The environments have the wrong packages: {versions}")
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._resources.close()

    def run(self, *, patient: bool) -> Outcome:
        """Measure everything.

        :keyword patient: Whether to include what takes minutes.
        """
        self._seconds.clear()
        # First, while the HSM holds little: it reads all its assignments for each request.
        emulator = self._part("the emulator", self._emulator_costs)
        against_aiohttp = self._part("a call against aiohttp", self._against_aiohttp)
        return Outcome(
            rows=self._part("calls, lists and memory", lambda: [self._row(step) for step in steps.STEPS]),
            bursts=self._part("calls without a token", lambda: [self._row(step) for step in steps.BURSTS]),
            call_growth=self._part(
                "growth", lambda: {calls: self._growth("get", calls=calls) for calls in steps.GROWTH}
            ),
            item_growth=self._part(
                "growth of lists",
                lambda: {items: self._growth("list_assignments", items=items) for items in steps.GROWTH},
            ),
            json_growth={
                items: self._growth("floor_json", collection="roleAssignments", items=items) for items in steps.GROWTH
            },
            crowds=self._part("calls under rate limits", lambda: self.crowds(patient=patient)),
            against_aiohttp=against_aiohttp,
            emulator=emulator,
            seconds=self._seconds,
        )

    def _part(self, name: str, measure: Callable[[], T]) -> T:
        started = time.monotonic()
        result = measure()
        self._seconds[name] = time.monotonic() - started
        print(f"{self._seconds[name]:6.1f} s  in all: {name}", file=sys.stderr, flush=True)
        return result

    def _against_aiohttp(self) -> dict[str, Measurements]:
        arguments = {**steps.AGAINST_AIOHTTP, "hsm": self._address}
        return {who: worker.work("tls_against_aiohttp", arguments) for who, worker in self._workers.items()}

    def _emulator_costs(self) -> EmulatorCosts:
        first, further = emulator_costs.fixture(self._folder)
        return EmulatorCosts(
            emulator_costs.command_start(), first, further, [self._request_cost(each) for each in steps.CONCURRENCY]
        )

    def _request_cost(self, concurrency: int) -> tuple[int, float, float]:
        arguments = {"hsm": self._address, "calls": 1_000, "concurrency": concurrency}
        results: list[Measurements] = []
        for _ in range(3):
            self._hsm.ask("forget what was before")
            result = self._workers["ours"].work("floor_aiohttp", arguments)
            seen = self._hsm.ask("what was sent?")
            results.append({**result, "cpu": seen["hsm_cpu"] / seen["requests"]})
        medians = _medians(results)
        return concurrency, medians["cpu"], medians["per_second"]

    def crowds(self, *, patient: bool) -> list[CrowdRow]:
        """Measure many calls at once to an HSM with rate limits.

        :keyword patient: Whether to include what takes minutes.
        """
        return [
            CrowdRow(
                crowd,
                self._crowd("ours", crowd.calls),
                None if crowd.only_here else self._crowd("published", crowd.calls),
            )
            for crowd in steps.CROWDS
            if patient or not crowd.only_here
        ]

    def _crowd(self, who: str, calls: int) -> Measurements:
        # A separate HSM, which has served no request yet.
        ca_file = str(self._folder / "limited.pem")
        with Process(here(), "hsm", ca_file, "--rate-limits") as hsm:
            address = hsm.hear()
            with Process(self._pythons[who], "worker", environment={"SSL_CERT_FILE": ca_file}) as worker:
                result = worker.work("tls_crowd", {"hsm": address, "calls": calls})
            return {**result, **hsm.ask("what was sent?")}

    def _growth(self, work: str, **arguments: int | str) -> float:
        return self._workers["ours"].work(work, arguments)["us"]

    def _row(self, step: Step) -> Row:
        started = time.monotonic()
        ours, published, floor = [], [], []
        for _ in range(step.rounds):
            ours.append(self._measure("ours", step, step.work, step.arguments))
            published.append(self._measure("published", step, step.work, step.arguments))
            if step.floor:
                floor.append(self._measure("ours", step, *step.floor))
        if (
            step.same_requests
            and (sent := {result.get("authorized") for result in [*ours, *published]})
            and len(sent) > 1
        ):
            raise RuntimeError(f"{step.title}: the packages sent different numbers of requests: {sent}")
        row = Row(step, _medians(ours), _medians(published), _medians(floor) if floor else None)
        print(f"{time.monotonic() - started:6.1f} s  {row.ratio:.3f}  {step.title}", file=sys.stderr, flush=True)
        return row

    def _measure(self, who: str, step: Step, work: str, arguments: Arguments) -> Measurements:
        key = json.dumps([who, work, arguments])
        if step.fresh and step.rounds == 1 and key in self._measured:
            return self._measured[key]
        if step.tls:
            arguments = {**arguments, "hsm": self._address}
            self._hsm.ask("forget what was before")
        if step.fresh:
            with self._worker(who) as worker:
                result = worker.work(work, arguments)
        else:
            result = self._workers[who].work(work, arguments)
        self._measured[key] = {**result, **self._hsm.ask("what was sent?")} if step.tls else result
        return self._measured[key]

    def _worker(self, who: str) -> Process:
        return Process(self._pythons[who], "worker", environment=self._environment)


def _medians(results: list[Measurements]) -> Measurements:
    return {key: statistics.median(result[key] for result in results) for key in results[0]}
