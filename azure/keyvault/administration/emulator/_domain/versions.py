"""The api-versions of the service, oldest first."""

from __future__ import annotations

from . import errors

API_VERSIONS = (
    "7.2-preview",
    "7.2",
    "7.3-preview",
    "7.3",
    "7.4-preview.1",
    "7.4",
    "7.5-preview.1",
    "7.5",
    "7.6-preview.1",
    "7.6-preview.2",
    "7.6",
    "2025-06-01-preview",
    "2025-07-01",
    "2026-01-01-preview",
    "2026-03-01-preview",
    "2026-04-01",
    "2026-05-01-preview",
    "2026-07-01-preview",
)

NEWEST = API_VERSIONS[-1]

# Older than Managed HSMs, and only for operations on keys.
_KEYS_ONLY = ("7.0", "7.1-preview", "7.1")
KEYS_SINCE = _KEYS_ONLY[0]

_RANK = {version: rank for rank, version in enumerate(_KEYS_ONLY + API_VERSIONS)}


def check(version: str | None, *, since: str) -> None:
    """Refuse a version that is missing, unknown, or older than the operation."""
    if version is None:
        raise errors.bad_parameter("The query parameter api-version is missing")
    if version not in _RANK or (version in _KEYS_ONLY and since != KEYS_SINCE):
        raise errors.bad_parameter(f"The api-version {version!r} is not supported")
    if _RANK[version] < _RANK[since]:
        raise errors.bad_parameter(f"This operation is not part of api-version {version}; it came with {since}")
