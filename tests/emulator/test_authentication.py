"""The challenge comes first, and only the emulator's own tokens let anybody in."""

from __future__ import annotations

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from azure.keyvault.administration.emulator import ManagedHsmEmulator
from emulator.raw import ROLE_DEFINITIONS, SCOPE, RawClient

INVALID_AUDIENCE = "Found token with aud={}, but expected aud=https://managedhsm.azure.net"
NO_SIGNATURE = "The token is not signed by the authority of the challenge."


@pytest.mark.parametrize(
    ("method", "path", "body", "version"),
    [
        pytest.param("PUT", f"{ROLE_DEFINITIONS}/x", b"", "7.6", id="no-body"),
        pytest.param("PUT", f"{ROLE_DEFINITIONS}/x", b"{", "7.6", id="broken-body"),
        pytest.param("PUT", f"{ROLE_DEFINITIONS}/x", b" " * 2_000_000, "7.6", id="huge-body"),
        pytest.param("GET", ROLE_DEFINITIONS, None, None, id="no-version"),
        pytest.param("GET", ROLE_DEFINITIONS, None, "1.0", id="unknown-version"),
        pytest.param("GET", "/nothing/here", None, "7.6", id="unknown-path"),
        pytest.param("PATCH", ROLE_DEFINITIONS, None, "7.6", id="wrong-method"),
    ],
)
async def test_a_request_without_a_token_is_challenged_before_anything_else_is_looked_at(
    raw: RawClient, method: str, path: str, body: bytes | None, version: str | None
) -> None:
    reply = await raw.send(method, path, body, version=version, token=None)

    assert reply.status == 401
    assert reply.headers["WWW-Authenticate"].startswith("Bearer authorization=")


@pytest.mark.parametrize("value", ["Basic YTpi", "Bearer", "", "token"])
async def test_an_authorization_that_bears_no_token_is_no_token(raw: RawClient, value: str) -> None:
    reply = await raw.send("GET", ROLE_DEFINITIONS, headers={"Authorization": value})

    assert reply.status == 401
    assert "WWW-Authenticate" in reply.headers


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_is_compared_without_regard_to_case(raw: RawClient, scheme: str) -> None:
    reply = await raw.send("GET", ROLE_DEFINITIONS, headers={"Authorization": f"{scheme} {await raw.token()}"})

    assert reply.status == 200


async def test_two_authorizations_are_none(raw: RawClient) -> None:
    headers = [("Authorization", f"Bearer {await raw.token()}"), ("Authorization", "Bearer other")]

    async with raw.hsm.client_kwargs["transport"].session.get(raw.hsm.vault_url, headers=headers) as reply:
        body = await reply.json()

    assert (reply.status, reply.headers["WWW-Authenticate"].partition("=")[0]) == (401, "Bearer authorization")
    assert body["error"]["message"].startswith("The request has more than one Authorization header.")


def forged(token: str, key: ec.EllipticCurvePrivateKey | str, algorithm: str, **changes: object) -> str:
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode({**claims, **changes}, key, algorithm=algorithm)


async def test_an_unsigned_token_is_refused(raw: RawClient) -> None:
    reply = await raw.send("GET", ROLE_DEFINITIONS, token=forged(await raw.token(), "", "none"))

    assert reply.error == (401, "Unauthorized", NO_SIGNATURE)
    assert reply.headers["WWW-Authenticate"].startswith("Bearer authorization=")


async def test_a_token_signed_by_somebody_else_is_refused(raw: RawClient) -> None:
    foreign = ec.generate_private_key(ec.SECP256R1())

    reply = await raw.send("GET", ROLE_DEFINITIONS, token=forged(await raw.token(), foreign, "ES256"))

    assert reply.error == (401, "Unauthorized", NO_SIGNATURE)


async def test_a_token_signed_with_the_public_key_as_a_shared_secret_is_refused(raw: RawClient) -> None:
    public_key = raw.hsm._run.hsm.authority._public_key
    # Not as PEM: the library that forges refuses to take that for a secret.
    secret = public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint).hex()

    reply = await raw.send("GET", ROLE_DEFINITIONS, token=forged(await raw.token(), secret, "HS256"))

    assert reply.error == (401, "Unauthorized", NO_SIGNATURE)


async def test_a_token_of_another_emulator_is_refused(raw: RawClient) -> None:
    async with ManagedHsmEmulator("other") as other:
        token = await RawClient(other).token()

    reply = await raw.send("GET", ROLE_DEFINITIONS, token=token)

    assert reply.error == (401, "Unauthorized", NO_SIGNATURE)


async def test_a_token_that_is_no_token_is_refused_and_not_repeated(raw: RawClient) -> None:
    reply = await raw.send("GET", ROLE_DEFINITIONS, token="secret-rubbish")

    assert reply.error == (401, "Unauthorized", NO_SIGNATURE)


async def test_a_token_for_another_resource_is_refused(raw: RawClient) -> None:
    token = await raw.hsm.credential.get_token("https://vault.azure.net/.default")

    reply = await raw.send("GET", ROLE_DEFINITIONS, token=token.token)

    assert reply.error == (401, "Unauthorized", INVALID_AUDIENCE.format("https://vault.azure.net"))
    assert reply.headers["WWW-Authenticate"].startswith("Bearer authorization=")


async def test_a_token_expires_when_the_clock_says_so(raw: RawClient) -> None:
    token = await raw.token()

    before = await raw.send("GET", ROLE_DEFINITIONS, token=token)
    raw.hsm.clock.advance(3601)
    after = await raw.send("GET", ROLE_DEFINITIONS, token=token)
    renewed = await raw.send("GET", ROLE_DEFINITIONS)

    assert before.status == 200
    assert after.error == (401, "Unauthorized", "The token has expired.")
    assert after.headers["WWW-Authenticate"].startswith("Bearer authorization=")
    assert renewed.status == 200


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


async def test_a_credential_is_for_an_object_id(hsm: ManagedHsmEmulator) -> None:
    with pytest.raises(ValueError, match="object_id must be a GUID, got 'nobody'"):
        hsm.credential_for("nobody")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"nbf": 9_500_000_000}, "The token is not valid yet.", id="not-yet-valid"),
        *(
            pytest.param({"aud": audience}, INVALID_AUDIENCE.format(audience), id=f"audience-{number}")
            for number, audience in enumerate(
                ["https://managedhsm.azure.net/", "https://MANAGEDHSM.azure.net", "", "ä\r\n", ["https://a.example"], 5]
            )
        ),
    ],
)
async def test_a_signed_token_with_odd_claims_is_refused(
    raw: RawClient, changes: dict[str, object], reason: str
) -> None:
    key = raw.hsm._run.hsm.authority._private_key

    reply = await raw.send("GET", ROLE_DEFINITIONS, token=forged(await raw.token(), key, "ES256", **changes))

    assert reply.error == (401, "Unauthorized", reason)


@pytest.mark.parametrize(
    "token",
    [b"\xff\xfe", b"\xed\xb3\xbf.a.b", "ä.ä.ä".encode(), b"...", b"e30.e30.e30", b"eyJhbGciOiJFUzI1NiJ9.W10.AA"],
)
async def test_bytes_that_are_no_token_are_refused_as_any_other_bad_one(raw: RawClient, token: bytes) -> None:
    head = f"GET {ROLE_DEFINITIONS} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer ".encode()

    answer = await raw.send_bytes(head + token + b"\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"\r\nWWW-Authenticate: Bearer authorization=" in answer
