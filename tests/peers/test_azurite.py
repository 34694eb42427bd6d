"""Backups in a real storage service on this machine, with its own judgement of tokens and its own errors."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import pytest_asyncio
from azure.core.exceptions import HttpResponseError

from azure.keyvault.administration.aio import KeyVaultBackupClient
from azure.keyvault.administration.emulator import ManagedHsmEmulator
from emulator.operator_client import DURATION, Operator, failed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from emulator.raw import Reply
    from peers.azurite import Azurite

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


async def test_one_key_comes_back_with_all_its_versions(operator: Operator, azurite: Azurite, container: str) -> None:
    versions = (await operator.send("GET", "/keys/a/versions")).json
    name = folder(await operator.finish(await operator.back_up(**place(azurite, container))))
    await operator.send("DELETE", "/keys/a")
    await operator.send("DELETE", "/deletedkeys/a")

    restored = await operator.finish(await operator.restore(name, "/keys/a/restore", **place(azurite, container, "rl")))

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


EXPIRED = ("AuthorizationFailure", DENIED)
MISMATCH = ("AuthorizationPermissionMismatch", "This request is not authorized")


async def start(operator: Operator, path: str, storage: dict[str, str], name: str = MISSING) -> Reply:
    if path.endswith("backup"):
        return await operator.send("POST", path, storage)
    return await operator.restore(name, path, **storage)


@pytest.mark.parametrize(
    ("path", "permission", "hours", "expected"),
    [
        ("/backup", "racwdl", -1, EXPIRED),
        ("/backup", "rl", 1, MISMATCH),
        ("/prebackup", "rl", 1, MISMATCH),
        ("/restore", "rl", -1, EXPIRED),
        ("/restore", "cdw", 1, MISMATCH),
        ("/prerestore", "cdw", 1, MISMATCH),
        ("/keys/a/restore", "cdw", 1, MISMATCH),
    ],
)
async def test_a_token_that_storage_refuses_fails_the_job_in_its_words_and_changes_nothing(
    operator: Operator,
    azurite: Azurite,
    container: str,
    path: str,
    permission: str,
    hours: int,
    expected: tuple[str, str],
) -> None:
    name = folder(await operator.finish(await operator.back_up(**place(azurite, container))))
    before = await operator.state(), azurite.blobs(container)
    storage = place(azurite, container, permission, expires_in=timedelta(hours=hours))

    code, message = failed(await operator.finish(await start(operator, path, storage, name)))

    assert (code, message[: len(expected[1])]) == expected
    assert (await operator.state(), azurite.blobs(container)) == before


@pytest.mark.parametrize("path", ["/backup", "/prebackup", "/restore", "/prerestore", "/keys/a/restore"])
async def test_a_container_or_folder_that_does_not_exist_fails_the_job(
    operator: Operator, azurite: Azurite, container: str, path: str
) -> None:
    before = await operator.state()

    done = await operator.finish(await start(operator, path, place(azurite, "missing")))
    assert failed(done) == ("ContainerNotFound", "The specified container does not exist.")
    if not path.endswith("backup"):
        done = await operator.finish(await start(operator, path, place(azurite, container)))
        assert failed(done) == ("InvalidBackup", f"Invalid backup provided: the folder {MISSING!r} does not exist")

    assert await operator.state() == before


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
