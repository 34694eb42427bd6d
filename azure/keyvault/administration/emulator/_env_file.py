"""The file that tells programs of a running emulator: its lines, and when it is there."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

from ._state.files import write_whole

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

_NEEDS_NO_QUOTES = re.compile(r"[A-Za-z0-9_@%+=:,./-]*")
# Within double quotes, shells and parsers of env files agree on how to write these, and on no other.
_ESCAPED = re.compile(r"""["\\]""")


def render(variables: Mapping[str, str]) -> str:
    """Return the lines of an env file, which a POSIX shell and parsers of such files read alike.

    :raises ValueError: if a value cannot be written so that they do.
    """
    return "".join(f"{name}={_quote(name, value)}\n" for name, value in variables.items())


def discard_stale(path: Path) -> None:
    """Remove the file that an emulator has left behind which was killed: it names ports where nothing listens.

    The file of one that runs stays.
    """
    try:
        with path.open("rb") as file:
            if not _lock(file):
                return
    except FileNotFoundError:
        return
    if sys.platform == "win32":
        # There, a file that is open cannot be removed.
        with suppress(PermissionError):
            path.unlink()
    else:
        path.unlink(missing_ok=True)


@contextmanager
def published(path: Path, text: str) -> Generator[None]:
    """Keep a file that says where the emulator is, as long as that is true.

    :param path: Where the file is written; whole, and readable for its owner only.
    :param text: Its content.
    """
    content = text.encode("utf-8", "surrogateescape")
    write_whole(path, content)
    own = path.open("rb")
    try:
        _lock(own)
        yield
    finally:
        own.close()
        # Another emulator may have taken the file over.
        if path.exists() and path.read_bytes() == content:
            path.unlink()


def _quote(name: str, value: str) -> str:
    if len(value.splitlines()) > 1:
        raise ValueError(f"{name} must fit on a line of an env file, got {value!r}")
    if _NEEDS_NO_QUOTES.fullmatch(value):
        return value
    if "'" not in value:
        return f"'{value}'"
    if "$" in value or "`" in value:
        raise ValueError(f"{name} has quotes and other characters that no env file can hold, got {value!r}")
    escaped = _ESCAPED.sub(r"\\\g<0>", value)
    return f'"{escaped}"'


def _lock(file: BinaryIO) -> bool:
    """Lock a file until it is closed, however the process ends; return whether nobody else has."""
    if sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True
