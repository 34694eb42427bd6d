"""Encryption of private keys that leave the HSM, with a key derived from the security domain.

The form is that of the service's key backups: a compact JSON web encryption with a direct key (RFC 7518, 5.2.5).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets

from . import base64url
from .algorithms import ALGORITHMS

_HEADER = base64url.encode(
    json.dumps({"alg": "dir", "enc": "A256CBC-HS512", "kid": "backup-protection-key"}, separators=(",", ":")).encode()
)
_HALF = 32
_CIPHER = ALGORITHMS["A256CBCPAD"]


def seal(content: str, security_domain: bytes) -> str:
    mac_key, key = _keys(security_domain)
    iv = secrets.token_bytes(16)
    ciphertext = _CIPHER.forward(key, {"iv": iv, "value": content.encode()})["value"]
    parts = (iv, ciphertext, _tag(mac_key, iv, ciphertext))
    return ".".join((_HEADER, "", *map(base64url.encode, parts)))


def unseal(token: str, security_domain: bytes) -> str:
    """Decrypt a token, or raise ValueError if it was sealed with another security domain."""
    header, key_part, *parts = token.split(".")
    iv, ciphertext, tag = map(base64url.decode, parts)
    mac_key, key = _keys(security_domain)
    is_ours = hmac.compare_digest(tag, _tag(mac_key, iv, ciphertext))
    if (header, key_part) != (_HEADER, "") or not is_ours:
        raise ValueError("Sealed with another security domain")
    return _CIPHER.backward(key, {"iv": iv, "value": ciphertext}).decode()


def _keys(security_domain: bytes) -> tuple[bytes, bytes]:
    derived = hashlib.sha512(b"backup protection " + security_domain).digest()
    return derived[:_HALF], derived[_HALF:]


def _tag(mac_key: bytes, iv: bytes, ciphertext: bytes) -> bytes:
    header = _HEADER.encode()
    content = header + iv + ciphertext + (8 * len(header)).to_bytes(8, "big")
    return hmac.new(mac_key, content, hashlib.sha512).digest()[:_HALF]
