"""Backup folders: in a container that is served on this machine, or in the data folder for any other account.

Nothing here ever opens a connection that leaves the machine.
"""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Protocol

from ._domain.jobs import JobFailure, folder_not_found
from ._domain.sas import BACKUP_PERMISSIONS, RESTORE_PERMISSIONS
from ._threads import run_in_thread

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ._clock import Clock
    from ._domain.containers import Target

_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{,199}")


class BackupStorage(Protocol):
    """One container, opened for one job; what goes wrong is a ``JobFailure``."""

    async def check(self) -> None:
        """Make sure that a backup could be written."""
        ...

    async def write(self, folder: str, files: Mapping[str, bytes]) -> None:
        """Write a folder; its last file is written last."""
        ...

    async def read(self, folder: str) -> dict[str, bytes]:
        """Return the files of a folder by name."""
        ...


class Storage:
    """All containers that the HSM can reach.

    :param root: The directory for the accounts that are not on this machine.
    :param own_account: The account that the emulator itself offers. It behaves as a real one: a container must exist.
     The containers of accounts that the emulator knows nothing of come into being with the first backup.
    :param clock: Tells whether a SAS token is valid.
    """

    def __init__(self, root: Path, own_account: str, clock: Clock) -> None:
        self._root = root
        self._own_account = own_account
        self._clock = clock

    def create_container(self, name: str) -> None:
        """Create a container in the emulator's own account."""
        (self._root / self._own_account / name).mkdir(parents=True, exist_ok=True)

    def open(self, target: Target) -> BackupStorage:
        if target.container.is_loopback:
            # The storage library takes half a second to import; an emulator that does not need it starts without it.
            from ._blob_container import BlobContainer  # noqa: PLC0415

            return BlobContainer(target)
        # Both names were checked when the target was read, so they lead nowhere else.
        path = self._root / target.container.account / target.container.name
        is_foreign = target.container.account != self._own_account
        return DataFolder(path, target, self._clock, creates_container=is_foreign)


class DataFolder:
    """A container that is a directory."""

    def __init__(self, path: Path, target: Target, clock: Clock, *, creates_container: bool) -> None:
        self._path = path
        self._target = target
        self._clock = clock
        self._creates_container = creates_container

    async def check(self) -> None:
        self._authorize(BACKUP_PERMISSIONS)
        if not self._creates_container:
            self._require_container()

    async def write(self, folder: str, files: Mapping[str, bytes]) -> None:
        await self.check()
        try:
            await run_in_thread(_write_folder, self._path, folder, files)
        except OSError as error:
            raise JobFailure("StorageUnavailable", f"The data folder cannot be written: {error.strerror}") from error

    async def read(self, folder: str) -> dict[str, bytes]:
        self._authorize(RESTORE_PERMISSIONS)
        self._require_container()
        if not _FOLDER.fullmatch(folder) or not (self._path / folder).is_dir():
            raise folder_not_found(folder)
        try:
            return await run_in_thread(_read_folder, self._path / folder)
        except OSError as error:
            raise JobFailure("StorageUnavailable", f"The data folder cannot be read: {error.strerror}") from error

    def _authorize(self, permissions: str) -> None:
        if self._target.sas:
            self._target.sas.check(self._clock.now(), permissions)

    def _require_container(self) -> None:
        if not self._path.is_dir():
            raise JobFailure("ContainerNotFound", "The specified container does not exist.")


def _write_folder(container: Path, folder: str, files: Mapping[str, bytes]) -> None:
    # A folder appears whole or not at all.
    partial = container / f".{folder}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name, content in files.items():
        (partial / name).write_bytes(content)
    partial.rename(container / folder)


def _read_folder(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
