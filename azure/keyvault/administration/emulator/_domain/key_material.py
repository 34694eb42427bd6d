"""The two halves of a key: as cryptography's objects, in the store's form, and as a JSON web key."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from . import base64url, errors

if TYPE_CHECKING:
    from collections.abc import Mapping

PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | bytes

RSA_SIZES = (2048, 3072, 4096)
LEAST_EXPONENT = 3
CURVES: dict[str, ec.EllipticCurve] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
    "P-256K": ec.SECP256K1(),
}
ED25519 = "Ed25519"

_CURVE_NAMES = {curve.name: name for name, curve in CURVES.items()}
_LARGEST_SYMMETRIC = 64
# The members of a private RSA key that follow from its primes.
_CRT = ("dp", "dq", "qi")
WEB_KEY_BYTES = ("d", "e", "k", "n", "p", "q", "x", "y", *_CRT)


@dataclass(frozen=True, slots=True)
class KeyMaterial:
    """Both halves of a key in the store's form."""

    public: dict[str, str]
    """The public members of its JSON web key; a symmetric key has none."""
    secret: str = field(repr=False)


def dump(key: PrivateKey) -> KeyMaterial:
    if isinstance(key, bytes):
        return KeyMaterial({}, base64url.encode(key))
    secret = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return KeyMaterial(_public(key), base64url.encode(secret))


# The first use of a loaded RSA key takes three times as long as the next.
@lru_cache(maxsize=256)
def load(secret: str, kty: str) -> PrivateKey:
    content = base64url.decode(secret)
    if kty == "oct-HSM":
        return content
    # The check takes a tenth of a second; it was done at the import.
    key = serialization.load_der_private_key(content, None, unsafe_skip_rsa_key_validation=True)
    # No other kinds of keys are stored.
    return cast("PrivateKey", key)


def _public(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> dict[str, str]:
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        return {"e": _integer(numbers.e, _octets(numbers.e.bit_length())), "n": _integer(numbers.n, key.key_size // 8)}
    if isinstance(key, ec.EllipticCurvePrivateKey):
        point = key.public_key().public_numbers()
        size = _octets(key.key_size)
        return {"crv": _CURVE_NAMES[key.curve.name], "x": _integer(point.x, size), "y": _integer(point.y, size)}
    return {"crv": ED25519, "x": base64url.encode(key.public_key().public_bytes_raw())}


def _octets(bits: int) -> int:
    return (bits + 7) // 8


def _integer(value: int, size: int) -> str:
    return base64url.encode(value.to_bytes(size, "big"))


# Importing.


def import_web_key(family: str, curve: str | None, members: Mapping[str, bytes]) -> KeyMaterial:
    """Return the key in a JSON web key. Takes up to half a second.

    :param members: The decoded members that are bytes.
    :raises ServiceError: if they don't belong together, or an HSM doesn't accept the key.
    """
    if family == "oct":
        key = _member(members, "k", family)
        if len(key) > _LARGEST_SYMMETRIC:
            raise errors.bad_web_key(f"k property of oct key is too large, maximum size is {_LARGEST_SYMMETRIC}")
        return dump(key)
    try:
        material = dump(_asymmetric(family, curve, members))
    except ValueError as error:
        raise errors.bad_web_key(f"the members do not make a key of the kind {family}") from error
    for name in material.public.keys() & members.keys():
        if members[name].lstrip(b"\0") != base64url.decode(material.public[name]).lstrip(b"\0"):
            raise errors.bad_web_key(f"{name} property does not belong to the private key")
    return material


def _asymmetric(family: str, curve: str | None, members: Mapping[str, bytes]) -> Any:
    private = _member(members, "d", family)
    if family == "RSA":
        return _rsa(int.from_bytes(private, "big"), members)
    if family == "OKP" and curve == ED25519:
        return ed25519.Ed25519PrivateKey.from_private_bytes(private)
    if family == "EC" and curve in CURVES:
        number = int.from_bytes(private, "big")
        if number.bit_length() > CURVES[curve].key_size:
            raise ValueError("The private number is larger than the curve")
        return ec.derive_private_key(number, CURVES[curve])
    raise errors.bad_web_key(f"the curve {curve!a} is not supported for keys of the kind {family}")


def _rsa(d: int, members: Mapping[str, bytes]) -> rsa.RSAPrivateKey:
    n, e = (int.from_bytes(_member(members, name, "RSA"), "big") for name in ("n", "e"))
    numbers = {name: int.from_bytes(members[name], "big") for name in ("p", "q", *_CRT) if name in members}
    if n.bit_length() not in RSA_SIZES:
        raise errors.bad_web_key(f"n property of RSA key must have {', '.join(map(str, RSA_SIZES))} bits")
    # Otherwise the rest would be slow with too large numbers, and never end with an exponent of 1.
    if e < LEAST_EXPONENT or max(d, e, *numbers.values()) >= n or pow(pow(2, e, n), d, n) != 2:  # noqa: PLR2004
        raise ValueError("The exponents do not belong together")
    if not numbers.keys() >= {"p", "q"}:
        numbers["p"], numbers["q"] = rsa.rsa_recover_prime_factors(n, e, d)
    p, q = numbers["p"], numbers["q"]
    return rsa.RSAPrivateNumbers(
        p,
        q,
        d,
        numbers.get("dp") or rsa.rsa_crt_dmp1(d, p),
        numbers.get("dq") or rsa.rsa_crt_dmq1(d, q),
        numbers.get("qi") or rsa.rsa_crt_iqmp(p, q),
        rsa.RSAPublicNumbers(e, n),
    ).private_key()


def _member(members: Mapping[str, bytes], name: str, family: str) -> bytes:
    value = members.get(name)
    if not value:
        raise errors.bad_web_key(f"{name} property of {family} key is missing")
    return value
