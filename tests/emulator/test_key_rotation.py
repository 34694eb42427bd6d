"""Rotation policies, and the versions that a rotation makes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from azure.keyvault.administration.emulator._domain import rotation
from azure.keyvault.administration.emulator._http.handlers import key_rotation
from emulator.raw import RawClient
from emulator.slow_key import SlowKey

PATH = "/keys/k/rotationpolicy"
DAY = 86400


def policy(expiry: str | None = "P90D", **trigger: str) -> dict[str, Any]:
    return {
        "lifetimeActions": [
            {"action": {"type": "Rotate"}, "trigger": {name: after}} for name, after in trigger.items()
        ],
        "attributes": {"expiryTime": expiry},
    }


async def test_key_has_no_policy_until_one_is_set_and_again_after_an_empty_one(user: RawClient) -> None:
    none = {"attributes": {"created": 0, "expiryTime": "", "updated": 0}, "id": ""}
    await user.send("POST", "/keys/k/create", {"kty": "oct"})

    before = await user.send("GET", PATH)
    await user.send("PUT", PATH, policy(timeAfterCreate="P2M"))
    removed = await user.send("PUT", PATH, {"lifetimeActions": [], "attributes": {}})
    after = await user.send("GET", PATH)

    assert before.json == removed.json == after.json == none


async def test_policy_is_shown_as_it_was_given(user: RawClient) -> None:
    await user.send("POST", "/keys/k/create", {"kty": "oct"})

    first = await user.send("PUT", PATH, policy(timeAfterCreate="P2M"))
    user.hsm.clock.advance(100)
    second = await user.send("PUT", PATH, policy("P1Y", timeBeforeExpiry="P30D"))

    created = first.json["attributes"]["created"]
    assert first.json == {
        "attributes": {"created": created, "expiryTime": "P90D", "updated": created},
        "id": "keys/k/rotationpolicy",
        "lifetimeActions": [{"action": {"type": "rotate"}, "trigger": {"timeAfterCreate": "P2M"}}],
    }
    assert second.json["attributes"]["created"] == created
    assert second.json["attributes"]["updated"] >= created + 100
    assert second.json["lifetimeActions"][0]["trigger"] == {"timeBeforeExpiry": "P30D"}
    assert (await user.send("GET", PATH)).body == second.body


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (policy(None, timeAfterCreate="P2M"), "attributes.expiryTime is required"),
        (policy("P27D"), "expiryTime must be at least P28D, got P27D"),
        (policy(timeAfterCreate="P3W"), "timeAfterCreate must be at least P28D, got P3W"),
        (policy(timeBeforeExpiry="P63D"), "timeBeforeExpiry must be at most expiryTime - P28D, got P63D"),
        (policy("90"), "expiryTime must be a duration of years, months, weeks and days, got '90'"),
        (policy("P"), "expiryTime must be a duration of years, months, weeks and days, got 'P'"),
        (policy("PT5000H"), "expiryTime must be a duration of years, months, weeks and days, got 'PT5000H'"),
        (
            policy("P\u0669\u0660D"),
            "expiryTime must be a duration of years, months, weeks and days, got 'P\\u0669\\u0660D'",
        ),
        (
            {**policy(), "lifetimeActions": [{"action": {"type": "Notify"}, "trigger": {"timeBeforeExpiry": "P30D"}}]},
            "The only action of a lifetimeAction is rotate",
        ),
        (
            {**policy(), "lifetimeActions": [{"action": {"type": "rotate"}, "trigger": {}}]},
            "A trigger must have one of timeAfterCreate and timeBeforeExpiry",
        ),
    ],
)
async def test_invalid_policy_is_refused(user: RawClient, body: dict[str, Any], message: str) -> None:
    await user.send("POST", "/keys/k/create", {"kty": "oct"})

    reply = await user.send("PUT", PATH, body)

    assert reply.error == (400, "BadParameter", message)
    assert (await user.send("GET", PATH)).json["id"] == ""


@pytest.mark.parametrize(
    "trigger", [("timeBeforeExpiry", "P1D"), ("timeBeforeExpiry", "P62D"), ("timeAfterCreate", "P90D")]
)
def test_each_trigger_has_its_own_bound(trigger: tuple[str, str]) -> None:
    assert rotation.parse("P90D", [trigger], 0, None)


@pytest.mark.parametrize(
    ("body", "same"),
    [
        ({"kty": "RSA", "key_size": 3072, "public_exponent": 3}, ("e", "kty", "key_ops")),
        ({"kty": "EC", "crv": "P-384", "key_ops": ["sign"]}, ("crv", "kty", "key_ops")),
        ({"kty": "oct", "key_size": 192, "tags": {"a": "1"}}, ("kty", "key_ops")),
        ({"kty": "OKP"}, ("crv", "kty", "key_ops")),
    ],
)
async def test_rotation_makes_a_version_of_the_same_kind(
    user: RawClient, body: dict[str, Any], same: tuple[str, ...]
) -> None:
    attributes = {"enabled": False, "nbf": 1, "exp": 2}
    before = (await user.send("POST", "/keys/k/create", {**body, "attributes": attributes})).json
    await user.send("PUT", PATH, policy(timeAfterCreate="P2M"))

    reply = await user.send("POST", "/keys/k/rotate")

    after = reply.json
    assert {name: after["key"][name] for name in same} == {name: before["key"][name] for name in same}
    assert after["key"]["kid"] != before["key"]["kid"]
    for name in ("n", "x"):
        assert name not in before["key"] or len(after["key"][name]) == len(before["key"][name])
        assert name not in before["key"] or after["key"][name] != before["key"][name]
    assert after.get("tags") == before.get("tags")
    assert after["attributes"].get("key_size") == before["attributes"].get("key_size")
    assert after["attributes"]["enabled"] is True
    assert "nbf" not in after["attributes"]
    assert after["attributes"]["exp"] == after["attributes"]["created"] + 90 * DAY
    assert (await user.send("GET", "/keys/k")).body == reply.body
    assert (await user.send("GET", PATH)).json["attributes"]["expiryTime"] == "P90D"


async def test_year_of_a_policy_has_365_days(user: RawClient) -> None:
    await user.send("POST", "/keys/k/create", {"kty": "oct"})
    await user.send("PUT", PATH, policy("P1Y"))

    attributes = (await user.send("POST", "/keys/k/rotate")).json["attributes"]

    assert attributes["exp"] - attributes["created"] == 365 * DAY


async def test_key_purged_while_it_is_rotated_does_not_come_back(
    user: RawClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await user.send("POST", "/keys/k/create", {"kty": "RSA"})
    await user.send("PUT", PATH, policy("P1Y"))
    slow_key = SlowKey()
    monkeypatch.setattr(key_rotation, "generate", slow_key.generate)
    rotating = asyncio.create_task(user.send("POST", "/keys/k/rotate"))
    try:
        await slow_key.begun()
        await user.send("DELETE", "/keys/k")
        await user.send("DELETE", "/deletedkeys/k")
    finally:
        slow_key.end()

    assert (await rotating).status == 404
    assert (await user.send("GET", "/keys")).json == {"value": []}


async def test_key_without_a_policy_is_not_rotated(user: RawClient) -> None:
    await user.send("POST", "/keys/k/create", {"kty": "oct"})

    assert (await user.send("POST", "/keys/k/rotate")).error[:2] == (400, "BadParameter")


async def test_absent_key_is_not_found(user: RawClient) -> None:
    url = f"{user.hsm.vault_url}/keys/k"

    assert (await user.send("POST", "/keys/k/rotate")).error[2] == f"Key not found: Key not found: {url}"
    for method, body in (("GET", None), ("PUT", policy())):
        assert (await user.send(method, PATH, body)).error == (404, "KeyNotFound", f"Key not found: {url}")
