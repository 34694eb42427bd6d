"""Small files that appear whole, and are for their owner only."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import mkstemp


def write_whole(path: Path, content: bytes) -> None:
    """Write a file; whoever looks sees the old content or the new one, never a part of it.

    :raises OSError: if it cannot be written.
    """
    try:
        _replace(path, content)
    except OSError as error:
        # Of the partial file nobody needs to hear.
        raise OSError(error.errno, error.strerror, str(path)) from error


def _replace(path: Path, content: bytes) -> None:
    descriptor, partial = mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink()
        raise
