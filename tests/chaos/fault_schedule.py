"""The faults of a run, injected over the emulator's control path, and its restarts.

Faults come alone, where a retry helps, and in storms. A restart begins a new life of the emulator, in which it may keep
to the service's rate limits.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from chaos.history import Blind, Outcome, Seen

if TYPE_CHECKING:
    from chaos.operation_log import OperationLog
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
    """Return the kind of a fault and, if that varies, whether it comes before the work or after it."""
    kind = fault["kind"]
    if kind not in {"status", "delay", "drop", "reset"}:
        return kind, ""
    return kind, "after" if fault.get("after_work") else "before"


VARIANTS = frozenset(_variant(each) for each in (*ANYWHERE, *(each["fault"] for each in SOMEWHERE)))


_LIMITED_SECONDS = 4.0
_LONGEST_LIMITED_SECONDS = 20.0
_TOO_MANY_REQUESTS = 429
_START_PATHS = ("/backup", "/prebackup", "/restore", "/prerestore")


class FaultSchedule:
    """Injects faults until the run is over, and collects the journal before each kill.

    :param hsm: The emulator.
    :param seed: The seed of the random choice of faults.
    """

    def __init__(self, hsm: HsmProcess, seed: int) -> None:
        self._hsm = hsm
        self._random = random.Random(f"{seed} faults")
        # A kill must not meet a control request.
        self._turn = asyncio.Lock()
        self._turns = 0
        self._rules: dict[int, dict[str, Any]] = {}
        self._options: tuple[str, ...] = ()
        self.journal: list[Seen] = []
        self.blind: list[Blind] = []
        self.kills = 0
        self.revocations = 0
        self.delivered: Counter[tuple[str, str]] = Counter()
        # Of this life, by kind.
        self._counted: Counter[str] = Counter()
        self.last_life: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        self._shown: set[str] = set()

    def lacks(self) -> bool:
        """Return whether a fault of lists or jobs, of which there are few, has not happened yet."""
        return not self._shown >= _RARE

    async def inject(self, log: OperationLog) -> None:
        """Inject faults until the run is over."""
        while not log.is_full:
            async with self._turn:
                pending = await self._pending()
                if (
                    sum(rule["path"] == "*" and rule["fault"]["kind"] not in _RARE for rule in pending)
                    < len(ANYWHERE) // 2
                ):
                    await self._add_some({rule["fault"]["kind"] for rule in pending}, may_storm=not log.is_reserved)
                # Not each time, because the journal is long.
                self._turns += 1
                if self.lacks() and self._turns % 50 == 0:
                    self._shown |= {entry["fault"] for entry in await self._entries()}
            await asyncio.sleep(0.02)

    async def slow_down_restore(self, seconds: float) -> None:
        """Let the next full restore take longer.

        :param seconds: How long.
        """
        async with self._turn:
            # An emulator uses the first rule that fits, and the pending ones would come first.
            await self._end_rules()
            await self._add({"fault": {"kind": "slow job", "seconds": seconds}, "method": "PUT", "path": "/restore"})

    async def _add_some(self, pending: set[str], *, may_storm: bool) -> None:
        """Add one fault of each kind, spread out; or, in a storm, several close together.

        There is no storm while a caller is alone, who would meet all of it.
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
            # Not each time: most jobs must succeed.
            if fault["kind"] not in pending and self._random.random() < 0.5:
                rules.append({**rule, "fault": fault})
        # Together: the emulator is busy, and one after the other they would come too late.
        await asyncio.gather(*map(self._add, rules))
        if self._random.random() < 0.2:
            await self._hsm.control("POST", "revocations", {})
            self.revocations += 1

    async def _add(self, rule: dict[str, Any]) -> None:
        added = await self._hsm.control("POST", "faults", rule)
        self._rules[added["id"]] = added

    async def kill(self) -> None:
        """Kill the emulator and start it again with the same options. The journal after its last reading is lost."""
        async with self._turn:
            await self._restart(*self._options)

    async def limit_rates(self, log: OperationLog, retry_after: str) -> None:
        """Restart the emulator with the service's rate limits, and without them once they have refused enough.

        :param log: The operations of the run.
        :param retry_after: What a 429 says about the time to wait: seconds, or ``none``.
        """
        # All callers together exceed the limits; one that is alone does not.
        async with log.nobody_alone():
            async with self._turn:
                await self._restart("--rate-limits", retry_after)
            began = time.monotonic()
            while (took := time.monotonic() - began) < _LONGEST_LIMITED_SECONDS:
                await asyncio.sleep(0.5)
                if (
                    took >= _LIMITED_SECONDS
                    and any(each.outcome is Outcome.THROTTLED for each in log.operations)
                    and await self._has_refused_both()
                ):
                    break
            async with self._turn:
                await self._restart()

    async def _has_refused_both(self) -> bool:
        async with self._turn:
            entries = await self._entries()
        refused = [each["path"] for each in entries if each["status"] == _TOO_MANY_REQUESTS and not each["fault"]]
        return any("/role" in path for path in refused) and any(path in _START_PATHS for path in refused)

    async def _restart(self, *options: str) -> None:
        since = time.time()
        await self._end_life()
        await self._hsm.kill()
        self._options = options
        await self._hsm.start(*options)
        self.kills += 1
        self.blind.append(Blind(since, time.time()))

    async def clear(self) -> None:
        """Remove all faults, and read the journal for the last time, when nothing is sent any longer."""
        self.last_life = await self._end_life()

    async def _end_life(self) -> tuple[Counter[str], Counter[str]]:
        """Collect what happened in this life of the emulator; return its faults by kind, by rules and by journal."""
        await self._end_rules()
        entries = await self._entries()
        for entry in entries:
            # A fault comes before the token is read, and only to requests that carry one.
            authorized = entry["principal"] is not None or entry["fault"] is not None
            self.journal.append(
                Seen(entry["method"], entry["path"], entry["status"], authorized, entry["fault"], entry["time"])
            )
        by_rules, self._counted = self._counted, Counter()
        return by_rules, Counter(entry["fault"] for entry in entries if entry["fault"])

    async def _end_rules(self) -> None:
        """Count how often the injected faults have happened, and remove them."""
        pending = {rule["id"]: rule["delivered"] for rule in await self._pending()}
        await self._hsm.control("DELETE", "faults")
        for number, rule in self._rules.items():
            # The emulator removes a rule that has been applied as often as it should be.
            count = pending.get(number, rule["times"])
            self.delivered[_variant(rule["fault"])] += count
            self._counted[rule["fault"]["kind"]] += count
        self._rules.clear()

    async def _pending(self) -> list[dict[str, Any]]:
        pending: list[dict[str, Any]] = (await self._hsm.control("GET", "faults"))["value"]
        return pending

    async def _entries(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = (await self._hsm.control("GET", "journal"))["value"]
        return entries
