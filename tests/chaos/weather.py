"""The faults of a run, told to the emulator over its control path: calm, in which a retry helps, and storms."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from chaos.history import Blind, Seen

if TYPE_CHECKING:
    from chaos.diary import Diary
    from hsm_process import HsmProcess

ANYWHERE: list[dict[str, Any]] = [
    {"kind": "status", "status": 503, "body": "<html>unavailable</html>"},
    {"kind": "status", "status": 500, "after_work": True},
    {"kind": "status", "status": 502, "body": "", "after_work": True},
    {"kind": "throttle", "retry_after": 0},
    {"kind": "delay", "seconds": 0.1},
    {"kind": "delay", "seconds": 0.1, "after_work": True},
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
    {"fault": {"kind": "failed job"}},
    {"fault": {"kind": "slow job", "seconds": 0.3}},
]
_FORMS = ("error", "status details", "at once", "start refused")
_RARE = frozenset(each["fault"]["kind"] for each in SOMEWHERE)


def _variant(fault: dict[str, Any]) -> tuple[str, str]:
    """Return the kind of a fault and, where there is a choice, whether it comes before the work or after it."""
    kind = fault["kind"]
    if kind not in {"status", "delay", "drop", "reset"}:
        return kind, ""
    return kind, "after" if fault.get("after_work") else "before"


VARIANTS = frozenset(_variant(each) for each in (*ANYWHERE, *(each["fault"] for each in SOMEWHERE)))


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
        self._turns = 0
        self._rules: dict[int, dict[str, Any]] = {}
        self.journal: list[Seen] = []
        self.blind: list[Blind] = []
        self.revocations = 0
        self.delivered: Counter[tuple[str, str]] = Counter()
        self.last_life: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        self._shown: set[str] = set()

    def lacks(self) -> bool:
        """Return whether a kind that only lists or jobs can show has not been shown yet: there are few of these."""
        return not self._shown >= _RARE

    async def blow(self, diary: Diary) -> None:
        """Make faults until the run is over."""
        while not diary.full:
            async with self._turn:
                pending = await self._pending()
                if (
                    sum(rule["path"] == "*" and rule["fault"]["kind"] not in _RARE for rule in pending)
                    < len(ANYWHERE) // 2
                ):
                    await self._deal({rule["fault"]["kind"] for rule in pending}, may_storm=not diary.gate.is_closed)
                # Seldom, since the journal is long.
                self._turns += 1
                if self.lacks() and self._turns % 50 == 0:
                    self._shown |= {entry["fault"] for entry in await self._entries()}
            await asyncio.sleep(0.02)

    async def _deal(self, pending: set[str], *, may_storm: bool) -> None:
        """Add one fault of each kind for a calm hand; several, close together, for a storm.

        There is none while somebody is alone, who would meet all of it.
        """
        storm = self._random.random() < 0.25 and may_storm
        rules = [
            {
                "fault": fault,
                "times": 4 if storm else 1,
                "skip": self._random.randrange(8) if storm else self._random.randrange(40),
            }
            for fault in self._random.sample(ANYWHERE, len(ANYWHERE))
        ]
        for rule in SOMEWHERE:
            fault = dict(rule["fault"])
            if fault["kind"] == "failed job":
                fault["form"] = self._random.choice(_FORMS)
            # Not every time: most jobs are to succeed.
            if fault["kind"] not in pending and self._random.random() < 0.5:
                rules.append({**rule, "fault": fault})
        # At once: the emulator is busy, so one after the other would come too late.
        added = await asyncio.gather(*(self._hsm.control("POST", "faults", rule) for rule in rules))
        self._rules.update((rule["id"], rule) for rule in added)
        if self._random.random() < 0.2:
            await self._hsm.control("POST", "revocations", {})
            self.revocations += 1

    async def kill(self) -> None:
        """Kill the emulator and start it again. What it sees from the look at its journal on is lost."""
        async with self._turn:
            since = time.time()
            await self._end_life()
            await self._hsm.kill()
            await self._hsm.start()
            self.blind.append(Blind(since, time.time()))

    async def clear(self) -> None:
        """Make an end of all faults, and look at what was seen for the last time: nobody sends anything any more."""
        self.last_life = await self._end_life()
        await self._hsm.control("DELETE", "faults")

    async def _end_life(self) -> tuple[Counter[str], Counter[str]]:
        """Add what happened in this life of the emulator, and return the faults by kind: by rules and by journal."""
        delivered = await self._delivered()
        entries = await self._entries()
        self._rules.clear()
        self.delivered += delivered
        for entry in entries:
            # A fault comes before the token is read, and only to requests that bear one.
            authorized = entry["principal"] is not None or entry["fault"] is not None
            self.journal.append(
                Seen(entry["method"], entry["path"], entry["status"], authorized, entry["fault"], entry["time"])
            )
        by_rules: Counter[str] = Counter()
        for (kind, _), count in delivered.items():
            by_rules[kind] += count
        return by_rules, Counter(entry["fault"] for entry in entries if entry["fault"])

    async def _delivered(self) -> Counter[tuple[str, str]]:
        """Count how often the faults have happened: a rule goes when it has been kept as often as it is to be."""
        pending = {rule["id"]: rule["delivered"] for rule in await self._pending()}
        delivered: Counter[tuple[str, str]] = Counter()
        for number, rule in self._rules.items():
            delivered[_variant(rule["fault"])] += pending.get(number, rule["times"])
        return delivered

    async def _pending(self) -> list[dict[str, Any]]:
        pending: list[dict[str, Any]] = (await self._hsm.control("GET", "faults"))["value"]
        return pending

    async def _entries(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = (await self._hsm.control("GET", "journal"))["value"]
        return entries
