"""Access is decided by the token's principal, at the scope of the URL, and at the time of the change."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from emulator.operator_client import ALICE
from emulator.raw import ACTION, CRYPTO_USER, POLICY_ADMINISTRATOR, ROLE_ASSIGNMENTS, ROLE_ID

if TYPE_CHECKING:
    from emulator.raw import RawClient
    from emulator.slow_key import SlowKey


async def test_an_administrator_of_one_key_rules_there_and_nowhere_else(raw: RawClient) -> None:
    await raw.assign(ALICE, POLICY_ADMINISTRATOR, "/keys/mine")
    alice = raw.as_(ALICE)

    created = await alice.assign(ALICE, CRYPTO_USER, "/keys/mine")
    elsewhere = [await alice.assign(ALICE, CRYPTO_USER, scope) for scope in ("", "/keys", "/keys/mine2", "/keys/other")]

    assert created.status == 201
    assert [reply.status for reply in elsewhere] == [403] * 4
    assert [len(await raw.role_assignments(scope)) for scope in ("", "/keys", "/keys/mine")] == [1, 0, 2]


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


async def test_the_last_administrator_can_remove_its_own_role(raw: RawClient) -> None:
    (own,) = await raw.role_assignments()

    deleted = await raw.send("DELETE", f"{ROLE_ASSIGNMENTS}/{own['name']}")
    after = await raw.send("GET", ROLE_ASSIGNMENTS)

    assert (deleted.status, deleted.json, after.status) == (200, own, 403)
    assert deleted.json["properties"]["roleDefinitionId"].startswith(ROLE_ID)
