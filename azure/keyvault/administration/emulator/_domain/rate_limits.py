"""Rate limits: the number of requests of a kind in a second."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from . import errors
from .arguments import SECONDS, is_seconds, require

# A unix time as a float has a resolution of a quarter of a microsecond, by which a full token must not fall short.
_ROUNDING = 1e-6


class Limit(Enum):
    """The limited kinds of requests."""

    RBAC = "RBAC operations"
    JOB_START = "starts of jobs"


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The number of requests that an HSM serves in a second; more get 429.

    A limit applies to the HSM as a whole: all principals, clients and processes together. Unused requests are saved up
    for a second.

    :param rbac_operations: Reads and writes of role definitions and role assignments in a second. Defaults to 5, as
     documented.
    :param job_starts: Starts of backups, restores and checks in a second. Defaults to 1, as documented.
    :param retry_after: ``Retry-After`` of a 429 in seconds; None for no such header. Defaults to 1; what the service
     does is unknown.
    :raises ValueError: if a number is out of range.
    """

    rbac_operations: float = 5
    job_starts: float = 1
    retry_after: int | None = 1

    def __post_init__(self) -> None:
        for name in ("rbac_operations", "job_starts"):
            value = getattr(self, name)
            # Less than one a second would never save up a whole request.
            require(is_seconds(value) and value >= 1, name, value, "a number from 1")
        is_valid = self.retry_after is None or is_seconds(self.retry_after)
        require(is_valid, "retry_after", self.retry_after, f"{SECONDS}, or None")


class RateLimiter:
    """Counts the requests of one HSM, for each limit in a token bucket with the size of a second, full at first."""

    def __init__(self, limits: RateLimits, now: float) -> None:
        self._retry_after = limits.retry_after
        self._buckets = {
            Limit.RBAC: _Bucket(limits.rbac_operations, now),
            Limit.JOB_START: _Bucket(limits.job_starts, now),
        }

    def admit(self, limit: Limit, now: float) -> None:
        """Count a request, or refuse it if there were too many. Refused requests don't count."""
        bucket = self._buckets[limit]
        if not bucket.take(now):
            raise errors.too_many_requests(f"{bucket.rate:g} {limit.value}", self._retry_after)


class _Bucket:
    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self._level = rate
        self._at = now

    def take(self, now: float) -> bool:
        # The wall clock can be set back.
        self._level = min(self.rate, self._level + self.rate * max(0.0, now - self._at))
        self._at = now
        if self._level < 1 - _ROUNDING:
            return False
        self._level = max(0.0, self._level - 1)
        return True
