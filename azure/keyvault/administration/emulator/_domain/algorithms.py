"""The algorithms of key operations: which key each one needs, and what it computes."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.padding import PKCS7

from . import errors

if TYPE_CHECKING:
    from .key_material import PrivateKey

_BLOCK = 16
_NONCE = 12
_TAG = 16
# What PKCS #1 needs beside the value.
_PADDING = 11

_ENCRYPTION = frozenset({"encrypt", "decrypt"})
_WRAPPING = frozenset({"wrapKey", "unwrapKey"})


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a caller gives to an encryption or a decryption."""

    value: bytes = field(repr=False)
    iv: bytes | None = None
    tag: bytes | None = None
    aad: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithm:
    """What every algorithm knows: the keys with which it can be used."""

    family: str
    size: int = 0
    """Bits of the key; 0 for any size."""
    curve: str = ""

    def fits(self, key: PrivateKey) -> bool:
        """Return whether a key of the family has the size and the curve that are needed."""
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.curve.name == self.curve
        return not self.size or (isinstance(key, bytes) and len(key) * 8 == self.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption(Algorithm):
    """An algorithm that encrypts, or wraps keys, or both. The key is one that fits."""

    operations: frozenset[str] = _ENCRYPTION
    lengths: ClassVar[dict[str, int]] = {}
    """Of the parameters that have one."""
    made: ClassVar[frozenset[str]] = frozenset()
    """The parameters that an encryption makes itself."""
    takes_aad: ClassVar[bool] = False

    def check(self, inputs: Inputs, name: str, *, encrypts: bool) -> None:
        """Refuse parameters that are missing, superfluous or of a wrong length."""
        wanted = {each: size for each, size in self.lengths.items() if not (encrypts and each in self.made)}
        for each, given in (("iv", inputs.iv), ("tag", inputs.tag)):
            if (None if given is None else len(given)) != wanted.get(each):
                rule = f"have {wanted[each]} bytes" if each in wanted else "not be given"
                raise errors.bad_parameter(f"{each} must {rule} for the algorithm {name}")
        if inputs.aad is not None and not self.takes_aad:
            raise errors.bad_parameter(f"aad must not be given for the algorithm {name}")

    def encrypt(self, key: Any, inputs: Inputs) -> dict[str, bytes]:
        """Return the members of the response.

        :raises ValueError: if the value has a length that cannot be encrypted.
        """
        raise NotImplementedError

    def decrypt(self, key: Any, inputs: Inputs) -> bytes:
        """Return what was encrypted.

        :raises ValueError: if that cannot be found out; :exc:`InvalidTag` and :exc:`keywrap.InvalidUnwrap` say the
         same.
        """
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class _RsaEncryption(Encryption):
    padding: padding.AsymmetricPadding
    family: str = "RSA"
    operations: frozenset[str] = _ENCRYPTION | _WRAPPING

    def encrypt(self, key: rsa.RSAPrivateKey, inputs: Inputs) -> dict[str, bytes]:
        return {"value": key.public_key().encrypt(inputs.value, self.padding)}

    def decrypt(self, key: rsa.RSAPrivateKey, inputs: Inputs) -> bytes:
        # With PKCS #1 v1.5, OpenSSL turns a bad padding into a random value instead of an error: that is no oracle.
        return key.decrypt(inputs.value, self.padding)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gcm(Encryption):
    family: str = "oct"
    lengths: ClassVar[dict[str, int]] = {"iv": _NONCE, "tag": _TAG}
    made: ClassVar[frozenset[str]] = frozenset({"iv", "tag"})
    takes_aad: ClassVar[bool] = True

    def encrypt(self, key: bytes, inputs: Inputs) -> dict[str, bytes]:
        nonce = secrets.token_bytes(_NONCE)
        sealed = AESGCM(key).encrypt(nonce, inputs.value, inputs.aad)
        made = {"iv": nonce, "tag": sealed[-_TAG:], "value": sealed[:-_TAG]}
        return made if inputs.aad is None else {**made, "aad": inputs.aad}

    def decrypt(self, key: bytes, inputs: Inputs) -> bytes:
        return AESGCM(key).decrypt(inputs.iv or b"", inputs.value + (inputs.tag or b""), inputs.aad)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cbc(Encryption):
    family: str = "oct"
    is_padded: bool
    lengths: ClassVar[dict[str, int]] = {"iv": _BLOCK}
    # And ignores it, as the service does.
    takes_aad: ClassVar[bool] = True

    def encrypt(self, key: bytes, inputs: Inputs) -> dict[str, bytes]:
        iv = inputs.iv or b""
        if self.is_padded:
            padder = PKCS7(8 * _BLOCK).padder()
            value = padder.update(inputs.value) + padder.finalize()
        else:
            # The service fills up with zeros, and leaves them to the caller when it decrypts.
            value = inputs.value + bytes(-len(inputs.value) % _BLOCK)
        encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
        return {"iv": iv, "value": encryptor.update(value) + encryptor.finalize()}

    def decrypt(self, key: bytes, inputs: Inputs) -> bytes:
        decryptor = Cipher(algorithms.AES(key), modes.CBC(inputs.iv or b"")).decryptor()
        value = decryptor.update(inputs.value) + decryptor.finalize()
        if not self.is_padded:
            return value
        unpadder = PKCS7(8 * _BLOCK).unpadder()
        return unpadder.update(value) + unpadder.finalize()


@dataclass(frozen=True, slots=True, kw_only=True)
class _KeyWrap(Encryption):
    family: str = "oct"
    operations: frozenset[str] = _WRAPPING
    is_padded: bool = False

    def encrypt(self, key: bytes, inputs: Inputs) -> dict[str, bytes]:
        wrap = keywrap.aes_key_wrap_with_padding if self.is_padded else keywrap.aes_key_wrap
        return {"value": wrap(key, inputs.value)}

    def decrypt(self, key: bytes, inputs: Inputs) -> bytes:
        unwrap = keywrap.aes_key_unwrap_with_padding if self.is_padded else keywrap.aes_key_unwrap
        return unwrap(key, inputs.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature(Algorithm):
    """An algorithm that signs digests and verifies signatures. The key is one that fits."""

    operations: ClassVar[frozenset[str]] = frozenset({"sign", "verify"})
    hash: hashes.HashAlgorithm | None = None
    """What the digest was made with; None if it can be anything."""

    def check(self, digest: bytes, name: str) -> None:
        """Refuse a digest of a wrong length."""
        if self.hash and len(digest) != self.hash.digest_size:
            raise errors.bad_parameter(f"The digest must have {self.hash.digest_size} bytes for the algorithm {name}")

    def sign(self, key: Any, digest: bytes) -> bytes:
        """Return the signature.

        :raises ValueError: if the digest has a length that cannot be signed.
        """
        raise NotImplementedError

    def verify(self, key: Any, digest: bytes, signature: bytes) -> None:
        """Accept a signature.

        :raises InvalidSignature: if it isn't that of the digest.
        """
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class _RsaSignature(Signature):
    family: str = "RSA"
    hash: hashes.HashAlgorithm
    is_pss: bool

    def sign(self, key: rsa.RSAPrivateKey, digest: bytes) -> bytes:
        return key.sign(digest, self._padding(), Prehashed(self.hash))

    def verify(self, key: rsa.RSAPrivateKey, digest: bytes, signature: bytes) -> None:
        key.public_key().verify(signature, digest, self._padding(), Prehashed(self.hash))

    def _padding(self) -> padding.AsymmetricPadding:
        return padding.PSS(padding.MGF1(self.hash), self.hash.digest_size) if self.is_pss else padding.PKCS1v15()


@dataclass(frozen=True, slots=True, kw_only=True)
class _RsaNull(Signature):
    """PKCS #1 v1.5 without saying how the digest was made: what is signed may be anything that fits in."""

    family: str = "RSA"

    def sign(self, key: rsa.RSAPrivateKey, digest: bytes) -> bytes:
        size = key.key_size // 8
        if len(digest) > size - _PADDING:
            raise ValueError("Too long")
        block = b"\0\1" + b"\xff" * (size - 3 - len(digest)) + b"\0" + digest
        numbers = key.private_numbers()
        # The oldest cryptography that we allow cannot do this. With the remainders it takes a quarter of the time.
        number, p, q = int.from_bytes(block, "big"), numbers.p, numbers.q
        by_p, by_q = pow(number, numbers.dmp1, p), pow(number, numbers.dmq1, q)
        return (by_q + q * ((by_p - by_q) * numbers.iqmp % p)).to_bytes(size, "big")

    def verify(self, key: rsa.RSAPrivateKey, digest: bytes, signature: bytes) -> None:
        signed = key.public_key().recover_data_from_signature(signature, padding.PKCS1v15(), None)
        if not hmac.compare_digest(signed, digest):
            raise InvalidSignature


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ecdsa(Signature):
    family: str = "EC"
    curve: str
    hash: hashes.HashAlgorithm

    def sign(self, key: ec.EllipticCurvePrivateKey, digest: bytes) -> bytes:
        size = _octets(key)
        numbers = decode_dss_signature(key.sign(digest, ec.ECDSA(Prehashed(self.hash))))
        return b"".join(each.to_bytes(size, "big") for each in numbers)

    def verify(self, key: ec.EllipticCurvePrivateKey, digest: bytes, signature: bytes) -> None:
        size = _octets(key)
        if len(signature) != 2 * size:
            raise InvalidSignature
        r, s = (int.from_bytes(each, "big") for each in (signature[:size], signature[size:]))
        key.public_key().verify(encode_dss_signature(r, s), digest, ec.ECDSA(Prehashed(self.hash)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _EdDsa(Signature):
    family: str = "OKP"

    def sign(self, key: Any, digest: bytes) -> bytes:
        signature: bytes = key.sign(digest)
        return signature

    def verify(self, key: Any, digest: bytes, signature: bytes) -> None:
        key.public_key().verify(signature, digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hmac(Signature):
    family: str = "oct"
    function: str

    def sign(self, key: bytes, digest: bytes) -> bytes:
        return hmac.digest(key, digest, self.function)

    def verify(self, key: bytes, digest: bytes, signature: bytes) -> None:
        if not hmac.compare_digest(self.sign(key, digest), signature):
            raise InvalidSignature


def _octets(key: ec.EllipticCurvePrivateKey) -> int:
    return (key.key_size + 7) // 8


_HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
_AES_SIZES = (128, 192, 256)

ENCRYPTIONS: dict[str, Encryption] = {
    "RSA1_5": _RsaEncryption(padding=padding.PKCS1v15()),
    # SHA-1 is what the name stands for.
    "RSA-OAEP": _RsaEncryption(padding=padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)),  # noqa: S303
    "RSA-OAEP-256": _RsaEncryption(padding=padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)),
    **{f"A{size}GCM": _Gcm(size=size) for size in _AES_SIZES},
    **{f"A{size}CBC": _Cbc(size=size, is_padded=False) for size in _AES_SIZES},
    **{f"A{size}CBCPAD": _Cbc(size=size, is_padded=True) for size in _AES_SIZES},
    **{f"A{size}KW": _KeyWrap(size=size) for size in _AES_SIZES},
    "CKM_AES_KEY_WRAP": _KeyWrap(),
    "CKM_AES_KEY_WRAP_PAD": _KeyWrap(is_padded=True),
}
SIGNATURES: dict[str, Signature] = {
    **{f"RS{size}": _RsaSignature(hash=hash_, is_pss=False) for size, hash_ in _HASHES.items()},
    **{f"PS{size}": _RsaSignature(hash=hash_, is_pss=True) for size, hash_ in _HASHES.items()},
    "RSNULL": _RsaNull(),
    "ES256": _Ecdsa(curve="secp256r1", hash=hashes.SHA256()),
    "ES256K": _Ecdsa(curve="secp256k1", hash=hashes.SHA256()),
    "ES384": _Ecdsa(curve="secp384r1", hash=hashes.SHA384()),
    "ES512": _Ecdsa(curve="secp521r1", hash=hashes.SHA512()),
    "EdDSA": _EdDsa(),
    **{f"HS{size}": _Hmac(function=f"sha{size}") for size in _HASHES},
}

# What a failed decryption raises, whatever it fails at.
FAILURES = (ValueError, InvalidTag, keywrap.InvalidUnwrap)

_AlgorithmT = TypeVar("_AlgorithmT", Encryption, Signature)


def choose(known: dict[str, _AlgorithmT], name: str, operation: str, family: str, key: PrivateKey) -> _AlgorithmT:
    """Return the algorithm of a name, if it can do the operation with the key.

    :raises ServiceError: if it cannot.
    """
    algorithm = known.get(name)
    if algorithm is None or operation not in algorithm.operations or algorithm.family != family:
        raise errors.bad_parameter(f"The algorithm {name!a} is not one for {operation} with a key of the kind {family}")
    if not algorithm.fits(key):
        raise errors.bad_parameter(f"The algorithm {name} needs a key of another size or curve")
    return algorithm
