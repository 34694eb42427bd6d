"""Role definitions through the client, against an emulated HSM; lists are compared whole."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from azure.keyvault.administration import (
    KeyVaultDataAction,
    KeyVaultPermission,
    KeyVaultRoleDefinition,
    KeyVaultRoleScope,
)
from azure.keyvault.administration.aio import KeyVaultAccessControlClient

if TYPE_CHECKING:
    pass

NAME = "0e4d3a52-6c70-4a6f-9c2a-57d8f3a0c001"
READ_KEY = KeyVaultDataAction.READ_HSM_KEY.value
BUILT_IN = [
    ("abdd7ec4-a273-4265-bf38-e001014e2d8e", "Managed HSM EKM Administrator", 3),
    ("6efe6056-5259-49d2-8b3d-d3d73544b20b", "Managed HSM Restore User", 3),
    ("7b127d3c-77bd-4e3e-bbe0-dbb8971fa7f8", "Managed HSM Backup User", 3),
    ("33413926-3206-4cdd-b39a-83574fe37a17", "Managed HSM Crypto Service Encryption User", 3),
    ("21dbd100-6940-42c2-9190-5d6cb909625c", "Managed HSM Crypto Service Release User", 1),
    ("2c18b078-7c48-4d3a-af88-5a3a1b3f82b3", "Managed HSM Crypto Auditor", 4),
    ("4bd23610-cdcf-4971-bdee-bdc562cc28e4", "Managed HSM Policy Administrator", 6),
    ("21dbd100-6940-42c2-9190-5d6cb909625b", "Managed HSM Crypto User", 19),
    ("515eb02d-2335-4d2d-92f2-b1cbdf9c3778", "Managed HSM Crypto Officer", 10),
    ("a290e904-7015-4bba-90c8-60543313cdb4", "Managed HSM Administrator", 17),
]


def definition(
    *,
    role_name: str = "",
    description: str = "",
    permissions: list[KeyVaultPermission] | None = None,
    name: str = NAME,
) -> KeyVaultRoleDefinition:
    return KeyVaultRoleDefinition(
        id=f"Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/{name}",
        name=name,
        type="Microsoft.Authorization/roleDefinitions",
        role_type="CustomRole",
        role_name=role_name,
        description=description,
        permissions=permissions or [],
        assignable_scopes=["/"],
    )


def permission(data_actions: list[str], not_data_actions: list[str] | None = None) -> KeyVaultPermission:
    """Return a permission as the service shows it: what was not given is empty."""
    return KeyVaultPermission(
        actions=[], not_actions=[], data_actions=data_actions, not_data_actions=not_data_actions or []
    )


async def listed(client: KeyVaultAccessControlClient, scope: str = "/") -> list[KeyVaultRoleDefinition]:
    return [item async for item in client.list_role_definitions(scope)]


async def test_a_new_hsm_has_the_built_in_roles_at_every_scope(client: KeyVaultAccessControlClient) -> None:
    roles = await listed(client)

    assert await listed(client, KeyVaultRoleScope.KEYS) == await listed(client, "/keys/my-key") == roles

    assert [(role.name, role.role_name) for role in roles] == [(name, title) for name, title, _ in BUILT_IN]
    assert [len((role.permissions or [])[0].data_actions or []) for role in roles] == [count for *_, count in BUILT_IN]
    assert {(role.role_type, role.type, role.description) for role in roles} == {
        ("AKVBuiltInRole", "Microsoft.Authorization/roleDefinitions", "")
    }


async def test_every_built_in_role_can_be_read_alone(client: KeyVaultAccessControlClient) -> None:
    roles = await listed(client)

    assert [await client.get_role_definition("/", str(role.name)) for role in roles] == roles


async def test_a_custom_role_is_created_read_listed_and_deleted(client: KeyVaultAccessControlClient) -> None:
    name = UUID(NAME)
    before = await listed(client)
    expected = definition(role_name="Keys", description="test", permissions=[permission([READ_KEY])])

    created = await client.set_role_definition(
        KeyVaultRoleScope.GLOBAL,
        name=name,
        role_name="Keys",
        description="test",
        permissions=[KeyVaultPermission(data_actions=[KeyVaultDataAction.READ_HSM_KEY])],
        assignable_scopes=[KeyVaultRoleScope.GLOBAL],
    )
    read = await client.get_role_definition("/", name)
    between = await listed(client)
    await client.delete_role_definition("/", name)

    assert created == expected
    assert read == expected
    assert between == [*before, expected]
    assert await listed(client) == before
    with pytest.raises(ResourceNotFoundError):
        await client.get_role_definition("/", name)


async def test_setting_a_role_again_replaces_it_whole(client: KeyVaultAccessControlClient) -> None:
    await client.set_role_definition(
        "/", name=NAME, role_name="Keys", description="test", permissions=[KeyVaultPermission(data_actions=[READ_KEY])]
    )
    before = await listed(client)

    replaced = await client.set_role_definition(
        "/", name=NAME, permissions=[KeyVaultPermission(data_actions=[], not_data_actions=[READ_KEY])]
    )

    assert replaced == definition(permissions=[permission([], [READ_KEY])])
    assert await listed(client) == [*before[:-1], replaced]


async def test_a_role_without_a_name_gets_a_new_uuid_each_time(client: KeyVaultAccessControlClient) -> None:
    before = await listed(client)

    wanted = KeyVaultPermission(data_actions=[READ_KEY])
    one = await client.set_role_definition("/", role_name="one", permissions=[wanted])
    other = await client.set_role_definition("/", role_name="other", permissions=[wanted])

    kept = [permission([READ_KEY])]
    assert one == definition(name=str(UUID(str(one.name))), role_name="one", permissions=kept)
    assert other == definition(name=str(UUID(str(other.name))), role_name="other", permissions=kept)
    assert one.name != other.name
    assert await listed(client) == [*before, one, other]


async def test_what_was_read_can_be_set_again(client: KeyVaultAccessControlClient) -> None:
    role = await client.set_role_definition(
        "/", name=NAME, role_name="Keys", permissions=[KeyVaultPermission(data_actions=[READ_KEY])]
    )

    again = await client.set_role_definition(
        "/",
        name=role.name,
        role_name=role.role_name,
        description=role.description,
        permissions=role.permissions,
        assignable_scopes=role.assignable_scopes,
    )

    assert again == role


async def test_deleting_an_absent_role_succeeds_and_changes_nothing(client: KeyVaultAccessControlClient) -> None:
    before = await listed(client)

    await client.delete_role_definition("/", NAME)

    assert await listed(client) == before


async def test_a_built_in_role_can_be_neither_deleted_nor_replaced(client: KeyVaultAccessControlClient) -> None:
    before = await listed(client)
    name = str(before[0].name)

    with pytest.raises(HttpResponseError):
        await client.delete_role_definition("/", name)
    with pytest.raises(HttpResponseError):
        await client.set_role_definition("/", name=name, role_name="mine")

    assert await listed(client) == before


async def test_getting_an_absent_role_says_what_was_not_found(client: KeyVaultAccessControlClient) -> None:
    with pytest.raises(ResourceNotFoundError, match="Requested role definition not found") as caught:
        await client.get_role_definition("/", NAME)

    assert caught.value.error is not None
    assert caught.value.error.code == "RoleDefinitionNotFound"
