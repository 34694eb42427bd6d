"""Backup folders: in a container that is served on this machine, or in the data directory for any other account.

No connection leaves the machine.
"""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Protocol

from .._domain.jobs import JobFailure, check_size, folder_not_found, invalid_backup
from .._domain.sas import BACKUP_PERMISSIONS, RESTORE_PERMISSIONS
from .threads import run_in_thread

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .._domain.containers import Target
    from .clock import Clock

_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{,199}")
# While a folder is being written, it has a name that no caller can use.
_PARTIAL = ".{}.partial"


class BackupStorage(Protocol):
    """One container, opened for one job; every error is a ``JobFailure``."""

    async def check(self) -> None:
        """Make sure that a backup could be written."""

    async def write(self, folder: str, files: Mapping[str, bytes]) -> None:
        """Write the files of a folder in order: the manifest, which is last, shows that the backup is complete."""

    async def read(self, folder: str) -> dict[str, bytes]:
        """Return the files of a folder by name."""
        ...


class Storage:
    """All containers that the HSM can reach.

    :param root: The directory for accounts that are not on this machine, with a folder for each host.
    :param own_host: The emulator's own host, where a container must exist, as on a real one. Containers of other hosts
     are created by their first backup.
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
        """Remove what an earlier process was writing when it was killed."""
        for path in self._root.glob("*/*/" + _PARTIAL.format("*")):
            # The emulator wrote no files or links of that name. A directory that cannot be removed does no harm.
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)

    def open(self, target: Target) -> BackupStorage:
        container = target.container
        if container.is_loopback:
            # Importing the storage library takes half a second.
            from .blob_container import BlobContainer  # noqa: PLC0415

            return BlobContainer(target)
        # Both names were checked when the target was parsed, so the path is below the root.
        path = self._root / container.host / container.name
        must_exist = container.host == self._own_host
        return DataFolder(path, target, self._clock, must_exist=must_exist)


class DataFolder:
    """A container in the data directory."""

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
    # Only these two: if the user has removed the storage directory, it stays removed.
    for directory in (container.parent, container):
        directory.mkdir(exist_ok=True)
    # A folder appears complete or not at all.
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
        check_size(sizes)
    return {name: (folder / name).read_bytes() for name in sizes}
