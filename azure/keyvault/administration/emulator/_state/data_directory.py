"""The directory that keeps an HSM: what lies in it, and whether it can be used.

What another user has prepared is refused: an authority in it would be trusted by applications, a security domain or a
database adopted, and a link followed. The way to the directory is checked from the root down. Once a directory belongs
to nobody else and nobody else may write to it, nobody else can change what was checked in it.
"""

from __future__ import annotations

import logging
import os
import stat
import sys
from contextlib import suppress
from fnmatch import fnmatch
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

_LOGGER = logging.getLogger(__name__)

_OTHERS = 0o077
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_DATABASE = "hsm.sqlite"
_SECURITY_DOMAIN = "security-domain"
_STORAGE = "storage"
# What an HSM has in its directory, which may hold other things, too.
_OWN = (f"{_DATABASE}*", _SECURITY_DOMAIN, "*.pem", _STORAGE)
_HAS_OWNERS = sys.platform != "win32"


class DataDirectory(NamedTuple):
    """Where everything lies."""

    database: Path
    security_domain: Path
    storage: Path
    certificates: Path
    is_used: bool
    """Whether an HSM has been here: storage comes only after the database has its first content."""

    def require_unused(self) -> None:
        """Make sure that a database without content never had any."""
        if self.is_used:
            what = f"{self.database} is damaged: it is empty"
            raise OSError(f"{what}. Put a copy in its place, or remove it to begin anew")


def prepare(path: Path, *, is_own: bool = False) -> DataDirectory:
    """Make a directory ready for an HSM, or for the next life of the one that it holds.

    :param path: The directory; created if it does not exist.
    :keyword is_own: Whether this process has just made the directory.
    :raises OSError: if it cannot be created or written, or another user may have prepared it.
    """
    if not is_own:
        _require_safe(path)
    _require_access(path, os.R_OK | os.W_OK | os.X_OK)
    database, storage = path / _DATABASE, path / _STORAGE
    if database.exists():
        _require_access(database, os.R_OK | os.W_OK)
    data = DataDirectory(
        database,
        path / _SECURITY_DOMAIN,
        storage,
        path / "certificates.pem",
        is_used=database.exists() and storage.exists(),
    )
    for each in (*path.glob(f"{_DATABASE}*"), data.security_domain, data.storage, data.certificates):
        _close_to_others(each)
    return data


def _require_safe(path: Path) -> None:
    """Create the directory if it does not exist, and refuse it if another user may have prepared it."""
    with suppress(FileNotFoundError):
        # Links that lead in a circle are an error here, so that following them ends.
        path.stat()
    # Before anything is created, too: another user's link may lead anywhere.
    _require_safe_way(path)
    # Programs of other users come through, to the certificates that they are told to trust, and see nothing else.
    path.mkdir(mode=0o711, parents=True, exist_ok=True)
    _require_safe_way(path)
    _require_own(path.resolve())
    # Listed, because a glob passes over links that lead nowhere.
    for each in path.iterdir():
        if any(fnmatch(each.name, pattern) for pattern in _OWN):
            _require_own(each)
    # Hosts and containers. Nobody else gets into the directory above them; what is in them is checked when it is read.
    for each in (*path.glob(f"{_STORAGE}/*"), *path.glob(f"{_STORAGE}/*/*")):
        _require_trusted(each, _status_of_file(each))


def _require_safe_way(path: Path) -> None:
    """Refuse a path of which another user can replace a part, now or later."""
    for each in (*reversed(path.parents), path):
        try:
            status = each.lstat()
        except FileNotFoundError:
            return
        _require_trusted(each, status)
        if stat.S_ISLNK(status.st_mode):
            _require_safe_way(each.parent / each.readlink())
        # In a directory such as /tmp, which is sticky, an entry can be replaced by its owner only.
        elif _HAS_OWNERS and status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
            raise _unsafe(each, "can be written by every user", f"run chmod o-w {each}")


def _require_own(path: Path) -> None:
    """Refuse what another user owns or may write, and links."""
    status = _status_of_file(path)
    _require_trusted(path, status)
    if _HAS_OWNERS and status.st_mode & _WRITABLE_BY_OTHERS:
        raise _unsafe(path, "can be written by other users", f"run chmod go-w {path} if its content is yours")


def _status_of_file(path: Path) -> os.stat_result:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        raise _unsafe(path, "is a link, which may lead to anything", "put what it leads to in its place")
    return status


def _require_trusted(path: Path, status: os.stat_result) -> None:
    # The owner of the root directory is root, under whatever id a container shows it.
    if _HAS_OWNERS and status.st_uid not in {os.geteuid(), 0, os.lstat("/").st_uid}:
        raise _unsafe(path, f"belongs to another user (uid {status.st_uid})", "make it your own")


def _unsafe(path: Path, reason: str, remedy: str) -> PermissionError:
    return PermissionError(f"{path} {reason}, so its content may not be yours; {remedy}, or use another data directory")


def _require_access(path: Path, mode: int) -> None:
    if not os.access(path, mode):
        raise PermissionError(f"{path} cannot be read and written; make it so, or use another data directory")


def _close_to_others(path: Path) -> None:
    """Restrict access to the owner: the state holds the key that signs tokens.

    The directory itself may be used for other things, and is left as it is.
    """
    try:
        mode = path.stat().st_mode
        if mode & _OTHERS:
            path.chmod(mode & ~_OTHERS)
    except FileNotFoundError:
        return
    except OSError as error:
        _LOGGER.warning("Others may use %s, and that cannot be changed: %s", path, error.strerror)
