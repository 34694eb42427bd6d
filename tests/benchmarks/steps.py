"""The measurements, in order, and their aims."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Arguments = dict[str, Any]

COLD_CALLS = (1, 10, 100, 1_000)
GROWTH = (10, 100, 1_000, 10_000, 100_000)
CONCURRENCY = (1, 16, 256)

# A call over TLS costs this many times the CPU time of aiohttp alone, at most. It depends on azure-core and the machine
# as well, so missing it fails no run.
AIM_OVER_AIOHTTP = 1.6
AGAINST_AIOHTTP: Arguments = {"slices": 60, "calls": 32}


@dataclass(frozen=True)
class Step:
    """One row of the table.

    :param title: The row's name, in Markdown.
    :param work: Name of the function in :mod:`benchmarks.works`.
    :param arguments: Its arguments.
    :param value: The result that is compared.
    :param unit: Its unit.
    :param aim: The highest ratio to the published package, if there is an aim.
    :param floor: The work that shows the least cost possible, and its arguments.
    :param rounds: How often it is measured with each package, in turn.
    :param fresh: Whether each measurement needs its own process.
    :param tls: Whether it talks to the emulator.
    :param same_requests: Whether both packages must put the same number of requests on the wire.
    """

    title: str
    work: str
    arguments: Arguments = field(default_factory=dict)
    value: str = "us"
    unit: str = "µs"
    aim: float | None = None
    floor: tuple[str, Arguments] | None = None
    rounds: int = 5
    fresh: bool = False
    tls: bool = False
    same_requests: bool = True


# Python is many times slower while its memory is traced.
_MEMORY: Arguments = {"items": 10_000, "pages": 1}

STEPS = (
    Step("`get_role_assignment`, warm", "get", {"calls": 2_000}, aim=0.30, floor=("floor_pipeline", {"calls": 2_000})),
    Step("`create_role_assignment`, warm", "create", {"calls": 1_000}),
    Step("one poll of a job", "poll", {"polls": 500}),
    Step(
        "`list_role_definitions`, 10,000 in a page, per item",
        "list_definitions",
        {"items": 10_000},
        aim=0.06,
        floor=("floor_json", {"collection": "roleDefinitions", "items": 10_000}),
        rounds=3,
    ),
    Step(
        "`list_role_assignments`, 10,000 in a page, per item",
        "list_assignments",
        {"items": 10_000},
        aim=0.07,
        floor=("floor_json", {"collection": "roleAssignments", "items": 10_000}),
    ),
    Step(
        "the same in 1,000 pages",
        "list_assignments",
        {"items": 10_000, "pages": 1_000},
        rounds=3,
    ),
    Step(
        "`import azure.keyvault.administration.aio`, azure-core imported", "import_time", unit="ms", aim=0.6, rounds=15
    ),
    Step(
        "memory of a process for 100,000 role assignments in 1,000 pages",
        "resident_memory",
        {"items": 100_000, "pages": 1_000},
        value="resident_mb",
        unit="MB",
        aim=0.5,
        rounds=1,
        fresh=True,
    ),
    Step(
        "memory of a listed role assignment",
        "memory",
        _MEMORY,
        value="held",
        unit="bytes",
        aim=0.5,
        floor=("floor_memory", _MEMORY),
        rounds=1,
        fresh=True,
    ),
    Step(
        "the same at its peak, while its page is read",
        "memory",
        _MEMORY,
        value="peak",
        unit="bytes",
        floor=("floor_memory", _MEMORY),
        rounds=1,
        fresh=True,
    ),
    *(
        Step(
            f"`get_role_assignment` over TLS, {concurrency} at a time",
            "tls_get",
            {"calls": 512, "concurrency": concurrency},
            aim=0.35 if concurrency == 1 else None,
            floor=("floor_aiohttp", {"calls": 512, "concurrency": concurrency}),
            rounds=9 if concurrency == 1 else 3,
            tls=True,
        )
        for concurrency in CONCURRENCY
    ),
    Step(
        "`create_role_assignment` over TLS, 16 at a time",
        "tls_create",
        {"calls": 256, "concurrency": 16},
        tls=True,
        rounds=3,
    ),
    Step(
        "`list_role_definitions` over TLS, 16 at a time",
        "tls_list_definitions",
        {"calls": 256, "concurrency": 16},
        tls=True,
        rounds=3,
    ),
    *(
        Step(
            f"sign with {algorithm} over TLS, 16 at a time",
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
    """Calls at once to an HSM that accepts five a second, as documented.

    :param calls: How many.
    :param only_here: Whether only this package is measured, because that takes minutes.
    """

    calls: int
    only_here: bool = False


CROWDS = (Crowd(60), Crowd(1_000, only_here=True))

# What is measured here is the number of requests, in which the packages differ.
BURSTS = (
    *(
        Step(
            f"1 client, {calls:,} {'call' if calls == 1 else 'calls'}",
            "cold_burst",
            {"calls": calls},
            rounds=1,
            fresh=True,
            same_requests=False,
        )
        for calls in COLD_CALLS
    ),
    Step(
        "1 client, 100 calls over TLS",
        "tls_cold_burst",
        {"calls": 100},
        rounds=1,
        fresh=True,
        tls=True,
        same_requests=False,
    ),
    *(
        Step(
            f"10 clients, a call each {'at once' if at_once else 'one after the other'} over TLS",
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
