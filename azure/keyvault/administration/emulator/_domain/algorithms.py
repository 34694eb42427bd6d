"""The algorithms of key operations: the keys that they need, and their computation."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.padding import PKCS7

from . import errors
from .key_material import CURVES, PrivateKey

_BLOCK = 16
_NONCE = 12
_TAG = 16
# The least padding of PKCS #1 v1.5.
_PADDING = 11

# Parameters or results by their names in JSON.
Members: TypeAlias = Mapping[str, bytes]
# Any, because the library's types of keys have no common base.
_Forward: TypeAlias = Callable[[Any, Members], dict[str, bytes]]
_Backward: TypeAlias = Callable[[Any, Members], bytes]

_ENCRYPTION = ("encrypt", "decrypt")
_WRAPPING = ("wrapKey", "unwrapKey")
_SIGNING = ("sign", "verify")

# All errors of a failed decryption.
FAILURES = (ValueError, InvalidTag, keywrap.InvalidUnwrap)


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One algorithm, with its keys and parameters."""

    family: str
    operations: tuple[str, ...]
    forward: _Forward
    """Encrypts, wraps or signs, and returns members of the response; a ValueError means a wrong length of the value."""
    backward: _Backward
    """Decrypts, or verifies a signature and raises InvalidSignature."""
    size: int = 0
    """Bits of the key; 0 for any."""
    curve: str = ""
    lengths: Mapping[str, Mapping[str, int]] = field(default_factory=dict[str, Mapping[str, int]])
    """The required parameters of each operation, with their length in bytes."""
    takes_aad: bool = False

    def fits(self, key: PrivateKey) -> bool:
        """Return whether a key of the right family has the right size or curve."""
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.curve.name == CURVES[self.curve].name
        return not self.size or (isinstance(key, bytes) and len(key) * 8 == self.size)

    def check(self, operation: str, given: Members) -> None:
        """Refuse missing or unknown parameters, and wrong lengths."""
        lengths = self.lengths.get(operation, {})
        for name, size in lengths.items():
            if len(given.get(name, b"")) != size:
                raise errors.bad_parameter(f"{name} must have {size} bytes for this algorithm")
        if unknown := given.keys() - lengths.keys() - {"value", "digest", "aad" if self.takes_aad else ""}:
            raise errors.bad_parameter(f"{min(unknown)} must not be given for this algorithm")


def choose(name: str, operation: str, family: str, key: PrivateKey) -> Algorithm:
    """Return the algorithm with a name.

    :raises ServiceError: if it cannot do the operation with the key.
    """
    algorithm = ALGORITHMS.get(name)
    if algorithm is None or operation not in algorithm.operations or algorithm.family != family:
        raise errors.bad_parameter(f"The algorithm {name!a} is not one for {operation} with a key of the kind {family}")
    if not algorithm.fits(key):
        raise errors.bad_parameter(f"The algorithm {name} needs a key of another size or curve")
    return algorithm


def _rsa_encryption(scheme: padding.AsymmetricPadding) -> Algorithm:
    return Algorithm(
        "RSA",
        _ENCRYPTION + _WRAPPING,
        lambda key, given: {"value": key.public_key().encrypt(given["value"], scheme)},
        # With PKCS #1 v1.5, OpenSSL returns a random value for bad padding instead of an error, so there is no oracle.
        lambda key, given: key.decrypt(given["value"], scheme),
    )


def _oaep(hash_: hashes.HashAlgorithm) -> Algorithm:
    return _rsa_encryption(padding.OAEP(padding.MGF1(hash_), hash_, None))


def _gcm(size: int) -> Algorithm:
    def encrypt(key: bytes, given: Members) -> dict[str, bytes]:
        nonce = secrets.token_bytes(_NONCE)
        sealed = AESGCM(key).encrypt(nonce, given["value"], given.get("aad"))
        # The service returns the aad, too.
        return {**given, "iv": nonce, "tag": sealed[-_TAG:], "value": sealed[:-_TAG]}

    def decrypt(key: bytes, given: Members) -> bytes:
        return AESGCM(key).decrypt(given["iv"], given["value"] + given["tag"], given.get("aad"))

    lengths = {"decrypt": {"iv": _NONCE, "tag": _TAG}}
    return Algorithm("oct", _ENCRYPTION, encrypt, decrypt, size=size, lengths=lengths, takes_aad=True)


def _cbc(size: int, *, is_padded: bool) -> Algorithm:
    def encrypt(key: bytes, given: Members) -> dict[str, bytes]:
        value = given["value"]
        if is_padded:
            padder = PKCS7(8 * _BLOCK).padder()
            value = padder.update(value) + padder.finalize()
        # Without padding, the service fills up with zeros, and does not remove them when it decrypts.
        value += bytes(-len(value) % _BLOCK)
        encryptor = Cipher(algorithms.AES(key), modes.CBC(given["iv"])).encryptor()
        return {"iv": given["iv"], "value": encryptor.update(value) + encryptor.finalize()}

    def decrypt(key: bytes, given: Members) -> bytes:
        decryptor = Cipher(algorithms.AES(key), modes.CBC(given["iv"])).decryptor()
        value = decryptor.update(given["value"]) + decryptor.finalize()
        if not is_padded:
            return value
        unpadder = PKCS7(8 * _BLOCK).unpadder()
        return unpadder.update(value) + unpadder.finalize()

    lengths = {operation: {"iv": _BLOCK} for operation in _ENCRYPTION}
    # The service ignores an aad.
    return Algorithm("oct", _ENCRYPTION, encrypt, decrypt, size=size, lengths=lengths, takes_aad=True)


def _key_wrap(size: int, wrap: Callable[..., bytes], unwrap: Callable[..., bytes]) -> Algorithm:
    return Algorithm(
        "oct",
        _WRAPPING,
        lambda key, given: {"value": wrap(key, given["value"])},
        lambda key, given: unwrap(key, given["value"]),
        size=size,
    )


def _signature(
    family: str,
    sign: Callable[[Any, bytes], bytes],
    verify: Callable[[Any, bytes, bytes], object],
    *,
    curve: str = "",
    digest_size: int | None = None,
) -> Algorithm:
    def check(key: Any, given: Members) -> bytes:
        verify(key, given["value"], given["digest"])
        return b""

    lengths = {"sign": {"value": digest_size}, "verify": {"digest": digest_size}} if digest_size else {}
    return Algorithm(
        family, _SIGNING, lambda key, given: {"value": sign(key, given["value"])}, check, curve=curve, lengths=lengths
    )


def _rsa_signature(hash_: hashes.HashAlgorithm, scheme: padding.AsymmetricPadding) -> Algorithm:
    return _signature(
        "RSA",
        lambda key, digest: key.sign(digest, scheme, Prehashed(hash_)),
        lambda key, signature, digest: key.public_key().verify(signature, digest, scheme, Prehashed(hash_)),
        digest_size=hash_.digest_size,
    )


def _sign_null(key: rsa.RSAPrivateKey, value: bytes) -> bytes:
    """Sign with PKCS #1 v1.5 without the name of a hash: the value can be anything that fits."""
    size = key.key_size // 8
    if len(value) > size - _PADDING:
        raise ValueError("Too long")
    number = int.from_bytes(b"\0\1" + b"\xff" * (size - 3 - len(value)) + b"\0" + value, "big")
    # The oldest supported cryptography cannot do this. With the Chinese remainder theorem, it is four times as fast.
    numbers = key.private_numbers()
    by_p, by_q = pow(number, numbers.dmp1, numbers.p), pow(number, numbers.dmq1, numbers.q)
    return (by_q + numbers.q * ((by_p - by_q) * numbers.iqmp % numbers.p)).to_bytes(size, "big")


def _verify_null(key: rsa.RSAPrivateKey, signature: bytes, value: bytes) -> None:
    _compare(key.public_key().recover_data_from_signature(signature, padding.PKCS1v15(), None), value)


def _ecdsa(curve: str, hash_: hashes.HashAlgorithm) -> Algorithm:
    size = (CURVES[curve].key_size + 7) // 8

    def sign(key: ec.EllipticCurvePrivateKey, digest: bytes) -> bytes:
        numbers = decode_dss_signature(key.sign(digest, ec.ECDSA(Prehashed(hash_))))
        return b"".join(each.to_bytes(size, "big") for each in numbers)

    def verify(key: ec.EllipticCurvePrivateKey, signature: bytes, digest: bytes) -> None:
        if len(signature) != 2 * size:
            raise InvalidSignature
        numbers = (int.from_bytes(half, "big") for half in (signature[:size], signature[size:]))
        key.public_key().verify(encode_dss_signature(*numbers), digest, ec.ECDSA(Prehashed(hash_)))

    return _signature("EC", sign, verify, curve=curve, digest_size=hash_.digest_size)


def _hmac(function: str) -> Algorithm:
    def verify(key: bytes, signature: bytes, digest: bytes) -> None:
        _compare(hmac.digest(key, digest, function), signature)

    return _signature("oct", lambda key, digest: hmac.digest(key, digest, function), verify)


def _compare(one: bytes, other: bytes) -> None:
    if not hmac.compare_digest(one, other):
        raise InvalidSignature


_AES = (128, 192, 256)
_HASHES = {256: hashes.SHA256(), 384: hashes.SHA384(), 512: hashes.SHA512()}
_unpadded_wrap = partial(_key_wrap, wrap=keywrap.aes_key_wrap, unwrap=keywrap.aes_key_unwrap)

ALGORITHMS: dict[str, Algorithm] = {
    "RSA1_5": _rsa_encryption(padding.PKCS1v15()),
    # The name stands for SHA-1.
    "RSA-OAEP": _oaep(hashes.SHA1()),  # noqa: S303
    "RSA-OAEP-256": _oaep(hashes.SHA256()),
    **{f"A{size}GCM": _gcm(size) for size in _AES},
    **{f"A{size}CBC": _cbc(size, is_padded=False) for size in _AES},
    **{f"A{size}CBCPAD": _cbc(size, is_padded=True) for size in _AES},
    **{f"A{size}KW": _unpadded_wrap(size) for size in _AES},
    "CKM_AES_KEY_WRAP": _unpadded_wrap(0),
    "CKM_AES_KEY_WRAP_PAD": _key_wrap(0, keywrap.aes_key_wrap_with_padding, keywrap.aes_key_unwrap_with_padding),
    **{f"RS{bits}": _rsa_signature(hash_, padding.PKCS1v15()) for bits, hash_ in _HASHES.items()},
    **{
        f"PS{bits}": _rsa_signature(hash_, padding.PSS(padding.MGF1(hash_), hash_.digest_size))
        for bits, hash_ in _HASHES.items()
    },
    "RSNULL": _signature("RSA", _sign_null, _verify_null),
    "ES256": _ecdsa("P-256", hashes.SHA256()),
    "ES256K": _ecdsa("P-256K", hashes.SHA256()),
    "ES384": _ecdsa("P-384", hashes.SHA384()),
    "ES512": _ecdsa("P-521", hashes.SHA512()),
    "EdDSA": _signature(
        "OKP",
        lambda key, value: key.sign(value),
        lambda key, signature, value: key.public_key().verify(signature, value),
    ),
    **{f"HS{bits}": _hmac(f"sha{bits}") for bits in _HASHES},
}
