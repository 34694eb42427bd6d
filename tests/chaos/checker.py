"""Compare what the clients were told with what the service did. Pure, and tested with planted violations.

Each resource has one writer, whose operations never overlap; a full restore runs while all writers, in all processes,
are paused. So the states in which a resource may be are known at each moment (see ``possible``), and a read, or a look
at everything, must find one of them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from chaos.history import (
    INTERRUPTED,
    SUCCEEDED,
    Action,
    Event,
    FailedJob,
    JobKind,
    Operation,
    Outcome,
    Record,
    Seen,
    job_kind,
)
from chaos.possible import Possible

_ACCEPTED = 202
_SERVER_ERROR = 500
_TOO_MANY_REQUESTS = 429
_NOT_TAKEN = frozenset({401, _TOO_MANY_REQUESTS})
_ENDED = frozenset({SUCCEEDED, "Failed"})
# Times of jobs are whole seconds.
_ROUNDING = 1.0


def violations(record: Record) -> list[str]:
    """Return what must not happen and did, in words."""
    return [
        *_wrong_outcomes(record),
        *_service_failures(record),
        *_lost_writes(record),
        *_doubled_jobs(record),
        *_lost_jobs(record),
        *_unexplained_jobs(record),
        *_missing_faults(record),
        *_missing_jobs(record),
        *_missing_events(record),
    ]


def _wrong_outcomes(record: Record) -> Iterator[str]:
    for operation in record.operations:
        if operation.outcome is Outcome.FOREIGN:
            yield f"foreign: {operation.action.value} of {operation.resource} raised {operation.error}"
        if operation.outcome is Outcome.HUNG:
            yield f"hung: {operation.action.value} of {operation.resource} took longer than its deadline"


def _service_failures(record: Record) -> Iterator[str]:
    """The service fails only where a fault was injected."""
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
            if mixed := possible.mixed(dict(operation.found)):
                yield f"mixed: a restore brought back {mixed[1]} and left {mixed[0]} as it was"
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
    # A throttled start was refused, so it isn't one that may have run.
    unanswered = sum(start.outcome not in {Outcome.DONE, Outcome.THROTTLED} for start in starts)
    if len(record.jobs) > len(told) + unanswered:
        yield f"doubled: {len(record.jobs)} jobs ran for {len(told)} answers and {unanswered} starts without one"


def _starts_in_journal(record: Record, starts: list[Operation]) -> Iterator[str]:
    """A start is sent again only if the service certainly did not take it, and never after it did."""
    sent: dict[str, list[Seen]] = defaultdict(list)
    for seen in sorted(record.journal, key=lambda seen: seen.time):
        if seen.authorized:
            sent[f"{seen.method} {seen.path}"].append(seen)
    for start in starts:
        during = [seen for seen in sent[start.resource] if start.began <= seen.time <= start.ended]
        taken = [seen.status not in _NOT_TAKEN for seen in during]
        if True in taken and (count := len(taken) - taken.index(True)) > 1:
            yield f"doubled: {start.resource} was sent {count} times for {start.value or 'no answer'}"
        if True in taken and start.outcome is Outcome.THROTTLED:
            yield f"doubled: {start.resource} was taken, and its caller was told that it was throttled"
        was_seen = not any(start.began <= blind.until and blind.since <= start.ended for blind in record.blind)
        if True not in taken and start.outcome is Outcome.DONE and was_seen:
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


def _unexplained_jobs(record: Record) -> Iterator[str]:
    """A job ends, and one that failed says why; only a kill interrupts one."""
    for job, status in record.jobs.items():
        if status not in _ENDED:
            yield f"unfinished: the job {job} is still {status}"
    reasons = {job.id: job.message for job in record.failed_jobs}
    for failed in record.failed_jobs:
        if not (failed.code and failed.message):
            yield f"unexplained: the {failed.kind.value} {failed.id} failed without a reason"
        if failed.code == INTERRUPTED and not _was_killed(record, failed):
            yield f"unexplained: the {failed.kind.value} {failed.id} was interrupted, and the service was not killed"
    for each in record.operations:
        if each.action is Action.FOLLOW and each.outcome is Outcome.DONE and each.value != SUCCEEDED:
            reason = reasons.get(each.resource, "")
            if reason not in each.error:
                yield f"unexplained: {each.resource} failed because {reason!r}, and its caller was told {each.error!r}"


def _was_killed(record: Record, job: FailedJob) -> bool:
    return any(
        job.started - _ROUNDING <= blind.until and blind.since <= job.ended + _ROUNDING for blind in record.blind
    )


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


def _missing_events(record: Record) -> Iterator[str]:
    starts = {each.resource for each in record.operations if each.action is Action.START}
    limited = [
        f"{seen.method} {seen.path}"
        for seen in record.journal
        if seen.status == _TOO_MANY_REQUESTS and seen.fault is None
    ]
    happened = {
        Event.THROTTLED_ROLES: any("/role" in request for request in limited),
        Event.THROTTLED_OPERATION: any(each.outcome is Outcome.THROTTLED for each in record.operations),
        Event.THROTTLED_START: any(request in starts for request in limited),
        Event.INTERRUPTED_RESTORE: any(
            job.code == INTERRUPTED and job.kind is JobKind.RESTORE for job in record.failed_jobs
        ),
        Event.SECOND_PROCESS: any(each.process and each.outcome is Outcome.DONE for each in record.operations),
    }
    for event in sorted(record.expected_events, key=lambda event: event.value):
        if not happened[event]:
            yield f"unproven: {event.value} never happened"


def _names(states: set[str | None]) -> str:
    return " or ".join(sorted("nothing" if state is None else state for state in states))
