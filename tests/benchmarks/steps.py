"""What is measured, in order, and what must come of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Arguments = dict[str, Any]

COLD_CALLS = (1, 10, 100, 1_000)
GROWTH = (10, 100, 1_000, 10_000, 100_000)
CONCURRENCY = (1, 16, 256)


@dataclass(frozen=True)
class Step:
    """One row of the table.

    :param title: What the row is called.
    :param work: Name of the function in :mod:`benchmarks.works`.
    :param arguments: Its arguments.
    :param value: Which of its results is compared.
    :param aim: The ratio to the published package that must be held, if one must.
    :param floor: The work that shows what cannot be saved, and its arguments.
    :param rounds: How often it is measured beside each package, in turn.
    :param fresh: Whether each measurement needs a process of its own.
    :param tls: Whether it talks to the emulator.
    :param same_requests: Whether both packages must put the same number of requests on the wire.
    """

    title: str
    work: str
    arguments: Arguments = field(default_factory=dict)
    value: str = "us"
    aim: float | None = None
    floor: tuple[str, Arguments] | None = None
    rounds: int = 5
    fresh: bool = False
    tls: bool = False
    same_requests: bool = True


# Python is many times slower while its memory is traced.
_MEMORY: Arguments = {"items": 10_000, "pages": 1}

STEPS = (
    Step("get, warm", "get", {"calls": 2_000}, aim=0.30, floor=("floor_pipeline", {"calls": 2_000})),
    Step("create", "create", {"calls": 1_000}),
    Step("poll", "poll", {"polls": 500}),
    Step(
        "list definitions, 10,000 in a page, per item",
        "list_definitions",
        {"items": 10_000},
        aim=0.06,
        floor=("floor_json", {"collection": "roleDefinitions", "items": 10_000}),
        rounds=3,
    ),
    Step(
        "list assignments, 10,000 in a page, per item",
        "list_assignments",
        {"items": 10_000},
        aim=0.07,
        floor=("floor_json", {"collection": "roleAssignments", "items": 10_000}),
    ),
    Step(
        "list assignments, 10,000 in 1,000 pages, per item",
        "list_assignments",
        {"items": 10_000, "pages": 1_000},
        rounds=3,
    ),
    Step("import", "import_time", aim=0.6, rounds=15),
    Step(
        "growth of a process that lists 100,000 assignments in 1,000 pages, MB",
        "resident_memory",
        {"items": 100_000, "pages": 1_000},
        value="resident_mb",
        aim=0.5,
        rounds=1,
        fresh=True,
    ),
    Step(
        "memory for a listed assignment, bytes",
        "memory",
        _MEMORY,
        value="held",
        aim=0.5,
        floor=("floor_memory", _MEMORY),
        rounds=1,
        fresh=True,
    ),
    Step(
        "the same at its highest, while the page is read",
        "memory",
        _MEMORY,
        value="peak",
        floor=("floor_memory", _MEMORY),
        rounds=1,
        fresh=True,
    ),
    *(
        Step(
            f"TLS: get, {concurrency} at a time",
            "tls_get",
            {"calls": 512, "concurrency": concurrency},
            aim=0.35 if concurrency == 1 else None,
            floor=("floor_aiohttp", {"calls": 512, "concurrency": concurrency}),
            rounds=9 if concurrency == 1 else 3,
            tls=True,
        )
        for concurrency in CONCURRENCY
    ),
    Step("TLS: create, 16 at a time", "tls_create", {"calls": 256, "concurrency": 16}, tls=True, rounds=3),
    Step(
        "TLS: list definitions, 16 at a time",
        "tls_list_definitions",
        {"calls": 256, "concurrency": 16},
        tls=True,
        rounds=3,
    ),
    *(
        Step(
            f"TLS: sign {algorithm}, 16 at a time",
            "tls_sign",
            {"algorithm": algorithm, "calls": 512, "concurrency": 16},
            tls=True,
            rounds=3,
        )
        for algorithm in ("ES256", "RS256")
    ),
)


@dataclass(frozen=True)
class Crowd:
    """Calls at once at an HSM that takes 5 in a second, as documented.

    :param calls: How many.
    :param only_here: Whether only this package is measured, because it takes minutes.
    """

    calls: int
    only_here: bool = False


CROWDS = (Crowd(60), Crowd(1_000, only_here=True))

# Here the packages differ in what they send: that is what is measured.
BURSTS = (
    *(
        Step(f"{calls:,}", "cold_burst", {"calls": calls}, rounds=1, fresh=True, same_requests=False)
        for calls in COLD_CALLS
    ),
    Step(
        "100, over TLS",
        "tls_cold_burst",
        {"calls": 100},
        rounds=1,
        fresh=True,
        tls=True,
        same_requests=False,
    ),
    *(
        Step(
            f"10 clients with a call each, {'at once' if at_once else 'one after the other'}, over TLS",
            "tls_clients",
            {"clients": 10, "at_once": at_once},
            rounds=1,
            fresh=True,
            tls=True,
            same_requests=False,
        )
        for at_once in (False, True)
    ),
)
