"""The figures of a run, for people."""

from __future__ import annotations

from collections import Counter

from chaos.history import Action, JobKind, Operation, Outcome, Record, job_kind


def figures(record: Record) -> str:
    """Return how often what happened: operations, jobs by kind and end, faults by kind and moment."""
    faults = Counter(seen.fault for seen in record.journal if seen.fault)
    outcomes = _counts(Counter(each.outcome.value for each in record.operations))
    told = Counter({f"{kind} {moment}".strip(): count for (kind, moment), count in record.delivered.items()})
    return "\n".join(
        [
            f"  {len(record.operations)} operations, none longer than {_longest(record.operations):.1f} s: {outcomes}",
            f"  {len(record.jobs)} jobs ran; told of them:",
            *(f"    {kind.value}: {_job_counts(record, kind)}" for kind in JobKind),
            f"  {sum(faults.values())} faults in the journal: {_counts(faults)}",
            f"  by the rules, before and after the work: {_counts(told)}",
        ]
    )


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
        f" {len(jobs) - len(ends)} of unknown end"
    )


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counter.items()))
