"""The env file of a running emulator: its lines, and its lifetime."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

from ._state.files import write_atomically

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

_NEEDS_NO_QUOTES = re.compile(r"[A-Za-z0-9_@%+=:,./-]*")
# Within double quotes, shells and parsers of env files agree only on how to write these.
_ESCAPED = re.compile(r"""["\\]""")


def render(variables: Mapping[str, str]) -> str:
    """Return the lines of an env file, in a form that a POSIX shell and other parsers read alike.

    :raises ValueError: if a value has no such form.
    """
    return "".join(f"{name}={_quote(name, value)}\n" for name, value in variables.items())


def discard_stale(path: Path) -> None:
    """Remove the file of an emulator that was killed: it names ports where nothing listens. A running one's stays."""
    try:
        with path.open("rb") as file:
            if not _lock(file):
                return
    except FileNotFoundError:
        return
    if sys.platform == "win32":
        # There, an open file cannot be removed.
        with suppress(PermissionError):
            path.unlink()
    else:
        path.unlink(missing_ok=True)


@contextmanager
def published(path: Path, text: str) -> Generator[None]:
    """Keep an env file, complete and readable for its owner only, while the emulator runs."""
    content = text.encode("utf-8", "surrogateescape")
    write_atomically(path, content)
    own = path.open("rb")
    try:
        _lock(own)
        yield
    finally:
        own.close()
        # Another emulator may have replaced the file.
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
    """Lock a file until it is closed or the process ends; return False if another process has locked it."""
    if sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True
