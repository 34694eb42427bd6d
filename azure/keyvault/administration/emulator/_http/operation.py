"""What a handler is given and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from .._domain.faults import FaultMatch
    from .._domain.rate_limits import Limit
    from .._hsm.hsm import Hsm
    from .json_body import JsonBody


class Service(Enum):
    """The part of the service that answers; they differ in headers and in the form of errors."""

    FRONT_END = "front end"
    BACKUP = "backup"


class Body(Enum):
    """What an operation does with a request's body."""

    NONE = "it must be empty"
    JSON = "a JSON object, which the handler reads"
    OPTIONAL_JSON = "a JSON object or nothing, which the handler tells apart"
    IGNORED = "it is not read"


@dataclass(frozen=True, slots=True)
class Call:
    """One request that is allowed, understood as far as every operation has it in common."""

    path: str
    """As it was sent, with single slashes."""
    parameters: Mapping[str, str]
    """The named parts of the path."""
    query: Mapping[str, str]
    api_version: str
    """The newest, where the operation needs none and got none."""
    scope: str
    """Where the operation's action was checked."""
    body: JsonBody
    """The body; without members if there is none."""
    base_url: str
    """How the caller addresses the HSM: scheme and authority."""
    now: float
    admit_again: Callable[[], None]
    """Refuses what is no longer allowed; for a handler that has waited, before it acts."""
    fault_match: FaultMatch
    """What is to go wrong, where the operation itself has to show it."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of an operation that succeeded."""

    body: Mapping[str, Any] | None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


Handler: TypeAlias = "Callable[[Hsm, Call], Awaitable[Result]]"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the service: its path, what it needs, and its handler."""

    method: str
    path: str
    handler: Handler
    action: str
    """The data action that the caller needs, without the service's prefix."""
    at: str = "/"
    """The scope at which it is needed; may use the named parts of the path."""
    query: frozenset[str] = frozenset()
    """The query parameters that it knows besides api-version."""
    body: Body = Body.NONE
    service: Service = Service.FRONT_END
    since: str = "7.2-preview"
    """The api-version that brought it."""
    needs_version: bool = True
    while_restoring: bool = False
    """Whether it is answered while a restore runs."""
    declared_order: bool = False
    """Whether the members of its errors come in the order of their declaration, and not of the alphabet."""
    limit: Limit | None = None
    """The rate limit that it counts for."""
