"""The challenge comes first, and only the emulator's own tokens let anybody in."""

from __future__ import annotations

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from azure.keyvault.administration.emulator import ManagedHsmEmulator
from azure.keyvault.administration.emulator._domain.tokens import InvalidTokenError, TokenAuthority, new_signing_key
from emulator.operator_client import ALICE
from emulator.raw import ROLE_DEFINITIONS, SCOPE, RawClient

RESOURCE = "https://managedhsm.azure.net"
INVALID_AUDIENCE = "Found token with aud={}, but expected aud=" + RESOURCE
INVALID_ISSUER = "AKV10032: Invalid issuer. Expected https://sts.windows.net/tenant/."
NO_SIGNATURE = "The token is not signed by the authority of the challenge."
NOW = 1_000_000
AUTHORITY = TokenAuthority(new_signing_key(), "tenant")


@pytest.mark.parametrize(
    ("method", "path", "body", "version"),
    [
        ("PUT", f"{ROLE_DEFINITIONS}/x", b"", "7.6"),
        ("PUT", f"{ROLE_DEFINITIONS}/x", b"{", "7.6"),
        pytest.param("PUT", f"{ROLE_DEFINITIONS}/x", b" " * 2_000_000, "7.6", id="huge-body"),
        ("GET", ROLE_DEFINITIONS, None, None),
        ("GET", ROLE_DEFINITIONS, None, "1.0"),
        ("GET", "/nothing/here", None, "7.6"),
        ("PATCH", ROLE_DEFINITIONS, None, "7.6"),
    ],
)
async def test_a_request_without_a_token_is_challenged_before_anything_else_is_looked_at(
    raw: RawClient, method: str, path: str, body: bytes | None, version: str | None
) -> None:
    reply = await raw.send(method, path, body, version=version, token=None)

    assert reply.status == 401
    assert reply.headers["WWW-Authenticate"].startswith("Bearer authorization=")


async def test_a_token_comes_in_one_authorization_of_the_scheme_bearer_in_any_case(raw: RawClient) -> None:
    token = await raw.token()
    for value in ("Basic YTpi", "Bearer", "", "token"):
        reply = await raw.send("GET", ROLE_DEFINITIONS, headers={"Authorization": value})
        assert (reply.status, "WWW-Authenticate" in reply.headers) == (401, True), value
    for scheme in ("Bearer", "bearer", "BEARER"):
        reply = await raw.send("GET", ROLE_DEFINITIONS, headers={"Authorization": f"{scheme} {token}"})
        assert reply.status == 200

    headers = [("Authorization", f"Bearer {token}"), ("Authorization", "Bearer other")]
    async with raw.hsm.client_kwargs["transport"].session.get(raw.hsm.vault_url, headers=headers) as twice:
        body = await twice.json()

    assert (twice.status, twice.headers["WWW-Authenticate"].partition("=")[0]) == (401, "Bearer authorization")
    assert body["error"]["message"].startswith("The request has more than one Authorization header.")


# What a token must be.


def _refusal(token: str, now: float = NOW) -> str:
    with pytest.raises(InvalidTokenError) as caught:
        AUTHORITY.principal(token, now)
    assert caught.value.challenge == AUTHORITY.challenge
    return str(caught.value)


def _claims() -> dict[str, object]:
    claims: dict[str, object] = jwt.decode(
        AUTHORITY.issue(ALICE, RESOURCE, NOW)[0], options={"verify_signature": False}
    )
    return claims


def _signed(claims: dict[str, object]) -> str:
    return jwt.encode(claims, AUTHORITY._private_key, algorithm="ES256")


def test_a_token_is_good_for_an_hour() -> None:
    token, expires = AUTHORITY.issue(ALICE, RESOURCE, NOW)

    assert expires == NOW + 3600
    assert [AUTHORITY.principal(token, now) for now in (NOW, expires - 0.1)] == [ALICE, ALICE]
    assert _refusal(token, NOW - 0.1) == "The token is not valid yet."
    assert _refusal(token, expires) == "The token has expired."


def test_a_token_that_the_authority_has_not_signed_is_refused() -> None:
    public_key = AUTHORITY._public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    tokens = {
        "unsigned": jwt.encode(_claims(), "", algorithm="none"),
        "signed by somebody else": jwt.encode(_claims(), ec.generate_private_key(ec.SECP256R1()), algorithm="ES256"),
        # Not as PEM: the library that forges refuses to take that for a secret.
        "signed with the public key as a shared secret": jwt.encode(_claims(), public_key.hex(), algorithm="HS256"),
        "of another authority": TokenAuthority(new_signing_key(), "tenant").issue(ALICE, RESOURCE, NOW)[0],
        "no token": "secret-rubbish",
        "empty": "",
        "header only": "eyJhbGciOiJFUzI1NiJ9.W10.AA",
    }

    assert {name: _refusal(token) for name, token in tokens.items()} == dict.fromkeys(tokens, NO_SIGNATURE)
    assert _refusal("ä.ä.ä") == "The token is no JSON Web Token."


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"oid": 5}, "The token names no principal."),
        ({"exp": 9.5e9}, "The token has expired."),
        ({"nbf": 1.5}, "The token is not valid yet."),
        ({"iss": "https://sts.windows.net/other/"}, INVALID_ISSUER),
        *(
            ({"aud": audience}, INVALID_AUDIENCE.format(audience))
            for audience in (f"{RESOURCE}/", RESOURCE.upper(), "", "ä\r\n", ["https://a.example"], [RESOURCE], 5)
        ),
    ],
    ids=str,
)
def test_a_signed_token_with_odd_claims_is_refused(changes: dict[str, object], reason: str) -> None:
    assert _refusal(_signed({**_claims(), **changes})) == reason


@pytest.mark.parametrize("claim", ["oid", "aud", "iss", "nbf", "exp", "generation"])
def test_a_signed_token_that_lacks_a_claim_is_refused(claim: str) -> None:
    claims = _claims()
    del claims[claim]

    assert _refusal(_signed(claims)) == f"The token lacks the claim {claim}."


# Over HTTP.


async def test_a_token_of_another_emulator_is_refused(raw: RawClient) -> None:
    async with ManagedHsmEmulator("other") as other:
        token = await RawClient(other).token()

    reply = await raw.send("GET", ROLE_DEFINITIONS, token=token)

    assert reply.error == (401, "Unauthorized", NO_SIGNATURE)
    assert reply.headers["WWW-Authenticate"].startswith("Bearer authorization=")


async def test_a_token_for_another_resource_is_refused(raw: RawClient) -> None:
    token = await raw.hsm.credential.get_token("https://vault.azure.net/.default")

    reply = await raw.send("GET", ROLE_DEFINITIONS, token=token.token)

    assert reply.error == (401, "Unauthorized", INVALID_AUDIENCE.format("https://vault.azure.net"))


async def test_a_token_expires_when_the_clock_says_so(raw: RawClient) -> None:
    token = await raw.token()

    before = await raw.send("GET", ROLE_DEFINITIONS, token=token)
    raw.hsm.clock.advance(3601)
    after = await raw.send("GET", ROLE_DEFINITIONS, token=token)
    renewed = await raw.send("GET", ROLE_DEFINITIONS)

    assert (before.status, renewed.status) == (200, 200)
    assert after.error == (401, "Unauthorized", "The token has expired.")


@pytest.mark.parametrize("token", [b"\xff\xfe", b"\xed\xb3\xbf.a.b", "ä.ä.ä".encode(), b"...", b"e30.e30.e30"])
async def test_bytes_that_are_no_token_are_refused_as_any_other_bad_one(raw: RawClient, token: bytes) -> None:
    head = f"GET {ROLE_DEFINITIONS} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer ".encode()

    answer = await raw.send_bytes(head + token + b"\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"\r\nWWW-Authenticate: Bearer authorization=" in answer


# The credential.


async def test_the_credential_says_when_its_token_expires(hsm: ManagedHsmEmulator) -> None:
    token = await hsm.credential.get_token(SCOPE, claims="{}", tenant_id="x", enable_cae=True)
    info = await hsm.credential.get_token_info(SCOPE, options={"enable_cae": True})

    for each in (token, info):
        claims = jwt.decode(each.token, options={"verify_signature": False})
        assert (claims["exp"], claims["oid"]) == (each.expires_on, hsm.admin_object_id)
        assert each.expires_on - hsm.clock.now() == pytest.approx(3600, abs=5)


async def test_the_credential_can_be_used_as_a_context_and_closed_twice(hsm: ManagedHsmEmulator) -> None:
    async with hsm.credential as credential:
        await credential.close()

    assert repr(credential) == f"EmulatorCredential(object_id='{hsm.admin_object_id}')"


@pytest.mark.parametrize("scopes", [(), (SCOPE, SCOPE)], ids=["none", "two"])
async def test_the_credential_wants_exactly_one_scope(hsm: ManagedHsmEmulator, scopes: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="exactly one scope"):
        await hsm.credential.get_token(*scopes)
