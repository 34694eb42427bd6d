"""Runs the steps: beside this package, beside the published one, and the floor, in turn."""

from __future__ import annotations

import json
import statistics
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import steps
from .environments import PUBLISHED, Process, here

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from .steps import Arguments, Crowd, Step

Measurements = dict[str, float]


@dataclass(frozen=True)
class Row:
    """What came of a step: medians of its rounds."""

    step: Step
    ours: Measurements
    published: Measurements
    floor: Measurements | None

    @property
    def ratio(self) -> float:
        """What this package takes of what the published one takes."""
        return self.ours[self.step.value] / self.published[self.step.value]


@dataclass(frozen=True)
class CrowdRow:
    """What came of many calls at once at an HSM with rate limits."""

    crowd: Crowd
    ours: Measurements
    published: Measurements | None


@dataclass(frozen=True)
class Outcome:
    """All that was measured."""

    rows: list[Row]
    bursts: list[Row]
    call_growth: dict[int, float]
    """Microseconds per call, by how many calls a client made."""
    item_growth: dict[int, float]
    """Microseconds per item, by how many a list had."""
    json_growth: dict[int, float]
    """The same for its JSON alone."""
    crowds: list[CrowdRow]


class Bench:
    """The processes that are needed all the time: one worker beside each package, and the emulator.

    :param published: The interpreter with the published package.
    :param folder: A folder for temporary files.
    """

    def __init__(self, published: str, folder: Path) -> None:
        self._pythons = {"ours": here(), "published": published}
        self._folder = folder
        self._ca_file = folder / "ca.pem"
        self._resources = ExitStack()
        # Two rows may show two sides of one long measurement.
        self._measured: dict[str, Measurements] = {}
        # aiohttp reads the authorities to trust when it is imported.
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

        :keyword patient: Whether to measure what takes minutes, too.
        """
        return Outcome(
            rows=[self._row(step) for step in steps.STEPS],
            bursts=[self._row(step) for step in steps.BURSTS],
            call_growth={calls: self._growth("get", calls=calls) for calls in steps.GROWTH},
            item_growth={items: self._growth("list_assignments", items=items) for items in steps.GROWTH},
            json_growth={
                items: self._growth("floor_json", collection="roleAssignments", items=items) for items in steps.GROWTH
            },
            crowds=self.crowds(patient=patient),
        )

    def crowds(self, *, patient: bool) -> list[CrowdRow]:
        """Measure many calls at once at an HSM with rate limits.

        :keyword patient: Whether to measure what takes minutes, too.
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
        # An HSM of its own, which nobody has asked for anything yet.
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
