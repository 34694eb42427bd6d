"""The security domain: the secret that ties backups to the HSMs that may restore them."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from .files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 32


def load_or_create(path: Path, given: bytes | None, *, is_new: bool) -> bytes:
    """Return the security domain of an HSM.

    :param path: The file that keeps it.
    :param given: What another HSM has exported, to be imported here.
    :keyword is_new: Whether the HSM has no state yet. One that has some does not get a new domain: its
     backups could no longer be restored.
    :raises ValueError: if what is given is not a security domain or differs from the one in the file, or if the file is
     lost or damaged.
    """
    if given is not None and len(given) != SIZE:
        raise ValueError(f"security_domain must be {SIZE} bytes, got {len(given)}")
    if not path.exists():
        if given is None and not is_new:
            raise ValueError(f"{path} is missing: put a copy in its place, or pass its content as security_domain")
        domain = given or secrets.token_bytes(SIZE)
        write_whole(path, domain.hex().encode())
        return domain
    kept = read(path)
    if given is not None and kept != given:
        raise ValueError(f"security_domain differs from the one in {path}")
    return kept


def read(path: Path) -> bytes:
    """Return the security domain that a file keeps.

    :raises ValueError: if it keeps none.
    """
    try:
        domain = bytes.fromhex(path.read_text("ascii"))
    except ValueError:
        domain = b""
    if len(domain) != SIZE:
        raise ValueError(f"{path} is damaged: it must hold {2 * SIZE} hexadecimal digits. Put a copy in its place")
    return domain
