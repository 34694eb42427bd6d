"""The data directory of an HSM: the paths of its files, and whether it can be used.

A directory that another user has prepared is refused: applications would trust a certificate authority in it, the
emulator would adopt a security domain or a database, and follow links. The path is checked from the root down: in a
directory that no other user owns or can write to, no other user can change what was checked.
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
# The emulator's own files; the directory may hold other files, too.
_OWN = (f"{_DATABASE}*", _SECURITY_DOMAIN, "*.pem", _STORAGE)
_HAS_OWNERS = sys.platform != "win32"


class DataDirectory(NamedTuple):
    """The paths in a data directory."""

    database: Path
    security_domain: Path
    storage: Path
    certificates: Path


def prepare(path: Path, *, is_own: bool = False) -> DataDirectory:
    """Create a directory for an HSM, or check the one that exists.

    :keyword is_own: Whether this process has just created the directory.
    :raises OSError: if it cannot be created or written, or another user may have prepared it.
    """
    if not is_own:
        _require_safe(path)
    _require_access(path, os.R_OK | os.W_OK | os.X_OK)
    data = DataDirectory(path / _DATABASE, path / _SECURITY_DOMAIN, path / _STORAGE, path / "certificates.pem")
    if data.database.exists():
        _require_access(data.database, os.R_OK | os.W_OK)
    for each in (*path.glob(f"{_DATABASE}*"), data.security_domain, data.storage, data.certificates):
        _restrict_access(each)
    return data


def _require_safe(path: Path) -> None:
    """Create the directory if it does not exist, and refuse it if another user may have prepared it."""
    with suppress(FileNotFoundError):
        # A cycle of links is an error here, so following them below ends.
        path.stat()
    # Also before anything is created: another user's link may point anywhere.
    _require_safe_path(path)
    # Programs of other users can open the certificates that they trust, by name, and list nothing.
    path.mkdir(mode=0o711, parents=True, exist_ok=True)
    _require_safe_path(path)
    _require_own(path.resolve())
    # Not with glob, which skips dangling links.
    for each in path.iterdir():
        if any(fnmatch(each.name, pattern) for pattern in _OWN):
            _require_own(each)
    # Hosts and containers. No other user can enter the directory above them; backups are checked when they are read.
    for each in (*path.glob(f"{_STORAGE}/*"), *path.glob(f"{_STORAGE}/*/*")):
        _require_trusted(each, _status_of_file(each))


def _require_safe_path(path: Path) -> None:
    """Refuse a path of which another user can replace a part, now or later."""
    for each in (*reversed(path.parents), path):
        try:
            status = each.lstat()
        except FileNotFoundError:
            return
        _require_trusted(each, status)
        if stat.S_ISLNK(status.st_mode):
            _require_safe_path(each.parent / each.readlink())
        # In a sticky directory such as /tmp, an entry can be replaced by its owner only.
        elif _HAS_OWNERS and status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
            raise _unsafe(each, "can be written by every user", f"run chmod o-w {each}")


def _require_own(path: Path) -> None:
    """Refuse a file or directory that another user owns or can write, or that is a link."""
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
    # In a container, root can have another id: that of the root directory's owner.
    if _HAS_OWNERS and status.st_uid not in {os.geteuid(), 0, os.lstat("/").st_uid}:
        raise _unsafe(path, f"belongs to another user (uid {status.st_uid})", "make it your own")


def _unsafe(path: Path, reason: str, remedy: str) -> PermissionError:
    return PermissionError(f"{path} {reason}, so its content may not be yours; {remedy}, or use another data directory")


def _require_access(path: Path, mode: int) -> None:
    if not os.access(path, mode):
        raise PermissionError(f"{path} cannot be read and written; make it so, or use another data directory")


def _restrict_access(path: Path) -> None:
    """Restrict access to the owner: the state holds the key that signs tokens."""
    try:
        mode = path.stat().st_mode
        if mode & _OTHERS:
            path.chmod(mode & ~_OTHERS)
    except FileNotFoundError:
        return
    except OSError as error:
        _LOGGER.warning("Cannot restrict access to %s to its owner: %s", path, error.strerror)
