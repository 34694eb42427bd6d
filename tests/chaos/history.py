"""What happened: what the clients asked for and were told, what the service was left with, what it saw. Pure data."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple


class Action(Enum):
    """What an operation does to the one resource that it is about."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"
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
    :param expected_faults: The kinds of faults that were asked for.
    """

    operations: list[Operation] = field(default_factory=list)
    remaining: list[tuple[str, str]] = field(default_factory=list)
    jobs: dict[str, str] = field(default_factory=dict)
    journal: list[Seen] = field(default_factory=list)
    blind: list[Blind] = field(default_factory=list)
    expected_faults: frozenset[str] = frozenset()
