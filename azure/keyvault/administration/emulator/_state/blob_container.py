"""A backup container that a storage emulator serves on this machine."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import uuid4

from aiohttp import ClientSession, DummyCookieJar, hdrs

from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.blob.aio import ContainerClient

from .._domain.jobs import MAX_BACKUP_FILES, JobFailure, check_size, folder_not_found
from .._domain.sas import redact

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Mapping

    from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, StreamReader

    from .._domain.containers import Container, Target

# The account of every local storage emulator, and its public key.
_DEVELOPMENT_ACCOUNT = "devstoreaccount1"
_DEVELOPMENT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
# For a list of blobs or an error; a blob can have as many bytes as the list says.
_MAX_RESPONSE = 1024 * 1024
# Storage may send empty pages, but not endlessly.
_MAX_PAGES = 100
# For the whole of a backup or of a restore.
_MAX_SECONDS = 120

_T = TypeVar("_T")


class BlobContainer:
    """A container of a storage emulator, which checks the SAS token itself."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._allowance = _MAX_RESPONSE

    async def check(self) -> None:
        await self._within_time(self._check())

    async def write(self, folder: str, files: Mapping[str, bytes]) -> None:
        await self._within_time(self._write(folder, files))

    async def read(self, folder: str) -> dict[str, bytes]:
        return await self._within_time(self._read(folder))

    async def _check(self) -> None:
        async with self._client() as client:
            # A new name, because the blob is deleted afterwards.
            probe = f"mhsm-prebackup-check-{uuid4().hex}"
            await client.upload_blob(probe, b"")
            await client.delete_blob(probe)

    async def _write(self, folder: str, files: Mapping[str, bytes]) -> None:
        async with self._client() as client:
            for name, content in files.items():
                await client.upload_blob(f"{folder}/{name}", content)

    async def _read(self, folder: str) -> dict[str, bytes]:
        prefix = f"{folder}/"
        async with self._client() as client:
            sizes = await self._list(client, prefix)
            if not sizes:
                raise folder_not_found(folder)
            files: dict[str, bytes] = {}
            for name, size in sizes.items():
                self._allowance = max(size, _MAX_RESPONSE)
                files[name] = await (await client.download_blob(prefix + name)).readall()
            return files

    async def _list(self, client: ContainerClient, prefix: str) -> dict[str, int]:
        """Return the sizes of the blobs in a folder, if it can be a backup."""
        sizes: dict[str, int] = {}
        pages = client.list_blobs(name_starts_with=prefix, results_per_page=MAX_BACKUP_FILES + 1).by_page()
        left = _MAX_PAGES
        async for page in pages:
            async for blob in page:
                sizes[blob.name.removeprefix(prefix)] = blob.size
                check_size(sizes)
            left -= 1
            if not left:
                raise self._unavailable("lists without end")
        return sizes

    async def _within_time(self, work: Awaitable[_T]) -> _T:
        try:
            return await asyncio.wait_for(work, _MAX_SECONDS)
        except asyncio.TimeoutError as error:
            raise self._unavailable(f"takes longer than {_MAX_SECONDS} seconds") from error

    async def _bound(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Return a response whose body fails to be read as soon as it is larger than expected."""
        response = await handler(request)
        if hdrs.CONTENT_ENCODING in response.headers:
            # The storage library would decompress it, however large it gets.
            response.close()
            raise self._unavailable("sends compressed data")
        too_much = self._unavailable("sends more than expected")
        # It has the methods that are used: the storage library reads parts, and aiohttp the whole.
        response.content = cast("StreamReader", _BoundedContent(response.content, self._allowance, too_much))
        return response

    def _unavailable(self, what: str) -> JobFailure:
        return JobFailure("StorageUnavailable", f"{self._target.container.url} {what}")

    @asynccontextmanager
    async def _client(self) -> AsyncGenerator[ContainerClient]:
        container = self._target.container
        credential = self._target.sas.token if self._target.sas else _identity(container)
        # No proxy, redirect or retry: a service on this machine responds immediately or is down.
        async with ClientSession(
            cookie_jar=DummyCookieJar(), auto_decompress=False, trust_env=False, middlewares=(self._bound,)
        ) as session:
            client = ContainerClient.from_container_url(
                container.url,
                credential=credential,
                transport=AioHttpTransport(
                    session=session, session_owner=False, use_env_settings=False, connection_timeout=5, read_timeout=30
                ),
                permit_redirects=False,
                retry_total=0,
            )
            try:
                async with client:
                    yield client
            except HttpResponseError as error:
                # Storage may quote the token, and what a job says is kept and shown.
                said = redact(error.message.partition("\n")[0], self._target.sas)
                raise JobFailure(_error_code(error), said) from error
            except AzureError as error:
                raise self._unavailable("cannot be reached") from error


class _BoundedContent:
    """The body of a response, which raises an error after a number of bytes."""

    def __init__(self, content: StreamReader, limit: int, too_much: JobFailure) -> None:
        self._content = content
        self._left = limit
        self._too_much = too_much

    async def read(self, n: int = -1) -> bytes:
        parts: list[bytes] = []
        while part := await (self._content.readany() if n < 0 else self._content.read(n)):
            self._left -= len(part)
            if self._left < 0:
                raise self._too_much
            parts.append(part)
            if n >= 0:
                break
        return b"".join(parts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)


def _error_code(error: HttpResponseError) -> str:
    # The storage library sets an enum for a known code, and text for any other.
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or "StorageError")


def _identity(container: Container) -> AzureNamedKeyCredential:
    if container.account != _DEVELOPMENT_ACCOUNT:
        message = f"On this machine the managed identity may use only the account {_DEVELOPMENT_ACCOUNT}"
        raise JobFailure("AuthorizationFailure", message)
    return AzureNamedKeyCredential(_DEVELOPMENT_ACCOUNT, _DEVELOPMENT_KEY)
