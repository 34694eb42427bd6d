"""With a propagation delay, a change of roles or assignments is shown and counts later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from azure.keyvault.administration.emulator import ManagedHsmEmulator
from emulator.operator_client import ALICE, BOB, Operator
from emulator.raw import ACTION, CRYPTO_AUDITOR, ROLE_ASSIGNMENTS, ROLE_DEFINITIONS, RawClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NAME = "ff388517-2e5c-4d0f-8a0b-0d6f5c3b7a01"
DELAY = 3600.0


@pytest_asyncio.fixture(name="hsm")
async def _hsm() -> AsyncIterator[ManagedHsmEmulator]:
    async with ManagedHsmEmulator(propagation_delay=DELAY) as hsm:
        yield hsm


async def may_read(raw: RawClient, principal: str) -> bool:
    return (await raw.as_(principal).send("GET", ROLE_DEFINITIONS)).status == 200


async def test_a_new_hsm_knows_its_administrator_at_once(raw: RawClient) -> None:
    assert await may_read(raw, raw.principal)


async def shows(raw: RawClient, collection: str) -> bool:
    """Whether what is called NAME is shown: by itself and in the list alike."""
    read = await raw.send("GET", f"{collection}/{NAME}")
    listed = (await raw.send("GET", collection)).json["value"]
    assert (read.status == 200) == (NAME in [each["name"] for each in listed])
    return read.status == 200


async def test_an_assignment_is_shown_and_counts_later(raw: RawClient) -> None:
    seen = []
    for change in (
        raw.assign(ALICE, CRYPTO_AUDITOR, name=NAME),
        raw.send("DELETE", f"{ROLE_ASSIGNMENTS}/{NAME}"),
    ):
        await change
        for delay in (0, DELAY):
            raw.hsm.clock.advance(delay)
            seen.append((await shows(raw, ROLE_ASSIGNMENTS), await may_read(raw, ALICE)))

    assert seen == [(False, False), (True, True), (True, True), (False, False)]


async def test_a_role_is_shown_later_too(raw: RawClient) -> None:
    seen = []
    for method, body in (("PUT", {"properties": {}}), ("DELETE", None)):
        await raw.send(method, f"{ROLE_DEFINITIONS}/{NAME}", body)
        seen.append(await shows(raw, ROLE_DEFINITIONS))
        raw.hsm.clock.advance(DELAY)
        seen.append(await shows(raw, ROLE_DEFINITIONS))

    assert seen == [False, True, True, False]


async def test_writes_are_checked_against_what_is_written(raw: RawClient) -> None:
    first = await raw.assign(ALICE, CRYPTO_AUDITOR, name=NAME)
    second = await raw.assign(ALICE, CRYPTO_AUDITOR, name=NAME)
    deleted = [await raw.send("DELETE", f"{ROLE_ASSIGNMENTS}/{NAME}") for _ in range(2)]

    assert [reply.status for reply in (first, second, *deleted)] == [201, 400, 200, 404]


async def test_a_role_cannot_be_deleted_while_the_deletion_of_its_assignment_is_under_way(raw: RawClient) -> None:
    role, assignment = f"{ROLE_DEFINITIONS}/{NAME}", f"{ROLE_ASSIGNMENTS}/{NAME}"
    await raw.send("PUT", role, {"properties": {}})
    await raw.assign(ALICE, NAME, name=NAME)
    raw.hsm.clock.advance(DELAY)
    await raw.send("DELETE", assignment)

    refused = await raw.send("DELETE", role)
    raw.hsm.clock.advance(DELAY)
    deleted = await raw.send("DELETE", role)

    assert refused.error[:2] == (409, "Conflict")
    assert deleted.status == 200


async def test_a_role_that_is_replaced_or_deleted_grants_for_a_while_what_it_granted(raw: RawClient) -> None:
    role = f"{ROLE_DEFINITIONS}/{NAME}"
    granting = {"properties": {"permissions": [{"dataActions": [f"{ACTION}/roleDefinitions/read/action"]}]}}
    seen = []
    await raw.send("PUT", role, granting)
    await raw.assign(ALICE, NAME)
    for method, body in [("PUT", {"properties": {}}), ("PUT", granting), ("DELETE", None), ("GET", None)]:
        for delay in (0, DELAY):
            raw.hsm.clock.advance(delay)
            seen.append(await may_read(raw, ALICE))
        assert (await raw.send(method, role, body)).status == {"PUT": 201, "DELETE": 200, "GET": 404}[method]

    assert seen == [False, True, True, False, False, True, True, False]


async def test_each_change_takes_its_own_time(raw: RawClient) -> None:
    await raw.assign(ALICE, CRYPTO_AUDITOR)
    raw.hsm.clock.advance(DELAY / 2)
    await raw.assign(BOB, CRYPTO_AUDITOR)
    seen = []
    for _ in range(3):
        seen.append((await may_read(raw, ALICE), await may_read(raw, BOB)))
        raw.hsm.clock.advance(DELAY / 2)

    assert seen == [(False, False), (True, False), (True, True)]


async def test_a_change_that_is_refused_changes_nothing(raw: RawClient) -> None:
    await raw.assign(ALICE, CRYPTO_AUDITOR, name=NAME)
    raw.hsm.clock.advance(DELAY / 2)
    assert (await raw.assign(BOB, CRYPTO_AUDITOR, name=NAME)).status == 400
    raw.hsm.clock.advance(DELAY / 2)

    assert await may_read(raw, ALICE)


async def test_a_restore_is_a_change_too(hsm: ManagedHsmEmulator) -> None:
    operator = Operator(hsm)
    folder = await operator.folder()
    await operator.assign(ALICE, CRYPTO_AUDITOR)
    hsm.clock.advance(DELAY)
    started = await operator.restore(folder)
    while (await operator.status(started)).json["status"] == "InProgress":
        pass

    assert await may_read(operator, ALICE)
    hsm.clock.advance(DELAY)
    assert not await may_read(operator, ALICE)


@pytest.mark.parametrize(("delay", "expected"), [(DELAY, False), (0, True)])
async def test_a_restart_neither_hurries_nor_undoes_a_change(tmp_path: Path, delay: float, expected: bool) -> None:
    async with ManagedHsmEmulator(data=tmp_path, propagation_delay=DELAY) as hsm:
        await RawClient(hsm).assign(ALICE, CRYPTO_AUDITOR)

    async with ManagedHsmEmulator(data=tmp_path, propagation_delay=delay) as hsm:
        raw = RawClient(hsm)
        before = await may_read(raw, ALICE)
        hsm.clock.advance(DELAY)

        assert before is expected
        assert await may_read(raw, ALICE)


async def test_a_change_under_a_clock_put_forward_counts_after_a_restart(tmp_path: Path) -> None:
    async with ManagedHsmEmulator(data=tmp_path, propagation_delay=DELAY) as hsm:
        hsm.clock.advance(86400)
        await RawClient(hsm).assign(ALICE, CRYPTO_AUDITOR)

    async with ManagedHsmEmulator(data=tmp_path, propagation_delay=DELAY) as hsm:
        assert await may_read(RawClient(hsm), ALICE)
