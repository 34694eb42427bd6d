"""Role assignments over HTTP, whole bodies and whole lists compared."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.raw import ACTION, BACKUP_USER, CRYPTO_USER, ROLE_ASSIGNMENTS, ROLE_DEFINITIONS, ROLE_ID, RawClient

NAME = "ff388517-2e5c-4d0f-8a0b-0d6f5c3b7a01"
OTHER_NAME = "ff388517-2e5c-4d0f-8a0b-0d6f5c3b7a02"
ALICE = "a11ce000-0000-4000-8000-000000000001"
BOB = "b0b00000-0000-4000-8000-000000000002"
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
    ("path", "scope"),
    [
        ("", "/"),
        ("//", "/"),
        ("///", "/"),
        ("/keys", "/keys"),
        ("//keys/", "/keys"),
        ("/keys/1743899349", "/keys/1743899349"),
        ("//keys//1743899349/", "/keys/1743899349"),
    ],
)
async def test_the_life_of_an_assignment(raw: RawClient, path: str, scope: str) -> None:
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
    assert (await raw.send("GET", url)).error == NOT_FOUND
    assert (await raw.send("DELETE", url)).error == NOT_FOUND


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


EXISTS = (400, "RoleAssignmentExists", "The role assignment already exists.")


async def test_the_same_assignment_under_the_same_name_exists(raw: RawClient) -> None:
    await raw.assign(ALICE, CRYPTO_USER, name=NAME)

    reply = await raw.assign(ALICE, CRYPTO_USER, name=NAME)

    assert reply.error == EXISTS


@pytest.mark.parametrize(
    ("principal", "role", "scope"),
    [(BOB, CRYPTO_USER, ""), (ALICE, BACKUP_USER, ""), (ALICE, CRYPTO_USER, "/keys")],
    ids=["principal", "role", "scope"],
)
async def test_another_assignment_under_a_name_that_is_taken_exists_too(
    raw: RawClient, principal: str, role: str, scope: str
) -> None:
    await raw.assign(ALICE, CRYPTO_USER, name=NAME)
    # Even where it would match a third one.
    await raw.assign(principal, role, scope, name=OTHER_NAME)
    before = await raw.role_assignments(), await raw.role_assignments("/keys")

    reply = await raw.assign(principal, role, scope, name=NAME)

    assert reply.error == EXISTS
    assert (await raw.role_assignments(), await raw.role_assignments("/keys")) == before


async def test_a_list_begins_with_the_newest_assignment(raw: RawClient) -> None:
    (administrator,) = [each["name"] for each in await raw.role_assignments()]
    for name in (NAME, OTHER_NAME):
        await raw.assign(name, CRYPTO_USER, name=name)

    assert [each["name"] for each in await raw.role_assignments()] == [OTHER_NAME, NAME, administrator]


async def test_the_same_principal_and_role_at_another_scope_is_another_assignment(raw: RawClient) -> None:
    replies = [
        await raw.assign(ALICE, CRYPTO_USER, name=NAME),
        await raw.assign(ALICE, CRYPTO_USER, "/keys", OTHER_NAME),
        await raw.assign(ALICE, CRYPTO_USER, "/keys/k"),
    ]

    assert [reply.status for reply in replies] == [201, 201, 201]


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
async def test_an_assignment_that_is_not_right_is_refused_and_changes_nothing(
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


@pytest.mark.parametrize(
    "role_definition_id",
    [ROLE_ID + OTHER_NAME, f"/{ROLE_ID}{CRYPTO_USER}", f"/{ROLE_ID}{OTHER_NAME}", CRYPTO_USER, f"{ROLE_ID}mine", ""],
)
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
async def test_what_is_no_scope_is_refused(raw: RawClient, scope: str) -> None:
    reply = await raw.assign(ALICE, CRYPTO_USER, scope, NAME)

    assert reply.error == (400, "Invalidkeyidentifier", "Invalid key identifier")


async def test_a_role_may_be_deleted_while_assigned_and_its_assignments_stay_but_grant_nothing(raw: RawClient) -> None:
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


async def test_fifty_assignments_are_the_limit_for_the_hsm_and_its_keys_together(raw: RawClient) -> None:
    for number in range(49):
        scope = "/keys" if number % 2 else ""
        await raw.assign(ALICE[:-2] + f"{number:02}", CRYPTO_USER, scope, NAME[:-2] + f"{number:02}")

    refused = await raw.assign(BOB, CRYPTO_USER, "/keys", OTHER_NAME[:-2] + "99")
    single = await raw.assign(BOB, CRYPTO_USER, "/keys/k", OTHER_NAME[:-2] + "99")

    message = "No more than 50 role assignments are allowed in scope '/keys'"
    assert refused.error == (400, "RoleAssignmentLimitExceeded", message)
    assert single.status == 201


async def test_ten_assignments_are_the_limit_for_a_key(raw: RawClient) -> None:
    for number in range(10):
        await raw.assign(ALICE[:-2] + f"{number:02}", CRYPTO_USER, "/keys/k", NAME[:-2] + f"{number:02}")

    refused = await raw.assign(BOB, CRYPTO_USER, "/keys/k", NAME[:-2] + "99")
    other = await raw.assign(BOB, CRYPTO_USER, "/keys/l", NAME[:-2] + "99")

    message = "No more than 10 role assignments are allowed in scope '/keys/k'"
    assert refused.error == (400, "RoleAssignmentLimitExceeded", message)
    assert other.status == 201


@pytest.mark.parametrize(
    ("scope", "filter_", "expected"),
    [
        ("", "", ["root"]),
        ("/keys", "", ["keys"]),
        ("/keys/a", "", ["a"]),
        ("", "atScope()", ["root"]),
        ("/keys", "atScope()", ["root", "keys"]),
        ("/keys/a", "atScope()", ["root", "keys", "a"]),
        ("", f"principalId eq '{BOB}'", ["root", "keys", "a", "b"]),
        ("/keys", f"principalId eq {BOB}", ["root", "keys", "a", "b"]),
        ("/keys/a", f"principalId eq '{BOB.upper()}'", ["root", "keys", "a"]),
        ("", f"principalId eq '{ALICE}'", []),
    ],
)
async def test_a_list_shows_what_its_scope_and_its_filter_ask_for(
    raw: RawClient, scope: str, filter_: str, expected: list[str]
) -> None:
    scopes = {"root": "", "keys": "/keys", "a": "/keys/a", "b": "/keys/b"}
    everything: dict[str, Any] = {}
    for number, (label, path) in enumerate(scopes.items()):
        everything[label] = (await raw.assign(BOB, CRYPTO_USER, path, NAME[:-1] + str(number))).json
    administrator = (await raw.send("GET", ROLE_ASSIGNMENTS)).json["value"][-1]

    query = f"$filter={filter_.replace(' ', '%20')}" if filter_ else ""
    reply = await raw.send("GET", scope + ROLE_ASSIGNMENTS, query=query)

    shown = [each for each in reply.json["value"] if each != administrator]
    assert (reply.status, set(reply.json)) == (200, {"value"})
    # Newest first.
    assert shown[::-1] == [everything[label] for label in expected]


@pytest.mark.parametrize(
    "filter_",
    [
        "",
        "atScope",
        "atscope()",
        "principalId eq",
        "principalId eq 'x",
        "principalId eq 'x'",
        "principalId eq ''",
        f"principalId eq {BOB} or true",
        f"principalId eq '{BOB}",
        f"principalId eq {BOB}'",
        f"principalid eq '{BOB}'",
        f"principalId eq '{BOB}'%0A",
        f"principalId eq '{BOB[:-1]}%D9%A4'",
        "roleName eq 'x'",
    ],
)
async def test_a_filter_that_is_not_understood_is_refused(raw: RawClient, filter_: str) -> None:
    reply = await raw.send("GET", ROLE_ASSIGNMENTS, query=f"$filter={filter_.replace(' ', '%20')}")

    message = "The $filter must be atScope() or principalId eq '<object id>'"
    assert reply.error == (400, "BadParameter", message)
