"""Who may do what is decided from the token's principal, at the scope that the URL names."""

from __future__ import annotations

import asyncio

import pytest

from emulator.raw import (
    ACTION,
    CRYPTO_AUDITOR,
    CRYPTO_USER,
    POLICY_ADMINISTRATOR,
    ROLE_ASSIGNMENTS,
    ROLE_DEFINITIONS,
    ROLE_ID,
    RawClient,
)
from emulator.slow_key import SlowKey

ALICE = "a11ce000-0000-4000-8000-000000000001"
NAME = "ff388517-2e5c-4d0f-8a0b-0d6f5c3b7a01"


@pytest.mark.parametrize(
    ("method", "path", "action", "scope"),
    [
        ("GET", ROLE_DEFINITIONS, "/roleDefinitions/read/action", "/"),
        ("GET", f"/keys/k{ROLE_DEFINITIONS}", "/roleDefinitions/read/action", "/"),
        ("GET", f"{ROLE_DEFINITIONS}/{NAME}", "/roleDefinitions/read/action", "/"),
        ("PUT", f"{ROLE_DEFINITIONS}/{NAME}", "/roleDefinitions/write/action", "/"),
        ("DELETE", f"{ROLE_DEFINITIONS}/{NAME}", "/roleDefinitions/delete/action", "/"),
        ("GET", ROLE_ASSIGNMENTS, "/roleAssignments/read/action", "/"),
        ("GET", f"/keys{ROLE_ASSIGNMENTS}", "/roleAssignments/read/action", "/keys"),
        ("GET", f"//keys/k{ROLE_ASSIGNMENTS}/{NAME}", "/roleAssignments/read/action", "/keys/k"),
        ("PUT", f"/keys/k{ROLE_ASSIGNMENTS}/{NAME}", "/roleAssignments/write/action", "/keys/k"),
        ("DELETE", f"{ROLE_ASSIGNMENTS}/{NAME}", "/roleAssignments/delete/action", "/"),
    ],
)
async def test_somebody_without_a_role_is_told_which_action_is_missing_and_where(
    raw: RawClient, method: str, path: str, action: str, scope: str
) -> None:
    before = await raw.role_definitions(), await raw.role_assignments()

    reply = await raw.as_(ALICE).send(method, path, b"this is not looked at" if method == "PUT" else None)

    assert reply.error == (403, "AccessDenied", f"Not authorized to access {ACTION}{action} on {scope}")
    assert (await raw.role_definitions(), await raw.role_assignments()) == before


async def test_an_auditor_reads_and_does_not_write(raw: RawClient) -> None:
    await raw.assign(ALICE, CRYPTO_AUDITOR)
    alice = raw.as_(ALICE)

    assert await alice.role_definitions() == await raw.role_definitions()
    assert await alice.role_assignments() == await raw.role_assignments()
    assert (await alice.assign(ALICE, CRYPTO_USER)).status == 403


async def test_an_administrator_of_one_key_rules_there_and_nowhere_else(raw: RawClient) -> None:
    await raw.assign(ALICE, POLICY_ADMINISTRATOR, "/keys/mine")
    alice = raw.as_(ALICE)

    created = await alice.assign(ALICE, CRYPTO_USER, "/keys/mine", NAME)
    elsewhere = [await alice.assign(ALICE, CRYPTO_USER, scope) for scope in ("", "/keys", "/keys/mine2", "/keys/other")]
    listed = await alice.send("GET", ROLE_ASSIGNMENTS)

    assert created.status == 201
    assert [reply.status for reply in elsewhere] == [403, 403, 403, 403]
    expected = f"Not authorized to access {ACTION}/roleAssignments/read/action on /"
    assert listed.error == (403, "AccessDenied", expected)


async def test_a_role_loses_what_is_taken_from_it_at_once(raw: RawClient) -> None:
    role = f"{ROLE_DEFINITIONS}/{NAME}"
    action = f"{ACTION}/roleDefinitions/read/action"
    await raw.send("PUT", role, {"properties": {"permissions": [{"dataActions": [action]}]}})
    await raw.assign(ALICE, NAME)

    before = await raw.as_(ALICE).send("GET", ROLE_DEFINITIONS)
    permissions = [{"dataActions": [action], "notDataActions": [action]}]
    await raw.send("PUT", role, {"properties": {"permissions": permissions}})
    after = await raw.as_(ALICE).send("GET", ROLE_DEFINITIONS)

    assert (before.status, after.status) == (200, 403)


async def test_a_key_that_is_being_made_when_its_maker_loses_the_role_is_refused(
    raw: RawClient, slow_key: SlowKey
) -> None:
    assigned = await raw.assign(ALICE, CRYPTO_USER)
    await raw.assign(raw.principal, CRYPTO_USER)

    creating = asyncio.create_task(raw.as_(ALICE).send("POST", "/keys/late/create", {"kty": "RSA"}))
    await slow_key.begun()
    await raw.send("DELETE", f"{ROLE_ASSIGNMENTS}/{assigned.json['name']}")
    slow_key.end()

    assert (await creating).error == (403, "AccessDenied", f"Not authorized to access {ACTION}/keys/create on /keys")
    assert (await raw.send("GET", "/keys")).json == {"value": []}


async def test_actions_are_not_data_actions_and_grant_nothing(raw: RawClient) -> None:
    permissions = [{"actions": [f"{ACTION}/roleDefinitions/read/action"]}]
    await raw.send("PUT", f"{ROLE_DEFINITIONS}/{NAME}", {"properties": {"permissions": permissions}})
    await raw.assign(ALICE, NAME)

    assert (await raw.as_(ALICE).send("GET", ROLE_DEFINITIONS)).status == 403


async def test_the_last_administrator_can_take_the_branch_away_that_it_sits_on(raw: RawClient) -> None:
    (own,) = await raw.role_assignments()

    deleted = await raw.send("DELETE", f"{ROLE_ASSIGNMENTS}/{own['name']}")
    after = await raw.send("GET", ROLE_ASSIGNMENTS)

    assert (deleted.status, deleted.json, after.status) == (200, own, 403)
    assert deleted.json["properties"]["roleDefinitionId"].startswith(ROLE_ID)
