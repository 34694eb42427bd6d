"""Encrypting, wrapping and signing over HTTP: published answers, the other half of the key, and errors."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.padding import PKCS7

from azure.keyvault.administration.emulator._domain.algorithms import ALGORITHMS
from emulator.operator_client import ALICE
from emulator.raw import CRYPTO_USER, ROLE_ASSIGNMENTS, RawClient

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emulator.raw import Reply

_KNOWN = json.loads(Path(__file__).with_name("known_answers.json").read_text(encoding="utf-8"))
HASHES: dict[str, hashes.HashAlgorithm] = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
CURVES = {"P-256": ec.SECP256R1(), "P-256K": ec.SECP256K1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
UNDONE = {"encrypt": "decrypt", "wrapKey": "unwrapKey"}


def encode(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(text: str) -> int:
    return int.from_bytes(decode(text), "big")


async def create(user: RawClient, **body: object) -> dict[str, Any]:
    reply = await user.send("POST", "/keys/k/create", body)
    assert reply.status == 200, reply.body
    key: dict[str, Any] = reply.json["key"]
    return key


async def import_symmetric(user: RawClient, content: bytes) -> None:
    reply = await user.send("PUT", "/keys/k", {"key": {"kty": "oct", "k": encode(content)}})
    assert reply.status == 200, reply.body


async def use(user: RawClient, operation: str, algorithm: str, value: bytes, **more: bytes) -> Reply:
    members = {name: encode(content) for name, content in more.items()}
    return await user.send("POST", f"/keys/k/{operation}", {"alg": algorithm, "value": encode(value), **members})


# Published answers.


@pytest.mark.parametrize("row", _KNOWN["answers"], ids=lambda row: f"{row['algorithm']}-{row['operation']}")
async def test_published_answer_is_given(user: RawClient, row: dict[str, Any]) -> None:
    imported = await user.send("PUT", "/keys/k", {"key": _KNOWN["keys"][row["key"]]})
    kid = imported.json["key"]["kid"]

    reply = await user.send("POST", f"/keys/k//{row['operation']}", {"alg": row["algorithm"], **row["send"]})

    assert (reply.status, reply.json) == (200, {"alg": row["algorithm"], "kid": kid, **row["expect"]})
    assert list(reply.json) == sorted(reply.json)
    version = kid.rpartition("/")[2]
    if row["operation"] in UNDONE:
        sent = {"alg": row["algorithm"], **row["expect"]}
        undone = await user.send("POST", f"/keys/k/{version}/{UNDONE[row['operation']]}", sent)
        value = decode(row["send"]["value"])
        assert decode(undone.json["value"]).rstrip(b"\0") == value.rstrip(b"\0")
        assert list(undone.json) == ["alg", "kid", "value"]
    if row["operation"] == "sign":
        sent = {"alg": row["algorithm"], "digest": row["send"]["value"], **row["expect"]}
        assert (await user.send("POST", f"/keys/k/{version}/verify", sent)).json["value"] is True


# The other half of the key.


async def test_rsa_signature_is_verified_with_the_public_key(user: RawClient) -> None:
    key = await create(user, kty="RSA")
    public = rsa.RSAPublicNumbers(number(key["e"]), number(key["n"])).public_key()
    for bits, hash_ in HASHES.items():
        digest = hashlib.new(f"sha{bits}", b"text").digest()
        for kind, scheme in (
            ("RS", padding.PKCS1v15()),
            ("PS", padding.PSS(padding.MGF1(hash_), hash_.digest_size)),
        ):
            signature = (await use(user, "sign", f"{kind}{bits}", digest)).json["value"]

            public.verify(decode(signature), digest, scheme, utils.Prehashed(hash_))


@pytest.mark.parametrize(
    ("algorithm", "curve", "digest_size", "size"),
    [("ES256", "P-256", 32, 64), ("ES256K", "P-256K", 32, 64), ("ES384", "P-384", 48, 96), ("ES512", "P-521", 64, 132)],
)
async def test_elliptic_curve_signature_is_verified_with_the_public_key(
    user: RawClient, algorithm: str, curve: str, digest_size: int, size: int
) -> None:
    key = await create(user, kty="EC", crv=curve)
    digest = bytes(range(digest_size))

    signature = decode((await use(user, "sign", algorithm, digest)).json["value"])

    assert len(signature) == size
    r, s = (int.from_bytes(half, "big") for half in (signature[: size // 2], signature[size // 2 :]))
    public = ec.EllipticCurvePublicNumbers(number(key["x"]), number(key["y"]), CURVES[curve]).public_key()
    hash_ = HASHES[str(digest_size * 8)]
    public.verify(utils.encode_dss_signature(r, s), digest, ec.ECDSA(utils.Prehashed(hash_)))


async def test_ed25519_signature_is_verified_with_the_public_key(user: RawClient) -> None:
    key = await create(user, kty="OKP")

    signature = decode((await use(user, "sign", "EdDSA", b"a text of any length")).json["value"])

    ed25519.Ed25519PublicKey.from_public_bytes(decode(key["x"])).verify(signature, b"a text of any length")


@pytest.mark.parametrize("size", [2048, 3072])
async def test_value_encrypted_with_the_public_key_is_decrypted(user: RawClient, size: int) -> None:
    key = await create(user, kty="RSA", key_size=size)
    public = rsa.RSAPublicNumbers(number(key["e"]), number(key["n"])).public_key()
    for algorithm, scheme in (
        ("RSA1_5", padding.PKCS1v15()),
        ("RSA-OAEP", padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)),
        ("RSA-OAEP-256", padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)),
    ):
        for operation, undone in UNDONE.items():
            outside = await use(user, undone, algorithm, public.encrypt(b"text", scheme))
            inside = await use(user, operation, algorithm, b"text")
            again = await use(user, undone, algorithm, decode(inside.json["value"]))

            assert (outside.status, decode(outside.json["value"])) == (200, b"text")
            assert (again.status, decode(again.json["value"])) == (200, b"text")


@pytest.mark.parametrize("size", [128, 192, 256])
async def test_symmetric_encryption_is_undone_with_the_same_key(user: RawClient, size: int) -> None:
    key, iv, text = bytes(range(size // 8)), bytes(16), b"x" * 200
    await import_symmetric(user, key)
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv))

    gcm = (await use(user, "encrypt", f"A{size}GCM", text, aad=b"more")).json
    bare = (await use(user, "encrypt", f"A{size}GCM", text)).json
    cbc = (await use(user, "encrypt", f"A{size}CBC", text, iv=iv, aad=b"ignored")).json
    padded = (await use(user, "encrypt", f"A{size}CBCPAD", text, iv=iv)).json

    assert AESGCM(key).decrypt(decode(gcm["iv"]), decode(gcm["value"]) + decode(gcm["tag"]), b"more") == text
    assert list(gcm) == ["aad", "alg", "iv", "kid", "tag", "value"]
    assert list(bare) == ["alg", "iv", "kid", "tag", "value"]
    assert gcm["iv"] != bare["iv"]
    # The service fills the last block with zeros.
    assert cipher.decryptor().update(decode(cbc["value"])) == text + bytes(8)
    assert list(cbc) == ["alg", "iv", "kid", "value"]
    unpadder = PKCS7(128).unpadder()
    assert unpadder.update(cipher.decryptor().update(decode(padded["value"]))) + unpadder.finalize() == text
    for algorithm, made, extra in (("GCM", gcm, b"more"), ("CBC", cbc, None), ("CBCPAD", padded, None)):
        parts = {name: decode(made[name]) for name in ("iv", "tag") if name in made} | ({"aad": extra} if extra else {})
        undone = await use(user, "decrypt", f"A{size}{algorithm}", decode(made["value"]), **parts)
        assert list(undone.json) == ["alg", "kid", "value"]
        assert decode(undone.json["value"]).rstrip(b"\0") == text


# Which key and which version.


async def test_newest_version_is_used_and_older_ones_stay_usable(user: RawClient) -> None:
    old, new = [(await create(user, kty="EC"))["kid"] for _ in range(2)]
    digest = encode(bytes(32))

    paths = {"k//sign": new, "k/sign": new, "k/SIGN": new, f"k/{new[-32:]}/Sign": new, f"k/{old[-32:]}/sign": old}
    signed = [await user.send("POST", f"/keys/{path}", {"alg": "ES256", "value": digest}) for path in paths]

    assert [reply.json["kid"] for reply in signed] == list(paths.values())
    sent = {"alg": "ES256", "digest": digest, "value": signed[0].json["value"]}
    assert (await user.send("POST", f"/keys/k/{old[-32:]}/verify", sent)).json["value"] is False


@pytest.mark.parametrize("operation", ["encrypt", "decrypt", "sign", "wrapkey", "unwrapkey"])
async def test_absent_key_and_absent_version_are_not_found(user: RawClient, operation: str) -> None:
    await create(user, kty="oct")

    for path, named in (("none", "none"), ("none/v", "none"), ("k/v", "k/v")):
        reply = await user.send("POST", f"/keys/{path}/{operation}", {"alg": "A256KW", "value": ""})

        assert reply.error == (404, "KeyNotFound", f"Key not found: {user.hsm.vault_url}/keys/{named}")


async def test_operation_outside_key_ops_is_forbidden(user: RawClient) -> None:
    await create(user, kty="oct", key_ops=["encrypt", "wrapKey"])

    statuses = {}
    for operation in ("encrypt", "decrypt", "wrapKey", "unwrapKey", "sign"):
        reply = await use(user, operation, "A256KW" if "rap" in operation else "A256CBC", bytes(16))
        statuses[operation] = reply.status
        if reply.status == 403:
            assert reply.json["error"]["innererror"] == {"code": "KeyOperationForbidden"}
            message = reply.json["error"]["message"]
            assert message.startswith(f"Operation {operation} is not permitted on this key.")

    assert statuses == {"encrypt": 400, "decrypt": 403, "wrapKey": 200, "unwrapKey": 403, "sign": 403}


_TIMES = {"expired": {"exp": 1_000}, "not yet valid": {"nbf": 32_503_680_000}, "disabled": {"enabled": False}}


@pytest.mark.parametrize("state", _TIMES)
async def test_expired_or_disabled_key_is_refused(user: RawClient, state: str) -> None:
    await create(user, kty="oct")
    wrapped = decode((await use(user, "wrapKey", "A256KW", bytes(16))).json["value"])
    signature = decode((await use(user, "sign", "HS256", b"text")).json["value"])
    await user.send("PATCH", "/keys/k", {"attributes": _TIMES[state]})

    replies = {
        "wrapKey": await use(user, "wrapKey", "A256KW", bytes(16)),
        "sign": await use(user, "sign", "HS256", b"text"),
        "unwrapKey": await use(user, "unwrapKey", "A256KW", wrapped),
        "verify": await use(user, "verify", "HS256", signature, digest=b"text"),
    }

    refused = {operation for operation, reply in replies.items() if reply.status == 403}
    assert refused == (set(replies) if state == "disabled" else {"wrapKey", "sign"})
    code = "KeyDisabled" if state == "disabled" else "KeyNotYetValidOrExpired"
    assert {replies[each].json["error"]["innererror"]["code"] for each in refused} == {code}
    assert {replies[each].json["error"]["code"] for each in refused} == {"Forbidden"}


async def test_key_expires_by_the_clock_of_the_emulator(user: RawClient) -> None:
    await create(user, kty="oct", attributes={"exp": int(user.hsm.clock.now()) + 1000})

    before = await use(user, "sign", "HS256", b"text")
    user.hsm.clock.advance(1000)
    after = await use(user, "sign", "HS256", b"text")

    assert (before.status, after.status) == (200, 403)


# Errors.

_KEYS: dict[str, dict[str, object]] = {
    "rsa": {"kty": "RSA"},
    "p256": {"kty": "EC"},
    "p521": {"kty": "EC", "crv": "P-521"},
    "aes128": {"kty": "oct", "key_size": 128},
    "aes256": {"kty": "oct"},
    "ed25519": {"kty": "OKP"},
}


# Key, operation, algorithm, and how many bytes are given.
_REFUSED = """
    rsa     encrypt A256GCM      value=5
    rsa     encrypt RSA-OAEP-512 value=5
    rsa     encrypt rsa-oaep     value=5
    rsa     encrypt RS256        value=32
    rsa     encrypt RSA1_5       value=246
    rsa     encrypt RSA-OAEP     value=5 iv=12
    rsa     sign    RS256        value=31
    rsa     sign    PS384        value=32
    rsa     sign    RS512        value=65
    rsa     sign    RSNULL       value=246
    rsa     sign    ES256        value=32
    rsa     sign    RSA1_5       value=32
    rsa     verify  RS256        value=256 digest=33
    p256    sign    ES384        value=48
    p256    sign    ES256K       value=32
    p256    sign    ES256        value=33
    p521    sign    ES512        value=66
    ed25519 sign    ES256        value=32
    aes128  encrypt A256GCM      value=5
    aes256  encrypt A256GCM      value=5 iv=12
    aes256  encrypt A256GCM      value=5 tag=16
    aes256  encrypt A256CBC      value=5
    aes256  encrypt A256CBCPAD   value=5 iv=12
    aes256  encrypt A256KW       value=16
    aes256  decrypt A256GCM      value=5 iv=12
    aes256  decrypt A256GCM      value=5 iv=12 tag=12
    aes256  decrypt A256GCM      value=5 iv=16 tag=16
    aes256  wrapKey A256KW       value=17
    aes256  wrapKey A256KW       value=8
    aes256  wrapKey A256GCM      value=16
    aes256  wrapKey A256KW       value=16 aad=1
    aes256  sign    HS1          value=5
"""


@pytest.mark.parametrize("key", _KEYS)
async def test_wrong_algorithm_or_parameter_is_refused(user: RawClient, key: str) -> None:
    await create(user, **_KEYS[key])

    for name, operation, algorithm, *given in map(str.split, _REFUSED.strip().splitlines()):
        if name == key:
            sizes = dict(each.split("=") for each in given)
            reply = await use(user, operation, algorithm, **{each: bytes(int(size)) for each, size in sizes.items()})

            assert reply.error[:2] == (400, "BadParameter"), (operation, algorithm, given)


@pytest.mark.parametrize("value", ["a+/b", "YQ==", "ä", "a", "Y Q", "YQ\n"])
async def test_value_that_is_not_base64url_is_refused(user: RawClient, value: str) -> None:
    await create(user, kty="oct")

    reply = await user.send("POST", "/keys/k/sign", {"alg": "HS256", "value": value})

    assert reply.error == (400, "BadRequest", "value must be base64url without padding")


async def test_every_failed_decryption_has_the_same_error(user: RawClient) -> None:
    await create(user, kty="RSA")
    for operation in ("decrypt", "unwrapKey"):
        replies = [
            await use(user, operation, algorithm, value)
            for algorithm in ("RSA-OAEP", "RSA-OAEP-256")
            for value in (bytes(256), b"\xff" * 256, b"\1" * 256, b"\1", b"", b"\1" * 300)
        ]
        assert {reply.error for reply in replies} == {FAILED}
    assert (await use(user, "decrypt", "RSA1_5", b"\1" * 300)).error == FAILED

    await create(user, kty="oct")
    gcm = (await use(user, "encrypt", "A256GCM", b"text", aad=b"more")).json
    parts = {name: decode(gcm[name]) for name in ("iv", "tag", "aad", "value")}
    assert (await use(user, "decrypt", "A256GCM", **parts)).status == 200
    unpadded = decode((await use(user, "encrypt", "A256CBC", bytes(16), iv=bytes(16))).json["value"])
    replies = [
        *[await use(user, "decrypt", "A256GCM", **{**parts, name: flipped(parts[name])}) for name in parts],
        await use(user, "decrypt", "A256CBC", bytes(15), iv=bytes(16)),
        *[await use(user, "decrypt", "A256CBCPAD", value, iv=bytes(16)) for value in (bytes(17), b"", unpadded)],
        *[await use(user, "unwrapKey", "A256KW", bytes(size)) for size in (0, 7, 16, 24, 25, 40)],
        *[await use(user, "unwrapKey", "CKM_AES_KEY_WRAP_PAD", bytes(size)) for size in (0, 8, 16, 24)],
    ]
    assert {reply.error for reply in replies} == {FAILED}


FAILED = (400, "BadParameter", "The value cannot be decrypted with this key and these parameters")


def flipped(content: bytes) -> bytes:
    return bytes([content[0] ^ 1]) + content[1:]


async def test_bad_padding_of_pkcs1_does_not_show(user: RawClient) -> None:
    await create(user, kty="RSA")
    value = decode((await use(user, "encrypt", "RSA1_5", b"text")).json["value"])

    tampered = [await use(user, "decrypt", "RSA1_5", value[:-1] + bytes([value[-1] ^ bit])) for bit in (1, 2, 4, 8)]

    # OpenSSL gives a random value since 3.2, and an error before that.
    assert {reply.status for reply in tampered} in ({200}, {400})
    assert all(reply.status == 200 or reply.error == FAILED for reply in tampered)
    assert all(decode(reply.json["value"]) != b"text" for reply in tampered if reply.status == 200)


@pytest.mark.parametrize("key", ["rsa", "p256", "aes256", "ed25519"])
async def test_wrong_signature_of_any_length_is_false(user: RawClient, key: str) -> None:
    await create(user, **_KEYS[key])
    algorithm = {"rsa": "RS256", "p256": "ES256", "aes256": "HS256", "ed25519": "EdDSA"}[key]
    right = decode((await use(user, "sign", algorithm, bytes(32))).json["value"])

    for wrong in (b"", b"x", flipped(right), right[:-1], right + b"\0", bytes(len(right)), b"\xff" * len(right)):
        reply = await use(user, "verify", algorithm, wrong, digest=bytes(32))
        assert (reply.status, reply.json["value"]) == (200, False)
    if key == "rsa":
        assert (await use(user, "verify", "RSNULL", b"x", digest=bytes(32))).json["value"] is False


async def test_value_of_almost_the_whole_body_is_encrypted(user: RawClient) -> None:
    await import_symmetric(user, bytes(32))
    value = b"x" * 700_000

    encrypted = (await use(user, "encrypt", "A256GCM", value)).json

    assert (
        AESGCM(bytes(32)).decrypt(decode(encrypted["iv"]), decode(encrypted["value"]) + decode(encrypted["tag"]), None)
        == value
    )


async def test_random_bytes_are_as_many_as_asked_for(user: RawClient) -> None:
    for count in (1, 32, 128):
        first, second = [(await user.send("POST", "/rng", {"count": count})).json["value"] for _ in range(2)]

        assert len(decode(first)) == len(decode(second)) == count
        assert count == 1 or first != second


async def test_other_number_of_random_bytes_is_refused(user: RawClient) -> None:
    for count in (-1, 0, 129, None):
        reply = await user.send("POST", "/rng", {"count": count})

        message = "GetRandomBytesRequest: count cannot be greater than 128 or less than 1"
        assert reply.error == (400, "BadParameter", message)


# Concurrent requests.


async def test_large_key_signs_beside_other_requests_and_checks_access_again(
    user: RawClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def sign_slowly(_key: object, given: Mapping[str, bytes]) -> dict[str, bytes]:
        begun.set()
        may_end.wait()
        return dict(given)

    monkeypatch.setitem(ALGORITHMS, "RS256", replace(ALGORITHMS["RS256"], forward=sign_slowly))
    await create(user, kty="RSA", key_size=3072)
    assignment = (await user.assign(ALICE, CRYPTO_USER)).json["name"]
    try:
        signing = asyncio.create_task(use(user.as_(ALICE), "sign", "RS256", bytes(32)))
        await asyncio.to_thread(begun.wait)

        removed = await user.send("DELETE", f"{ROLE_ASSIGNMENTS}/{assignment}")
    finally:
        may_end.set()

    assert removed.status == 200
    assert (await signing).status == 403


async def test_private_half_is_shown_nowhere(user: RawClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    seen = [await user.send("POST", f"/keys/{name}/create", body) for name, body in _KEYS.items()]
    for name in _KEYS:
        seen += [await user.send("GET", f"/keys/{name}{path}") for path in ("", "/versions", "//attestation")]
        seen += [await user.send("POST", f"/keys/{name}/backup")]
    seen += [await user.send("GET", "/keys"), await user.send("DELETE", "/keys/rsa")]
    seen += [await user.send("POST", "/deletedkeys/rsa/recover")]
    hsm = user.hsm._run.hsm

    shown = [reply.body.decode() for reply in seen]
    shown += [caplog.text, repr(user.hsm.journal), repr(hsm), repr(hsm.store.keys(deleted=False))]

    secrets = [version.secret or "" for key in hsm.store.keys(deleted=False) for version in key.versions]
    assert len(secrets) == len(_KEYS)
    assert min(map(len, secrets)) > 20
    # A key in DER begins like all others of its kind.
    assert [text for text in shown for secret in secrets if secret[-20:] in text] == []
