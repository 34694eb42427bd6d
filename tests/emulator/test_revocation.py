"""Revoked tokens are answered with a claims challenge; tokens that come after the revocation are good."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import TYPE_CHECKING

import pytest

from azure.keyvault.administration.emulator import ManagedHsmEmulator
from azure.keyvault.administration.emulator._domain.tokens import (
    RESOURCE,
    InvalidTokenError,
    TokenAuthority,
    new_signing_key,
)
from emulator.operator_client import ALICE
from emulator.raw import CRYPTO_AUDITOR, ROLE_DEFINITIONS, RawClient

if TYPE_CHECKING:
    from pathlib import Path


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


def test_a_token_of_the_same_second_is_good_if_it_came_after_the_revocation() -> None:
    authority = TokenAuthority(new_signing_key(), "tenant")
    tokens = []
    for revoke in (True, True, False):
        tokens.append(authority.issue(ALICE, RESOURCE, 5)[0])
        if revoke:
            authority.revoke(None, 5)

    for token in tokens[:2]:
        with pytest.raises(InvalidTokenError, match="The token has been revoked"):
            authority.principal(token, 5)
    assert authority.principal(tokens[2], 5) == ALICE


async def test_the_tokens_of_one_principal_can_be_revoked_alone(raw: RawClient) -> None:
    alice = raw.as_(ALICE)
    await raw.assign(ALICE, CRYPTO_AUDITOR)
    hers, mine = await alice.token(), await raw.token()

    raw.hsm.revoke_tokens(ALICE.upper())
    assert [await status(raw, token) for token in (hers, mine, await alice.token())] == [401, 200, 200]

    # The other way round, hers doesn't give anybody else's back.
    raw.hsm.revoke_tokens()
    raw.hsm.revoke_tokens(ALICE)
    assert [await status(raw, token) for token in (mine, await raw.token(), await alice.token())] == [401, 200, 200]


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
