"""The security domain: the secret that ties backups to the HSMs that may restore them."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from .files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 32


def load_or_create(path: Path, given: bytes | None, *, is_new: bool) -> bytes:
    """Return the security domain in a file, or save the given one or a new one there.

    :param given: The security domain of another HSM.
    :keyword is_new: Whether the HSM has no state yet. Otherwise it gets no new security domain, with which it could not
     restore its backups.
    :raises ValueError: if the given one is invalid or differs from that in the file, or if the file is lost or damaged.
    """
    if given is not None and len(given) != SIZE:
        raise ValueError(f"security_domain must be {SIZE} bytes, got {len(given)}")
    if not path.exists():
        if given is None and not is_new:
            raise ValueError(f"{path} is missing: put a copy in its place, or pass its content as security_domain")
        domain = given or secrets.token_bytes(SIZE)
        write_atomically(path, domain.hex().encode())
        return domain
    kept = read(path)
    if given is not None and kept != given:
        raise ValueError(f"security_domain differs from the one in {path}")
    return kept


def read(path: Path) -> bytes:
    """Return the security domain in a file.

    :raises ValueError: if the file is damaged.
    """
    try:
        domain = bytes.fromhex(path.read_text("ascii"))
    except ValueError:
        domain = b""
    if len(domain) != SIZE:
        raise ValueError(f"{path} is damaged: it must hold {2 * SIZE} hexadecimal digits. Put a copy in its place")
    return domain
