"""The faults of a run, told to the emulator over its control path: calm, in which a retry helps, and storms."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any

from chaos.history import Blind, Seen

if TYPE_CHECKING:
    from collections.abc import Callable

    from hsm_process import HsmProcess

ANYWHERE: list[dict[str, Any]] = [
    {"kind": "status", "status": 503, "body": "<html>unavailable</html>"},
    {"kind": "status", "status": 500, "after_work": True},
    {"kind": "status", "status": 502, "body": "", "after_work": True},
    {"kind": "throttle", "retry_after": 0},
    {"kind": "delay", "seconds": 0.1},
    {"kind": "drop"},
    {"kind": "drop", "after_work": True},
    {"kind": "reset"},
    {"kind": "reset", "after_work": True},
    {"kind": "truncated body"},
    {"kind": "malformed body"},
    {"kind": "challenge"},
    {"kind": "claims challenge"},
]
SOMEWHERE: list[dict[str, Any]] = [
    {"fault": {"kind": "page size", "items": 3}, "method": "GET", "path": "*/roleDefinitions"},
    {"fault": {"kind": "failed job"}, "method": "POST", "path": "/*backup"},
    {"fault": {"kind": "slow job", "seconds": 0.3}, "method": "POST", "path": "/*backup"},
]
_RARE = frozenset(each["fault"]["kind"] for each in SOMEWHERE)
KINDS = frozenset(each["kind"] for each in ANYWHERE) | _RARE


class Weather:
    """Makes faults until it is told to stop, and collects the journal before each kill.

    :param hsm: The emulator.
    :param seed: What the faults are drawn from.
    """

    def __init__(self, hsm: HsmProcess, seed: int) -> None:
        self._hsm = hsm
        self._random = random.Random(f"{seed} weather")
        # A kill is not to meet a control request, whose failure would say nothing.
        self._turn = asyncio.Lock()
        self.journal: list[Seen] = []
        self.blind: list[Blind] = []
        self.revocations = 0
        self._waiting: set[str] = set()
        self._shown: set[str] = set()

    def lacks(self) -> bool:
        """Return whether a kind that only lists or jobs can show has not been shown yet: there are few of these."""
        return not self._shown >= _RARE

    async def blow(self, over: Callable[[], bool]) -> None:
        """Make faults until the run is over."""
        while not over():
            async with self._turn:
                pending = (await self._hsm.control("GET", "faults"))["value"]
                kinds = {rule["fault"]["kind"] for rule in pending}
                self._shown |= self._waiting - kinds
                if sum(rule["path"] == "*" for rule in pending) < len(ANYWHERE) // 2:
                    await self._deal(kinds)
                    self._waiting = set(_RARE)
            await asyncio.sleep(0.02)

    async def _deal(self, pending: set[str]) -> None:
        """Add one fault of each kind for a calm hand; several, close together, for a storm."""
        storm = self._random.random() < 0.25
        rules = [
            {
                "fault": fault,
                "times": 4 if storm else 1,
                "skip": self._random.randrange(8) if storm else self._random.randrange(40),
            }
            for fault in self._random.sample(ANYWHERE, len(ANYWHERE))
        ]
        rules += [rule for rule in SOMEWHERE if rule["fault"]["kind"] not in pending]
        # At once: the emulator is busy, so one after the other would come too late.
        await asyncio.gather(*(self._hsm.control("POST", "faults", rule) for rule in rules))
        if self._random.random() < 0.2:
            await self._hsm.control("POST", "revocations", {})
            self.revocations += 1

    async def kill(self) -> None:
        """Kill the emulator and start it again. What it sees from the look at its journal on is lost."""
        async with self._turn:
            since = time.time()
            await self.collect()
            # The faults that wait are forgotten.
            self._waiting.clear()
            await self._hsm.kill()
            await self._hsm.start()
            self.blind.append(Blind(since, time.time()))

    async def collect(self) -> None:
        """Add what the emulator has seen in this life of its to the journal."""
        for entry in (await self._hsm.control("GET", "journal"))["value"]:
            # A fault comes before the token is read, and only to requests that bear one.
            authorized = entry["principal"] is not None or entry["fault"] is not None
            self.journal.append(
                Seen(entry["method"], entry["path"], entry["status"], authorized, entry["fault"], entry["time"])
            )

    async def clear(self) -> None:
        """Make an end of all faults, and look at the journal for the last time."""
        await self._hsm.control("DELETE", "faults")
        await self.collect()
