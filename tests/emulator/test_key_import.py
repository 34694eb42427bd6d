"""Keys that come from elsewhere, as JSON web keys."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from emulator.raw import RawClient

_RSA = rsa.generate_private_key(65537, 2048).private_numbers()
_SMALL = rsa.generate_private_key(65537, 1024).private_numbers()
_EC = ec.generate_private_key(ec.SECP256R1()).private_numbers()
_ED25519 = ed25519.Ed25519PrivateKey.generate()


def encode(content: bytes | int) -> str:
    if isinstance(content, int):
        content = content.to_bytes((content.bit_length() + 7) // 8, "big")
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def _rsa(numbers: rsa.RSAPrivateNumbers) -> dict[str, str]:
    public = numbers.public_numbers
    return {"kty": "RSA", "n": encode(public.n), "e": encode(public.e), "d": encode(numbers.d)}


RSA = _rsa(_RSA)
PRIMES = {
    "p": encode(_RSA.p),
    "q": encode(_RSA.q),
    "dp": encode(_RSA.dmp1),
    "dq": encode(_RSA.dmq1),
    "qi": encode(_RSA.iqmp),
}
EC = {
    "kty": "EC",
    "crv": "P-256",
    "d": encode(_EC.private_value.to_bytes(32, "big")),
    "x": encode(_EC.public_numbers.x.to_bytes(32, "big")),
    "y": encode(_EC.public_numbers.y.to_bytes(32, "big")),
}
OKP = {
    "kty": "OKP",
    "crv": "Ed25519",
    "d": encode(_ED25519.private_bytes_raw()),
    "x": encode(_ED25519.public_key().public_bytes_raw()),
}
OCT = {"kty": "oct", "k": encode(bytes(24))}
FULL = {**RSA, **PRIMES}


@pytest.mark.parametrize(
    ("key", "public"),
    [
        (RSA, ("e", "n")),
        (FULL, ("e", "n")),
        ({**FULL, "kty": "RSA-HSM", "n": encode(b"\0" + _RSA.public_numbers.n.to_bytes(256, "big"))}, ("e",)),
        (EC, ("crv", "x", "y")),
        ({name: EC[name] for name in ("kty", "crv", "d")}, ()),
        (OKP, ("crv", "x")),
        (OCT, ()),
        ({**OCT, "k": encode(bytes(64))}, ()),
    ],
)
async def test_imported_key_becomes_one_of_the_hsm(
    user: RawClient, key: dict[str, str], public: tuple[str, ...]
) -> None:
    # Whether it is asked to or not.
    for more in ({"Hsm": True}, {"Hsm": False}):
        assert (await user.send("PUT", "/keys/k", {"key": key, **more})).json["key"]["kty"].endswith("-HSM")
    reply = await user.send("PUT", "/keys/k", {"key": {**key, "kid": "mine"}})

    shown = reply.json["key"]
    assert (reply.status, shown["kty"]) == (200, key["kty"].removesuffix("-HSM") + "-HSM")
    assert not {"d", "k", *PRIMES} & shown.keys()
    assert {name: shown[name] for name in public} == {name: key[name] for name in public}
    assert (await user.send("GET", "/keys/k")).body == reply.body


async def test_properties_of_an_imported_key_are_kept(user: RawClient) -> None:
    body = {
        "key": {**EC, "key_ops": ["sign"]},
        "attributes": {"enabled": False, "exp": 2_000_000_000, "nbf": 1},
        "tags": {"a": "1"},
    }

    reply = await user.send("PUT", "/keys/k", body)
    again = await user.send("PUT", "/keys/k", {"key": OCT})

    assert reply.json["key"]["key_ops"] == ["sign"]
    attributes = reply.json["attributes"]
    assert [attributes[name] for name in ("enabled", "exp", "nbf")] == [False, 2_000_000_000, 1]
    assert reply.json["tags"] == {"a": "1"}
    assert again.json["attributes"]["key_size"] == 192
    assert len((await user.send("GET", "/keys/k/versions")).json["value"]) == 2


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ({"kty": "RSA"}, "d property of RSA key is missing"),
        ({**RSA, "e": ""}, "e property of RSA key is missing"),
        (_rsa(_SMALL), "n property of RSA key must have 2048, 3072, 4096 bits"),
        ({**RSA, "e": encode(1), "d": encode(1)}, "the members do not make a key of the kind RSA"),
        ({**RSA, "d": encode(_RSA.d ^ 2)}, "the members do not make a key of the kind RSA"),
        ({**RSA, "d": encode(b"\xff" * 100_000)}, "the members do not make a key of the kind RSA"),
        ({**FULL, "p": PRIMES["q"]}, "the members do not make a key of the kind RSA"),
        ({**FULL, "dp": PRIMES["dq"]}, "the members do not make a key of the kind RSA"),
        ({"kty": "EC", "crv": "P-256"}, "d property of EC key is missing"),
        ({**EC, "crv": "P-192"}, "the curve 'P-192' is not supported for keys of the kind EC"),
        ({**EC, "crv": None}, "the curve None is not supported for keys of the kind EC"),
        ({**EC, "d": encode(b"\xff" * 32)}, "the members do not make a key of the kind EC"),
        ({**EC, "d": encode(b"\0")}, "the members do not make a key of the kind EC"),
        ({**EC, "d": encode(b"\1" * 33)}, "the members do not make a key of the kind EC"),
        ({**EC, "x": EC["y"]}, "x property does not belong to the private key"),
        ({**OKP, "crv": "X25519"}, "the curve 'X25519' is not supported for keys of the kind OKP"),
        ({**EC, "kty": "OKP"}, "the curve 'P-256' is not supported for keys of the kind OKP"),
        ({**OKP, "kty": "EC"}, "the curve 'Ed25519' is not supported for keys of the kind EC"),
        ({**OKP, "d": encode(bytes(31))}, "the members do not make a key of the kind OKP"),
        ({**OKP, "x": encode(bytes(32))}, "x property does not belong to the private key"),
        ({"kty": "oct"}, "k property of oct key is missing"),
        ({"kty": "oct", "k": ""}, "k property of oct key is missing"),
        ({"kty": "oct", "k": encode(bytes(65))}, "k property of oct key is too large, maximum size is 64"),
    ],
)
async def test_web_key_that_is_not_a_key_is_refused(user: RawClient, key: dict[str, Any], reason: str) -> None:
    reply = await user.send("PUT", "/keys/k", {"key": key})

    assert reply.error == (400, "BadParameter", f"JSON Web Key: {reason}")
    assert (await user.send("GET", "/keys/k")).status == 404


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "The member key is required"),
        ({"key": {}}, "The member key.kty is required"),
        ({"key": {"kty": "DSA"}}, "The kty 'DSA' is not supported"),
        ({"key": {**OCT, "k": "="}}, "key.k must be base64url without padding"),
        ({"key": {**OCT, "alg": "A192KW"}}, "The request body has unknown members: 'key.alg'"),
        ({"key": {**OCT, "key_ops": ["fly"]}}, "A key of the kty oct-HSM cannot be used for the key operation 'fly'"),
        ({"key": OCT, "attributes": {"exportable": True}}, "Exportable keys must have release policy"),
        ({"key": OCT, "tags": {"a": "x" * 257}}, "A key has up to 15 tags of up to 256 characters"),
    ],
)
async def test_invalid_import_is_refused(user: RawClient, body: dict[str, Any], message: str) -> None:
    reply = await user.send("PUT", "/keys/k", body)

    assert (reply.error[0], reply.error[2]) == (400, message)


async def test_key_wrapped_by_another_hsm_is_not_imported(user: RawClient) -> None:
    reply = await user.send("PUT", "/keys/k", {"key": {"kty": "RSA-HSM", "key_hsm": "AAAA"}})

    assert reply.error[:2] == (501, "NotImplemented")


async def test_name_of_a_deleted_key_cannot_be_imported_to(user: RawClient) -> None:
    await user.send("PUT", "/keys/k", {"key": OCT})
    await user.send("DELETE", "/keys/k")

    reply = await user.send("PUT", "/keys/k", {"key": OCT})

    assert (reply.status, reply.json["error"]["innererror"]) == (409, {"code": "ObjectIsDeletedButRecoverable"})
