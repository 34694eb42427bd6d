"""The requests that an emulator has served, for assertions."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import overload

_CAPACITY = 100_000
# A client without a token can send paths of 8 KB as fast as it likes.
_MAX_PATH_LENGTH = 1024


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One request and its response; holds no secret."""

    method: str
    """HTTP method."""
    path: str
    """The path as it was sent, without the query: its first 1,024 characters."""
    principal: str | None
    """Object id of the caller; None if the request had no valid token."""
    status: int | None
    """HTTP status of the response; None if the connection was closed instead."""
    fault: str | None = None
    """The kind of the fault that happened to the request, if any."""
    time: float = field(default=0.0, compare=False)
    """The time at which the request arrived, in unix seconds of the emulator's clock."""


class Journal(Sequence[JournalEntry]):
    """The newest 100,000 requests, oldest first; a read-only list that can be cleared."""

    def __init__(self) -> None:
        self._entries = deque[JournalEntry](maxlen=_CAPACITY)

    def clear(self) -> None:
        """Remove all entries."""
        self._entries.clear()

    @overload
    def __getitem__(self, index: int) -> JournalEntry: ...

    @overload
    def __getitem__(self, index: slice) -> list[JournalEntry]: ...

    def __getitem__(self, index: int | slice) -> JournalEntry | list[JournalEntry]:
        return list(self._entries)[index] if isinstance(index, slice) else self._entries[index]

    def __iter__(self) -> Iterator[JournalEntry]:
        # Of a copy: the server may be adding entries.
        return iter(list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def __eq__(self, other: object) -> bool:
        # A test can compare the journal with a list.
        return list(self._entries) == other if isinstance(other, list) else self is other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"Journal({list(self)!r})"


class Recorder(Journal):
    """The journal as the emulator itself uses it: entries can be added."""

    def append(self, entry: JournalEntry) -> None:
        """Add the newest entry."""
        if len(entry.path) > _MAX_PATH_LENGTH:
            entry = replace(entry, path=entry.path[:_MAX_PATH_LENGTH])
        self._entries.append(entry)
