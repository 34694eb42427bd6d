"""The service's form of bytes in JSON: base64url without padding."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

_TEXT = re.compile("[A-Za-z0-9_-]*")


def encode(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """Decode a text, or raise ValueError if it isn't base64url without padding."""
    if not _TEXT.fullmatch(text):
        raise ValueError("A character is not one of base64url")
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
