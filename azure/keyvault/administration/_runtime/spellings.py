r"""Find and replace secrets in bytes, however they are spelled there.

A service, or a gateway in front of it, escapes what it quotes: as JSON (``\u002B``, ``\/``), as a URL (``%2b``,
``%252B``), as HTML (``&#43;``), in UTF-16, and any of these inside another. So the bytes are read as they are, then
with their escapes decoded, then with those decoded that this brought to light, and so on. What is found in one of the
readings is replaced in the bytes: each reading knows where its bytes come from. Secrets are decoded in the same way,
once: :func:`decoded`.

Every reading takes linear time, and the number of readings is bounded.
"""

from __future__ import annotations

import re
import sys
from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

REDACTED = "REDACTED"

LONGEST_SHOWN = 64 * 1024
"""How much of a text is shown, in bytes. Its end may cut a secret in two, so a little more is searched."""

_LONGEST_SEARCHED = LONGEST_SHOWN + 16 * 1024

# A shorter secret would be found in innocent words.
_SHORTEST_SECRET = 6

# How deep escapes may be nested.
_DEEPEST = 6

_ESCAPE = re.compile(
    # UTF-16 and UTF-32 have zeros between the letters.
    rb"\0\0*"
    rb"|%(?:25)*(?P<percent>[0-9A-Fa-f]{2})"
    # JSON in JSON doubles backslashes, so their number doesn't matter. Looking back, each run of them is tried once.
    rb"|\\(?<!\\\\)\\*(?:u(?P<json>[0-9A-Fa-f]{4})|x(?P<python>[0-9A-Fa-f]{2})|(?P<quoted>[^\\\0]))"
    rb"|&(?:#(?P<decimal>[0-9]{1,7});?|#[xX](?P<hex>[0-9A-Fa-f]{1,6});?|(?P<name>[A-Za-z]{2,8});)"
)

# Most texts hold no escape and nothing like a secret: looking for these costs a tenth of a search.
_MARKS_OF_ESCAPES = (b"%", b"\\", b"&", b"\0")
_MARKS_OF_SECRETS = (b"sig=", b"bearer", b'"token"', b"@")

# Unknown secrets, recognized by what stands before them. What is in the group is replaced.
_RECOGNIZED = re.compile(
    rb"\bsig=(?P<signature>[^&\s\"'<>\\]+)"
    # A challenge isn't a token: Bearer authorization="https://..."
    rb"|\bBearer[ +](?![a-z_]+=[\"'])(?P<token>[A-Z0-9._~+/=-]{8,})"
    rb"|\"token\"\s*:\s*\"(?P<member>(?:[^\"\\]|\\.)+)"
    rb"|://(?P<user>[^\s/?#@\"'<>\\]+)@",
    re.IGNORECASE,
)


def decoded(secrets: Iterable[str]) -> frozenset[bytes]:
    """Return secrets as :func:`without_secrets` looks for them, without those that are too short to be told from words.

    :param secrets: The secrets, in any spelling.
    """
    return frozenset(plain for secret in secrets if len(plain := _plain(secret)) >= _SHORTEST_SECRET)


def without_secrets(content: bytes, secrets: frozenset[bytes]) -> bytes:
    """Return the beginning of a text without its secrets: the text itself if it is short and holds none.

    :param content: The text, in any encoding that contains ASCII.
    :param secrets: Secrets that are known, decoded.
    """
    searched = content[:_LONGEST_SEARCHED]
    hidden: list[tuple[int, int]] = []
    for reading, origins in _readings(searched):
        folded = _folded(reading)
        places = [place for secret in secrets for place in _places(folded, secret)]
        if _holds(reading.lower(), _MARKS_OF_SECRETS):
            places += [match.span(match.lastgroup or 0) for match in _RECOGNIZED.finditer(reading)]
        hidden += [(origins[start], origins[end]) for start, end in places]
    return _shown(content, sorted(hidden))


def _places(text: bytes, secret: bytes) -> Iterator[tuple[int, int]]:
    """Yield where a text holds a secret, or its beginning and an ellipsis: aiohttp shortens what it quotes."""
    start = text.find(secret[:_SHORTEST_SECRET])
    while start >= 0:
        end = start + _common(text, start, secret)
        is_found = end - start == len(secret) or text.startswith(b"...", end)
        if is_found:
            yield start, end
        start = text.find(secret[:_SHORTEST_SECRET], end if is_found else start + 1)


def _common(text: bytes, start: int, secret: bytes) -> int:
    """Return how much of a secret stands at a place in a text."""
    common, end = 0, len(secret)
    while common < end:
        middle = (common + end + 1) // 2
        if text.startswith(secret[common:middle], start + common):
            common = middle
        else:
            end = middle - 1
    return common


def _shown(content: bytes, hidden: list[tuple[int, int]]) -> bytes:
    """Return a text without what is hidden and without what is too long."""
    limit = min(len(content), LONGEST_SHOWN)
    pieces: list[bytes] = []
    shown = 0
    for start, end in hidden:
        if start >= limit:
            break
        if start >= shown:
            pieces += [content[shown:start], _stand_in(content[start:end])]
        shown = max(shown, end)
    pieces.append(content[shown:limit])
    if limit < len(content):
        pieces.append(f"... ({len(content) - max(shown, limit)} more bytes)".encode())
    return b"".join(pieces) if hidden or limit < len(content) else content


def _stand_in(secret: bytes) -> bytes:
    """Return what is shown in place of a secret, with the zeros of its encoding."""
    between = len(secret[1:]) - len(secret[1:].lstrip(b"\0"))
    after = len(secret) - len(secret.rstrip(b"\0"))
    return (b"\0" * between).join(letter.encode() for letter in REDACTED) + b"\0" * after


def _plain(secret: str) -> bytes:
    """Return a secret with everything decoded."""
    *_, (reading, _) = _readings(secret.encode(errors="surrogatepass"))
    return _folded(reading)


def _holds(content: bytes, marks: tuple[bytes, ...]) -> bool:
    return any(mark in content for mark in marks)


def _folded(reading: bytes) -> bytes:
    # In a form, a plus is a blank.
    return reading.replace(b"+", b" ")


def _readings(content: bytes) -> Iterator[tuple[bytes, Sequence[int]]]:
    """Yield the ways to read a text, and for each of their bytes, and the end, where it comes from."""
    origins: Sequence[int] = range(len(content) + 1)
    yield content, origins
    for _ in range(_DEEPEST):
        if not _holds(content, _MARKS_OF_ESCAPES):
            return
        text, places, done = bytearray(), array("L"), 0
        for escape in _ESCAPE.finditer(content):
            meaning = _meaning(escape)
            if meaning is None:
                continue
            start = escape.start()
            text += content[done:start]
            text += meaning
            places.extend(origins[done:start])
            places.extend([origins[start]] * len(meaning))
            done = escape.end()
        if not done:
            return
        text += content[done:]
        places.extend(origins[done:])
        content, origins = bytes(text), places
        yield content, origins


def _meaning(escape: re.Match[bytes]) -> bytes | None:
    """Return what an escape means, in UTF-8; None if it isn't an escape."""
    kind = escape.lastgroup
    if kind is None:
        return b""
    value = escape[kind]
    if kind == "quoted":
        return b"\n" if value in b"nrt" else value
    digits = value.decode()
    if kind in ("percent", "python"):
        return bytes.fromhex(digits)
    if kind == "name":
        # Here, because its 2,231 names take a tenth of the time of the package's import, and few texts have one.
        from html.entities import html5  # noqa: PLC0415

        character = html5.get(f"{digits};")
    else:
        code = int(digits, 10 if kind == "decimal" else 16)
        character = chr(code) if code <= sys.maxunicode else None
    return None if character is None else character.encode(errors="surrogatepass")
