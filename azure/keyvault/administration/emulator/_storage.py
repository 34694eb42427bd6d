"""Backup folders: in a container that is served on this machine, or in the data folder for any other account.

Nothing here ever opens a connection that leaves the machine.
"""

from __future__ import annotations

import re
import secrets
import shutil
from base64 import b64encode
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Protocol

from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.blob import ContainerSasPermissions, generate_container_sas
from azure.storage.blob.aio import ContainerClient

from ._domain.jobs import JobFailure
from ._domain.sas import BACKUP_PERMISSIONS, RESTORE_PERMISSIONS
from ._threads import run_in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from pathlib import Path

    from ._clock import Clock
    from ._domain.containers import Container, Target

_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{,199}")
_PROBE = "mhsm-prebackup-check"
# The account of every local storage emulator and its key, which is public.
_DEVELOPMENT_ACCOUNT = "devstoreaccount1"
_DEVELOPMENT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

# The secret part of a SAS token, wherever it is quoted.
_SIGNATURE = re.compile(r"sig=[^&\s]+", re.IGNORECASE)


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
            return BlobContainer(target)
        # Both names were checked when the target was read, so they lead nowhere else.
        path = self._root / target.container.account / target.container.name
        is_open = target.container.account != self._own_account
        return DataFolder(path, target, self._clock, creates_container=is_open)


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


class BlobContainer:
    """A container that a storage emulator serves on this machine; it judges the SAS token itself."""

    def __init__(self, target: Target) -> None:
        self._target = target

    async def check(self) -> None:
        async with self._client() as client:
            await client.upload_blob(_PROBE, b"", overwrite=True)
            await client.delete_blob(_PROBE)

    async def write(self, folder: str, files: Mapping[str, bytes]) -> None:
        async with self._client() as client:
            for name, content in files.items():
                await client.upload_blob(f"{folder}/{name}", content)

    async def read(self, folder: str) -> dict[str, bytes]:
        prefix = f"{folder}/"
        files: dict[str, bytes] = {}
        async with self._client() as client:
            async for name in client.list_blob_names(name_starts_with=prefix):
                files[name.removeprefix(prefix)] = await (await client.download_blob(name)).readall()
        if not files:
            raise folder_not_found(folder)
        return files

    @asynccontextmanager
    async def _client(self) -> AsyncGenerator[ContainerClient]:
        container = self._target.container
        client = ContainerClient.from_container_url(
            container.url,
            credential=self._target.sas.token if self._target.sas else _identity(container),
            # No proxy, no redirect and no second try: what this machine does not answer at once is an answer, too.
            transport=AioHttpTransport(use_env_settings=False, connection_timeout=5, read_timeout=30),
            permit_redirects=False,
            retry_total=0,
        )
        async with client:
            try:
                yield client
            except HttpResponseError as error:
                # Storage may quote the token, and what a job says is kept and shown.
                said = _SIGNATURE.sub("sig=REDACTED", error.message.partition("\n")[0])
                raise JobFailure(_error_code(error), said) from error
            except AzureError as error:
                raise JobFailure("StorageUnavailable", f"{container.url} cannot be reached") from error


def new_sas_token(account: str, container: str, now: float) -> str:
    """Return a token with every permission on a container, good for a week.

    The key that signs it is thrown away: the data folder checks what a token says, not its signature.
    """
    return generate_container_sas(
        account,
        container,
        account_key=b64encode(secrets.token_bytes(64)).decode(),
        permission=ContainerSasPermissions(read=True, write=True, create=True, delete=True, list=True),
        start=datetime.fromtimestamp(now, timezone.utc) - timedelta(minutes=15),
        expiry=datetime.fromtimestamp(now, timezone.utc) + timedelta(days=7),
    )


def _error_code(error: HttpResponseError) -> str:
    # The storage library puts an enum there where it knows the code, and text where it does not.
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or "StorageError")


def folder_not_found(folder: str) -> JobFailure:
    return JobFailure("InvalidBackup", f"Invalid backup provided: the folder {folder!a} does not exist")


def _identity(container: Container) -> AzureNamedKeyCredential:
    if container.account != _DEVELOPMENT_ACCOUNT:
        message = f"On this machine the managed identity may use only the account {_DEVELOPMENT_ACCOUNT}"
        raise JobFailure("AuthorizationFailure", message)
    return AzureNamedKeyCredential(_DEVELOPMENT_ACCOUNT, _DEVELOPMENT_KEY)


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
