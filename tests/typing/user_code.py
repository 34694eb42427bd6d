"""Code as a user would write it. It is type-checked, never run: what stands here must keep its types."""

from __future__ import annotations

from uuid import uuid4

from azure.core.async_paging import AsyncItemPaged
from azure.core.credentials import AccessToken
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.identity.aio import DefaultAzureCredential
from typing_extensions import assert_type

from azure.keyvault.administration import (
    ApiVersion,
    KeyVaultDataAction,
    KeyVaultPermission,
    KeyVaultRoleAssignment,
    KeyVaultRoleAssignmentProperties,
    KeyVaultRoleDefinition,
    KeyVaultRoleScope,
)
from azure.keyvault.administration.aio import KeyVaultAccessControlClient
from azure.keyvault.administration.emulator import ManagedHsmEmulator

VAULT = "https://contoso.managedhsm.azure.net"


async def manage_roles(credential: AsyncTokenCredential) -> None:
    async with KeyVaultAccessControlClient(VAULT, credential, api_version=ApiVersion.V7_6) as client:
        assert_type(client, KeyVaultAccessControlClient)
        assert_type(client.vault_url, str)

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


def mistakes(credential: AsyncTokenCredential, client: KeyVaultAccessControlClient) -> None:
    """Each of these must stay an error: an ignore that is not needed is one itself."""
    KeyVaultAccessControlClient(VAULT)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    KeyVaultAccessControlClient(VAULT, SyncCredential())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    KeyVaultAccessControlClient(None, credential)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.list_role_definitions(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    KeyVaultPermission(["action"])  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
