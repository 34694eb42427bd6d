"""Role definitions and assignments through the client, from end to end on the emulator; lists are compared whole."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from azure.keyvault.administration import (
    KeyVaultDataAction,
    KeyVaultPermission,
    KeyVaultRoleAssignment,
    KeyVaultRoleAssignmentProperties,
    KeyVaultRoleDefinition,
    KeyVaultRoleScope,
)
from azure.keyvault.administration.aio import KeyVaultAccessControlClient
from fakes import ALICE

if TYPE_CHECKING:
    from azure.keyvault.administration.emulator import ManagedHsmEmulator

ROLE_IDS = "Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/"
CRYPTO_USER = ROLE_IDS + "21dbd100-6940-42c2-9190-5d6cb909625b"
NAME = "ff388517-2e5c-4d0f-8a0b-0d6f5c3b7a01"
READING = KeyVaultPermission(data_actions=[KeyVaultDataAction.READ_HSM_KEY])


def definition(name: str, role_name: str, description: str = "") -> KeyVaultRoleDefinition:
    """Return a custom role as the service shows it: what was not given is empty."""
    reading = [KeyVaultDataAction.READ_HSM_KEY.value]
    return KeyVaultRoleDefinition(
        id=f"{ROLE_IDS}{name}",
        name=name,
        type="Microsoft.Authorization/roleDefinitions",
        role_type="CustomRole",
        role_name=role_name,
        description=description,
        permissions=[KeyVaultPermission(actions=[], not_actions=[], data_actions=reading, not_data_actions=[])],
        assignable_scopes=["/"],
    )


def assignment(name: str, scope: str) -> KeyVaultRoleAssignment:
    return KeyVaultRoleAssignment(
        name=name,
        role_assignment_id=f"/providers/Microsoft.Authorization/roleAssignments/{name}",
        assignment_type="Microsoft.Authorization/roleAssignments",
        properties=KeyVaultRoleAssignmentProperties(principal_id=ALICE, role_definition_id=CRYPTO_USER, scope=scope),
    )


async def roles(client: KeyVaultAccessControlClient, scope: str = "/") -> list[KeyVaultRoleDefinition]:
    return [item async for item in client.list_role_definitions(scope)]


async def assignments(client: KeyVaultAccessControlClient, scope: str = "/") -> list[KeyVaultRoleAssignment]:
    return [item async for item in client.list_role_assignments(scope)]


async def test_a_new_hsm_has_ten_built_in_roles_at_every_scope(client: KeyVaultAccessControlClient) -> None:
    built_in = await roles(client)

    assert [role.role_type for role in built_in] == ["AKVBuiltInRole"] * 10
    assert await roles(client, KeyVaultRoleScope.KEYS) == await roles(client, "/keys/my-key") == built_in


async def test_a_custom_role_is_set_read_listed_and_deleted(client: KeyVaultAccessControlClient) -> None:
    before = await roles(client)
    expected = definition(NAME, "Keys", "test")

    created = await client.set_role_definition(
        KeyVaultRoleScope.GLOBAL,
        name=UUID(NAME),
        role_name="Keys",
        description="test",
        permissions=[READING],
        assignable_scopes=[KeyVaultRoleScope.GLOBAL],
    )
    read = await client.get_role_definition("/", NAME)
    again = await client.set_role_definition(
        "/",
        name=read.name,
        role_name=read.role_name,
        description=read.description,
        permissions=read.permissions,
        assignable_scopes=read.assignable_scopes,
    )
    between = await roles(client)
    await client.delete_role_definition("/", UUID(NAME))

    assert created == read == again == expected
    assert between == [*before, expected]
    assert await roles(client) == before
    with pytest.raises(ResourceNotFoundError, match="Requested role definition not found") as caught:
        await client.get_role_definition("/", NAME)
    assert caught.value.error is not None
    assert caught.value.error.code == "RoleDefinitionNotFound"


@pytest.mark.parametrize(
    ("scope", "kept", "name"),
    [
        ("/", "/", UUID(NAME)),
        (KeyVaultRoleScope.GLOBAL, "/", NAME),
        (KeyVaultRoleScope.KEYS, "/keys", NAME),
        ("keys/", "/keys", NAME),
        ("/keys/my-key", "/keys/my-key", UUID(NAME)),
    ],
)
async def test_an_assignment_is_created_read_listed_and_deleted(
    client: KeyVaultAccessControlClient, scope: str, kept: str, name: str | UUID
) -> None:
    before = await assignments(client, scope)
    expected = assignment(NAME, kept)

    created = await client.create_role_assignment(scope, CRYPTO_USER, ALICE, name=name)
    read = await client.get_role_assignment(scope, name)
    between = await assignments(client, scope)
    await client.delete_role_assignment(scope, name)

    assert created == read == expected
    assert between == [expected, *before]
    assert await assignments(client, scope) == before
    with pytest.raises(ResourceNotFoundError, match="Requested role assignment not found"):
        await client.get_role_assignment(scope, name)


async def test_a_new_name_is_a_uuid(client: KeyVaultAccessControlClient) -> None:
    made = [await client.set_role_definition("/", role_name=name, permissions=[READING]) for name in "ab"]
    created = await client.create_role_assignment("/", CRYPTO_USER, ALICE)

    assert made == [definition(str(UUID(role.name)), name) for role, name in zip(made, "ab", strict=True)]
    assert len({role.name for role in made}) == 2
    assert created == assignment(str(UUID(created.name)), "/")


async def test_deleting_a_missing_item_changes_nothing(client: KeyVaultAccessControlClient) -> None:
    before = await roles(client), await assignments(client)

    await client.delete_role_definition("/", NAME)
    await client.delete_role_assignment("/", NAME)
    await client.delete_role_assignment("/keys/none", "not-even-a-uuid")

    assert (await roles(client), await assignments(client)) == before


async def test_a_custom_role_permits_its_actions_only(
    hsm: ManagedHsmEmulator, client: KeyVaultAccessControlClient
) -> None:
    listing = KeyVaultPermission(data_actions=[KeyVaultDataAction.GET_ROLE_ASSIGNMENT])
    role = await client.set_role_definition("/", role_name="Reader", permissions=[listing])
    given = await client.create_role_assignment("/", str(role.id), ALICE)

    async with KeyVaultAccessControlClient(hsm.vault_url, hsm.credential_for(ALICE), **hsm.client_kwargs) as alice:
        assert await assignments(alice) == await assignments(client)
        with pytest.raises(HttpResponseError, match="Not authorized"):
            await alice.delete_role_assignment("/", str(given.name))

        await client.delete_role_assignment("/", str(given.name))
        with pytest.raises(HttpResponseError, match="Not authorized"):
            await assignments(alice)
