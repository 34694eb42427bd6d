"""Generating keys, which is slow enough for a thread."""

from __future__ import annotations

import math
import secrets
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from .._domain.key_material import CURVES, KeyMaterial, dump

if TYPE_CHECKING:
    from .._domain.keys import KeySpec

# The only exponents for which the library itself generates keys.
_USUAL_EXPONENTS = {3, 65537}


def generate(spec: KeySpec) -> KeyMaterial:
    if spec.family == "RSA":
        return dump(_rsa(spec.size, spec.exponent))
    if spec.family == "EC":
        return dump(ec.generate_private_key(CURVES[spec.curve]))
    if spec.family == "OKP":
        return dump(ed25519.Ed25519PrivateKey.generate())
    return dump(secrets.token_bytes(spec.size // 8))


def _rsa(size: int, exponent: int) -> rsa.RSAPrivateKey:
    if exponent in _USUAL_EXPONENTS:
        return rsa.generate_private_key(exponent, size)
    while True:
        usual = rsa.generate_private_key(65537, size).private_numbers()
        order = math.lcm(usual.p - 1, usual.q - 1)
        # The primes fit if the exponent has no factor in common with their order.
        if math.gcd(exponent, order) == 1:
            d = pow(exponent, -1, order)
            return rsa.RSAPrivateNumbers(
                usual.p,
                usual.q,
                d,
                rsa.rsa_crt_dmp1(d, usual.p),
                rsa.rsa_crt_dmq1(d, usual.q),
                usual.iqmp,
                rsa.RSAPublicNumbers(exponent, usual.public_numbers.n),
            ).private_key()
