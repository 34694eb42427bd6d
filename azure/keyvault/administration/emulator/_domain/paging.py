"""Lists in pages: the items of a page, and the token for the next one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from . import errors

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOKEN = re.compile("([0-9a-f-]{36})\\.([1-9][0-9]{0,8})")


class SkipToken(NamedTuple):
    """The first name and the size of the next page of roles or assignments."""

    first: str
    size: int

    def __str__(self) -> str:
        return f"{self.first}.{self.size}"


def parse_skip_token(token: str) -> SkipToken:
    match = _TOKEN.fullmatch(token)
    if not match:
        raise _invalid_token()
    return SkipToken(match[1], int(match[2]))


def page(names: Sequence[str], first: str, size: int) -> tuple[slice, str | None]:
    """Return the page that begins with a name, and the first name of the next page.

    A caller can delete items of earlier pages meanwhile, so a page is identified by its first name.

    :raises ServiceError: if the name is no longer in the list: guessing could skip items.
    """
    if first and first not in names:
        raise _invalid_token()
    start = names.index(first) if first else 0
    end = start + size
    return slice(start, end), names[end] if end < len(names) else None


def _invalid_token() -> errors.ServiceError:
    return errors.bad_parameter("The $skiptoken is not one of this list")
