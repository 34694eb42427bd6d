"""The history of a run: what the clients asked for and were told, and what the service stored and saw. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any, NamedTuple


class Action(Enum):
    """What an operation does to its one resource."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    LOOK = "look"
    """Reads everything on the HSM, while no other caller does anything."""
    START = "start"
    """Starts a job; the resource is the method and path of the request."""
    FOLLOW = "follow"
    """Waits for a job to end; the resource is the job's id."""


class Outcome(Enum):
    """What an operation's caller was told."""

    DONE = "done"
    REFUSED = "refused"
    """An azure-core exception; the operation may have been carried out anyway."""
    THROTTLED = "throttled"
    """An azure-core exception, and the service refused every request with 429 or 401: nothing was carried out."""
    FOREIGN = "foreign"
    """Any other exception."""
    HUNG = "hung"
    """Nothing before the deadline."""


class JobKind(Enum):
    """The purpose of a job."""

    BACKUP = "full backup"
    RESTORE = "full restore"
    KEY_RESTORE = "key restore"
    BACKUP_CHECK = "backup check"
    RESTORE_CHECK = "restore check"


_KINDS = {
    "POST /backup": JobKind.BACKUP,
    "POST /prebackup": JobKind.BACKUP_CHECK,
    "PUT /restore": JobKind.RESTORE,
    "PUT /prerestore": JobKind.RESTORE_CHECK,
}


def job_kind(resource: str) -> JobKind:
    """Return the kind of job that is started at a method and path."""
    return _KINDS.get(resource, JobKind.KEY_RESTORE)


SUCCEEDED = "Succeeded"


@dataclass(frozen=True)
class Contents:
    """The contents of a backup, as far as a restore brings them back."""

    marks: Mapping[str, str]
    """The mark of each resource in the backup."""
    only: str | None = None
    """The one resource to restore if it is missing; None if everything is replaced."""


@dataclass(frozen=True)
class Operation:
    """One call of a client. Operations on the same resource never overlap."""

    action: Action
    resource: str
    outcome: Outcome
    value: str | None = None
    """The mark that was written or read; no other operation writes the same. None if the resource doesn't exist."""
    began: float = 0.0
    ended: float = 0.0
    error: str = ""
    """The exception; for a followed job that failed, the reason that the caller was told."""
    brings: Contents | None = None
    """What the start of a restore is meant to bring back."""
    found: tuple[tuple[str, str], ...] = ()
    """The mark of each resource that a look found."""
    process: int = 0
    """The client process: 0 is the one that runs the test."""

    def as_json(self) -> dict[str, Any]:
        """Return the operation in JSON types."""
        return {**asdict(self), "action": self.action.value, "outcome": self.outcome.value}

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> Operation:
        """Return the operation that :meth:`as_json` described."""
        return cls(
            **{
                **members,
                "action": Action(members["action"]),
                "outcome": Outcome(members["outcome"]),
                "brings": Contents(**members["brings"]) if members["brings"] else None,
                "found": tuple((resource, mark) for resource, mark in members["found"]),
            }
        )


class Seen(NamedTuple):
    """A request in the service's journal."""

    method: str
    path: str
    status: int | None
    """None if there was no response."""
    authorized: bool
    """Whether it carried a token; the service does nothing without one."""
    fault: str | None
    time: float


class Blind(NamedTuple):
    """A time without a journal, which was lost with the killed service."""

    since: float
    until: float


class FailedJob(NamedTuple):
    """A job that the service stored as failed. Times are whole seconds."""

    id: str
    kind: JobKind
    code: str
    message: str
    started: float
    ended: float


INTERRUPTED = "Interrupted"
"""The code of a job that was running when the service was killed."""


class Event(Enum):
    """Something that a run must have met, or it proves little."""

    THROTTLED_ROLES = "a role operation refused by the rate limit"
    THROTTLED_OPERATION = "an operation that was throttled until it gave up"
    THROTTLED_START = "a start of a job refused by the rate limit"
    INTERRUPTED_RESTORE = "a restore interrupted by a kill"
    SECOND_PROCESS = "an operation of the second process that succeeded"


@dataclass
class Record:
    """A whole run.

    :param operations: Those of all processes, in the order in which they ended.
    :param remaining: The mark of each resource that was there at the end.
    :param jobs: The final status of each job, by its id.
    :param failed_jobs: The jobs that failed, with their reasons.
    :param journal: The requests.
    :param blind: The times without a journal.
    :param expected_faults: The faults that were injected: kinds, and whether they come before the work or after it.
    :param delivered: How often each of these happened, counted by the rules that injected them.
    :param last_life: The faults of each kind since the last kill, counted by the rules and by the journal.
    :param expected_jobs: The kinds of jobs of which at least one must have succeeded.
    :param expected_events: What must have happened at least once.
    """

    operations: list[Operation] = field(default_factory=list)
    remaining: list[tuple[str, str]] = field(default_factory=list)
    jobs: dict[str, str] = field(default_factory=dict)
    failed_jobs: list[FailedJob] = field(default_factory=list)
    journal: list[Seen] = field(default_factory=list)
    blind: list[Blind] = field(default_factory=list)
    expected_faults: frozenset[tuple[str, str]] = frozenset()
    delivered: Mapping[tuple[str, str], int] = field(default_factory=dict)
    last_life: tuple[Mapping[str, int], Mapping[str, int]] = ({}, {})
    expected_jobs: frozenset[JobKind] = frozenset()
    expected_events: frozenset[Event] = frozenset()
