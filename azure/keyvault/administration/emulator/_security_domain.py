"""The security domain: the secret that ties backups to the HSMs that may restore them."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 32


def settle(path: Path | None, given: bytes | None) -> bytes:
    """Return the security domain of an HSM.

    :param path: The file that keeps it; without one it lives as long as the emulator.
    :param given: What another HSM has exported, to be imported here.
    :raises ValueError: if what is given is no security domain, or another one than that of the file.
    """
    if given is not None and len(given) != SIZE:
        raise ValueError(f"security_domain must be {SIZE} bytes, got {len(given)}")
    kept = bytes.fromhex(path.read_text("ascii")) if path and path.exists() else None
    if kept is not None and len(kept) != SIZE:
        raise ValueError(f"{path} is damaged: a security domain has {SIZE} bytes, not {len(kept)}")
    if kept is not None and given is not None and kept != given:
        raise ValueError(f"security_domain differs from the one in {path}")
    domain = kept or given or secrets.token_bytes(SIZE)
    if path and kept is None:
        _write(path, domain)
    return domain


def _write(path: Path, domain: bytes) -> None:
    partial = path.with_suffix(".partial")
    partial.touch(mode=0o600)
    with partial.open("w", encoding="ascii") as file:
        file.write(domain.hex())
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
