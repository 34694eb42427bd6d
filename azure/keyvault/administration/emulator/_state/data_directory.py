"""The directory that keeps an HSM: what lies in it, and whether it can be used."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

_LOGGER = logging.getLogger(__name__)

_OTHERS = 0o077


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


def prepare(path: Path) -> DataDirectory:
    """Make a directory ready for an HSM, or for the next life of the one that it holds.

    :param path: The directory; created if it does not exist.
    :raises OSError: if it cannot be created or written.
    """
    # Programs of other users come through, to the certificates that they are told to trust, and see nothing else.
    path.mkdir(mode=0o711, parents=True, exist_ok=True)
    _require_access(path, os.R_OK | os.W_OK | os.X_OK)
    database, storage = path / "hsm.sqlite", path / "storage"
    if database.exists():
        _require_access(database, os.R_OK | os.W_OK)
    data = DataDirectory(
        database,
        path / "security-domain",
        storage,
        path / "certificates.pem",
        is_used=database.exists() and storage.exists(),
    )
    for each in (*path.glob(f"{data.database.name}*"), data.security_domain, data.storage, data.certificates):
        _close_to_others(each)
    return data


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
