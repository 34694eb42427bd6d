"""What the server saw, for assertions."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import overload

_CAPACITY = 100_000
# Nothing that the service has is longer; what else callers send need not be kept in full.
_LONGEST_METHOD = 32
_LONGEST_PATH = 1024


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One request and how it was answered; holds no secret."""

    method: str
    """HTTP method."""
    path: str
    """As it was sent, without the query; of one longer than 1,024 characters the rest is left out."""
    principal: str | None
    """Object id of the caller; None if the request bore no valid token."""
    status: int | None
    """HTTP status of the answer; None if the connection was closed instead of an answer."""
    fault: str | None = None
    """The kind of the fault that the emulator was told to show, if this request met one."""
    time: float = field(default=0.0, compare=False)
    """When the request came in, in unix seconds of the emulator's clock."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "method", _clip(self.method, _LONGEST_METHOD))
        object.__setattr__(self, "path", _clip(self.path, _LONGEST_PATH))


class Journal(Sequence[JournalEntry]):
    """The requests that the server answered, oldest first; a read-only list that can be cleared.

    It keeps the newest 100,000, so that an emulator that runs for weeks does not grow.
    """

    def __init__(self) -> None:
        self._entries = deque[JournalEntry](maxlen=_CAPACITY)

    def clear(self) -> None:
        """Forget everything seen so far."""
        self._entries.clear()

    @overload
    def __getitem__(self, index: int) -> JournalEntry: ...

    @overload
    def __getitem__(self, index: slice) -> list[JournalEntry]: ...

    def __getitem__(self, index: int | slice) -> JournalEntry | list[JournalEntry]:
        return list(self._entries)[index] if isinstance(index, slice) else self._entries[index]

    def __iter__(self) -> Iterator[JournalEntry]:
        # Of a copy: the server may add to it meanwhile.
        return iter(list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def __eq__(self, other: object) -> bool:
        # So that a test can compare with a list, whole.
        return list(self._entries) == other if isinstance(other, list) else self is other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"Journal({list(self)!r})"


class Recorder(Journal):
    """The journal as the emulator itself uses it: entries can be added."""

    def append(self, entry: JournalEntry) -> None:
        """Add the newest entry."""
        self._entries.append(entry)


def _clip(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
