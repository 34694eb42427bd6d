"""Code as a user would write it. It is type-checked, never run: what stands here must keep its types."""

from __future__ import annotations

import asyncio
from datetime import datetime
from uuid import uuid4

from azure.core.async_paging import AsyncItemPaged
from azure.core.credentials import AccessToken
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.identity.aio import DefaultAzureCredential
from typing_extensions import assert_type

from azure.keyvault.administration import (
    ApiVersion,
    KeyVaultBackupResult,
    KeyVaultDataAction,
    KeyVaultJobDetails,
    KeyVaultPermission,
    KeyVaultRoleAssignment,
    KeyVaultRoleAssignmentProperties,
    KeyVaultRoleDefinition,
    KeyVaultRoleScope,
)
from azure.keyvault.administration.aio import AsyncKeyVaultLROPoller, KeyVaultAccessControlClient, KeyVaultBackupClient
from azure.keyvault.administration.emulator import ManagedHsmEmulator

VAULT = "https://contoso.managedhsm.azure.net"
CONTAINER = "https://account.blob.core.windows.net/backups"
FOLDER = f"{CONTAINER}/mhsm-contoso-2026112416000000"


async def manage_roles(credential: AsyncTokenCredential) -> None:
    async with KeyVaultAccessControlClient(VAULT, credential, api_version=ApiVersion.V7_6) as client:
        assert_type(client, KeyVaultAccessControlClient)
        assert_type(client.vault_url, str)
        assert_type(client.api_version, str)

        role = await client.set_role_definition(
            KeyVaultRoleScope.GLOBAL,
            name=uuid4(),
            role_name="Key reader",
            permissions=(KeyVaultPermission(data_actions=[action]) for action in (KeyVaultDataAction.READ_HSM_KEY,)),
            assignable_scopes=[KeyVaultRoleScope.GLOBAL],
        )
        assert_type(role, KeyVaultRoleDefinition)
        assert_type(role.id, str | None)
        assert_type(role.permissions, list[KeyVaultPermission] | None)
        for permission in role.permissions or []:
            assert_type(permission.data_actions, list[str] | None)

        roles = client.list_role_definitions("/")
        assert_type(roles, AsyncItemPaged[KeyVaultRoleDefinition])
        async for item in roles:
            assert_type(item.role_name, str | None)
        assert_type(await client.get_role_definition("/", "name"), KeyVaultRoleDefinition)

        assignment = await client.create_role_assignment("/keys/my-key", role.id or "", str(uuid4()))
        assert_type(assignment, KeyVaultRoleAssignment)
        assert_type(assignment.properties, KeyVaultRoleAssignmentProperties | None)
        if assignment.properties:
            assert_type(assignment.properties.principal_id, str | None)
        async for page in client.list_role_assignments("/").by_page():
            async for entry in page:
                assert_type(entry, KeyVaultRoleAssignment)
        assert_type(await client.get_role_assignment("/", uuid4()), KeyVaultRoleAssignment)

        await client.delete_role_assignment("/", assignment.name or "", retry_total=3)
        await client.delete_role_definition("/", uuid4())

        response = await client.send_request(HttpRequest("GET", "/settings"))
        assert_type(response, AsyncHttpResponse)
        await client.close()


async def back_up_and_restore(credential: AsyncTokenCredential, saved: str | None) -> None:
    async with KeyVaultBackupClient(VAULT, credential) as client:
        poller = await client.begin_backup(CONTAINER, "sas", polling_interval=1)
        assert_type(poller, AsyncKeyVaultLROPoller[KeyVaultBackupResult])
        assert_type(await poller.result(), KeyVaultBackupResult)
        assert_type((await poller.result()).folder_url, str | None)
        assert_type(poller.details, KeyVaultJobDetails)
        assert_type(poller.details.start_time, datetime | None)
        assert_type(poller.done(), bool)
        assert_type(await poller.update_status(), None)
        token = poller.continuation_token()
        assert_type(token, str)

        # Each way to say how the HSM gets into the container, as published.
        await client.begin_backup(CONTAINER, sas_token="sas")
        await client.begin_backup(blob_storage_url=CONTAINER, sas_token="sas", continuation_token=saved)
        await client.begin_backup(CONTAINER, use_managed_identity=True)
        await client.begin_backup(CONTAINER, use_managed_identity=True, continuation_token=saved)
        await client.begin_backup(CONTAINER, "sas", use_managed_identity=False)
        await client.begin_backup("", continuation_token=token)

        restore = await client.begin_restore(FOLDER, "sas", key_name="payments")
        assert_type(restore, AsyncKeyVaultLROPoller[None])
        await client.begin_restore(FOLDER, use_managed_identity=True, key_name=saved)
        await client.begin_restore("", continuation_token=token)
        await client.begin_pre_backup(CONTAINER, "sas")
        await client.begin_pre_backup(CONTAINER, use_managed_identity=True)
        await client.begin_pre_restore(FOLDER, "sas")
        await client.begin_pre_restore(FOLDER, use_managed_identity=True)


async def work_in_tasks(client: KeyVaultAccessControlClient, backup: KeyVaultBackupClient) -> None:
    """A task takes coroutines only, and a method's result is one."""
    role = asyncio.create_task(client.get_role_definition("/", "name"))
    assert_type(await role, KeyVaultRoleDefinition)
    poller = asyncio.create_task(backup.begin_backup(CONTAINER, "sas"))
    assert_type(await poller, AsyncKeyVaultLROPoller[KeyVaultBackupResult])


async def use_the_real_service() -> None:
    async with DefaultAzureCredential() as credential:
        await manage_roles(credential)


async def use_the_emulator() -> None:
    async with ManagedHsmEmulator() as hsm:
        async with KeyVaultAccessControlClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as client:
            assert_type([item async for item in client.list_role_definitions("/")], list[KeyVaultRoleDefinition])
        await manage_roles(hsm.credential)


class SyncCredential:
    """Has the method, but it must be awaited."""

    def get_token(self, *_: str) -> AccessToken:
        return AccessToken("", 0)


def mistakes(
    credential: AsyncTokenCredential, client: KeyVaultAccessControlClient, backup: KeyVaultBackupClient
) -> None:
    """Each of these must stay an error: an ignore that is not needed is one itself."""
    KeyVaultAccessControlClient(VAULT)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    KeyVaultAccessControlClient(VAULT, SyncCredential())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    KeyVaultAccessControlClient(None, credential)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.list_role_definitions(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    KeyVaultPermission(["action"])  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    # One way into the container, and only one.
    backup.begin_backup(CONTAINER)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    backup.begin_backup(CONTAINER, "sas", use_managed_identity=True)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    backup.begin_restore(FOLDER, sas_token="sas", use_managed_identity=True)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    backup.begin_pre_backup(CONTAINER, use_managed_identity=False)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportUnusedCoroutine]
    backup.begin_pre_restore(FOLDER, "sas", use_managed_identity=True)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
