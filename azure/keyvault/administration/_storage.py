"""The place of a backup: container and folder URLs, and their SAS token. Pure: the time is an argument."""

from __future__ import annotations

import contextlib
import re
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from ._identifiers import described

# The local clock may be a little off; the service decides about the last minutes of a token.
_EXPIRY_LEEWAY = timedelta(minutes=15)

# Two parsers may find different hosts in a URL with one of these.
_AMBIGUOUS = frozenset("@\\")

# Straight ones, of a shell or a configuration file, and typographic ones, of a word processor.
_QUOTES = frozenset("\"'\u2018\u2019\u201c\u201d")

_IP_ADDRESS = re.compile(r"[0-9.]+|.*:.*")


class BackupFolder(NamedTuple):
    """The container and the folder of a backup."""

    container_url: str
    folder: str


class StorageAccess(NamedTuple):
    """A container, and the credential with which the service accesses it."""

    container_url: str
    sas_token: str | None
    use_managed_identity: bool


def container_url(value: object) -> str:
    """Return a blob container's URL without query and trailing slash.

    :param value: The user's argument.
    :raises ValueError: If it is not the URL of a container.
    """
    base, segments = _split(value, "blob_storage_url", "https://<account>.blob.core.windows.net/<container>")
    if len(segments) < _container_depth(base):
        raise ValueError(f"blob_storage_url must name a container: the path is too short in {described(value)}")
    return "/".join((base, *segments))


def backup_folder(value: object) -> BackupFolder:
    """Split a folder URL into the container's URL and the folder's name.

    On Azure the container is the first segment of the path. On an IP address or ``localhost`` (Azurite) the account
    comes first. A query is dropped: it can only be a SAS token, which has its own argument.

    :param value: The user's argument: usually the ``folder_url`` of a backup's result.
    :raises ValueError: If it is not the URL of a folder.
    """
    base, segments = _split(value, "folder_url", "https://<account>.blob.core.windows.net/<container>/<folder>")
    depth = _container_depth(base)
    if len(segments) <= depth:
        raise ValueError(f"folder_url must name a folder in a container: the path is too short in {described(value)}")
    return BackupFolder("/".join((base, *segments[:depth])), "/".join(segments[depth:]))


def storage_access(container: str, token: object, *, use_managed_identity: bool, now: datetime) -> StorageAccess:
    """Return how the service accesses a container.

    :param container: A checked URL.
    :param token: The user's SAS token, or None.
    :keyword use_managed_identity: Whether the service uses its own identity.
    :keyword now: The time, with a timezone.
    :raises ValueError: If there is neither a token nor an identity, or the token cannot be valid.
    """
    if use_managed_identity and not token:
        return StorageAccess(container, None, use_managed_identity=True)
    if token is None:
        raise ValueError("the service needs access to the container: pass sas_token, or use_managed_identity=True")
    return StorageAccess(container, sas_token(token, now=now), use_managed_identity)


def sas_token(value: object, *, now: datetime) -> str:
    """Return a SAS token without its leading question mark.

    :param value: The user's argument. It never appears in an error.
    :param now: The time, with a timezone.
    :raises ValueError: If it cannot be a valid token: blank, in quotes, a whole URL, or expired beyond doubt.
    """
    wanted = "sas_token must be a Shared Access Signature such as 'sv=...&sig=...'"
    if not isinstance(value, str):
        raise ValueError(f"{wanted}, got {described(value)}")  # noqa: TRY004 - the error of every bad argument
    token = value.strip().lstrip("?")
    if not token:
        raise ValueError(f"{wanted}, got a blank string")
    if _QUOTES & {token[0], token[-1]}:
        raise ValueError(f"{wanted}, without the quotation marks around it")
    if "://" in token:
        raise ValueError(f"{wanted}, got a whole URL: only the part after its question mark is the token")
    expiry = _expiry(token)
    if expiry is not None and expiry < now - _EXPIRY_LEEWAY:
        raise ValueError(f"sas_token expired at {expiry.isoformat()}: a token that is still valid is needed")
    return token


def _split(value: object, parameter: str, example: str) -> tuple[str, list[str]]:
    """Split a storage URL into scheme with host, and the segments of its path."""
    wanted = f"{parameter} must be a URL such as '{example}'"
    parts = None
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            parts = urlsplit(value.strip())
    if parts is None or parts.scheme not in ("https", "http") or not parts.hostname or _AMBIGUOUS & set(parts.netloc):
        # Raised outside the handler: Python's own error shows the host, with a password in front of it.
        raise ValueError(f"{wanted}, got {described(value)}")
    return f"{parts.scheme}://{parts.netloc}", [segment for segment in parts.path.split("/") if segment]


def _container_depth(base: str) -> int:
    """Return the number of path segments up to and including the container."""
    host = urlsplit(base).hostname or ""
    return 2 if host == "localhost" or _IP_ADDRESS.fullmatch(host) else 1


def _expiry(token: str) -> datetime | None:
    """Return the expiry of a SAS token, or None if only the service knows it."""
    values = parse_qs(token).get("se")
    if not values:
        return None
    import isodate  # noqa: PLC0415 - costs several milliseconds to import

    parse: Any = isodate  # has no types
    text = values[0]
    try:
        if "T" in text:
            expiry: datetime = parse.parse_datetime(text)
        else:
            day = parse.parse_date(text)
            expiry = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - UTC is set below
    except (ValueError, OverflowError):  # isodate's own error is a ValueError
        return None
    return expiry if expiry.tzinfo else expiry.replace(tzinfo=timezone.utc)
