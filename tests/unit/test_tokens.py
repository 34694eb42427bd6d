"""When a token is asked for, and when the one at hand will do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from azure.keyvault.administration._runtime.tokens import Audience, TokenSource
from fakes import SCOPE, TENANT, FakeCredential, TokenRequest

AUDIENCE = Audience(SCOPE, TENANT)
EXPIRES = 10_000


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("refresh_on", "now", "token"),
    [
        pytest.param(None, EXPIRES - 301, "token-1", id="six-minutes-left"),
        pytest.param(None, EXPIRES - 300, "token-2", id="five-minutes-left"),
        pytest.param(None, EXPIRES + 1, "token-2", id="expired"),
        pytest.param(5000, 4999, "token-1", id="before-refresh-on"),
        pytest.param(5000, 5000, "token-2", id="at-refresh-on"),
        pytest.param(EXPIRES, EXPIRES - 300, "token-2", id="refresh-on-later-than-the-margin"),
        pytest.param(0, EXPIRES - 301, "token-1", id="refresh-on-of-zero-means-none"),
    ],
)
async def test_a_token_is_renewed_in_time(refresh_on: int | None, now: float, token: str) -> None:
    clock = Clock()
    source = TokenSource(FakeCredential(expires_on=EXPIRES, refresh_on=refresh_on), clock=clock)
    await source.token(AUDIENCE)

    clock.now = now

    assert await source.token(AUDIENCE) == token


@pytest.mark.parametrize(
    ("audience", "claims", "asked_again"),
    [
        pytest.param(AUDIENCE, None, False, id="same"),
        pytest.param(Audience(SCOPE, "other"), None, True, id="other-tenant"),
        pytest.param(Audience("https://a/.default", TENANT), None, True, id="other-scope"),
        pytest.param(AUDIENCE, "{}", True, id="claims"),
    ],
)
async def test_a_token_serves_only_what_it_was_asked_for(
    audience: Audience, claims: str | None, asked_again: bool
) -> None:
    credential = FakeCredential()
    source = TokenSource(credential)
    await source.token(AUDIENCE)

    await source.token(audience, claims=claims)

    again = [TokenRequest(audience.scope, audience.tenant_id, claims, enable_cae=True)]
    assert credential.requests == [TokenRequest(SCOPE, TENANT, None, enable_cae=True), *(again if asked_again else [])]


async def test_a_token_with_claims_serves_later_requests_without() -> None:
    source = TokenSource(FakeCredential())

    assert [await source.token(AUDIENCE, claims="{}"), await source.token(AUDIENCE)] == ["token-1", "token-1"]


async def test_a_rejected_token_is_not_given_again() -> None:
    source = TokenSource(FakeCredential())
    rejected = await source.token(AUDIENCE)

    assert await source.token(AUDIENCE, rejected=rejected) == "token-2"


async def test_many_whose_token_was_rejected_get_one_new_token() -> None:
    credential = FakeCredential()
    source = TokenSource(credential)
    rejected = await source.token(AUDIENCE)

    tokens = await asyncio.gather(*(source.token(AUDIENCE, rejected=rejected) for _ in range(20)))
    late = await source.token(AUDIENCE, rejected=rejected)

    assert [*tokens, late] == ["token-2"] * 21
    assert len(credential.requests) == 2


async def test_forgetting_an_old_token_leaves_the_newer_one() -> None:
    source = TokenSource(FakeCredential())
    old = await source.token(AUDIENCE)
    new = await source.token(AUDIENCE, rejected=old)

    source.forget(old)
    assert await source.token(AUDIENCE) == new

    source.forget(new)
    assert await source.token(AUDIENCE) == "token-3"


async def test_options_that_are_empty_are_not_passed() -> None:
    credential = FakeCredential()

    await TokenSource(credential).token(Audience(SCOPE, None))

    assert credential.requests == [TokenRequest(SCOPE, None, None, enable_cae=True)]


async def test_a_credential_whose_newer_method_is_none_is_asked_in_the_older_way() -> None:
    class Credential:
        get_token_info = None

        async def get_token(self, *_: str, **__: Any) -> AccessToken:
            return AccessToken("token", EXPIRES)

    assert await TokenSource(Credential(), clock=Clock()).token(AUDIENCE) == "token"


async def test_a_credential_whose_signature_cannot_be_read_gets_all_options() -> None:
    seen: list[Any] = []

    class Opaque:
        # What inspect finds here is no signature, as for a function written in C.
        __signature__ = "opaque"

        async def __call__(self, *scopes: str, **options: Any) -> AccessToken:
            seen.append((scopes, options))
            return AccessToken("token", EXPIRES)

    class Credential:
        get_token = Opaque()

    assert await TokenSource(Credential(), clock=Clock()).token(AUDIENCE) == "token"
    assert seen == [((SCOPE,), {"enable_cae": True, "tenant_id": TENANT})]
