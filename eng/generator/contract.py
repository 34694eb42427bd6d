"""The parts of an OpenAPI document that the templates use."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Member:
    """A member of a JSON object."""

    name: str
    type: str
    required: bool
    added_in: str


@dataclass(frozen=True)
class WireType:
    """A JSON object."""

    name: str
    title: str
    members: tuple[Member, ...]


@dataclass(frozen=True)
class Operation:
    """One method on one path. A scoped one takes the scope as its first argument and puts it in front of the path."""

    tag: str
    name: str
    summary: str
    method: str
    path: str
    scoped: bool
    optional_query: tuple[str, ...]
    body: str | None
    status: int
    result: str
    starts_job: bool

    @property
    def builder(self) -> str:
        """Name of the function that builds the request."""
        return f"{snake_case(self.tag)}_{self.name}"

    @property
    def types(self) -> tuple[str, ...]:
        """Names of the wire types that the client writes or reads. The response to a job's start is read elsewhere."""
        return (*([self.body] if self.body else ()), *(() if self.starts_job else (self.result,)))

    @property
    def arguments(self) -> tuple[str, ...]:
        """The arguments besides the body: the scope, then the path's parameters."""
        scope = ("scope",) if self.scoped else ()
        return (*scope, *map(snake_case, placeholders(self.path)))


@dataclass(frozen=True)
class Contract:
    """All that is generated, in the document's order."""

    first_version: str
    types: tuple[WireType, ...]
    operations: tuple[Operation, ...]


def placeholders(path: str) -> tuple[str, ...]:
    """Names of the parameters in a path template, in order."""
    return tuple(re.findall(r"\{(\w+)\}", path))


def snake_case(name: str) -> str:
    """Python's spelling of a name of the service: `roleDefinitionName` and `$filter` lose capitals and dollar."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.removeprefix("$")).lower()
