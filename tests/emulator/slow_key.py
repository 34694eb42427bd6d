"""A key that takes as long to make as a test wants."""

from __future__ import annotations

import asyncio
import threading


class SlowKey:
    """Stands in for the making of keys."""

    def __init__(self) -> None:
        self._begun = threading.Event()
        self._may_end = threading.Event()

    def generate(self, _spec: object) -> dict[str, str]:
        self._begun.set()
        self._may_end.wait(10)
        return {}

    async def begun(self) -> None:
        """Wait until a key is being made."""
        await asyncio.to_thread(self._begun.wait, 10)

    def end(self) -> None:
        """Let the key be finished."""
        self._may_end.set()
