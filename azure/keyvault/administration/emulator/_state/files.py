"""Files and directories that are there after a power cut, too."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from tempfile import mkstemp
from typing import BinaryIO


def write_whole(path: Path, content: bytes, *, durably: bool = False) -> None:
    """Write a file for its owner; whoever looks sees the old content or the new one, never a part of it.

    :keyword durably: Whether it has to be there after a power cut.
    :raises OSError: if it cannot be written.
    """
    try:
        _replace(path, content, durably=durably)
        if durably:
            sync_directory(path.parent)
    except OSError as error:
        # Of the partial file nobody needs to hear.
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_new(path: Path, content: bytes, *, durably: bool) -> None:
    """Write a file that does not exist yet. That its directory has it is for :func:`sync_directory` to make sure.

    :keyword durably: Whether it has to be there after a power cut.
    """
    with path.open("xb") as file:
        _write(file, content, durably=durably)


def sync_directory(path: Path) -> None:
    """Make sure that what was created in a directory, or renamed, stays there."""
    # Windows opens no directories, and does this by itself.
    if sys.platform != "win32":
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            # Some network file systems do this by themselves, too, and refuse to be told.
            if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
                raise
        finally:
            os.close(descriptor)


def _replace(path: Path, content: bytes, *, durably: bool) -> None:
    descriptor, partial = mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            _write(file, content, durably=durably)
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink()
        raise


def _write(file: BinaryIO, content: bytes, *, durably: bool) -> None:
    file.write(content)
    if durably:
        file.flush()
        os.fsync(file.fileno())
