"""What the callers of a run write down: each call, and what came of it."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar, cast

from azure.core.exceptions import AzureError, ResourceNotFoundError

from chaos.gate import Gate
from chaos.history import Action, Contents, Operation, Outcome

T = TypeVar("T")

# Far longer than all tries of an operation can take together: what is not over by then never will be.
DEADLINE = 60.0


class Diary:
    """All operations of a run, as their callers saw them.

    :param wanted: How many operations there shall be.
    """

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self._lacks: Callable[[], bool] = lambda: False
        self._starts: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.operations: list[Operation] = []
        self.gate = Gate()

    def goes_on_while(self, lacks: Callable[[], bool]) -> None:
        """Let there be more operations, up to four times as many, while something has not happened yet."""
        self._lacks = lacks

    @property
    def full(self) -> bool:
        count = len(self.operations)
        return count >= self._wanted and (not self._lacks() or count >= 4 * self._wanted)

    async def reaches(self, part: float) -> None:
        """Wait until so much of what is wanted has been done."""
        while len(self.operations) < self._wanted * part:  # noqa: ASYNC110 - a diary has no bell
            await asyncio.sleep(0.01)

    def resources(self) -> dict[str, str]:
        """Return which resource each mark was written to."""
        return {each.value: each.resource for each in self.operations if each.action is Action.WRITE and each.value}

    async def write(
        self,
        action: Action,
        resource: str,
        call: Awaitable[T],
        *,
        value: str | None = None,
        brings: Contents | None = None,
    ) -> tuple[Outcome, T | None]:
        """Make a call and write down how it went. To find nothing is a result, too."""
        async with self._alone_at(action, resource):
            began, error, result = time.time(), "", None
            outcome = Outcome.DONE
            try:
                result = await asyncio.wait_for(call, DEADLINE)
            except AzureError as raised:
                if not (action is Action.READ and isinstance(raised, ResourceNotFoundError)):
                    outcome, error = Outcome.REFUSED, repr(raised)
            except asyncio.TimeoutError:
                outcome = Outcome.HUNG
            except Exception as raised:  # noqa: BLE001 - to find these is what this is for
                outcome, error = Outcome.FOREIGN, repr(raised)
            found: tuple[tuple[str, str], ...] = ()
            if outcome is Outcome.DONE and action is Action.LOOK:
                found = cast("tuple[tuple[str, str], ...]", result)
            elif outcome is Outcome.DONE and action in {Action.READ, Action.START, Action.FOLLOW}:
                value = None if result is None else str(result)
            self.operations.append(
                Operation(action, resource, outcome, value, began, time.time(), error, brings, found)
            )
        return outcome, result

    @asynccontextmanager
    async def _alone_at(self, action: Action, resource: str) -> AsyncIterator[None]:
        """Let only one at a time start a job at a path, so that the journal tells whose start it was."""
        if action is not Action.START:
            yield
            return
        async with self._starts[resource]:
            yield
