"""The arguments and the result of a handler, and the description of an operation."""

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
    """The parts of the service, which differ in headers and in the form of errors."""

    FRONT_END = "front end"
    BACKUP = "backup"


class Body(Enum):
    """The body of an operation."""

    NONE = "must be empty"
    JSON = "a JSON object"
    OPTIONAL_JSON = "a JSON object or nothing"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Call:
    """One request that is allowed, parsed as far as all operations have in common."""

    path: str
    """As it was sent, but with single slashes."""
    parameters: Mapping[str, str]
    """The named parts of the path."""
    query: Mapping[str, str]
    api_version: str
    """The newest by default."""
    scope: str
    """The scope at which the operation's action was checked."""
    body: JsonBody
    """The body; without members if there is none."""
    base_url: str
    """The HSM's URL as the caller knows it: scheme and authority."""
    now: float
    admit_again: Callable[[], None]
    """Checks the permission again, for a handler that has awaited something."""
    fault_match: FaultMatch
    """The fault that the operation itself has to show."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of an operation that succeeded."""

    body: Mapping[str, Any] | None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


Handler: TypeAlias = "Callable[[Hsm, Call], Awaitable[Result]]"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the service: its path, its requirements and its handler."""

    method: str
    path: str
    handler: Handler
    action: str
    """The data action that the caller needs, without the service's prefix."""
    at: str = "/"
    """The scope at which it is needed; can refer to named parts of the path."""
    query: frozenset[str] = frozenset()
    """Its query parameters besides api-version."""
    body: Body = Body.NONE
    service: Service = Service.FRONT_END
    since: str = "7.2-preview"
    """The api-version that brought it."""
    needs_version: bool = True
    while_restoring: bool = False
    """Whether it works while a restore runs."""
    declared_order: bool = False
    """Whether the members of its errors are in the order of declaration instead of the alphabet."""
    limit: Limit | None = None
    """Its rate limit."""
