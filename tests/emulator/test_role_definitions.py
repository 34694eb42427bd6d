"""Role definitions over HTTP, whole bodies compared."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.raw import ACTION, ADMINISTRATOR, CRYPTO_USER, ROLE_DEFINITIONS, ROLE_ID, RawClient

NAME = "2f5b1a7e-6c1d-4f7a-9b35-7f0c5c9d7f11"
URL = f"{ROLE_DEFINITIONS}/{NAME}"
READ = f"{ACTION}/keys/read/action"
NOT_FOUND = (404, "RoleDefinitionNotFound", "Requested role definition not found")


def permission(
    actions: list[str] | None = None,
    data_actions: list[str] | None = None,
    not_actions: list[str] | None = None,
    not_data_actions: list[str] | None = None,
) -> dict[str, list[str]]:
    return {
        "actions": actions or [],
        "dataActions": data_actions or [],
        "notActions": not_actions or [],
        "notDataActions": not_data_actions or [],
    }


def role(permissions: list[dict[str, list[str]]], **properties: str) -> dict[str, Any]:
    return {
        "id": ROLE_ID + NAME,
        "name": NAME,
        "properties": {
            "assignableScopes": ["/"],
            "description": "",
            "permissions": permissions,
            "roleName": "",
            "type": "CustomRole",
            **properties,
        },
        "type": "Microsoft.Authorization/roleDefinitions",
    }


def create(**properties: object) -> dict[str, Any]:
    return {"properties": {"permissions": [{"dataActions": [READ]}], **properties}}


async def test_a_built_in_role_is_shown_byte_for_byte_as_the_service_shows_it(raw: RawClient) -> None:
    reply = await raw.send("GET", f"{ROLE_DEFINITIONS}/abdd7ec4-a273-4265-bf38-e001014e2d8e")

    assert reply.status == 200
    assert reply.body == (
        b'{"id":"Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/'
        b'abdd7ec4-a273-4265-bf38-e001014e2d8e","name":"abdd7ec4-a273-4265-bf38-e001014e2d8e",'
        b'"properties":{"assignableScopes":["/"],"description":"","permissions":[{"actions":[],"dataActions":'
        b'["Microsoft.KeyVault/managedHsm/ekm/read/action","Microsoft.KeyVault/managedHsm/ekm/write/action",'
        b'"Microsoft.KeyVault/managedHsm/ekm/delete/action"],"notActions":[],"notDataActions":[]}],'
        b'"roleName":"Managed HSM EKM Administrator","type":"AKVBuiltInRole"},'
        b'"type":"Microsoft.Authorization/roleDefinitions"}'
    )


async def test_every_scope_and_every_way_of_writing_it_shows_the_same_list(raw: RawClient) -> None:
    shown = {"value": await raw.role_definitions()}

    for scope in ("//", "///", "/keys", "//keys/", "/keys/some-key", "//keys//some-key/"):
        assert (await raw.send("GET", scope + ROLE_DEFINITIONS)).json == shown


async def test_custom_role_is_created_read_listed_and_deleted(raw: RawClient) -> None:
    before = await raw.role_definitions()
    expected = role([permission(data_actions=[READ])], description="test", roleName="mine")

    created = await raw.send("PUT", URL, create(roleName="mine", description="test"))
    read = await raw.send("GET", URL)
    listed = await raw.role_definitions()
    deleted = await raw.send("DELETE", URL)

    assert (created.status, created.json) == (201, expected)
    assert (read.status, read.body) == (200, created.body)
    assert listed == [*before, expected]
    assert (deleted.status, deleted.body) == (200, created.body)
    assert await raw.role_definitions() == before
    assert (await raw.send("GET", URL)).error == NOT_FOUND
    assert (await raw.send("DELETE", URL)).error == NOT_FOUND


async def test_a_put_replaces_and_answers_201_again(raw: RawClient) -> None:
    await raw.send("PUT", URL, create(roleName="mine", description="test"))

    replaced = await raw.send("PUT", URL, {"properties": {"permissions": [{"notDataActions": [READ]}]}})

    assert (replaced.status, replaced.json) == (201, role([permission(not_data_actions=[READ])]))
    assert (await raw.send("GET", URL)).body == replaced.body


async def test_a_replaced_role_keeps_its_place_in_the_list(raw: RawClient) -> None:
    other = NAME[:-1] + "2"
    for name in (NAME, other, NAME):
        # All have the same role name.
        await raw.send("PUT", f"{ROLE_DEFINITIONS}/{name}", create(roleName="same"))

    assert [each["name"] for each in await raw.role_definitions()][10:] == [NAME, other]


async def test_a_name_is_compared_without_regard_to_case(raw: RawClient) -> None:
    created = await raw.send("PUT", URL.replace(NAME, NAME.upper()), create())

    assert created.json["name"] == NAME
    assert (await raw.send("GET", URL.replace(NAME, NAME.upper()))).body == created.body


async def test_null_members_count_as_absent(raw: RawClient) -> None:
    nulls = dict.fromkeys(["roleName", "description", "type", "assignableScopes"])

    reply = await raw.send("PUT", URL, create(**nulls))

    assert (reply.status, reply.json) == (201, role([permission(data_actions=[READ])]))


async def test_text_beyond_ascii_comes_back_as_it_was(raw: RawClient) -> None:
    reply = await raw.send("PUT", URL, create(roleName="Schlüssel 🔑"))

    assert reply.json["properties"]["roleName"] == "Schlüssel 🔑"
    assert "Schlüssel 🔑".encode() in reply.body


async def test_assignable_scopes_always_become_the_root(raw: RawClient) -> None:
    for scopes in (["/"], ["/keys"], ["/keys/k", "/"], []):
        reply = await raw.send("PUT", URL, create(assignableScopes=scopes))

        assert (reply.status, reply.json["properties"]["assignableScopes"]) == (201, ["/"])
    invalid = await raw.send("PUT", URL, create(assignableScopes=["/secrets"]))
    assert invalid.error == (400, "Invalidkeyidentifier", "Invalid key identifier")


@pytest.mark.parametrize("body", [{"properties": {}}, create(permissions=[])], ids=["none", "empty"])
async def test_a_role_without_permissions_grants_nothing(raw: RawClient, body: Any) -> None:
    reply = await raw.send("PUT", URL, body)

    assert reply.status == 201
    assert reply.json["properties"]["permissions"] == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "The member properties is required"),
        (create(permissions={}), "properties.permissions must be an array"),
        (create(permissions=["x"]), "properties.permissions[0] must be an object"),
        (
            create(permissions=[{}, {"dataActions": ["x", 1]}]),
            "properties.permissions[1].dataActions[1] must be a string",
        ),
        (
            create(permissions=[{"dataActions": ["Microsoft.KeyVault/managedHsm/keys/fly/action"]}]),
            "The data action 'Microsoft.KeyVault/managedHsm/keys/fly/action' does not exist",
        ),
        (
            create(permissions=[{"notDataActions": [f"{ACTION}/*"]}]),
            "The data action 'Microsoft.KeyVault/managedHsm/*' does not exist",
        ),
        (create(type="AKVBuiltInRole"), "The type of a role definition can only be CustomRole"),
        (create(roleName=5), "properties.roleName must be a string"),
        (create(rolename="x"), "The request body has unknown members: 'properties.rolename'"),
        (
            create(permissions=[{"dataAction": []}]),
            "The request body has unknown members: 'properties.permissions[0].dataAction'",
        ),
        ({**create(), "id": "x"}, "The request body has unknown members: 'id'"),
    ],
)
async def test_invalid_role_is_refused_and_changes_nothing(raw: RawClient, body: dict[str, Any], message: str) -> None:
    before = await raw.role_definitions()

    reply = await raw.send("PUT", URL, body)

    assert reply.error == (400, "BadRequest", message)
    assert await raw.role_definitions() == before


@pytest.mark.parametrize("name", ["mine", NAME[:-1], NAME.replace("-", ""), f"{NAME}%20"])
async def test_a_role_is_named_by_a_guid(raw: RawClient, name: str) -> None:
    url = f"{ROLE_DEFINITIONS}/{name}"

    replies = [await raw.send("PUT", url, create()), await raw.send("GET", url), await raw.send("DELETE", url)]

    not_a_guid = (400, "BadParameter", "Role definition name must be a GUID")
    assert [reply.error for reply in replies] == [not_a_guid, NOT_FOUND, NOT_FOUND]


@pytest.mark.parametrize("name", [ADMINISTRATOR, CRYPTO_USER.upper()])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_a_built_in_role_cannot_be_changed(raw: RawClient, method: str, name: str) -> None:
    before = await raw.role_definitions()

    reply = await raw.send(method, f"{ROLE_DEFINITIONS}/{name}", create() if method == "PUT" else None)

    message = "Cannot re-use the name/GUID matching that of a built-in role. Please use a unique role ID."
    assert reply.error == (400, "BadParameter", message)
    assert await raw.role_definitions() == before


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_a_single_role_is_addressed_at_the_root_only(raw: RawClient, method: str) -> None:
    await raw.send("PUT", URL, create())

    reply = await raw.send(method, "/keys" + URL, create() if method == "PUT" else None)

    assert reply.error == (400, "BadRequest", "Role definitions exist only at the scope '/'")


async def test_a_filter_chooses_roles(raw: RawClient) -> None:
    created = await raw.send("PUT", URL, create(roleName="Alice's"))

    chosen = await raw.send("GET", ROLE_DEFINITIONS, query="$filter=roleName%20eq%20'Alice''s'")
    refused = await raw.send("GET", ROLE_DEFINITIONS, query="$filter=roleName%20eq%20Alice")

    assert chosen.json == {"value": [created.json]}
    message = "The $filter must be atScopeAndBelow() or roleName eq '<name>'"
    assert refused.error == (400, "BadParameter", message)


async def test_a_data_action_of_a_role_of_the_past_is_accepted(raw: RawClient) -> None:
    actions = [f"{ACTION}/keys/createIfNotExists"]

    reply = await raw.send("PUT", URL, create(permissions=[{"dataActions": actions}]))

    assert reply.json == role([permission(data_actions=actions)])
