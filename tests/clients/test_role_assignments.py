"""Role assignments through the client, against an emulated HSM; lists are compared whole."""

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
    KeyVaultRoleScope,
)
from azure.keyvault.administration.aio import KeyVaultAccessControlClient
from fakes import ALICE

if TYPE_CHECKING:
    from azure.keyvault.administration.emulator import ManagedHsmEmulator

ROLE_IDS = "Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/"
ADMINISTRATOR = ROLE_IDS + "a290e904-7015-4bba-90c8-60543313cdb4"
CRYPTO_USER = ROLE_IDS + "21dbd100-6940-42c2-9190-5d6cb909625b"
POLICY_ADMINISTRATOR = ROLE_IDS + "4bd23610-cdcf-4971-bdee-bdc562cc28e4"
NAME = "ff388517-2e5c-4d0f-8a0b-0d6f5c3b7a01"
OTHER_NAME = "ff388517-2e5c-4d0f-8a0b-0d6f5c3b7a02"


def assignment(name: str, role: str, principal: str, scope: str) -> KeyVaultRoleAssignment:
    return KeyVaultRoleAssignment(
        name=name,
        role_assignment_id=f"/providers/Microsoft.Authorization/roleAssignments/{name}",
        assignment_type="Microsoft.Authorization/roleAssignments",
        properties=KeyVaultRoleAssignmentProperties(principal_id=principal, role_definition_id=role, scope=scope),
    )


async def listed(client: KeyVaultAccessControlClient, scope: str = "/") -> list[KeyVaultRoleAssignment]:
    return [item async for item in client.list_role_assignments(scope)]


async def test_a_new_hsm_has_one_assignment_which_makes_its_administrator(
    hsm: ManagedHsmEmulator, client: KeyVaultAccessControlClient
) -> None:
    (only,) = await listed(client)

    assert only == assignment(str(only.name), ADMINISTRATOR, hsm.admin_object_id, "/")


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
    before = await listed(client, scope)
    expected = assignment(NAME, CRYPTO_USER, ALICE, kept)

    created = await client.create_role_assignment(scope, CRYPTO_USER, ALICE, name=name)
    read = await client.get_role_assignment(scope, name)
    between = await listed(client, scope)
    await client.delete_role_assignment(scope, name)

    assert created == expected
    assert read == expected
    assert between == [expected, *before]
    assert await listed(client, scope) == before
    with pytest.raises(ResourceNotFoundError):
        await client.get_role_assignment(scope, name)


async def test_an_assignment_at_one_scope_is_not_listed_at_another(client: KeyVaultAccessControlClient) -> None:
    before = [await listed(client, scope) for scope in ("/", "/keys", "/keys/a", "/keys/b")]

    await client.create_role_assignment("/keys/a", CRYPTO_USER, ALICE, name=NAME)

    after = [await listed(client, scope) for scope in ("/", "/keys", "/keys/a", "/keys/b")]
    before[2].append(assignment(NAME, CRYPTO_USER, ALICE, "/keys/a"))
    assert after == before


async def test_an_assignment_without_a_name_gets_a_new_uuid(client: KeyVaultAccessControlClient) -> None:
    before = await listed(client)

    created = await client.create_role_assignment("/", CRYPTO_USER, ALICE)

    assert str(UUID(str(created.name))) == created.name
    assert created == assignment(str(created.name), CRYPTO_USER, ALICE, "/")
    assert await listed(client) == [created, *before]


async def test_a_second_assignment_of_the_same_role_is_refused_and_changes_nothing(
    client: KeyVaultAccessControlClient,
) -> None:
    await client.create_role_assignment("/", CRYPTO_USER, ALICE, name=NAME)
    before = await listed(client)

    with pytest.raises(HttpResponseError) as caught:
        await client.create_role_assignment("/", CRYPTO_USER, ALICE, name=OTHER_NAME)

    assert caught.value.status_code == 400
    assert caught.value.error is not None
    assert caught.value.error.code == "MatchingRoleAssignmentExists"
    assert f"Role assignment '{NAME}' already adds role '{CRYPTO_USER}'" in str(caught.value)
    assert await listed(client) == before


async def test_deleting_an_absent_assignment_succeeds_and_changes_nothing(client: KeyVaultAccessControlClient) -> None:
    before = await listed(client)

    await client.delete_role_assignment("/", NAME)
    await client.delete_role_assignment("/keys/none", "not-even-a-uuid")

    assert await listed(client) == before


async def test_getting_an_absent_assignment_says_what_was_not_found(client: KeyVaultAccessControlClient) -> None:
    with pytest.raises(ResourceNotFoundError, match="Requested role assignment not found") as caught:
        await client.get_role_assignment("/", NAME)

    assert caught.value.error is not None
    assert caught.value.error.code == "RoleAssignmentNotFound"


async def test_a_principal_without_rights_is_refused_everything_and_changes_nothing(
    hsm: ManagedHsmEmulator, client: KeyVaultAccessControlClient
) -> None:
    before = await listed(client)
    refused: list[str] = []

    async with KeyVaultAccessControlClient(hsm.vault_url, hsm.credential_for(ALICE), **hsm.client_kwargs) as alice:
        for call in (
            listed(alice),
            alice.get_role_assignment("/", str(before[0].name)),
            alice.create_role_assignment("/", ADMINISTRATOR, ALICE),
            alice.delete_role_assignment("/", str(before[0].name)),
        ):
            with pytest.raises(HttpResponseError, match="Not authorized to access") as caught:
                await call
            assert caught.value.error is not None
            refused.append(f"{caught.value.status_code} {caught.value.error.code}")

    assert refused == ["403 AccessDenied"] * 4
    assert await listed(client) == before


async def test_a_role_at_one_key_gives_rights_at_that_key_only(
    hsm: ManagedHsmEmulator, client: KeyVaultAccessControlClient
) -> None:
    own = await client.create_role_assignment("/keys/own", POLICY_ADMINISTRATOR, ALICE)

    async with KeyVaultAccessControlClient(hsm.vault_url, hsm.credential_for(ALICE), **hsm.client_kwargs) as alice:
        assert await listed(alice, "/keys/own") == [own]
        for scope in ("/", "/keys", "/keys/other"):
            with pytest.raises(HttpResponseError, match="Not authorized"):
                await listed(alice, scope)


async def test_a_custom_role_lets_its_principal_do_what_it_permits_and_nothing_else(
    hsm: ManagedHsmEmulator, client: KeyVaultAccessControlClient
) -> None:
    reading = KeyVaultPermission(data_actions=[KeyVaultDataAction.GET_ROLE_ASSIGNMENT])
    role = await client.set_role_definition("/", role_name="Reader", permissions=[reading])
    given = await client.create_role_assignment("/", str(role.id), ALICE)

    async with KeyVaultAccessControlClient(hsm.vault_url, hsm.credential_for(ALICE), **hsm.client_kwargs) as alice:
        assert await listed(alice) == await listed(client)
        with pytest.raises(HttpResponseError, match="Not authorized"):
            await alice.delete_role_assignment("/", str(given.name))

        await client.delete_role_assignment("/", str(given.name))
        with pytest.raises(HttpResponseError, match="Not authorized"):
            await listed(alice)
