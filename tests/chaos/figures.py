"""The figures of a run: a row for the table of the reliability page, and the numbers behind it."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from chaos.history import INTERRUPTED, SUCCEEDED, Action, JobKind, Operation, Outcome, Record, job_kind

_TOO_MANY_REQUESTS = 429
_COLUMNS = (
    "seed",
    "operations",
    "second process",
    "faults",
    "429s",
    "kills",
    "in a restore",
    "revocations",
    "extra requests",
    "backups",
    "restores",
    "key restores",
    "checks",
    "violations",
)


class Run(NamedTuple):
    """A run apart from its record."""

    seed: int
    seconds: float
    requests: int
    kills: int
    revocations: int


def report(record: Record, run: Run, violations: list[str]) -> str:
    """Return the row of a run, and how often each thing happened: jobs by kind and outcome, faults by kind and moment.

    :param record: The run.
    :param run: More of it.
    :param violations: What the checker found.
    """
    faults = Counter(seen.fault for seen in record.journal if seen.fault)
    outcomes = _counts(Counter(each.outcome.value for each in record.operations))
    injected = Counter({f"{kind} {moment}".strip(): count for (kind, moment), count in record.delivered.items()})
    return "\n".join(
        [
            _line(_COLUMNS),
            "|--:" * len(_COLUMNS) + "|",
            _line(_row(record, run, violations)),
            f"  {run.seconds:.0f} s; no operation took longer than {_longest(record.operations):.1f} s: {outcomes}",
            f"  {len(record.jobs)} jobs ran, as their callers saw them:",
            *(f"    {kind.value}: {_job_counts(record, kind)}" for kind in JobKind),
            f"  {sum(faults.values())} faults in the journal: {_counts(faults)}",
            f"  counted by the rules, before and after the work: {_counts(injected)}",
        ]
    )


def _row(record: Record, run: Run, violations: list[str]) -> list[str]:
    succeeded = _succeeded(record)
    checks = succeeded[JobKind.BACKUP_CHECK] + succeeded[JobKind.RESTORE_CHECK]
    interrupted = sum(job.code == INTERRUPTED and job.kind is JobKind.RESTORE for job in record.failed_jobs)
    return [
        f"{number:,}" if isinstance(number, int) else number
        for number in (
            str(run.seed),
            len(record.operations),
            sum(each.process > 0 for each in record.operations),
            sum(seen.fault is not None for seen in record.journal),
            sum(seen.status == _TOO_MANY_REQUESTS and seen.fault is None for seen in record.journal),
            run.kills,
            interrupted,
            run.revocations,
            run.requests - len(record.operations),
            succeeded[JobKind.BACKUP],
            succeeded[JobKind.RESTORE],
            succeeded[JobKind.KEY_RESTORE],
            checks,
            len(violations),
        )
    ]


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _succeeded(record: Record) -> Counter[JobKind]:
    kinds = {each.value: job_kind(each.resource) for each in record.operations if each.action is Action.START}
    jobs = {
        each.resource
        for each in record.operations
        if each.action is Action.FOLLOW and each.outcome is Outcome.DONE and each.value == SUCCEEDED
    }
    return Counter(kinds[job] for job in jobs if job in kinds)


def _longest(operations: list[Operation]) -> float:
    return max(operation.ended - operation.began for operation in operations)


def _job_counts(record: Record, kind: JobKind) -> str:
    starts = [each for each in record.operations if each.action is Action.START and job_kind(each.resource) is kind]
    jobs = {each.value for each in starts if each.outcome is Outcome.DONE}
    ends = {
        each.resource: str(each.value)
        for each in record.operations
        if each.action is Action.FOLLOW and each.outcome is Outcome.DONE and each.resource in jobs
    }
    return (
        f"{len(starts)} starts, {len(jobs)} accepted, {_counts(Counter(ends.values()))},"
        f" {len(jobs) - len(ends)} of unknown outcome"
    )


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counter.items()))
