"""Revoked tokens are answered with a claims challenge; tokens that come after the revocation are good."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import TYPE_CHECKING

import pytest

from azure.keyvault.administration.emulator import ManagedHsmEmulator
from emulator.raw import CRYPTO_AUDITOR, ROLE_DEFINITIONS, RawClient

if TYPE_CHECKING:
    from pathlib import Path

ALICE = "a11ce000-0000-4000-8000-000000000001"


async def status(raw: RawClient, token: str) -> int:
    return (await raw.send("GET", ROLE_DEFINITIONS, token=token)).status


async def test_a_revoked_token_is_answered_with_the_claims_that_a_better_one_needs(raw: RawClient) -> None:
    token = await raw.token()
    raw.hsm.clock.advance(100)
    raw.hsm.revoke_tokens()

    reply = await raw.send("GET", ROLE_DEFINITIONS, token=token)

    head, _, claims = reply.headers["WWW-Authenticate"].rstrip('"').partition('claims="')
    asked = json.loads(b64decode(claims, validate=True))
    assert reply.error == (401, "Unauthorized", "The token has been revoked.")
    assert head == (
        'Bearer authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", '
        'error="insufficient_claims", '
    )
    assert asked == {"access_token": {"nbf": {"essential": True, "value": asked["access_token"]["nbf"]["value"]}}}
    assert int(asked["access_token"]["nbf"]["value"]) == pytest.approx(raw.hsm.clock.now(), abs=5)


async def test_a_token_of_the_same_second_is_good_if_it_came_after_the_revocation(
    raw: RawClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = raw.hsm.clock.now()
    monkeypatch.setattr(raw.hsm.clock, "_source", lambda: now)
    before = await raw.token()
    raw.hsm.revoke_tokens()
    between = await raw.token()
    raw.hsm.revoke_tokens()
    after = await raw.token()

    assert [await status(raw, token) for token in (before, between, after)] == [401, 401, 200]


async def test_the_tokens_of_one_principal_can_be_revoked_alone(raw: RawClient) -> None:
    await raw.assign(ALICE, CRYPTO_AUDITOR)
    alice = raw.as_(ALICE)
    hers, mine = await alice.token(), await raw.token()

    raw.hsm.revoke_tokens(ALICE.upper())

    assert (await status(raw, hers), await status(raw, mine)) == (401, 200)
    assert await status(raw, await alice.token()) == 200


async def test_revoking_one_principal_s_tokens_does_not_give_another_s_back(raw: RawClient) -> None:
    await raw.assign(ALICE, CRYPTO_AUDITOR)
    token = await raw.token()
    raw.hsm.revoke_tokens()
    raw.hsm.revoke_tokens(ALICE)

    assert await status(raw, token) == 401
    assert await status(raw, await raw.token()) == 200
    assert await status(raw, await raw.as_(ALICE).token()) == 200


async def test_a_revocation_outlives_a_restart(tmp_path: Path) -> None:
    async with ManagedHsmEmulator(data=tmp_path) as hsm:
        raw = RawClient(hsm)
        revoked = await raw.token()
        hsm.revoke_tokens()
        good = await raw.token()

    async with ManagedHsmEmulator(data=tmp_path) as hsm:
        raw = RawClient(hsm)
        assert [await status(raw, token) for token in (revoked, good, await raw.token())] == [401, 200, 200]


async def test_an_expired_token_is_expired_even_if_it_was_revoked(raw: RawClient) -> None:
    token = await raw.token()
    raw.hsm.revoke_tokens()
    raw.hsm.clock.advance(3600)

    reply = await raw.send("GET", ROLE_DEFINITIONS, token=token)

    assert reply.error == (401, "Unauthorized", "The token has expired.")
    assert reply.headers["WWW-Authenticate"].startswith("Bearer authorization=")


async def test_tokens_are_revoked_for_an_object_id(hsm: ManagedHsmEmulator) -> None:
    with pytest.raises(ValueError, match="object_id must be a GUID, got 'nobody'"):
        hsm.revoke_tokens("nobody")
