"""Files that are there whole or not at all, however the process ends."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import mkstemp


def write_whole(path: Path, content: bytes, *, is_public: bool = False) -> None:
    """Write a file that only its owner can read; readers see the old content or the new one, never a part of it.

    :param path: Where it is written.
    :param content: What it holds.
    :param is_public: Whether everybody may read it.
    :raises OSError: if it cannot be written.
    """
    try:
        descriptor, partial = mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            if is_public:
                Path(partial).chmod(0o644)
            Path(partial).replace(path)
        except BaseException:
            Path(partial).unlink()
            raise
    except OSError as error:
        # The name of the partial file means nothing to the caller.
        raise OSError(error.errno, error.strerror, str(path)) from error
