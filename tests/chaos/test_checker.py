"""The checker finds what it is there to find: each violation is planted, and found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chaos.checker import violations
from chaos.history import (
    INTERRUPTED,
    Action,
    Blind,
    Contents,
    Event,
    FailedJob,
    JobKind,
    Operation,
    Outcome,
    Record,
    Seen,
)

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
            Seen("GET", "/keys", 503, authorized=True, fault="status", time=4),
        ],
        blind=[Blind(10, 11)],
        expected_faults=frozenset({("challenge", ""), ("drop", "before")}),
        delivered={("challenge", ""): 1, ("drop", "before"): 1},
        last_life=({"drop": 1}, {"drop": 1}),
        expected_jobs=frozenset({JobKind.BACKUP}),
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
    "a write that was made twice": (lambda run: run.remaining.append(("c2", "4")), "doubled: 4 was there 2 times"),
    "a resource that nobody made": (lambda run: run.remaining.append(("e", "9")), "doubled: e was there"),
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
    "a failure that was no fault": (
        lambda run: run.journal.append(Seen("GET", "/keys", 500, authorized=True, fault=None, time=5)),
        "failed: GET /keys was answered 500",
    ),
    "a fault that the journal does not know": (
        lambda run: run.journal.pop(0),
        "unproven: no fault of the kind challenge",
    ),
    "a fault that came only after the work": (
        lambda run: setattr(run, "delivered", {("challenge", ""): 1, ("drop", "after"): 5}),
        "unproven: the fault drop before the work never happened",
    ),
    "a journal that has fewer faults than were counted": (
        lambda run: setattr(run, "last_life", ({"drop": 2}, {"drop": 1})),
        "unproven: the faults that were counted",
    ),
    "a kind of job that never succeeded": (
        lambda run: setattr(run, "expected_jobs", frozenset({JobKind.BACKUP, JobKind.RESTORE})),
        "unproven: no full restore succeeded",
    ),
}


def test_a_service_that_is_killed_may_forget_the_starts_of_that_time_and_no_others() -> None:
    run = good_record()
    run.operations.append(Operation(Action.START, START, DONE, "job-2", 10.5, 12))
    assert violations(run) == []

    run.blind.clear()
    assert violations(run) == ["lost: POST /backup said that it started job-2, and the journal does not know"]


BACKED_UP = Contents({"a": "1", "b": "2"})
ONE_OF_IT = Contents({"a": "1"}, only="a")
FULL_RESTORE, KEY_RESTORE = "PUT /restore", "PUT /keys/a/restore"


def _start(resource: str, brings: Contents, outcome: Outcome = DONE) -> Operation:
    return Operation(Action.START, resource, outcome, "job" if outcome is DONE else None, 1, 2, brings=brings)


def _end(status: str) -> Operation:
    return Operation(Action.FOLLOW, "job", DONE, status)


def _look(**found: str) -> Operation:
    return Operation(Action.LOOK, "everything", DONE, found=tuple(found.items()))


BEFORE = [_write("a", "1"), _write("b", "2"), _write("a", "3"), _delete("b"), _write("c", "4")]
RESTORED = [*BEFORE, _start(FULL_RESTORE, BACKED_UP), _end("Succeeded")]
FAILED = [*BEFORE, _start(FULL_RESTORE, BACKED_UP), _end("Failed")]
UNANSWERED = [*BEFORE, _start(FULL_RESTORE, BACKED_UP, REFUSED)]
KEY_GONE = [_write("a", "1"), _write("b", "2"), _delete("a")]
KEY_BACK = [*KEY_GONE, _start(KEY_RESTORE, ONE_OF_IT), _end("Succeeded")]
KEY_KEPT = [_write("a", "3"), _write("b", "2"), _start(KEY_RESTORE, ONE_OF_IT), _end("Succeeded")]


def _found_in(operations: list[Operation]) -> list[str]:
    """Return what is found of a run in which the journal and the jobs are as the operations have it."""
    start = next(each for each in operations if each.action is Action.START)
    method, path = start.resource.split()
    status = next((str(each.value) for each in operations if each.action is Action.FOLLOW), "Succeeded")
    run = Record(
        operations=operations,
        remaining=list(operations[-1].found),
        jobs={"job": status},
        journal=[Seen(method, path, 202, authorized=True, fault=None, time=1.5)],
    )
    return violations(run)


@pytest.mark.parametrize(
    "operations",
    [
        [*RESTORED, _look(a="1", b="2")],
        [*RESTORED, _write("b", "5"), _look(a="1", b="5")],
        [*FAILED, _look(a="3", c="4")],
        [*UNANSWERED, _look(a="1", b="2")],
        [*UNANSWERED, _look(a="3", c="4")],
        [*KEY_BACK, _look(a="1", b="2")],
        [*KEY_KEPT, _look(a="3", b="2")],
    ],
)
def test_a_restore_that_brings_back_what_it_is_to_passes(operations: list[Operation]) -> None:
    assert _found_in(operations) == []


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([*RESTORED, _look(a="3", b="2")], "lost: a was read as 3"),
        ([*RESTORED, _look(a="1")], "lost: b was read as None"),
        ([*RESTORED, _look(a="1", b="2", c="4")], "lost: c was read as 4"),
        ([*RESTORED, _look(a="1", b="2", d="7")], "doubled: d was there"),
        ([*FAILED, _look(a="1", b="2")], "lost: a was read as 1"),
        ([*FAILED, _look(a="3")], "lost: c was read as None"),
        ([*UNANSWERED, _look(a="3", b="9")], "lost: b was read as 9"),
        ([*KEY_BACK, _look(b="2")], "lost: a was read as None"),
        ([*KEY_BACK, _look(a="1")], "lost: b was read as None"),
        ([*KEY_KEPT, _look(a="1", b="2")], "lost: a was read as 1"),
    ],
)
def test_a_restore_that_brings_back_something_else_is_found(operations: list[Operation], expected: str) -> None:
    assert any(found.startswith(expected) for found in _found_in(operations)), _found_in(operations)


THROTTLED = Outcome.THROTTLED


def eventful_record() -> Record:
    """Return a run with throttled operations, a second process and interrupted restores, and without violations."""
    return Record(
        operations=[
            _write("a", "1"),
            _write("a", "2", THROTTLED),
            _write("b", "3", THROTTLED),
            _read("b", None),
            _write("c", "4"),
            _delete("c", THROTTLED),
            Operation(Action.WRITE, "d", DONE, "5", process=1),
            Operation(Action.START, START, THROTTLED, None, 1, 2),
            Operation(Action.START, START, DONE, "job-1", 3, 4),
            Operation(Action.FOLLOW, "job-1", DONE, "Succeeded"),
            Operation(Action.START, FULL_RESTORE, DONE, "job-2", 5, 6, brings=Contents({"a": "1"})),
            Operation(Action.FOLLOW, "job-2", DONE, "Failed", error="(Interrupted) It was stopped"),
        ],
        remaining=[("a", "1"), ("c", "4"), ("d", "5")],
        jobs={"job-1": "Succeeded", "job-2": "Failed"},
        failed_jobs=[FailedJob("job-2", JobKind.RESTORE, INTERRUPTED, "It was stopped", 5, 7)],
        journal=[
            Seen("PUT", "/keys/providers/roleAssignments/b", 429, authorized=True, fault=None, time=0.5),
            Seen("POST", "/backup", 429, authorized=True, fault=None, time=1.2),
            Seen("POST", "/backup", 401, authorized=True, fault="challenge", time=1.4),
            Seen("POST", "/backup", 429, authorized=True, fault="throttle", time=1.6),
            Seen("POST", "/backup", 429, authorized=True, fault=None, time=3.2),
            Seen("POST", "/backup", 202, authorized=True, fault=None, time=3.4),
            Seen("PUT", "/restore", 202, authorized=True, fault=None, time=5.5),
        ],
        blind=[Blind(6.2, 7.5)],
        expected_events=frozenset(Event),
    )


def test_run_with_throttling_a_second_process_and_interrupted_restores_passes() -> None:
    assert violations(eventful_record()) == []


PLANTED_IN_EVENTS: dict[str, tuple[Plant, str]] = {
    "a throttled write that was carried out": (
        lambda run: run.remaining.__setitem__(0, ("a", "2")),
        "lost: a was read as 2, where 1 was left",
    ),
    "a throttled creation that was carried out": (
        lambda run: run.remaining.append(("b", "3")),
        "lost: b was read as 3, where nothing was left",
    ),
    "a throttled deletion that was carried out": (
        lambda run: run.remaining.remove(("c", "4")),
        "lost: c was read as None, where 4 was left",
    ),
    "a throttled start that was carried out": (
        lambda run: run.jobs.update({"job-3": "Succeeded"}),
        "doubled: 3 jobs ran for 2 answers and 0 starts without one",
    ),
    "a throttled start that the service took": (
        lambda run: run.journal.__setitem__(1, _again(run, 1, status=202)),
        "doubled: POST /backup was taken, and its caller was told that it was throttled",
    ),
    "a start that was sent again after it was taken, and throttled": (
        lambda run: run.journal.append(_again(run, 5, time=3.6, status=429)),
        "doubled: POST /backup was sent 2 times for job-1",
    ),
    "a start that was sent again after it was taken, and challenged": (
        lambda run: run.journal.append(_again(run, 5, time=3.6, status=401)),
        "doubled: POST /backup was sent 2 times for job-1",
    ),
    "an acknowledged write of the second process that is gone": (
        lambda run: run.remaining.remove(("d", "5")),
        "lost: d was read as None, where 5 was left",
    ),
    "an operation of the second process that was not merged": (
        lambda run: run.operations.pop(6),
        "doubled: d was there, and nobody made it",
    ),
    "an interrupted restore that was carried out": (
        lambda run: run.remaining.__setitem__(slice(None), [("a", "1")]),
        "lost: c was read as None, where 4 was left",
    ),
    "a restore that never ended": (
        lambda run: run.jobs.update({"job-2": "InProgress"}),
        "unfinished: the job job-2 is still InProgress",
    ),
    "a restore that failed without a code": (
        lambda run: run.failed_jobs.__setitem__(0, run.failed_jobs[0]._replace(code="")),
        "unexplained: the full restore job-2 failed without a reason",
    ),
    "a restore that failed without a message": (
        lambda run: run.failed_jobs.__setitem__(0, run.failed_jobs[0]._replace(message="")),
        "unexplained: the full restore job-2 failed without a reason",
    ),
    "a reason that the caller was not told": (
        lambda run: run.operations.append(Operation(Action.FOLLOW, "job-2", DONE, "Failed", error="(Failed)")),
        "unexplained: job-2 failed because 'It was stopped', and its caller was told '(Failed)'",
    ),
    "an interruption without a kill": (
        lambda run: run.blind.__setitem__(0, Blind(10, 11)),
        "unexplained: the full restore job-2 was interrupted, and the service was not killed",
    ),
    "no role operation was refused by the rate limit": (
        lambda run: run.journal.pop(0),
        "unproven: a role operation refused by the rate limit never happened",
    ),
    "no start was refused by the rate limit": (
        lambda run: [run.journal.pop(4), run.journal.pop(1)],
        "unproven: a start of a job refused by the rate limit never happened",
    ),
    "only faults refused a start": (
        lambda run: run.journal.__setitem__(
            slice(None), [seen._replace(fault="throttle") if seen.status == 429 else seen for seen in run.journal]
        ),
        "unproven: a start of a job refused by the rate limit never happened",
    ),
    "no operation was throttled until it gave up": (
        lambda run: run.operations.__setitem__(
            slice(None), [each for each in run.operations if each.outcome is not THROTTLED]
        ),
        "unproven: an operation that was throttled until it gave up never happened",
    ),
    "no restore was interrupted": (
        lambda run: run.failed_jobs.clear(),
        "unproven: a restore interrupted by a kill never happened",
    ),
    "only the restore of a key was interrupted": (
        lambda run: run.failed_jobs.__setitem__(0, run.failed_jobs[0]._replace(kind=JobKind.KEY_RESTORE)),
        "unproven: a restore interrupted by a kill never happened",
    ),
    "a second process that did nothing": (
        lambda run: run.operations.__setitem__(6, _write("d", "5")),
        "unproven: an operation of the second process that succeeded never happened",
    ),
}


@pytest.mark.parametrize(
    ("record", "plant", "expected"),
    [
        pytest.param(record, *planted, id=name)
        for record, plants in ((good_record, PLANTED), (eventful_record, PLANTED_IN_EVENTS))
        for name, planted in plants.items()
    ],
)
def test_a_planted_violation_is_found(record: Any, plant: Any, expected: str) -> None:
    run = record()

    plant(run)

    assert any(found.startswith(expected) for found in violations(run)), violations(run)


UNKNOWN_END = [*BEFORE, _start(FULL_RESTORE, BACKED_UP)]


@pytest.mark.parametrize("operations", [UNANSWERED, UNKNOWN_END], ids=["no response", "unknown outcome"])
def test_restore_of_unknown_outcome_that_was_carried_out_in_part_is_found(operations: list[Operation]) -> None:
    assert _found_in([*operations, _look(a="1", b="2")]) == []
    assert _found_in([*operations, _look(a="3", c="4")]) == []
    assert _found_in([*operations, _look(a="1", c="4")]) == ["mixed: a restore brought back a and left b as it was"]
    assert _found_in([*operations, _look(a="3", b="2")]) == ["mixed: a restore brought back b and left a as it was"]


def test_throttled_restore_that_was_carried_out_is_found() -> None:
    throttled = [*BEFORE, _start(FULL_RESTORE, BACKED_UP, THROTTLED)]

    assert any(found.startswith("lost: a was read as 1") for found in _found_in([*throttled, _look(a="1", b="2")]))
