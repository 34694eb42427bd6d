"""Where backups lie: a blob service on this machine, or the data folder; what either does wrong fails the job."""

from __future__ import annotations

import asyncio
import gzip
import os
import shutil
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from aiohttp import web

from azure.keyvault.administration.emulator import ManagedHsmEmulator
from emulator.blob_server import BlobServer
from emulator.operator_client import Operator, failed, folder_of, operating

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

SAS = "sv=2025-01-05&sr=c&sp={}&se=2099-01-01T00:00:00Z&sig=x"


@pytest_asyncio.fixture(name="operator")
async def _operator() -> AsyncIterator[Operator]:
    async with operating() as operator:
        yield operator


@pytest_asyncio.fixture(name="blobs")
async def _blobs() -> AsyncIterator[BlobServer]:
    async with BlobServer() as blobs:
        yield blobs


def at(blobs: BlobServer, permissions: str = "racwdl", **changes: object) -> dict[str, Any]:
    """Return the storage parameters for the container of a blob service."""
    return {"storageResourceUri": f"{blobs.account_url}/backups", "token": SAS.format(permissions), **changes}


async def back_up(operator: Operator, blobs: BlobServer) -> str:
    return folder_of(await operator.finish(await operator.back_up(**at(blobs))))


async def failure(operator: Operator, blobs: BlobServer, folder: str = "folder") -> tuple[str, str]:
    """Restore from a blob service, and return how that fails."""
    return failed(await operator.finish(await operator.restore(folder, **at(blobs, "rl"))))


def unavailable(blobs: BlobServer, reason: str) -> tuple[str, str]:
    return "StorageUnavailable", f"{blobs.account_url}/backups {reason}"


# A blob service on this machine.


async def test_a_container_on_this_machine_is_really_written_and_read(
    operator: Operator, blobs: BlobServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    await operator.furnish()
    before = await operator.state()

    folder = await back_up(operator, blobs)
    await operator.wreck()
    restored = await operator.finish(await operator.restore(folder, **at(blobs)))

    names = ["keys.json", "manifest.json", "role-assignments.json", "role-definitions.json"]
    assert sorted(blobs.blobs) == [f"{folder}/{name}" for name in names]
    assert restored.json["status"] == "Succeeded"
    assert await operator.state() == before


async def test_client_that_takes_the_account_for_the_container_restores_too(
    operator: Operator, blobs: BlobServer
) -> None:
    folder = await back_up(operator, blobs)

    started = await operator.restore(f"backups/{folder}", **at(blobs, storageResourceUri=blobs.account_url))

    assert (await operator.finish(started)).json["status"] == "Succeeded"


async def test_managed_identity_may_use_only_the_development_account_of_this_machine(
    operator: Operator, blobs: BlobServer
) -> None:
    identity = at(blobs, token=None, useManagedIdentity=True)
    elsewhere = {**identity, "storageResourceUri": f"{blobs.account_url}x/backups"}

    checked = await operator.status(await operator.send("POST", "/prebackup", identity))
    refused = await operator.finish(await operator.back_up(**elsewhere))
    backed_up = await operator.finish(await operator.back_up(**identity))

    assert [checked.json["status"], backed_up.json["status"]] == ["Succeeded", "Succeeded"]
    message = "On this machine the managed identity may use only the account devstoreaccount1"
    assert failed(refused) == ("AuthorizationFailure", message)


@pytest.mark.parametrize("path", ["/backup", "/prebackup"])
async def test_refusal_of_the_blob_service_fails_the_job_in_its_words(
    operator: Operator, blobs: BlobServer, path: str
) -> None:
    read_only, missing = at(blobs, "rl"), at(blobs, storageResourceUri=f"{blobs.account_url}/missing")

    reasons = [failed(await operator.finish(await operator.send("POST", path, each))) for each in (read_only, missing)]

    assert reasons == [
        ("AuthorizationPermissionMismatch", "This request lacks a permission."),
        ("ContainerNotFound", "The specified container does not exist."),
    ]
    assert blobs.blobs == {}


async def test_blob_service_that_cannot_be_reached_fails_the_job(operator: Operator) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{nobody.getsockname()[1]}/devstoreaccount1/backups"

        done = await operator.finish(await operator.back_up(storageResourceUri=uri))

    assert failed(done) == ("StorageUnavailable", f"{uri} cannot be reached")


async def test_check_leaves_the_blobs_of_the_container_alone(operator: Operator, blobs: BlobServer) -> None:
    blobs.blobs = {"mhsm-prebackup-check": b"mine", "other": b"mine, too"}

    checked = await operator.status(await operator.send("POST", "/prebackup", at(blobs)))

    assert checked.json["status"] == "Succeeded"
    assert blobs.blobs == {"mhsm-prebackup-check": b"mine", "other": b"mine, too"}


@pytest.mark.parametrize(
    ("blob", "size", "reason"),
    [
        ("keys.json", 0, "keys.json is damaged"),
        ("notes.txt", 0, "'notes.txt' does not belong to it"),
        ("sub/keys.json", 0, "'sub/keys.json' does not belong to it"),
        ("keys.json", 2**40, "it is larger than 67108864 bytes"),
    ],
)
async def test_changed_backup_is_not_restored(
    operator: Operator, blobs: BlobServer, blob: str, size: int, reason: str
) -> None:
    folder = await back_up(operator, blobs)
    blobs.blobs[f"{folder}/{blob}"] = b"x"
    if size:
        blobs.sizes[f"{folder}/{blob}"] = size

    assert await failure(operator, blobs, folder) == ("InvalidBackup", f"Invalid backup provided: {reason}")


async def test_folder_without_blobs_or_with_too_many_is_not_restored(operator: Operator, blobs: BlobServer) -> None:
    blobs.blobs = {f"full/{number}": b"" for number in range(17)}

    reasons = [await failure(operator, blobs, folder) for folder in ("empty", "full")]

    assert reasons == [
        ("InvalidBackup", "Invalid backup provided: the folder 'empty' does not exist"),
        ("InvalidBackup", "Invalid backup provided: it has more than 16 files"),
    ]


# A blob service that lies, or never comes to an end.


class Flood:
    """Sends the same bytes until the other side hangs up, 400 MB at most."""

    def __init__(self, content: bytes = b"x", *, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self._content = content * (65536 // len(content))
        self._status = status
        self._headers = {"Content-Type": "application/xml", **(headers or {})}
        self.sent = 0

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=self._status, headers=self._headers)
        await response.prepare(request)
        with suppress(ConnectionError):
            while self.sent < 400_000_000:
                await response.write(self._content)
                self.sent += len(self._content)
        return response


def page(entries: str, marker: str) -> web.Response:
    text = f"<EnumerationResults><Blobs>{entries}</Blobs><NextMarker>{marker}</NextMarker></EnumerationResults>"
    return web.Response(text=text, content_type="application/xml")


def entry(name: str) -> str:
    properties = "<Content-Length>10</Content-Length><BlobType>BlockBlob</BlobType>"
    return f"<Blob><Name>{name}</Name><Properties>{properties}</Properties></Blob>"


@pytest.mark.parametrize("headers", [{}, {"Content-Length": "400000000"}], ids=["without-length", "with-length"])
async def test_blob_that_is_larger_than_its_listing_says_fails_the_job(
    operator: Operator, blobs: BlobServer, headers: dict[str, str]
) -> None:
    blobs.blobs, blobs.sizes = {"folder/keys.json": b"x"}, {"folder/keys.json": 10}
    blobs.reads = flood = Flood(
        status=206, headers={"Content-Range": "bytes 0-9/10", "x-ms-blob-type": "BlockBlob", **headers}
    )

    assert await failure(operator, blobs) == unavailable(blobs, "sends more than expected")
    assert flood.sent < 100_000_000


async def test_list_whose_body_never_ends_fails_the_job(operator: Operator, blobs: BlobServer) -> None:
    blobs.lists = flood = Flood(entry("folder/a").encode())

    assert await failure(operator, blobs) == unavailable(blobs, "sends more than expected")
    assert flood.sent < 100_000_000


async def test_error_whose_body_never_ends_fails_the_job(operator: Operator, blobs: BlobServer) -> None:
    blobs.lists = flood = Flood(status=403)

    assert (await failure(operator, blobs))[0] == "StorageUnavailable"
    assert flood.sent < 100_000_000


@pytest.mark.parametrize("entries", ["", entry("folder/a")], ids=["empty-pages", "one-name"])
async def test_list_of_endless_pages_fails_the_job(operator: Operator, blobs: BlobServer, entries: str) -> None:
    async def one_more(_request: web.Request) -> web.Response:
        return page(entries, "more")

    blobs.lists = one_more

    assert await failure(operator, blobs) == unavailable(blobs, "lists without end")


async def test_compressed_response_fails_the_job_before_it_is_unpacked(operator: Operator, blobs: BlobServer) -> None:
    async def bomb(_request: web.Request) -> web.Response:
        body = gzip.compress(b" " * 10_000_000)
        return web.Response(body=body, content_type="application/xml", headers={"Content-Encoding": "gzip"})

    blobs.lists = bomb

    assert await failure(operator, blobs) == unavailable(blobs, "sends compressed data")


async def test_service_that_takes_forever_fails_the_job(
    operator: Operator, blobs: BlobServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end = asyncio.Event()

    async def wait(_request: web.Request) -> web.Response:
        await may_end.wait()
        return web.Response()

    monkeypatch.setattr("azure.keyvault.administration.emulator._state.blob_container._MAX_SECONDS", 0.1)
    blobs.lists = wait

    assert await failure(operator, blobs) == unavailable(blobs, "takes longer than 0.1 seconds")
    may_end.set()


@pytest.mark.parametrize("quote", [" (the token was {raw})", " (the token was {decoded})", " {decoded}\n"])
async def test_a_token_that_storage_quotes_is_neither_shown_nor_logged(
    operator: Operator, blobs: BlobServer, quote: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    blobs.quote = quote
    token = "sv=2025-01-05&sr=c&sp=rl&se=2099-01-01T00:00:00Z&sig=CANARY%2Fcanary%2BCANARY%3D"

    done = await operator.finish(await operator.back_up(**at(blobs, token=token)))

    code, message = failed(done)
    assert code == "AuthorizationPermissionMismatch"
    assert message.startswith("This request lacks a permission. ")
    assert "REDACTED" in message
    assert "canary" not in (done.body.decode() + caplog.text).lower()


# The data folder.

CONTOSO = "https://contoso.blob.core.windows.net/backups"


async def test_container_of_one_host_is_not_that_of_another_with_the_same_account(operator: Operator) -> None:
    folder = folder_of(await operator.finish(await operator.back_up(storageResourceUri=CONTOSO)))

    elsewhere = CONTOSO.replace("windows.net", "chinacloudapi.cn")
    restored = await operator.finish(await operator.restore(folder, storageResourceUri=elsewhere))

    assert failed(restored) == ("ContainerNotFound", "The specified container does not exist.")


def tree(path: Path) -> list[Path]:
    return sorted(path.rglob("*"))


def crowd(folder: Path) -> None:
    for number in range(20):
        (folder / str(number)).touch()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda folder: (folder / "x").mkdir(), "'x' is not a file"),
        (lambda folder: (folder / "x").symlink_to(folder / "keys.json"), "'x' is not a file"),
        (crowd, "it has more than 16 files"),
        (lambda folder: os.truncate(folder / "keys.json", 2**40), "it is larger than 67108864 bytes"),
    ],
    ids=["folder", "link", "crowd", "huge"],
)
async def test_folder_that_cannot_be_a_backup_is_not_read(tmp_path: Path, change: Any, reason: str) -> None:
    async with operating(data=tmp_path) as operator:
        folder = await operator.folder()
        change(tmp_path / "storage" / operator.hsm.container_url.removeprefix("https://") / folder)

        done = await operator.finish(await operator.restore(folder))

    assert failed(done) == ("InvalidBackup", f"Invalid backup provided: {reason}")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (shutil.rmtree, "No such file or directory"),
        # Where the container of the account would have to be, there is a file.
        (lambda storage: (storage / "contoso.blob.core.windows.net").touch(), "File exists"),
    ],
    ids=["removed", "file"],
)
async def test_data_folder_that_cannot_be_written_fails_the_job(tmp_path: Path, damage: Any, reason: str) -> None:
    async with operating(data=tmp_path) as operator:
        damage(tmp_path / "storage")
        before = tree(tmp_path)

        done = await operator.finish(await operator.back_up(storageResourceUri=CONTOSO))

        assert failed(done) == ("StorageUnavailable", f"The data folder cannot be written: {reason}")
        assert tree(tmp_path) == before


async def test_file_that_cannot_be_read_fails_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path) -> bytes:
        raise OSError(5, "Input/output error")

    async with operating(data=tmp_path) as operator:
        folder = await operator.folder()
        monkeypatch.setattr("pathlib.Path.read_bytes", refuse)

        done = await operator.finish(await operator.restore(folder))

        assert failed(done) == ("StorageUnavailable", "The data folder cannot be read: Input/output error")


async def test_start_removes_half_a_backup_and_nothing_that_only_looks_like_one(tmp_path: Path) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    async with operating(data=data) as operator:
        folder = await operator.folder()
        container = data / "storage" / operator.hsm.container_url.removeprefix("https://")
    elsewhere.mkdir()
    (elsewhere / "file").touch()
    shutil.copytree(container / folder, container / f".{folder}.partial")
    (container / ".file.partial").touch()
    (container / ".link.partial").symlink_to(elsewhere)
    (container / ".dangling.partial").symlink_to(tmp_path / "nothing")

    async with ManagedHsmEmulator(data=data):
        pass

    assert (elsewhere / "file").exists()
    names = {path.name for path in container.iterdir()}
    assert names == {folder, ".file.partial", ".link.partial", ".dangling.partial"}


async def test_closed_store_is_a_503_in_the_shape_of_the_service(operator: Operator) -> None:
    operator.hsm._run.hsm.store.close()

    message = "The emulator cannot use its data directory: memory: Cannot operate on a closed database."
    assert (await operator.send("GET", "/keys")).error == (503, "ServiceUnavailable", message)
