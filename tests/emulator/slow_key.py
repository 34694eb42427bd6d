"""An RSA key whose generation takes as long as a test wants."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from azure.keyvault.administration.emulator._hsm.keygen import generate

if TYPE_CHECKING:
    from azure.keyvault.administration.emulator._domain.key_material import KeyMaterial
    from azure.keyvault.administration.emulator._domain.keys import KeySpec


class SlowKey:
    """Replaces the generation of keys; keys of other kinds are generated immediately."""

    def __init__(self) -> None:
        self._begun = threading.Event()
        self._may_end = threading.Event()

    def generate(self, spec: KeySpec) -> KeyMaterial:
        if spec.family == "RSA":
            self._begun.set()
            self._may_end.wait()
        return generate(spec)

    async def begun(self) -> None:
        """Wait until a key is being generated."""
        await asyncio.to_thread(self._begun.wait)

    def end(self) -> None:
        """Let the key be finished."""
        self._may_end.set()
