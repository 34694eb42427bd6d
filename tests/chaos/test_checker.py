"""The checker finds what it is there to find: each violation is planted, and found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chaos.checker import violations
from chaos.history import Action, Blind, Operation, Outcome, Record, Seen

DONE, REFUSED = Outcome.DONE, Outcome.REFUSED
START = "POST /backup"


def _write(resource: str, value: str, outcome: Outcome = DONE) -> Operation:
    return Operation(Action.WRITE, resource, outcome, value)


def _read(resource: str, value: str | None) -> Operation:
    return Operation(Action.READ, resource, DONE, value)


def _delete(resource: str, outcome: Outcome = DONE) -> Operation:
    return Operation(Action.DELETE, resource, outcome)


def _again(run: Record, index: int, **changes: Any) -> Seen:
    return run.journal[index]._replace(**changes)


def good_record() -> Record:
    """A run in which much went wrong on the way, and nothing in the end."""
    return Record(
        operations=[
            _write("a", "1"),
            _write("a", "2", REFUSED),
            _read("a", "2"),
            _write("b", "3", REFUSED),
            _read("b", None),
            _write("c", "4"),
            _delete("c", REFUSED),
            _write("d", "5"),
            _delete("d"),
            Operation(Action.READ, "d", REFUSED),
            Operation(Action.START, START, DONE, "job-1", 1, 2),
            Operation(Action.START, START, REFUSED, None, 3, 4),
            Operation(Action.FOLLOW, "job-1", DONE, "Succeeded"),
        ],
        remaining=[("a", "2"), ("c", "4")],
        jobs={"job-1": "Succeeded", "job-2": "Failed"},
        journal=[
            Seen("POST", "/backup", 401, authorized=True, fault="challenge", time=1.2),
            Seen("POST", "/backup", 202, authorized=True, fault=None, time=1.5),
            Seen("POST", "/backup", None, authorized=False, fault=None, time=3.2),
            Seen("POST", "/backup", 429, authorized=True, fault="throttle", time=3.3),
            Seen("POST", "/backup", None, authorized=True, fault="drop", time=3.5),
        ],
        blind=[Blind(10, 11)],
        expected_faults=frozenset({"challenge", "drop"}),
    )


def test_a_run_in_which_nothing_was_lost_or_doubled_passes() -> None:
    assert violations(good_record()) == []


Plant = Callable[[Record], object]
PLANTED: dict[str, tuple[Plant, str]] = {
    "an acknowledged write that is gone": (lambda run: run.remaining.remove(("a", "2")), "lost: a was read as None"),
    "an older state than was acknowledged": (
        lambda run: run.remaining.__setitem__(0, ("a", "1")),
        "lost: a was read as 1, where 2 was left",
    ),
    "a read of what was overwritten": (
        lambda run: run.operations.append(_read("a", "1")),
        "lost: a was read as 1, where 2 was left",
    ),
    "a read of nothing": (
        lambda run: run.operations.append(_read("a", None)),
        "lost: a was read as None, where 2 was left",
    ),
    "a deleted resource that is back": (lambda run: run.remaining.append(("d", "5")), "lost: d was read as 5"),
    "a write that was made twice": (lambda run: run.remaining.append(("c2", "4")), "doubled: 4 remained 2 times"),
    "a resource that nobody made": (lambda run: run.remaining.append(("e", "9")), "doubled: e remained"),
    "a start that was taken twice": (
        lambda run: run.journal.append(_again(run, 1, time=1.7)),
        "doubled: POST /backup was sent 2 times for job-1",
    ),
    "a start that was sent again, and refused": (
        lambda run: run.journal.append(_again(run, 1, time=1.7, status=409)),
        "doubled: POST /backup was sent 2 times for job-1",
    ),
    "a start without answer that was sent again": (
        lambda run: run.journal.append(_again(run, 1, time=3.7)),
        "doubled: POST /backup was sent 2 times for no answer",
    ),
    "a start that nobody asked for": (
        lambda run: run.journal.append(_again(run, 1, method="PUT", path="/restore")),
        "doubled: PUT /restore started a job, and nobody asked",
    ),
    "more jobs than starts": (lambda run: run.jobs.update({"job-3": "Succeeded"}), "doubled: 3 jobs ran"),
    "one job for two callers": (
        lambda run: run.operations.append(Operation(Action.START, START, DONE, "job-1", 10, 12)),
        "doubled: the job job-1 was given to 2 callers",
    ),
    "an acknowledged start that the journal does not know": (
        lambda run: run.journal.pop(1),
        "lost: POST /backup said that it started job-1",
    ),
    "an acknowledged job that is gone": (lambda run: run.jobs.pop("job-1"), "lost: the job job-1 was started"),
    "a job that ended otherwise than was told": (
        lambda run: run.jobs.update({"job-1": "Failed"}),
        "lost: the job job-1 was told to be Succeeded, and is Failed",
    ),
    "an operation that hung": (
        lambda run: run.operations.append(Operation(Action.READ, "a", Outcome.HUNG)),
        "hung: read of a",
    ),
    "a foreign exception": (
        lambda run: run.operations.append(Operation(Action.READ, "a", Outcome.FOREIGN, error="KeyError()")),
        "foreign: read of a raised KeyError()",
    ),
    "a fault that was never delivered": (
        lambda run: run.journal.pop(0),
        "unproven: no fault of the kind challenge",
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_violation_is_found(name: str) -> None:
    plant, expected = PLANTED[name]
    run = good_record()

    plant(run)

    assert any(found.startswith(expected) for found in violations(run)), violations(run)


def test_a_service_that_is_killed_may_forget_the_starts_of_that_time_and_no_others() -> None:
    run = good_record()
    run.operations.append(Operation(Action.START, START, DONE, "job-2", 10.5, 12))
    assert violations(run) == []

    run.blind.clear()
    assert violations(run) == ["lost: POST /backup said that it started job-2, and the journal does not know"]
