"""Files that are complete or absent, even if the process is killed."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import mkstemp


def write_atomically(path: Path, content: bytes, *, is_public: bool = False) -> None:
    """Write a file, for its owner only unless it is public; readers see the old content or the new, never a part.

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
        # Name the file that the caller knows.
        raise OSError(error.errno, error.strerror, str(path)) from error
