"""Compare what the clients were told with what the service did. Pure, and tested with planted violations.

Each resource has one writer, whose operations never overlap. So at each moment the resource is in one of a few states:
the one that the last acknowledged operation left it in, or that which any later operation without an answer may have
left. A read, and the look at what remained in the end, must find one of them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from chaos.history import Action, Operation, Outcome, Record

_ACCEPTED = 202
_NOT_TAKEN = frozenset({401, 429})


def violations(record: Record) -> list[str]:
    """Return what should not have happened, in words; nothing if all is well."""
    return [
        *_unkept_manners(record),
        *_lost_writes(record),
        *_doubled_writes(record),
        *_doubled_jobs(record),
        *_lost_jobs(record),
        *_missing_faults(record),
    ]


def _unkept_manners(record: Record) -> Iterator[str]:
    for operation in record.operations:
        if operation.outcome is Outcome.FOREIGN:
            yield f"foreign: {operation.action.value} of {operation.resource} raised {operation.error}"
        if operation.outcome is Outcome.HUNG:
            yield f"hung: {operation.action.value} of {operation.resource} took longer than its deadline"


def _lost_writes(record: Record) -> Iterator[str]:
    by_resource: dict[str, list[Operation]] = defaultdict(list)
    for operation in record.operations:
        if operation.action in {Action.READ, Action.WRITE, Action.DELETE}:
            by_resource[operation.resource].append(operation)
    remaining = dict(record.remaining)
    for resource, operations in by_resource.items():
        possible: set[str | None] = {None}
        # The look at what remained is one more read, of which there is an answer for sure.
        for read in (*operations, Operation(Action.READ, resource, Outcome.DONE, remaining.get(resource))):
            if read.action is Action.READ and read.outcome is Outcome.DONE and read.value not in possible:
                yield f"lost: {resource} was read as {read.value}, where {_names(possible)} was left"
            possible = _after(read, possible)
    for resource in remaining:
        if resource not in by_resource:
            yield f"doubled: {resource} remained, and nobody made it"


def _after(operation: Operation, possible: set[str | None]) -> set[str | None]:
    """Return in which states a resource may be after an operation."""
    if operation.outcome is Outcome.DONE:
        return {operation.value}
    return possible if operation.action is Action.READ else possible | {operation.value}


def _doubled_writes(record: Record) -> Iterator[str]:
    """A mark is written by one operation, so two resources that bear it are one write too many."""
    for mark, count in Counter(mark for _, mark in record.remaining).items():
        if count > 1:
            yield f"doubled: {mark} remained {count} times"


def _doubled_jobs(record: Record) -> Iterator[str]:
    starts = [operation for operation in record.operations if operation.action is Action.START]
    yield from _starts_in_journal(record, starts)
    told = Counter(start.value for start in starts if start.outcome is Outcome.DONE)
    for job, count in told.items():
        if count > 1:
            yield f"doubled: the job {job} was given to {count} callers"
    unanswered = sum(start.outcome is not Outcome.DONE for start in starts)
    if len(record.jobs) > len(told) + unanswered:
        yield f"doubled: {len(record.jobs)} jobs ran for {len(told)} answers and {unanswered} starts without one"


def _starts_in_journal(record: Record, starts: list[Operation]) -> Iterator[str]:
    """A start goes out once, unless the service did not take it beyond doubt: only then is it sent again."""
    sent: dict[str, list[float]] = defaultdict(list)
    for seen in record.journal:
        if seen.authorized and seen.status not in _NOT_TAKEN:
            sent[f"{seen.method} {seen.path}"].append(seen.time)
    for start in starts:
        times = [time for time in sent[start.resource] if start.began <= time <= start.ended]
        if len(times) > 1:
            yield f"doubled: {start.resource} was sent {len(times)} times for {start.value or 'no answer'}"
        was_seen = not any(start.began <= blind.until and blind.since <= start.ended for blind in record.blind)
        if not times and start.outcome is Outcome.DONE and was_seen:
            yield f"lost: {start.resource} said that it started {start.value}, and the journal does not know"
    known = {start.resource for start in starts}
    for seen in record.journal:
        if seen.status == _ACCEPTED and f"{seen.method} {seen.path}" not in known:
            yield f"doubled: {seen.method} {seen.path} started a job, and nobody asked for it"


def _lost_jobs(record: Record) -> Iterator[str]:
    for operation in record.operations:
        if (
            operation.action is Action.START
            and operation.outcome is Outcome.DONE
            and operation.value not in record.jobs
        ):
            yield f"lost: the job {operation.value} was started, and the service does not know it"
        if operation.action is Action.FOLLOW and operation.outcome is Outcome.DONE:
            ended = record.jobs.get(operation.resource)
            if ended != operation.value:
                yield f"lost: the job {operation.resource} was told to be {operation.value}, and is {ended}"


def _missing_faults(record: Record) -> Iterator[str]:
    for kind in sorted(record.expected_faults - {seen.fault for seen in record.journal if seen.fault}):
        yield f"unproven: no fault of the kind {kind} is in the journal"


def _names(states: set[str | None]) -> str:
    return " or ".join(sorted("nothing" if state is None else state for state in states))
