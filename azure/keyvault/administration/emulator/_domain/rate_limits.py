"""Rate limits: how many requests of a kind the service takes in a second."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from . import errors

# The unix time as a float is no finer than a quarter of a microsecond: what is earned in full must not lack that.
_ROUNDING = 1e-6
_MOST_SECONDS = 1_000_000_000


class Limit(Enum):
    """What is limited, in words."""

    RBAC = "RBAC operations"
    JOB_START = "starts of jobs"


@dataclass(frozen=True, slots=True)
class RateLimits:
    """How many requests an HSM takes in a second; it refuses more with 429.

    A limit holds for the HSM, whatever principal, client and process a request comes from. What is not used is saved
    up for a second.

    :param rbac_operations: Reads and writes of role definitions and role assignments in a second. Defaults to 5, as
     documented.
    :param job_starts: Starts of backups, restores and checks in a second. Defaults to 1, as documented.
    :param retry_after: Seconds that a 429 names in ``Retry-After``; None leaves the header out. It is not known what
     the service does. Defaults to 1.
    :raises ValueError: if a number is out of its range.
    """

    rbac_operations: float = 5
    job_starts: float = 1
    retry_after: int | None = 1

    def __post_init__(self) -> None:
        for name in ("rbac_operations", "job_starts"):
            value = getattr(self, name)
            # Less than one a second would never save up a whole request.
            if not 1 <= value <= _MOST_SECONDS:
                raise ValueError(f"{name} must be a number from 1, got {value!r}")
        if self.retry_after is not None and not 0 <= self.retry_after <= _MOST_SECONDS:
            raise ValueError(f"retry_after must be seconds from 0, or None, got {self.retry_after!r}")


class RateLimiter:
    """Counts the requests of one HSM against its limits, each in a token bucket that holds what a second earns.

    :param limits: The limits.
    :param now: The time in seconds. The buckets are full in the beginning.
    """

    def __init__(self, limits: RateLimits, now: float) -> None:
        self._retry_after = limits.retry_after
        self._buckets = {
            Limit.RBAC: _Bucket(limits.rbac_operations, now),
            Limit.JOB_START: _Bucket(limits.job_starts, now),
        }

    def admit(self, limit: Limit, now: float) -> None:
        """Count a request, or refuse it. One that is refused doesn't count.

        :param limit: What it counts for.
        :param now: The time in seconds.
        :raises ServiceError: if there have been too many.
        """
        bucket = self._buckets[limit]
        if not bucket.take(now):
            raise errors.too_many_requests(f"{bucket.rate:g} {limit.value}", self._retry_after)


class _Bucket:
    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self._level = rate
        self._at = now

    def take(self, now: float) -> bool:
        # A wall clock may be put back.
        self._level = min(self.rate, self._level + self.rate * max(0.0, now - self._at))
        self._at = now
        if self._level < 1 - _ROUNDING:
            return False
        self._level = max(0.0, self._level - 1)
        return True
