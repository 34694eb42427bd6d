"""Backup, restore and the restore of a single key, from end to end on the emulator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import pytest_asyncio
from azure.core.exceptions import HttpResponseError
from azure.core.polling import AsyncLROPoller
from azure.core.rest import HttpRequest

from azure.keyvault.administration import (
    KeyVaultBackupResult,
    KeyVaultDataAction,
    KeyVaultPermission,
    KeyVaultRoleAssignment,
    KeyVaultRoleDefinition,
)
from azure.keyvault.administration.aio import AsyncKeyVaultLROPoller, KeyVaultAccessControlClient, KeyVaultBackupClient

if TYPE_CHECKING:
    from azure.keyvault.administration.emulator import ManagedHsmEmulator

_ROLES = "Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions"
_CRYPTO_USER = f"{_ROLES}/21dbd100-6940-42c2-9190-5d6cb909625b"
_CRYPTO_OFFICER = f"{_ROLES}/515eb02d-2335-4d2d-92f2-b1cbdf9c3778"
_SOMEBODY = "7f0d8a52-53a1-4a0a-9a3c-6f1d1a9d2e10"


class World(NamedTuple):
    """Everything of an HSM that a backup holds, as lists that can be compared whole."""

    roles: list[KeyVaultRoleDefinition]
    assignments: list[KeyVaultRoleAssignment]
    keys: dict[str, list[Any]]
    deleted: list[str]


class Administrator:
    """The clients of a principal with every role, and what they look at."""

    def __init__(self, access: KeyVaultAccessControlClient, backup: KeyVaultBackupClient) -> None:
        self.access, self.backup = access, backup

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        response = await self.access.send_request(HttpRequest(method, path, json=body))
        response.raise_for_status()
        return response.json() if response.content else None

    async def create_key(self, name: str, kind: str = "EC-HSM") -> None:
        await self.call("POST", f"/keys/{name}/create", {"kty": kind})

    async def purge_key(self, name: str) -> None:
        await self.call("DELETE", f"/keys/{name}")
        await self.call("DELETE", f"/deletedkeys/{name}")

    async def _assignments(self, scope: str) -> list[KeyVaultRoleAssignment]:
        return [item async for item in self.access.list_role_assignments(scope)]

    async def world(self) -> World:
        names = [item["kid"].rpartition("/")[2] for item in (await self.call("GET", "/keys"))["value"]]
        return World(
            [role async for role in self.access.list_role_definitions("/")],
            [*await self._assignments("/"), *await self._assignments("/keys/first")],
            {name: (await self.call("GET", f"/keys/{name}/versions"))["value"] for name in sorted(names)},
            [item["kid"] for item in (await self.call("GET", "/deletedkeys"))["value"]],
        )


@pytest_asyncio.fixture(name="admin")
async def _admin(hsm: ManagedHsmEmulator) -> AsyncIterator[Administrator]:
    async with (
        KeyVaultAccessControlClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as access,
        KeyVaultBackupClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as backup,
    ):
        for role in (_CRYPTO_USER, _CRYPTO_OFFICER):
            await access.create_role_assignment("/", role, hsm.admin_object_id)
        yield Administrator(access, backup)


async def _furnish(admin: Administrator) -> None:
    """Give the HSM two keys, one of them with two versions, a custom role and an assignment at a key."""
    await admin.create_key("first")
    await admin.create_key("first")
    await admin.create_key("second", "oct-HSM")
    role = await admin.access.set_role_definition(
        "/", role_name="Reader", permissions=[KeyVaultPermission(data_actions=[KeyVaultDataAction.READ_HSM_KEY])]
    )
    await admin.access.create_role_assignment("/keys/first", role.id or "", _SOMEBODY)


async def _back_up(admin: Administrator, hsm: ManagedHsmEmulator) -> str:
    poller = await admin.backup.begin_backup(hsm.container_url, hsm.sas_token, polling_interval=0)
    result = await poller.result()
    assert result.folder_url is not None
    return result.folder_url


async def test_a_restore_brings_back_exactly_the_state_of_the_backup(
    admin: Administrator, hsm: ManagedHsmEmulator
) -> None:
    await _furnish(admin)
    before = await admin.world()
    folder_url = await _back_up(admin, hsm)
    await admin.purge_key("second")
    await admin.create_key("third")
    await admin.create_key("first")
    for role in before.roles[10:]:
        await admin.access.delete_role_definition("/", role.name or "")
    await admin.access.create_role_assignment("/", _CRYPTO_USER, _SOMEBODY)
    changed = await admin.world()
    assert changed != before

    poller = await admin.backup.begin_restore(folder_url, hsm.sas_token, polling_interval=0)
    await poller.wait()

    assert await admin.world() == before


async def test_a_selective_restore_brings_back_one_purged_key_and_nothing_else(
    admin: Administrator, hsm: ManagedHsmEmulator
) -> None:
    await _furnish(admin)
    before = await admin.world()
    folder_url = await _back_up(admin, hsm)
    await admin.purge_key("first")
    await admin.purge_key("second")

    poller = await admin.backup.begin_restore(folder_url, hsm.sas_token, key_name="first", polling_interval=0)
    await poller.wait()

    after = await admin.world()
    assert after.keys == {"first": before.keys["first"]}
    assert (after.roles, after.assignments) == (before.roles, before.assignments)
    assert poller.details.kind == "key restore"
    assert poller.details.status_details is not None
    assert "successful key versions restored: 3" in poller.details.status_details


async def test_a_backup_by_managed_identity_can_be_restored(admin: Administrator, hsm: ManagedHsmEmulator) -> None:
    await admin.create_key("first")
    before = await admin.world()
    backup = await admin.backup.begin_backup(hsm.container_url, use_managed_identity=True, polling_interval=0)
    folder_url = (await backup.result()).folder_url or ""
    await admin.purge_key("first")

    await (await admin.backup.begin_restore(folder_url, use_managed_identity=True, polling_interval=0)).wait()

    assert await admin.world() == before


async def test_a_backup_is_done_once_its_result_is_there(hsm: ManagedHsmEmulator, admin: Administrator) -> None:
    poller = await admin.backup.begin_backup(hsm.container_url, hsm.sas_token, polling_interval=0)
    done = poller.done()
    result = await poller.result()

    assert (done, poller.done()) == (False, True)
    assert isinstance(poller, AsyncLROPoller)
    assert isinstance(result, KeyVaultBackupResult)
    assert (result.folder_url or "").startswith(f"{hsm.container_url}/mhsm-emulated-hsm-")


async def test_pre_checks_succeed_and_leave_no_backup(hsm: ManagedHsmEmulator, admin: Administrator) -> None:
    folder_url = await _back_up(admin, hsm)

    pre_backup = await admin.backup.begin_pre_backup(hsm.container_url, hsm.sas_token, polling_interval=0)
    pre_restore = await admin.backup.begin_pre_restore(folder_url, hsm.sas_token, polling_interval=0)

    await asyncio.gather(pre_backup.result(), pre_restore.result())
    assert (pre_backup.details.kind, pre_restore.details.kind) == ("pre-backup", "pre-restore")


async def test_progress_can_be_shown_without_awaiting_the_result(hsm: ManagedHsmEmulator, admin: Administrator) -> None:
    poller = await admin.backup.begin_backup(hsm.container_url, hsm.sas_token)
    started = poller.details
    asked = len(hsm.journal)
    statuses = [started.status]
    while not poller.done():
        await poller.update_status()
        statuses.append(poller.details.status)

    assert statuses[0] == "InProgress"
    assert statuses[-1] == "Succeeded"
    assert len(hsm.journal) - asked == len(statuses) - 1
    assert poller.details.job_id == started.job_id
    assert poller.details.start_time is not None
    assert poller.details.end_time is not None
    assert poller.details.start_time.utcoffset() is not None
    assert (await poller.result()).folder_url is not None
    assert len(hsm.journal) - asked == len(statuses) - 1


@pytest.mark.parametrize(
    "begin",
    [
        lambda client, hsm: client.begin_restore(f"{hsm.container_url}/nothing", hsm.sas_token),
        lambda client, hsm: client.begin_restore(f"{hsm.container_url}/nothing", hsm.sas_token, key_name="k"),
        lambda client, hsm: client.begin_pre_restore(f"{hsm.container_url}/nothing", hsm.sas_token),
        lambda client, hsm: client.begin_backup(f"{hsm.container_url}-missing", hsm.sas_token),
    ],
    ids=["restore", "key restore", "pre-restore", "backup"],
)
async def test_a_failed_job_raises_from_result_and_says_why(
    begin: Any, hsm: ManagedHsmEmulator, admin: Administrator
) -> None:
    before = await admin.world()
    poller: AsyncKeyVaultLROPoller[Any] = await begin(admin.backup, hsm)

    with pytest.raises(HttpResponseError) as caught:
        await poller.result()

    assert poller.done()
    assert poller.status() == "Failed"
    assert poller.details.job_id is not None
    assert poller.details.job_id in str(caught.value)
    assert poller.details.kind in str(caught.value)
    assert caught.value.error is not None
    assert caught.value.error.message
    assert caught.value.error.message in str(caught.value)
    assert caught.value.continuation_token == poller.continuation_token()
    assert await admin.world() == before


@pytest.mark.parametrize("succeeds", [True, False], ids=["success", "failure"])
async def test_a_token_resumes_on_a_new_client_with_the_same_end(
    hsm: ManagedHsmEmulator, admin: Administrator, succeeds: bool
) -> None:
    url = hsm.container_url if succeeds else f"{hsm.container_url}-missing"
    poller = await admin.backup.begin_backup(url, hsm.sas_token, polling_interval=0)
    token = poller.continuation_token()

    async with KeyVaultBackupClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as other:
        # URL and SAS are ignored: they may have expired meanwhile.
        resumed = await other.begin_backup("", "", continuation_token=token, polling_interval=0)
        if succeeds:
            assert await resumed.result() == await poller.result()
        else:
            with pytest.raises(HttpResponseError) as theirs:
                await resumed.result()
            with pytest.raises(HttpResponseError) as ours:
                await poller.result()
            assert str(theirs.value) == str(ours.value)
    assert resumed.details == poller.details
    assert type(resumed) is AsyncKeyVaultLROPoller
