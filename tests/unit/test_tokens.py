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


class Returning:
    """A sync credential that returns anything."""

    def __init__(self, *returned: Any) -> None:
        self._returned = list(returned)

    def get_token(self, *_: str, **__: Any) -> Any:
        return self._returned.pop(0)


class ReturningAsync(Returning):
    async def get_token(self, *_: str, **__: Any) -> Any:
        return super().get_token()


@pytest.mark.parametrize(
    ("returned", "problem"),
    [
        pytest.param(None, "returned NoneType instead of an access token", id="none"),
        pytest.param("a-secret", "returned str instead of an access token", id="text"),
        pytest.param({"token": "a-secret"}, "returned dict instead of an access token", id="dict"),
        pytest.param(AccessToken(None, EXPIRES), "'token' is NoneType instead of str", id="token-none"),  # type: ignore[arg-type]
        pytest.param(AccessToken(b"a-secret", EXPIRES), "'token' is bytes instead of str", id="token-bytes"),  # type: ignore[arg-type]
        pytest.param(AccessToken("", EXPIRES), "'token' is empty", id="token-empty"),
        pytest.param(AccessToken(" ", EXPIRES), "'token' is empty", id="token-blank"),
        pytest.param(AccessToken("a-secret\n", EXPIRES), "characters that cannot be sent", id="token-with-line-feed"),
        pytest.param(AccessToken("a-secret\x7f", EXPIRES), "characters that cannot be sent", id="token-with-control"),
        pytest.param(AccessToken("a-secr\u00e9t", EXPIRES), "characters that cannot be sent", id="token-not-ascii"),
        pytest.param(AccessToken("a-secret", "9"), "'expires_on' is str instead of int", id="expiry-text"),  # type: ignore[arg-type]
        pytest.param(AccessToken("a-secret", None), "'expires_on' is NoneType instead of int", id="expiry-none"),  # type: ignore[arg-type]
        pytest.param(SimpleNamespace(token="a-secret"), "'expires_on' is NoneType instead of int", id="expiry-missing"),
        pytest.param(
            SimpleNamespace(token="a-secret", expires_on=EXPIRES, refresh_on="9"),
            "'refresh_on' is str instead of int",
            id="refresh-text",
        ),
    ],
)
@pytest.mark.parametrize("credential", [Returning, ReturningAsync])
async def test_anything_but_a_token_is_an_error_that_names_its_type(
    credential: type[Returning], returned: Any, problem: str
) -> None:
    source = TokenSource(credential(returned, AccessToken("token", EXPIRES)), clock=Clock())

    with pytest.raises(ClientAuthenticationError, match=f"The credential {credential.__name__} .*{problem}") as caught:
        await source.token(AUDIENCE)

    assert "secr" not in str(caught.value)
    assert await source.token(AUDIENCE) == "token"


async def test_a_sync_credential_works_at_each_renewal_and_is_warned_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    source = TokenSource(Returning(AccessToken("one", EXPIRES), AccessToken("two", 2 * EXPIRES)), clock=clock)

    tokens = [await source.token(AUDIENCE), await source.token(AUDIENCE)]
    clock.now = EXPIRES
    tokens.append(await source.token(AUDIENCE))

    assert tokens == ["one", "one", "two"]
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "Returning is not async: it blocks the event loop" in warning.getMessage()
    assert "azure.identity.aio" in warning.getMessage()
