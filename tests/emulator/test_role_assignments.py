"""Role assignments over HTTP, whole bodies and whole lists compared."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.operator_client import ALICE
from emulator.raw import ACTION, BACKUP_USER, CRYPTO_USER, ROLE_ASSIGNMENTS, ROLE_DEFINITIONS, ROLE_ID, RawClient

NAME = "ff388517-2e5c-4d0f-8a0b-0d6f5c3b7a01"
OTHER_NAME = "ff388517-2e5c-4d0f-8a0b-0d6f5c3b7a02"
BOB = "b0b00000-0000-4000-8000-000000000002"
EXISTS = (400, "RoleAssignmentExists", "The role assignment already exists.")
NOT_FOUND = (404, "RoleAssignmentNotFound", "Requested role assignment not found")


def assignment(name: str, principal: str, role: str, scope: str) -> dict[str, Any]:
    return {
        "id": f"/providers/Microsoft.Authorization/roleAssignments/{name}",
        "name": name,
        "properties": {"principalId": principal, "roleDefinitionId": ROLE_ID + role, "scope": scope},
        "type": "Microsoft.Authorization/roleAssignments",
    }


async def test_a_new_hsm_has_one_assignment_which_makes_its_administrator(raw: RawClient) -> None:
    (only,) = await raw.role_assignments()

    assert only == assignment(only["name"], raw.hsm.admin_object_id, "a290e904-7015-4bba-90c8-60543313cdb4", "/")


@pytest.mark.parametrize(
    ("path", "scope"), [("", "/"), ("//keys/", "/keys"), ("//keys//1743899349/", "/keys/1743899349")]
)
async def test_assignment_is_created_read_listed_and_deleted(raw: RawClient, path: str, scope: str) -> None:
    url = f"{path}{ROLE_ASSIGNMENTS}/{NAME}"
    before = await raw.role_assignments(path)
    expected = assignment(NAME, ALICE, CRYPTO_USER, scope)

    created = await raw.assign(ALICE, CRYPTO_USER, path, NAME)
    read = await raw.send("GET", url)
    listed = await raw.role_assignments(path)
    deleted = await raw.send("DELETE", url)

    assert (created.status, created.json) == (201, expected)
    assert (read.status, read.body) == (200, created.body)
    assert listed == [expected, *before]
    assert (deleted.status, deleted.body) == (200, created.body)
    assert await raw.role_assignments(path) == before
    assert (await raw.send("GET", url)).error == (await raw.send("DELETE", url)).error == NOT_FOUND


async def test_a_new_assignment_is_byte_for_byte_as_the_service_shows_it(raw: RawClient) -> None:
    reply = await raw.assign(ALICE, BACKUP_USER, name=NAME)

    assert reply.body == (
        b'{"id":"/providers/Microsoft.Authorization/roleAssignments/ff388517-2e5c-4d0f-8a0b-0d6f5c3b7a01",'
        b'"name":"ff388517-2e5c-4d0f-8a0b-0d6f5c3b7a01","properties":'
        b'{"principalId":"a11ce000-0000-4000-8000-000000000001","roleDefinitionId":'
        b'"Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/7b127d3c-77bd-4e3e-bbe0-dbb8971fa7f8",'
        b'"scope":"/"},"type":"Microsoft.Authorization/roleAssignments"}'
    )


async def test_ids_are_taken_in_any_case(raw: RawClient) -> None:
    properties = {"roleDefinitionId": f"{ROLE_ID.upper()}{CRYPTO_USER.upper()}", "principalId": ALICE.upper()}

    reply = await raw.send("PUT", f"{ROLE_ASSIGNMENTS}/{NAME.upper()}", {"properties": properties})

    assert (reply.status, reply.json) == (201, assignment(NAME, ALICE, CRYPTO_USER, "/"))


async def test_the_same_assignment_under_another_name_is_refused_and_the_first_one_named(raw: RawClient) -> None:
    await raw.assign(ALICE, CRYPTO_USER, name=NAME)
    before = await raw.role_assignments()

    reply = await raw.assign(ALICE, CRYPTO_USER, name=OTHER_NAME)

    assert reply.error == (
        400,
        "MatchingRoleAssignmentExists",
        f"Role assignment '{NAME}' already adds role '{ROLE_ID}{CRYPTO_USER}' to principal '{ALICE}' in scope '/'.",
    )
    assert await raw.role_assignments() == before


async def test_the_same_assignment_under_the_same_name_exists(raw: RawClient) -> None:
    await raw.assign(ALICE, CRYPTO_USER, name=NAME)

    assert (await raw.assign(ALICE, CRYPTO_USER, name=NAME)).error == EXISTS


@pytest.mark.parametrize(
    ("principal", "role", "scope"),
    [(BOB, CRYPTO_USER, ""), (ALICE, BACKUP_USER, ""), (ALICE, CRYPTO_USER, "/keys")],
    ids=["principal", "role", "scope"],
)
async def test_another_assignment_under_a_name_that_is_taken_exists_too(
    raw: RawClient, principal: str, role: str, scope: str
) -> None:
    await raw.assign(ALICE, CRYPTO_USER, name=NAME)
    # It is another assignment, so another name will do; and where it then matches, the name is refused first.
    assert (await raw.assign(principal, role, scope, name=OTHER_NAME)).status == 201
    before = await raw.role_assignments(), await raw.role_assignments("/keys")

    reply = await raw.assign(principal, role, scope, name=NAME)

    assert reply.error == EXISTS
    assert (await raw.role_assignments(), await raw.role_assignments("/keys")) == before


async def test_a_list_begins_with_the_newest_assignment(raw: RawClient) -> None:
    (administrator,) = [each["name"] for each in await raw.role_assignments()]
    for name in (NAME, OTHER_NAME):
        await raw.assign(name, CRYPTO_USER, name=name)

    assert [each["name"] for each in await raw.role_assignments()] == [OTHER_NAME, NAME, administrator]


async def test_an_assignment_is_found_at_its_own_scope_only(raw: RawClient) -> None:
    await raw.assign(ALICE, CRYPTO_USER, "/keys/k", NAME)

    assert (await raw.send("GET", f"{ROLE_ASSIGNMENTS}/{NAME}")).error == NOT_FOUND
    assert (await raw.send("DELETE", f"/keys{ROLE_ASSIGNMENTS}/{NAME}")).error == NOT_FOUND
    assert (await raw.send("GET", f"/keys/k{ROLE_ASSIGNMENTS}/{NAME}")).status == 200


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({}, "The member properties.roleDefinitionId is required"),
        ({"roleDefinitionId": ROLE_ID + CRYPTO_USER}, "The member properties.principalId is required"),
        ({"roleDefinitionId": ROLE_ID + CRYPTO_USER, "principalId": "alice"}, "principalId must be a GUID"),
        (
            {"roleDefinitionId": ROLE_ID + CRYPTO_USER, "principalId": ALICE, "scope": "/"},
            "The request body has unknown members: 'properties.scope'",
        ),
        ({"roleDefinitionId": [], "principalId": ALICE}, "properties.roleDefinitionId must be a string"),
    ],
)
async def test_invalid_assignment_is_refused_and_changes_nothing(
    raw: RawClient, properties: dict[str, Any], message: str
) -> None:
    before = await raw.role_assignments()

    reply = await raw.send("PUT", f"{ROLE_ASSIGNMENTS}/{NAME}", {"properties": properties})

    assert reply.error == (400, "BadRequest", message)
    assert await raw.role_assignments() == before


async def test_an_assignment_is_named_by_a_guid(raw: RawClient) -> None:
    put = await raw.assign(ALICE, CRYPTO_USER, name="mine")
    get = await raw.send("GET", f"{ROLE_ASSIGNMENTS}/mine")
    delete = await raw.send("DELETE", f"{ROLE_ASSIGNMENTS}/mine")

    assert put.error == (400, "BadRequest", "The name of a role assignment must be a GUID")
    assert [get.error, delete.error] == [NOT_FOUND] * 2


@pytest.mark.parametrize("role_definition_id", [ROLE_ID + OTHER_NAME, f"/{ROLE_ID}{CRYPTO_USER}"])
async def test_a_role_that_does_not_exist_cannot_be_assigned(raw: RawClient, role_definition_id: str) -> None:
    before = await raw.role_assignments()
    properties = {"roleDefinitionId": role_definition_id, "principalId": ALICE}

    reply = await raw.send("PUT", f"{ROLE_ASSIGNMENTS}/{NAME}", {"properties": properties})

    # Spelled as the service does.
    assert reply.error == (400, "BadParameter", "Unkown role definition")
    assert await raw.role_assignments() == before


@pytest.mark.parametrize(
    "scope", ["/secrets", "/keys/a/b", "/keys/under_score", "/https:/x.managedhsm.azure.net/keys/k"]
)
async def test_invalid_scope_is_refused(raw: RawClient, scope: str) -> None:
    reply = await raw.assign(ALICE, CRYPTO_USER, scope, NAME)

    assert reply.error == (400, "Invalidkeyidentifier", "Invalid key identifier")


async def test_assignments_of_a_deleted_role_stay_and_grant_nothing(raw: RawClient) -> None:
    custom = f"{ROLE_DEFINITIONS}/{OTHER_NAME}"
    permissions = [{"dataActions": [f"{ACTION}/roleAssignments/read/action"]}]
    await raw.send("PUT", custom, {"properties": {"permissions": permissions}})
    await raw.assign(ALICE, OTHER_NAME, name=NAME)
    before = await raw.role_assignments()

    allowed = await raw.as_(ALICE).send("GET", ROLE_ASSIGNMENTS)
    deleted = await raw.send("DELETE", custom)
    refused = await raw.as_(ALICE).send("GET", ROLE_ASSIGNMENTS)

    assert [allowed.status, deleted.status, refused.status] == [200, 200, 403]
    assert await raw.role_assignments() == before


async def test_list_is_limited_to_its_scope_and_filter(raw: RawClient) -> None:
    (administrator,) = await raw.role_assignments()
    scopes = ("", "/keys", "/keys/a", "/keys/b")
    made = {path: (await raw.assign(BOB, CRYPTO_USER, path)).json for path in scopes}

    for scope, filter_, expected in (
        *((scope, "", [scope]) for scope in scopes),
        ("", "atScope()", [""]),
        ("/keys", "atScope()", ["", "/keys"]),
        ("/keys/a", "atScope()", ["", "/keys", "/keys/a"]),
        ("", f"principalId eq '{BOB}'", [*scopes]),
        ("/keys", f"principalId eq {BOB}", [*scopes]),
        ("/keys/a", f"principalId eq '{BOB.upper()}'", ["", "/keys", "/keys/a"]),
        ("", f"principalId eq '{ALICE}'", []),
    ):
        query = f"$filter={filter_.replace(' ', '%20')}" if filter_ else ""
        reply = await raw.send("GET", scope + ROLE_ASSIGNMENTS, query=query)

        shown = [each for each in reply.json["value"] if each != administrator]
        assert (reply.status, set(reply.json)) == (200, {"value"})
        # Newest first.
        assert shown[::-1] == [made[path] for path in expected], (scope, filter_)
