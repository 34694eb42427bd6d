"""Compare what the clients were told with what the service did. Pure, and tested with planted violations.

Each resource has one writer, whose operations never overlap, or one who restores while all others wait. So at each
moment it is known in which states a resource may be (see ``possible``). A read, and a look at all that is there, must
find one of them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from chaos.history import SUCCEEDED, Action, Operation, Outcome, Record, job_kind
from chaos.possible import Possible

_ACCEPTED = 202
_SERVER_ERROR = 500
_NOT_TAKEN = frozenset({401, 429})


def violations(record: Record) -> list[str]:
    """Return what should not have happened, in words; nothing if all is well."""
    return [
        *_unkept_manners(record),
        *_failures_of_its_own(record),
        *_lost_writes(record),
        *_doubled_jobs(record),
        *_lost_jobs(record),
        *_missing_faults(record),
        *_missing_jobs(record),
    ]


def _unkept_manners(record: Record) -> Iterator[str]:
    for operation in record.operations:
        if operation.outcome is Outcome.FOREIGN:
            yield f"foreign: {operation.action.value} of {operation.resource} raised {operation.error}"
        if operation.outcome is Outcome.HUNG:
            yield f"hung: {operation.action.value} of {operation.resource} took longer than its deadline"


def _failures_of_its_own(record: Record) -> Iterator[str]:
    """The service fails as it is told to, and in no other way."""
    for seen in record.journal:
        if seen.fault is None and seen.status is not None and seen.status >= _SERVER_ERROR:
            yield f"failed: {seen.method} {seen.path} was answered {seen.status}, and no fault was asked for"


def _lost_writes(record: Record) -> Iterator[str]:
    possible = Possible()
    for operation in record.operations:
        if operation.outcome is Outcome.DONE and operation.action is Action.READ:
            yield from _impossible(operation.resource, operation.value, possible)
        if operation.outcome is Outcome.DONE and operation.action is Action.LOOK:
            yield from _impossible_things(operation.found, possible)
        possible.follow(operation)
    yield from _impossible_things(record.remaining, possible)


def _impossible_things(found: Sequence[tuple[str, str]], possible: Possible) -> Iterator[str]:
    marks = dict(found)
    for resource in sorted(possible.resources):
        yield from _impossible(resource, marks.get(resource), possible)
    for resource in sorted(marks.keys() - possible.resources):
        yield f"doubled: {resource} was there, and nobody made it"
    # A mark is written by one operation, so two resources that bear it are one write too many.
    for mark, count in Counter(mark for _, mark in found).items():
        if count > 1:
            yield f"doubled: {mark} was there {count} times"


def _impossible(resource: str, value: str | None, possible: Possible) -> Iterator[str]:
    if value not in possible.of(resource):
        yield f"lost: {resource} was read as {value}, where {_names(possible.of(resource))} was left"


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
    in_journal = {seen.fault for seen in record.journal}
    for kind, moment in sorted(record.expected_faults):
        name = f"{kind} {moment} the work" if moment else kind
        if kind not in in_journal:
            yield f"unproven: no fault of the kind {kind} is in the journal"
        if not record.delivered.get((kind, moment)):
            yield f"unproven: the fault {name} never happened"
    by_rules, by_journal = record.last_life
    if by_rules != by_journal:
        yield f"unproven: the faults that were counted are {by_rules}, and the journal has {by_journal}"


def _missing_jobs(record: Record) -> Iterator[str]:
    started = {each.value: job_kind(each.resource) for each in record.operations if each.action is Action.START}
    succeeded = {
        started.get(each.resource)
        for each in record.operations
        if each.action is Action.FOLLOW and each.outcome is Outcome.DONE and each.value == SUCCEEDED
    }
    for kind in sorted(record.expected_jobs - succeeded, key=lambda kind: kind.value):
        yield f"unproven: no {kind.value} succeeded"


def _names(states: set[str | None]) -> str:
    return " or ".join(sorted("nothing" if state is None else state for state in states))
