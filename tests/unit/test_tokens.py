"""When a token is asked for, and when the one at hand will do."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

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
        (None, EXPIRES - 301, "token-1"),
        (None, EXPIRES - 300, "token-2"),
        (5000, 4999, "token-1"),
        (5000, 5000, "token-2"),
        (EXPIRES, EXPIRES - 300, "token-2"),
        (0, EXPIRES - 301, "token-1"),
    ],
)
async def test_a_token_is_renewed_in_time(refresh_on: int | None, now: float, token: str) -> None:
    clock = Clock()
    source = TokenSource(FakeCredential(expires_on=EXPIRES, refresh_on=refresh_on), clock=clock)
    await source.token(AUDIENCE)

    clock.now = now

    assert await source.token(AUDIENCE) == token


@pytest.mark.parametrize(
    ("audience", "claims", "requests"),
    [
        (AUDIENCE, None, 1),
        (Audience(SCOPE, "other"), None, 2),
        (Audience("https://a/.default", TENANT), None, 2),
        (AUDIENCE, "{}", 2),
    ],
)
async def test_a_token_serves_only_its_audience_and_claims(
    audience: Audience, claims: str | None, requests: int
) -> None:
    credential = FakeCredential()
    source = TokenSource(credential)
    await source.token(AUDIENCE)

    await source.token(audience, claims=claims)

    assert len(credential.requests) == requests
    assert credential.requests[-1] == TokenRequest(audience.scope, audience.tenant_id, claims, enable_cae=True)


async def test_a_token_with_claims_serves_later_requests_without() -> None:
    source = TokenSource(FakeCredential())

    assert [await source.token(AUDIENCE, claims="{}"), await source.token(AUDIENCE)] == ["token-1", "token-1"]


async def test_callers_whose_token_was_rejected_share_a_new_one() -> None:
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


async def test_a_credential_without_get_token_info_is_asked_by_get_token() -> None:
    class Credential:
        get_token_info = None

        async def get_token(self, *_: str, **__: Any) -> AccessToken:
            return AccessToken("token", EXPIRES)

    assert await TokenSource(Credential(), clock=Clock()).token(AUDIENCE) == "token"


async def test_a_credential_with_an_opaque_signature_gets_all_options() -> None:
    seen: list[Any] = []

    class Opaque:
        # What inspect finds here is not a signature, as for a function written in C.
        __signature__ = "opaque"

        async def __call__(self, *scopes: str, **options: Any) -> AccessToken:
            seen.append((scopes, options))
            return AccessToken("token", EXPIRES)

    class Credential:
        get_token = Opaque()

    assert await TokenSource(Credential(), clock=Clock()).token(AUDIENCE) == "token"
    assert seen == [((SCOPE,), {"enable_cae": True, "tenant_id": TENANT})]


class Returning:
    """A sync credential that returns anything."""

    def __init__(self, *returned: Any) -> None:
        self._returned = list(returned)

    def get_token(self, *_: str, **__: Any) -> Any:
        return self._returned.pop(0)


@pytest.mark.parametrize(
    ("returned", "problem"),
    [
        (None, "returned NoneType instead of an access token"),
        ("a-secret", "returned str instead of an access token"),
        (AccessToken(None, EXPIRES), "'token' is NoneType instead of str"),  # type: ignore[arg-type]
        (AccessToken(" ", EXPIRES), "'token' is empty"),
        (AccessToken("a-secret\n", EXPIRES), "characters that cannot be sent"),
        (AccessToken("a-secret\x7f", EXPIRES), "characters that cannot be sent"),
        (AccessToken("a-secr\u00e9t", EXPIRES), "characters that cannot be sent"),
        (AccessToken("a-secret", "9"), "'expires_on' is str instead of int"),  # type: ignore[arg-type]
        (SimpleNamespace(token="a-secret"), "'expires_on' is NoneType instead of int"),
        (SimpleNamespace(token="a", expires_on=EXPIRES, refresh_on="9"), "'refresh_on' is str instead of int"),
    ],
)
async def test_an_invalid_token_is_an_error_that_names_its_type(returned: Any, problem: str) -> None:
    source = TokenSource(Returning(returned, AccessToken("token", EXPIRES)), clock=Clock())

    with pytest.raises(ClientAuthenticationError, match=f"The credential Returning .*{problem}") as caught:
        await source.token(AUDIENCE)

    assert "secr" not in str(caught.value)
    assert await source.token(AUDIENCE) == "token"


async def test_a_sync_credential_works_at_each_renewal_and_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    source = TokenSource(Returning(AccessToken("one", EXPIRES), AccessToken("two", 2 * EXPIRES)), clock=clock)

    tokens = [await source.token(AUDIENCE), await source.token(AUDIENCE)]
    clock.now = EXPIRES
    tokens.append(await source.token(AUDIENCE))

    assert tokens == ["one", "one", "two"]
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "Returning is not async: it blocks the event loop" in warning.getMessage()
    assert "azure.identity.aio" in warning.getMessage()


async def test_concurrent_calls_with_other_audiences_or_claims_share_no_token() -> None:
    source = TokenSource(FakeCredential())
    other = Audience("https://a/.default", TENANT)

    tokens = await asyncio.gather(source.token(AUDIENCE), source.token(other), source.token(AUDIENCE, claims="{}"))

    assert len(set(tokens)) == len(tokens)
