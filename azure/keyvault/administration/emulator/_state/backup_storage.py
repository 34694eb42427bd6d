"""Backup folders: in a container that is served on this machine, or in the data folder for any other account.

Nothing here ever opens a connection that leaves the machine.
"""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Protocol

from .._domain.jobs import JobFailure, check_extent, folder_not_found, invalid_backup
from .._domain.sas import BACKUP_PERMISSIONS, RESTORE_PERMISSIONS
from .threads import run_in_thread

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .._domain.containers import Target
    from .clock import Clock

_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{,199}")
# A folder that is being written has a name that no caller can give.
_PARTIAL = ".{}.partial"


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

    :param root: The directory for the accounts that are not on this machine, one folder for each host.
    :param own_host: The host that the emulator itself offers. It behaves as a real one: a container must exist. The
     containers of hosts that the emulator knows nothing of come into being with the first backup.
    :param clock: Tells whether a SAS token is valid.
    """

    def __init__(self, root: Path, own_host: str, clock: Clock) -> None:
        self._root = root
        self._own_host = own_host
        self._clock = clock

    def create_container(self, name: str) -> None:
        """Create a container on the emulator's own host."""
        self._root.mkdir(mode=0o700, exist_ok=True)
        (self._root / self._own_host / name).mkdir(parents=True, exist_ok=True)

    def remove_partial_folders(self) -> None:
        """Remove what an earlier life of the HSM was writing when it ended."""
        for path in self._root.glob("*/*/" + _PARTIAL.format("*")):
            # Anything but a directory was not written by the emulator: a file stays, a link is not followed. What
            # cannot be removed is in nobody's way.
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)

    def open(self, target: Target) -> BackupStorage:
        container = target.container
        if container.is_loopback:
            # The storage library takes half a second to import; an emulator that does not need it starts without it.
            from .blob_container import BlobContainer  # noqa: PLC0415

            return BlobContainer(target)
        # Both names were checked when the target was read, so they lead nowhere else.
        path = self._root / container.host / container.name
        must_exist = container.host == self._own_host
        return DataFolder(path, target, self._clock, must_exist=must_exist)


class DataFolder:
    """A container that is a directory."""

    def __init__(self, path: Path, target: Target, clock: Clock, *, must_exist: bool) -> None:
        self._path = path
        self._target = target
        self._clock = clock
        self._must_exist = must_exist

    async def check(self) -> None:
        self._authorize(BACKUP_PERMISSIONS)
        if self._must_exist:
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
    # Nothing above these two: storage that a user has removed does not come back.
    for directory in (container.parent, container):
        directory.mkdir(exist_ok=True)
    # A folder appears whole or not at all.
    written = container / _PARTIAL.format(folder)
    written.mkdir()
    try:
        for name, content in files.items():
            (written / name).write_bytes(content)
        written.rename(container / folder)
    except OSError:
        shutil.rmtree(written, ignore_errors=True)
        raise


def _read_folder(folder: Path) -> dict[str, bytes]:
    sizes: dict[str, int] = {}
    for path in folder.iterdir():
        if path.is_symlink() or not path.is_file():
            raise invalid_backup(f"{path.name!a} is not a file")
        sizes[path.name] = path.stat().st_size
        check_extent(sizes)
    return {name: (folder / name).read_bytes() for name in sizes}
