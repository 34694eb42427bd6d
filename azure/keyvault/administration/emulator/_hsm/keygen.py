"""Making real keys, of which only the public half is kept. Slow enough to need its own thread."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec, rsa

if TYPE_CHECKING:
    from .._domain.keys import KeySpec

_CURVES: dict[str, ec.EllipticCurve] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
    "P-256K": ec.SECP256K1(),
}


def generate(spec: KeySpec) -> dict[str, str]:
    """Return the members of a new key's JSON web key that hold its public half; a symmetric key has none."""
    if spec.family == "RSA":
        return _rsa(spec)
    if spec.family == "EC":
        return _ec(spec)
    return {}


def _rsa(spec: KeySpec) -> dict[str, str]:
    public = rsa.generate_private_key(spec.exponent, spec.size).public_key().public_numbers()
    return {"e": _integer(public.e, _octets(public.e.bit_length())), "n": _integer(public.n, _octets(spec.size))}


def _ec(spec: KeySpec) -> dict[str, str]:
    public = ec.generate_private_key(_CURVES[spec.curve]).public_key().public_numbers()
    size = _octets(public.curve.key_size)
    return {"crv": spec.curve, "x": _integer(public.x, size), "y": _integer(public.y, size)}


def _octets(bits: int) -> int:
    return (bits + 7) // 8


def _integer(value: int, size: int) -> str:
    return urlsafe_b64encode(value.to_bytes(size, "big")).rstrip(b"=").decode("ascii")
