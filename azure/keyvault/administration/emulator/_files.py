"""Small files that appear whole, and are for their owner only."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import mkstemp


def write_whole(path: Path, content: bytes) -> None:
    """Write a file; whoever looks sees the old content or the new one, never a part of it."""
    try:
        descriptor, partial = mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        # The partial file is nobody's business.
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink()
        raise
