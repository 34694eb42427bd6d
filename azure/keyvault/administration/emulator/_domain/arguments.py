"""Checks of arguments, which can also come from JSON."""

from __future__ import annotations

from typing import Any
from uuid import UUID

# About thirty years: with more, the clock would leave the range of dates.
_MAX_SECONDS = 1e9
SECONDS = f"a number of seconds from 0 to {_MAX_SECONDS:.0f}"


def is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_seconds(value: Any) -> bool:
    return (is_integer(value) or isinstance(value, float)) and 0 <= value <= _MAX_SECONDS


def require(is_valid: bool, name: str, value: object, wanted: str) -> None:
    if not is_valid:
        raise ValueError(f"{name} must be {wanted}, got {value!r}")


def parse_guid(name: str, value: Any) -> str:
    """Return a GUID in the service's form, or raise ValueError."""
    try:
        return str(UUID(value))
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{name} must be a GUID, got {value!r}") from error
