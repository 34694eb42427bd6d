"""What happened: what the clients asked for and were told, what the service was left with, what it saw. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple


class Action(Enum):
    """What an operation does to the one resource that it is about."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    LOOK = "look"
    """Reads all that there is, while nobody else does anything; it is about no single resource."""
    START = "start"
    """Starts a job: the resource is the path that it is started at."""
    FOLLOW = "follow"
    """Waits for the end of a job: the resource is the job."""


class Outcome(Enum):
    """What an operation's caller was told."""

    DONE = "done"
    REFUSED = "refused"
    """An azure-core exception: what was asked for may have been done, or not."""
    FOREIGN = "foreign"
    """An exception of anybody else's."""
    HUNG = "hung"
    """Nothing, until the deadline was over."""


class JobKind(Enum):
    """What a job is there for."""

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
    """Return which kind of job is started there."""
    return _KINDS.get(resource, JobKind.KEY_RESTORE)


SUCCEEDED = "Succeeded"


@dataclass(frozen=True)
class Contents:
    """What a restore brings back."""

    marks: Mapping[str, str]
    """The mark of each resource in the backup."""
    only: str | None = None
    """The one resource that is brought back, if it is gone; None if everything becomes what it was."""


@dataclass(frozen=True)
class Operation:
    """One call of a client. Operations on one resource never overlap."""

    action: Action
    resource: str
    outcome: Outcome
    value: str | None = None
    """What was written or read: a mark that no other operation writes; None stands for no such resource."""
    began: float = 0.0
    ended: float = 0.0
    error: str = ""
    brings: Contents | None = None
    """What the start of a restore wants to bring back."""
    found: tuple[tuple[str, str], ...] = ()
    """What a look found: the mark of each resource."""


class Seen(NamedTuple):
    """A request as the service's journal has it."""

    method: str
    path: str
    status: int | None
    """None if there was no answer."""
    authorized: bool
    """Whether it bore a token: without one nothing is done."""
    fault: str | None
    time: float


class Blind(NamedTuple):
    """A time about which the journal says nothing, since the service was killed with it."""

    since: float
    until: float


@dataclass
class Record:
    """A whole run.

    :param operations: In the order in which they ended.
    :param remaining: What was there in the end: the mark of each resource.
    :param jobs: How each job ended, by its id.
    :param journal: The requests.
    :param blind: When the journal saw nothing.
    :param expected_faults: The faults that were asked for: kinds, and whether they come before the work or after it.
    :param delivered: How often each of these happened, as the service counted for each that it was asked for.
    :param last_life: How many faults of each kind the service counted in its last life, and how many its journal had.
    :param expected_jobs: The kinds of jobs of which at least one must have succeeded.
    """

    operations: list[Operation] = field(default_factory=list)
    remaining: list[tuple[str, str]] = field(default_factory=list)
    jobs: dict[str, str] = field(default_factory=dict)
    journal: list[Seen] = field(default_factory=list)
    blind: list[Blind] = field(default_factory=list)
    expected_faults: frozenset[tuple[str, str]] = frozenset()
    delivered: Mapping[tuple[str, str], int] = field(default_factory=dict)
    last_life: tuple[Mapping[str, int], Mapping[str, int]] = ({}, {})
    expected_jobs: frozenset[JobKind] = frozenset()
