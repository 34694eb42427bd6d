"""Where backups lie: containers as callers write them, a blob service on this machine, storage that fails."""

from __future__ import annotations

import asyncio
import gzip
import shutil
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from aiohttp import web

from azure.keyvault.administration.emulator import ManagedHsmEmulator
from azure.keyvault.administration.emulator._domain import containers
from azure.keyvault.administration.emulator._domain.containers import Container
from azure.keyvault.administration.emulator._domain.errors import ServiceError
from emulator.blob_server import BlobServer
from emulator.operator_client import DURATION, Operator, failed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

SAS = "sv=2025-01-05&sr=c&sp={}&se=2099-01-01T00:00:00Z&sig=x"


@pytest_asyncio.fixture(name="operator")
async def _operator() -> AsyncIterator[Operator]:
    async with ManagedHsmEmulator(job_duration=DURATION) as hsm:
        yield Operator(hsm)


@pytest_asyncio.fixture(name="blobs")
async def _blobs() -> AsyncIterator[BlobServer]:
    async with BlobServer() as blobs:
        yield blobs


@pytest.mark.parametrize(
    ("resource", "folder", "expected"),
    [
        pytest.param(
            "https://contoso.blob.core.windows.net/backups/",
            "f",
            (
                Container(
                    "https://contoso.blob.core.windows.net/backups",
                    "contoso.blob.core.windows.net",
                    "contoso",
                    "backups",
                    is_loopback=False,
                ),
                "f",
            ),
            id="azure",
        ),
        pytest.param(
            "HTTPS://Contoso.Blob.core.windows.net:443/backups",
            "f",
            (
                Container(
                    "https://contoso.blob.core.windows.net/backups",
                    "contoso.blob.core.windows.net",
                    "contoso",
                    "backups",
                    is_loopback=False,
                ),
                "f",
            ),
            id="azure-in-capitals-with-its-port",
        ),
        pytest.param(
            "https://contoso.z01.blob.storage.azure.net/backups",
            "f",
            (
                Container(
                    "https://contoso.z01.blob.storage.azure.net/backups",
                    "contoso.z01.blob.storage.azure.net",
                    "contoso",
                    "backups",
                    is_loopback=False,
                ),
                "f",
            ),
            id="azure-with-a-dns-zone",
        ),
        pytest.param(
            "https://contoso.blob.core.chinacloudapi.cn/backups",
            "a/f",
            (
                Container(
                    "https://contoso.blob.core.chinacloudapi.cn/backups",
                    "contoso.blob.core.chinacloudapi.cn",
                    "contoso",
                    "backups",
                    is_loopback=False,
                ),
                "a/f",
            ),
            id="another-cloud",
        ),
        pytest.param(
            "http://127.0.0.1:10000/devstoreaccount1/backups",
            "f",
            (
                Container(
                    "http://127.0.0.1:10000/devstoreaccount1/backups",
                    "127.0.0.1",
                    "devstoreaccount1",
                    "backups",
                    is_loopback=True,
                ),
                "f",
            ),
            id="loopback",
        ),
        pytest.param(
            "http://localhost:10000/devstoreaccount1",
            "backups/f",
            (
                Container(
                    "http://localhost:10000/devstoreaccount1/backups",
                    "localhost",
                    "devstoreaccount1",
                    "backups",
                    is_loopback=True,
                ),
                "f",
            ),
            id="loopback-split-as-if-it-were-azure",
        ),
        pytest.param(
            "https://[::1]:10000/devstoreaccount1/backups",
            "f",
            (
                Container(
                    "https://[::1]:10000/devstoreaccount1/backups",
                    "::1",
                    "devstoreaccount1",
                    "backups",
                    is_loopback=True,
                ),
                "f",
            ),
            id="loopback-6",
        ),
    ],
)
def test_a_container_is_found_in_every_way_of_writing_it(
    resource: str, folder: str, expected: tuple[Container, str]
) -> None:
    assert containers.locate(resource, folder) == expected


@pytest.mark.parametrize(
    "resource",
    [
        "http://devstoreaccount1.blob.localhost:10000/backups",
        "https://:password@account.blob.core.windows.net/backups",
        "https://account.notblob.example/backups",
        "https://account.blob/backups",
        "https://account.blob..windows.net/backups",
        "https://account.blob.core.windows.net:444/backups",
        "https://account.blob.core.windows.net:https/backups",
        "http://127.0.0.1:99999/devstoreaccount1/backups",
        "ftp://127.0.0.1/devstoreaccount1/backups",
        "http://127.0.0.1:10000/devstoreaccount1/backups\n",
        "https://account.blob.core.windows.net/backups\n",
        " https://account.blob.core.windows.net/backups",
        "https://account.blob.core.windows.net/back%75ps",
        "http://[::1%25lo]:10000/devstoreaccount1/backups",
        f"https://account.blob.{'x' * 250}.net/backups",
    ],
    ids=[
        "name-that-may-be-elsewhere",
        "password",
        "look-alike",
        "no-cloud",
        "empty-label",
        "other-port",
        "port-no-number",
        "port-too-high",
        "scheme",
        "line-break-on-this-machine",
        "line-break",
        "space",
        "escape",
        "zone",
        "long",
    ],
)
def test_what_may_lie_outside_this_machine_or_is_no_container_is_refused(resource: str) -> None:
    with pytest.raises(ServiceError):
        containers.locate(resource, "f")


# A blob service on this machine.


async def test_a_container_on_this_machine_is_really_written_and_read(operator: Operator, blobs: BlobServer) -> None:
    await operator.furnish()
    before = await operator.state()
    storage = {"storageResourceUri": f"{blobs.account_url}/backups", "token": SAS.format("racwdl")}

    backed_up = await operator.finish(await operator.back_up(**storage))
    url, _, folder = backed_up.json["azureStorageBlobContainerUri"].rpartition("/")
    await operator.wreck()
    restored = await operator.finish(await operator.restore(folder, **storage))

    assert url == f"{blobs.account_url}/backups"
    assert sorted(blobs.blobs) == [
        f"{folder}/keys.json",
        f"{folder}/manifest.json",
        f"{folder}/role-assignments.json",
        f"{folder}/role-definitions.json",
    ]
    assert restored.json["status"] == "Succeeded"
    assert await operator.state() == before


async def test_a_client_that_takes_the_account_for_the_container_restores_too(
    operator: Operator, blobs: BlobServer
) -> None:
    storage = {"storageResourceUri": f"{blobs.account_url}/backups", "token": SAS.format("racwdl")}
    backed_up = await operator.finish(await operator.back_up(**storage))
    folder = backed_up.json["azureStorageBlobContainerUri"].rpartition("/")[2]

    storage["storageResourceUri"] = blobs.account_url
    restored = await operator.finish(await operator.restore(f"backups/{folder}", **storage))

    assert restored.json["status"] == "Succeeded"


async def test_a_tampered_blob_is_noticed(operator: Operator, blobs: BlobServer) -> None:
    storage = {"storageResourceUri": f"{blobs.account_url}/backups", "token": SAS.format("racwdl")}
    backed_up = await operator.finish(await operator.back_up(**storage))
    folder = backed_up.json["azureStorageBlobContainerUri"].rpartition("/")[2]
    blobs.blobs[f"{folder}/keys.json"] += b" "

    restored = await operator.finish(await operator.restore(folder, **storage))

    assert failed(restored) == ("InvalidBackup", "Invalid backup provided: keys.json is damaged")


async def test_the_managed_identity_of_this_machine_may_use_the_development_account(
    operator: Operator, blobs: BlobServer
) -> None:
    storage = {"storageResourceUri": f"{blobs.account_url}/backups", "useManagedIdentity": True}

    checked = await operator.status(await operator.send("POST", "/prebackup", storage))
    backed_up = await operator.finish(await operator.send("POST", "/backup", storage))

    assert [checked.json["status"], backed_up.json["status"]] == ["Succeeded", "Succeeded"]
    assert len(blobs.blobs) == 4


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param(
            {"token": SAS.format("rl")},
            ("AuthorizationPermissionMismatch", "This request lacks a permission."),
            id="read-only",
        ),
        pytest.param(
            {"storageResourceUri": "{}/missing"},
            ("ContainerNotFound", "The specified container does not exist."),
            id="no-container",
        ),
        pytest.param(
            {"storageResourceUri": "{}-other/backups", "useManagedIdentity": True},
            (
                "BadRequest",
                "storageResourceUri must be the https URL of a blob container",
            ),
            id="account-that-cannot-be",
        ),
        pytest.param(
            {"storageResourceUri": "{}x/backups", "useManagedIdentity": True},
            (
                "AuthorizationFailure",
                "On this machine the managed identity may use only the account devstoreaccount1",
            ),
            id="identity-elsewhere",
        ),
    ],
)
@pytest.mark.parametrize("path", ["/backup", "/prebackup"])
async def test_what_the_blob_service_refuses_fails_the_job_in_its_words(
    operator: Operator, blobs: BlobServer, path: str, changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    storage = {"storageResourceUri": "{}/backups", "token": SAS.format("racwdl"), **changes}
    storage["storageResourceUri"] = storage["storageResourceUri"].format(blobs.account_url)

    started = await operator.send("POST", path, storage)

    if started.status == 400:
        assert started.backup_error[1:] == expected
    else:
        assert failed(await operator.finish(started)) == expected
    assert blobs.blobs == {}


async def test_a_folder_that_is_not_in_the_container_fails_the_job(operator: Operator, blobs: BlobServer) -> None:
    storage = {"storageResourceUri": f"{blobs.account_url}/backups", "token": SAS.format("rl")}

    done = await operator.finish(await operator.restore("mhsm-x-2026042916082769", **storage))

    expected = "Invalid backup provided: the folder 'mhsm-x-2026042916082769' does not exist"
    assert failed(done) == ("InvalidBackup", expected)


async def test_a_blob_service_that_does_not_answer_fails_the_job(operator: Operator) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{nobody.getsockname()[1]}/devstoreaccount1/backups"

        done = await operator.finish(await operator.back_up(storageResourceUri=uri))

    assert failed(done) == ("StorageUnavailable", f"{uri} cannot be reached")


async def test_no_proxy_of_the_environment_is_asked(
    operator: Operator, blobs: BlobServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    storage = {"storageResourceUri": f"{blobs.account_url}/backups", "token": SAS.format("racwdl")}

    done = await operator.finish(await operator.back_up(**storage))

    assert done.json["status"] == "Succeeded"


async def test_a_check_leaves_the_blobs_of_the_container_alone(operator: Operator, blobs: BlobServer) -> None:
    blobs.blobs = {"mhsm-prebackup-check": b"mine", "other": b"mine, too"}
    storage = {"storageResourceUri": f"{blobs.account_url}/backups", "token": SAS.format("racwdl")}

    checked = await operator.status(await operator.send("POST", "/prebackup", storage))

    assert checked.json["status"] == "Succeeded"
    assert blobs.blobs == {"mhsm-prebackup-check": b"mine", "other": b"mine, too"}


@pytest.mark.parametrize(
    ("blob", "size", "reason"),
    [
        ("notes.txt", 0, "'notes.txt' does not belong to it"),
        ("sub/keys.json", 0, "'sub/keys.json' does not belong to it"),
        ("keys.json", 2**40, "it is larger than 67108864 bytes"),
    ],
    ids=["stranger", "stranger-below", "huge"],
)
async def test_what_is_no_backup_in_the_container_is_not_restored(
    operator: Operator, blobs: BlobServer, blob: str, size: int, reason: str
) -> None:
    storage = {"storageResourceUri": f"{blobs.account_url}/backups", "token": SAS.format("racwdl")}
    backed_up = await operator.finish(await operator.back_up(**storage))
    folder = backed_up.json["azureStorageBlobContainerUri"].rpartition("/")[2]
    blobs.blobs.setdefault(f"{folder}/{blob}", b"x")
    if size:
        blobs.sizes[f"{folder}/{blob}"] = size

    restored = await operator.finish(await operator.restore(folder, **storage))

    assert failed(restored) == ("InvalidBackup", f"Invalid backup provided: {reason}")


async def test_a_folder_of_a_thousand_blobs_is_no_backup(operator: Operator, blobs: BlobServer) -> None:
    blobs.blobs = {f"folder/{number}": b"" for number in range(1000)}
    storage = {"storageResourceUri": f"{blobs.account_url}/backups", "token": SAS.format("rl")}

    restored = await operator.finish(await operator.restore("folder", **storage))

    assert failed(restored) == ("InvalidBackup", "Invalid backup provided: it has more than 16 files")


# A blob service that lies, or never comes to an end.


class Flood:
    """Sends the same bytes until the other side hangs up, 400 MB at most."""

    def __init__(self, content: bytes = b"x", headers: Mapping[str, str] | None = None) -> None:
        self.content = content * (65536 // len(content))
        self.headers = {"Content-Type": "application/xml", **(headers or {})}
        self.sent = 0

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=206 if "Range" in request.headers else 200, headers=self.headers)
        await response.prepare(request)
        with suppress(ConnectionError):
            while self.sent < 400_000_000:
                await response.write(self.content)
                self.sent += len(self.content)
        return response


def page(entries: str, marker: str) -> web.Response:
    text = f"<EnumerationResults><Blobs>{entries}</Blobs><NextMarker>{marker}</NextMarker></EnumerationResults>"
    return web.Response(text=text, content_type="application/xml")


def entry(name: str) -> str:
    properties = "<Content-Length>10</Content-Length><BlobType>BlockBlob</BlobType>"
    return f"<Blob><Name>{name}</Name><Properties>{properties}</Properties></Blob>"


async def restored(operator: Operator, blobs: BlobServer) -> tuple[str, str]:
    storage = {"storageResourceUri": f"{blobs.account_url}/backups", "token": SAS.format("rl")}
    return failed(await operator.finish(await operator.restore("folder", **storage)))


@pytest.mark.parametrize("headers", [{}, {"Content-Length": "400000000"}], ids=["without-length", "with-length"])
async def test_blob_that_is_larger_than_its_listing_says_fails_the_job(
    operator: Operator, blobs: BlobServer, headers: dict[str, str]
) -> None:
    blobs.blobs, blobs.sizes = {"folder/keys.json": b"x"}, {"folder/keys.json": 10}
    blobs.reads = flood = Flood(headers={"Content-Range": "bytes 0-9/10", "x-ms-blob-type": "BlockBlob", **headers})

    code, message = await restored(operator, blobs)

    assert (code, message) == ("StorageUnavailable", f"{blobs.account_url}/backups sends more than expected")
    assert flood.sent < 100_000_000


async def test_list_whose_body_never_ends_fails_the_job(operator: Operator, blobs: BlobServer) -> None:
    blobs.lists = flood = Flood(entry("folder/a").encode())

    assert await restored(operator, blobs) == (
        "StorageUnavailable",
        f"{blobs.account_url}/backups sends more than expected",
    )
    assert flood.sent < 100_000_000


async def test_error_whose_body_never_ends_fails_the_job(operator: Operator, blobs: BlobServer) -> None:
    async def refuse(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=403, headers={"Content-Type": "application/xml"})
        await response.prepare(request)
        with suppress(ConnectionError):
            for _ in range(6000):
                await response.write(b"x" * 65536)
        return response

    blobs.lists = refuse

    assert (await restored(operator, blobs))[0] == "StorageUnavailable"


@pytest.mark.parametrize("entries", ["", entry("folder/a")], ids=["empty-pages", "one-name"])
async def test_list_of_endless_pages_fails_the_job(operator: Operator, blobs: BlobServer, entries: str) -> None:
    async def one_more(_request: web.Request) -> web.Response:
        return page(entries, "more")

    blobs.lists = one_more

    assert await restored(operator, blobs) == (
        "StorageUnavailable",
        f"{blobs.account_url}/backups lists without end",
    )


async def test_compressed_response_fails_the_job_before_it_is_unpacked(operator: Operator, blobs: BlobServer) -> None:
    async def bomb(_request: web.Request) -> web.Response:
        body = gzip.compress(b" " * 10_000_000)
        return web.Response(body=body, content_type="application/xml", headers={"Content-Encoding": "gzip"})

    blobs.lists = bomb

    assert await restored(operator, blobs) == (
        "StorageUnavailable",
        f"{blobs.account_url}/backups sends compressed data",
    )


async def test_service_that_takes_forever_fails_the_job(
    operator: Operator, blobs: BlobServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            while True:
                await response.write(b" ")
                await asyncio.sleep(0.01)
        return response

    monkeypatch.setattr("azure.keyvault.administration.emulator._state.blob_container._MAX_SECONDS", 0.2)
    blobs.lists = trickle

    code, message = await restored(operator, blobs)

    assert (code, message) == ("StorageUnavailable", f"{blobs.account_url}/backups takes longer than 0.2 seconds")


@pytest.mark.parametrize("quote", [" (the token was {raw})", " (the token was {decoded})", " {decoded}\n"])
async def test_a_token_that_storage_quotes_is_neither_shown_nor_logged(
    operator: Operator, blobs: BlobServer, quote: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    blobs.quote = quote
    signature = "CANARY/canary+CANARY="
    token = f"sv=2025-01-05&sr=c&sp=rl&se=2099-01-01T00:00:00Z&sig={signature.replace('/', '%2F').replace('+', '%2B')}"
    storage = {"storageResourceUri": f"{blobs.account_url}/backups", "token": token}

    done = await operator.finish(await operator.back_up(**storage))

    code, message = failed(done)
    assert (code, message.partition(" (")[0][:32]) == ("AuthorizationPermissionMismatch", message[:32])
    assert "REDACTED" in message
    assert "canary" not in (done.body.decode() + caplog.text).lower()


# A data folder that fails.


async def test_what_one_host_keeps_another_of_the_same_account_does_not_see(operator: Operator) -> None:
    done = await operator.finish(
        await operator.back_up(storageResourceUri="https://contoso.blob.core.windows.net/backups")
    )
    folder = done.json["azureStorageBlobContainerUri"].rpartition("/")[2]

    elsewhere = "https://contoso.blob.core.chinacloudapi.cn/backups"
    restored = await operator.finish(await operator.restore(folder, storageResourceUri=elsewhere))

    assert failed(restored) == ("ContainerNotFound", "The specified container does not exist.")


async def test_storage_that_somebody_removed_does_not_come_back(tmp_path: Path) -> None:
    async with ManagedHsmEmulator(data=tmp_path, job_duration=DURATION) as hsm:
        shutil.rmtree(tmp_path / "storage")
        uri = "https://contoso.blob.core.windows.net/backups"

        done = await Operator(hsm).finish(await Operator(hsm).back_up(storageResourceUri=uri))

        expected = ("StorageUnavailable", "The data folder cannot be written: No such file or directory")
        assert failed(done) == expected
        assert not (tmp_path / "storage").exists()


async def test_half_a_backup_of_an_earlier_life_is_removed_at_the_start(tmp_path: Path) -> None:
    async with ManagedHsmEmulator(data=tmp_path, job_duration=DURATION) as hsm:
        folder = await Operator(hsm).folder()
        container = tmp_path / "storage" / hsm.container_url.removeprefix("https://")
    shutil.copytree(container / folder, container / f".{folder}.partial")

    async with ManagedHsmEmulator(data=tmp_path):
        assert [path.name for path in container.iterdir()] == [folder]


async def test_what_only_looks_like_half_a_backup_is_left_alone(tmp_path: Path) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    async with ManagedHsmEmulator(data=data) as hsm:
        container = data / "storage" / hsm.container_url.removeprefix("https://")
    elsewhere.mkdir()
    (elsewhere / "file").touch()
    (container / ".file.partial").touch()
    (container / ".link.partial").symlink_to(elsewhere)
    (container / ".dangling.partial").symlink_to(tmp_path / "nothing")

    async with ManagedHsmEmulator(data=data, job_duration=DURATION) as hsm:
        done = await Operator(hsm).finish(await Operator(hsm).back_up())

    assert done.json["status"] == "Succeeded"
    assert (elsewhere / "file").exists()
    assert len(list(container.glob(".*.partial"))) == 3


async def test_a_data_folder_that_cannot_be_written_fails_the_job(tmp_path: Path) -> None:
    async with ManagedHsmEmulator(data=tmp_path, job_duration=DURATION) as hsm:
        operator = Operator(hsm)
        # Where the container of this account would have to be, there is a file.
        (tmp_path / "storage" / "contoso.blob.core.windows.net").write_text("")
        uri = "https://contoso.blob.core.windows.net/backups"

        done = await operator.finish(await operator.back_up(storageResourceUri=uri))

        assert failed(done) == ("StorageUnavailable", "The data folder cannot be written: File exists")


async def test_a_file_that_cannot_be_read_fails_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with ManagedHsmEmulator(data=tmp_path, job_duration=DURATION) as hsm:
        operator = Operator(hsm)
        folder = await operator.folder()
        monkeypatch.setattr("pathlib.Path.read_bytes", refuse)

        done = await operator.finish(await operator.restore(folder))

        assert failed(done) == ("StorageUnavailable", "The data folder cannot be read: Input/output error")


def refuse(_path: Path) -> bytes:
    raise OSError(5, "Input/output error")


async def test_a_store_that_cannot_be_used_is_answered_503_in_the_shape_of_the_service(operator: Operator) -> None:
    operator.hsm._run.hsm.store.close()

    status, code, message = (await operator.send("GET", "/keys")).error

    assert (status, code) == (503, "ServiceUnavailable")
    assert message == "The emulator cannot use its data directory: memory: Cannot operate on a closed database."
