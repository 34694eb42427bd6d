"""A backup container that a storage emulator serves on this machine."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.blob.aio import ContainerClient

from .._domain.jobs import JobFailure, check_extent, folder_not_found
from .._domain.sas import redact

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from .._domain.containers import Container, Target

# The account of every local storage emulator and its key, which is public.
_DEVELOPMENT_ACCOUNT = "devstoreaccount1"
_DEVELOPMENT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class BlobContainer:
    """A container that a storage emulator serves on this machine; it judges the SAS token itself."""

    def __init__(self, target: Target) -> None:
        self._target = target

    async def check(self) -> None:
        async with self._client() as client:
            # A name that no blob has, since it is deleted afterwards.
            probe = f"mhsm-prebackup-check-{uuid4().hex}"
            await client.upload_blob(probe, b"")
            await client.delete_blob(probe)

    async def write(self, folder: str, files: Mapping[str, bytes]) -> None:
        async with self._client() as client:
            for name, content in files.items():
                await client.upload_blob(f"{folder}/{name}", content)

    async def read(self, folder: str) -> dict[str, bytes]:
        prefix = f"{folder}/"
        sizes: dict[str, int] = {}
        async with self._client() as client:
            async for blob in client.list_blobs(name_starts_with=prefix):
                sizes[blob.name.removeprefix(prefix)] = blob.size
                check_extent(sizes)
            if not sizes:
                raise folder_not_found(folder)
            return {name: await (await client.download_blob(prefix + name)).readall() for name in sizes}

    @asynccontextmanager
    async def _client(self) -> AsyncGenerator[ContainerClient]:
        container = self._target.container
        client = ContainerClient.from_container_url(
            container.url,
            credential=self._target.sas.token if self._target.sas else _identity(container),
            # No proxy, redirect or retry: this machine answers immediately or not at all.
            transport=AioHttpTransport(use_env_settings=False, connection_timeout=5, read_timeout=30),
            permit_redirects=False,
            retry_total=0,
        )
        async with client:
            try:
                yield client
            except HttpResponseError as error:
                # Storage may quote the token, and what a job says is kept and shown.
                said = redact(error.message.partition("\n")[0], self._target.sas)
                raise JobFailure(_error_code(error), said) from error
            except AzureError as error:
                raise JobFailure("StorageUnavailable", f"{container.url} cannot be reached") from error


def _error_code(error: HttpResponseError) -> str:
    # The storage library puts an enum there where it knows the code, and text where it does not.
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or "StorageError")


def _identity(container: Container) -> AzureNamedKeyCredential:
    if container.account != _DEVELOPMENT_ACCOUNT:
        message = f"On this machine the managed identity may use only the account {_DEVELOPMENT_ACCOUNT}"
        raise JobFailure("AuthorizationFailure", message)
    return AzureNamedKeyCredential(_DEVELOPMENT_ACCOUNT, _DEVELOPMENT_KEY)
