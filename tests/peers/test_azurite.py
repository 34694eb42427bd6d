"""Backups in a real storage service on this machine, with its own judgement of tokens and its own errors."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import pytest_asyncio
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobClient

from azure.keyvault.administration.aio import KeyVaultBackupClient
from azure.keyvault.administration.emulator import ManagedHsmEmulator
from emulator.operator_client import DURATION, Operator, failed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from emulator.raw import Reply
    from peers.azurite import Azurite

EXPIRED = timedelta(hours=-1)
DENIED = (
    "Server failed to authenticate the request. Make sure the value of the Authorization header is formed correctly"
)
MISSING = "mhsm-other-2026042916082769"


@pytest_asyncio.fixture(name="operator")
async def _operator() -> AsyncIterator[Operator]:
    async with ManagedHsmEmulator(job_duration=DURATION) as hsm:
        operator = Operator(hsm)
        await operator.furnish()
        yield operator


@pytest.fixture(name="container")
def _container(azurite: Azurite) -> str:
    """Name of a container that is this test's alone."""
    name = f"c{uuid4().hex}"
    azurite.create_container(name)
    return name


def place(azurite: Azurite, container: str, permission: str = "racwdl", **options: timedelta) -> dict[str, str]:
    return {
        "storageResourceUri": azurite.container_url(container),
        "token": azurite.sas(container, permission, **options),
    }


def folder(backed_up: Reply) -> str:
    assert backed_up.json["status"] == "Succeeded", backed_up.body
    return str(backed_up.json["azureStorageBlobContainerUri"]).rpartition("/")[2]


async def test_a_backup_with_the_permissions_that_it_needs_lies_in_the_container(
    operator: Operator, azurite: Azurite, container: str
) -> None:
    storage = place(azurite, container, "rcdw")

    checked = await operator.status(await operator.send("POST", "/prebackup", storage))
    left_by_the_check = azurite.blobs(container)
    backed_up = await operator.finish(await operator.send("POST", "/backup", storage))

    name = folder(backed_up)
    assert checked.json["status"] == "Succeeded"
    assert left_by_the_check == {}
    assert backed_up.json["azureStorageBlobContainerUri"] == f"{azurite.container_url(container)}/{name}"
    assert set(azurite.blobs(container)) == {
        f"{name}/{file}" for file in ("keys.json", "manifest.json", "role-assignments.json", "role-definitions.json")
    }


@pytest.mark.parametrize("is_split_like_azure", [False, True], ids=["account-in-the-url", "container-in-the-folder"])
async def test_a_restore_brings_everything_back_however_the_folder_url_was_split(
    operator: Operator, azurite: Azurite, container: str, *, is_split_like_azure: bool
) -> None:
    before = await operator.state()
    name = folder(await operator.finish(await operator.back_up(**place(azurite, container))))
    await operator.wreck()
    storage = place(azurite, container, "rl")
    if is_split_like_azure:
        storage["storageResourceUri"], name = azurite.endpoint, f"{container}/{name}"

    checked = await operator.status(await operator.restore(name, "/prerestore", **storage))
    restored = await operator.finish(await operator.restore(name, **storage))

    assert [checked.json["status"], restored.json["status"]] == ["Succeeded", "Succeeded"]
    assert await operator.state() == before


@pytest.mark.parametrize("is_split_like_azure", [False, True], ids=["account-in-the-url", "container-in-the-folder"])
async def test_one_key_comes_back_with_all_its_versions(
    operator: Operator, azurite: Azurite, container: str, *, is_split_like_azure: bool
) -> None:
    versions = (await operator.send("GET", "/keys/a/versions")).json
    name = folder(await operator.finish(await operator.back_up(**place(azurite, container))))
    await operator.send("DELETE", "/keys/a")
    await operator.send("DELETE", "/deletedkeys/a")
    storage = place(azurite, container, "rl")
    if is_split_like_azure:
        storage["storageResourceUri"], name = azurite.endpoint, f"{container}/{name}"

    restored = await operator.finish(await operator.restore(name, "/keys/a/restore", **storage))

    # One more than there are versions.
    expected = "Number of successful key versions restored: 3, Number of key versions could not overwrite: 0"
    assert (restored.json["status"], restored.json["statusDetails"]) == ("Succeeded", expected)
    assert (await operator.send("GET", "/keys/a/versions")).json == versions


async def test_the_managed_identity_needs_no_token(operator: Operator, azurite: Azurite, container: str) -> None:
    before = await operator.state()
    storage = {"storageResourceUri": azurite.container_url(container), "useManagedIdentity": True}
    name = folder(await operator.finish(await operator.send("POST", "/backup", storage)))
    await operator.wreck()

    body = {"sasTokenParameters": storage, "folderToRestore": name}
    restored = await operator.finish(await operator.send("PUT", "/restore", body))

    assert restored.json["status"] == "Succeeded"
    assert await operator.state() == before


@pytest.mark.parametrize("path", ["/backup", "/prebackup"])
@pytest.mark.parametrize(
    ("permission", "expires_in", "expected"),
    [
        pytest.param("racwdl", EXPIRED, ("AuthorizationFailure", DENIED), id="expired"),
        pytest.param("rl", timedelta(hours=1), ("AuthorizationPermissionMismatch", "This request is not"), id="read"),
    ],
)
async def test_a_token_that_storage_refuses_fails_a_backup_in_its_words(
    operator: Operator,
    azurite: Azurite,
    container: str,
    path: str,
    permission: str,
    expires_in: timedelta,
    expected: tuple[str, str],
) -> None:
    storage = place(azurite, container, permission, expires_in=expires_in)

    done = await operator.finish(await operator.send("POST", path, storage))

    code, message = failed(done)
    assert (code, message[: len(expected[1])]) == expected
    assert azurite.blobs(container) == {}
    assert (await operator.back_up(**place(azurite, container))).status == 202


@pytest.mark.parametrize("path", ["/restore", "/prerestore", "/keys/a/restore"])
@pytest.mark.parametrize(
    ("permission", "expires_in", "expected"),
    [
        pytest.param("rl", EXPIRED, ("AuthorizationFailure", DENIED), id="expired"),
        pytest.param("cdw", timedelta(hours=1), ("AuthorizationPermissionMismatch", "This request is not"), id="write"),
    ],
)
async def test_a_token_that_storage_refuses_fails_a_restore_in_its_words_and_changes_nothing(
    operator: Operator,
    azurite: Azurite,
    container: str,
    path: str,
    permission: str,
    expires_in: timedelta,
    expected: tuple[str, str],
) -> None:
    name = folder(await operator.finish(await operator.back_up(**place(azurite, container))))
    before = await operator.state()
    storage = place(azurite, container, permission, expires_in=expires_in)

    done = await operator.finish(await operator.restore(name, path, **storage))

    code, message = failed(done)
    assert (code, message[: len(expected[1])]) == expected
    assert await operator.state() == before


@pytest.mark.parametrize("path", ["/backup", "/prebackup", "/restore", "/prerestore", "/keys/a/restore"])
async def test_a_container_that_does_not_exist_fails_the_job(operator: Operator, azurite: Azurite, path: str) -> None:
    before = await operator.state()
    storage = place(azurite, "missing")

    if path.endswith("backup"):
        started = await operator.send("POST", path, storage)
    else:
        started = await operator.restore(MISSING, path, **storage)

    assert failed(await operator.finish(started)) == (
        "ContainerNotFound",
        "The specified container does not exist.",
    )
    assert await operator.state() == before


@pytest.mark.parametrize("path", ["/restore", "/prerestore", "/keys/a/restore"])
async def test_a_folder_that_does_not_exist_fails_the_restore(
    operator: Operator, azurite: Azurite, container: str, path: str
) -> None:
    before = await operator.state()

    done = await operator.finish(await operator.restore(MISSING, path, **place(azurite, container)))

    assert failed(done) == ("InvalidBackup", f"Invalid backup provided: the folder {MISSING!r} does not exist")
    assert await operator.state() == before


async def test_a_blob_that_was_changed_fails_the_restore_and_changes_nothing(
    operator: Operator, azurite: Azurite, container: str
) -> None:
    name = folder(await operator.finish(await operator.back_up(**place(azurite, container))))
    before = await operator.state()
    url = f"{azurite.container_url(container)}/{name}/keys.json"
    with BlobClient.from_blob_url(url, credential=azurite.key) as blob:
        blob.upload_blob(blob.download_blob().readall()[:-1], overwrite=True)

    done = await operator.finish(await operator.restore(name, **place(azurite, container)))

    assert failed(done) == ("InvalidBackup", "Invalid backup provided: keys.json is damaged")
    assert await operator.state() == before


async def test_another_hsm_of_the_same_security_domain_is_given_the_whole_state(
    operator: Operator, azurite: Azurite, container: str
) -> None:
    before = await operator.state()
    name = folder(await operator.finish(await operator.back_up(**place(azurite, container))))

    async with ManagedHsmEmulator(security_domain=operator.hsm.security_domain, job_duration=DURATION) as other:
        target = Operator(other)
        restored = await target.finish(await target.restore(name, **place(azurite, container)))

        assert restored.json["status"] == "Succeeded"
        assert await target.state() == before


async def test_another_hsm_of_another_security_domain_is_given_nothing(
    operator: Operator, azurite: Azurite, container: str
) -> None:
    name = folder(await operator.finish(await operator.back_up(**place(azurite, container))))

    async with ManagedHsmEmulator(job_duration=DURATION) as other:
        target = Operator(other)
        before = await target.state()
        restored = await target.finish(await target.restore(name, **place(azurite, container)))

        expected = ("InvalidBackup", "Invalid backup provided: it was made with another security domain")
        assert failed(restored) == expected
        assert await target.state() == before


async def test_a_client_backs_up_and_restores_by_the_folder_url_that_it_was_given(
    azurite: Azurite, container: str
) -> None:
    url, token = azurite.container_url(container), azurite.sas(container)
    async with ManagedHsmEmulator(retry_after=0) as hsm:
        before = await Operator(hsm).state()
        async with KeyVaultBackupClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as client:
            await (await client.begin_pre_backup(url, sas_token=token)).result()
            result = await (await client.begin_backup(url, sas_token=token, polling_interval=0.1)).result()
            await Operator(hsm).furnish()
            assert result.folder_url is not None
            await (await client.begin_pre_restore(result.folder_url, sas_token=token)).result()
            await (await client.begin_restore(result.folder_url, sas_token=token, polling_interval=0.1)).result()

        assert await Operator(hsm).state() == before


async def test_a_client_is_told_what_storage_said(azurite: Azurite, container: str) -> None:
    url, token = azurite.container_url(container), azurite.sas(container, "rl")
    async with (
        ManagedHsmEmulator(retry_after=0) as hsm,
        KeyVaultBackupClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as client,
    ):
        poller = await client.begin_backup(url, sas_token=token, polling_interval=0.1)
        with pytest.raises(HttpResponseError, match="AuthorizationPermissionMismatch") as caught:
            await poller.result()

    assert token.partition("sig=")[2] not in f"{caught.value!s}{caught.value!r}"
