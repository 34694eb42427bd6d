"""Lists in pages: which part of a list a page is, and how the next one is asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from . import errors

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOKEN = re.compile("([0-9a-f-]{36})\\.([1-9][0-9]{0,8})")


class SkipToken(NamedTuple):
    """Where the next page of a list of roles or assignments begins, and how long it is."""

    first: str
    size: int

    def __str__(self) -> str:
        return f"{self.first}.{self.size}"


def parse_skip_token(token: str) -> SkipToken:
    match = _TOKEN.fullmatch(token)
    if not match:
        raise _foreign_token()
    return SkipToken(match[1], int(match[2]))


def page(names: Sequence[str], first: str, size: int) -> tuple[slice, str | None]:
    """Return which part of a list begins with a name, and the name with which the next part begins.

    A caller may delete what the list has shown, and go on: so a part is told by its first name, which is still to come.

    :raises ServiceError: if the name is no longer in the list: guessing would leave items out.
    """
    if first and first not in names:
        raise _foreign_token()
    start = names.index(first) if first else 0
    end = start + size
    return slice(start, end), names[end] if end < len(names) else None


def _foreign_token() -> errors.ServiceError:
    return errors.bad_parameter("The $skiptoken is not one of this list")
