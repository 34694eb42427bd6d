"""Rotation policies: their rules, and the expiry of a version."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from . import errors
from .records import RotationPolicy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .records import KeyVersion

TRIGGERS = (_AFTER_CREATE, _BEFORE_EXPIRY) = ("timeAfterCreate", "timeBeforeExpiry")

_LEAST_DAYS = 28
_DURATION = re.compile(r"P(?=\d)(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?", re.ASCII)
# The service counts 31,536,000 seconds for a year; 30 days for a month are our choice.
_DAYS = (365, 30, 7, 1)


def parse(
    expiry_time: str | None, triggers: Sequence[tuple[str, str]], now: int, replaced: RotationPolicy | None
) -> RotationPolicy | None:
    """Return a new policy; None for an empty one, which removes the policy.

    :param expiry_time: Duration of a version's validity.
    :param triggers: Name and duration of each trigger.
    :param replaced: The previous policy.
    """
    if not expiry_time:
        if triggers:
            raise errors.bad_parameter("attributes.expiryTime is required")
        return None
    expiry = _days("expiryTime", expiry_time)
    if expiry < _LEAST_DAYS:
        raise errors.bad_parameter(f"expiryTime must be at least P{_LEAST_DAYS}D, got {expiry_time}")
    for name, duration in triggers:
        days = _days(name, duration)
        if name == _AFTER_CREATE and days < _LEAST_DAYS:
            raise errors.bad_parameter(f"{name} must be at least P{_LEAST_DAYS}D, got {duration}")
        if name == _BEFORE_EXPIRY and days > expiry - _LEAST_DAYS:
            raise errors.bad_parameter(f"{name} must be at most expiryTime - P{_LEAST_DAYS}D, got {duration}")
    return RotationPolicy(replaced.created if replaced else now, now, expiry_time, tuple(triggers))


def next_version(newest: KeyVersion, policy: RotationPolicy, name: str, now: int) -> KeyVersion:
    """Return a version like the newest one, still with its two halves."""
    expires = now + _days("expiryTime", policy.expiry_time) * 86400
    return replace(newest, version=name, created=now, updated=now, enabled=True, not_before=None, expires=expires)


def _days(name: str, duration: str) -> int:
    match = _DURATION.fullmatch(duration)
    if not match:
        raise errors.bad_parameter(f"{name} must be a duration of years, months, weeks and days, got {duration!a}")
    return sum(int(number or 0) * days for number, days in zip(match.groups(), _DAYS, strict=True))
