"""The log in which the callers of a run record each call and its outcome."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any, NamedTuple, TypeVar, cast

from azure.core.exceptions import AzureError, ResourceNotFoundError

from chaos import attempts
from chaos.gate import Gate
from chaos.history import SUCCEEDED, Action, Contents, Operation, Outcome

T = TypeVar("T")

# Far longer than all attempts of an operation can take together: a call that takes longer hangs.
DEADLINE = 60.0
_PAUSE = 0.1


class Ended(NamedTuple):
    """The outcome of a job."""

    status: str | None = None
    """None if the caller could not find out, or if the job may never have started."""
    result: Any = None
    reason: str = ""
    """Why it failed."""

    @property
    def is_good(self) -> bool:
        return self.status == SUCCEEDED


class OperationLog:
    """All operations of a run, as their callers saw them.

    :param wanted: How many operations there shall be.
    :param is_up: Whether the service serves. While it doesn't, callers pause after a refusal.
    """

    def __init__(self, wanted: int, is_up: Callable[[], bool] = lambda: True) -> None:
        self._wanted = wanted
        self._is_up = is_up
        self._lacks: Callable[[], bool] = lambda: False
        self._starts: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._gate = Gate()
        self._reservation = asyncio.Lock()
        self.operations: list[Operation] = []

    def continue_while(self, lacks: Callable[[], bool]) -> None:
        """Allow up to four times as many operations while something has not happened yet."""
        self._lacks = lacks

    @property
    def is_full(self) -> bool:
        count = len(self.operations)
        return count >= self._wanted and (not self._lacks() or count >= 4 * self._wanted)

    async def reaches(self, part: float) -> None:
        """Wait until this part of the wanted operations is done."""
        while len(self.operations) < self._wanted * part:  # noqa: ASYNC110 - a log has no bell
            await asyncio.sleep(0.01)

    def resources(self) -> dict[str, str]:
        """Return the resource to which each mark was written."""
        return {each.value: each.resource for each in self.operations if each.action is Action.WRITE and each.value}

    def shared(self) -> AbstractAsyncContextManager[None]:
        """Wait while a caller is alone, and keep others from being alone."""
        return self._gate.shared()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Wait until no other caller is busy, and keep all of them out."""
        async with self._reservation, self._gate.alone():
            yield

    @asynccontextmanager
    async def nobody_alone(self) -> AsyncIterator[None]:
        """Keep callers from being alone, while all of them work."""
        async with self._reservation:
            yield

    @property
    def is_reserved(self) -> bool:
        """Whether a caller is alone, or waits for that."""
        return self._gate.is_closed

    @asynccontextmanager
    async def start_lock(self, resource: str) -> AsyncIterator[None]:
        """Let one caller at a time start a job at a path, so that each start in the journal has one caller."""
        async with self._starts[resource]:
            yield

    def append(self, operation: Operation) -> None:
        self.operations.append(operation)

    async def record(
        self,
        action: Action,
        resource: str,
        call: Awaitable[T],
        *,
        value: str | None = None,
        brings: Contents | None = None,
    ) -> tuple[Outcome, T | None]:
        """Make a call and record its outcome. Reading a missing resource is a result, too."""
        async with self.start_lock(resource) if action is Action.START else nullcontext():
            began, error, result = time.time(), "", None
            outcome = Outcome.DONE
            statuses = attempts.collect()
            try:
                result = await asyncio.wait_for(call, DEADLINE)
            except AzureError as raised:
                if not (action is Action.READ and isinstance(raised, ResourceNotFoundError)):
                    throttled = attempts.is_throttled(statuses)
                    outcome, error = Outcome.THROTTLED if throttled else Outcome.REFUSED, repr(raised)
            except asyncio.TimeoutError:
                outcome = Outcome.HUNG
            except Exception as raised:  # noqa: BLE001 - the test looks for these
                outcome, error = Outcome.FOREIGN, repr(raised)
            found: tuple[tuple[str, str], ...] = ()
            if outcome is Outcome.DONE and action is Action.LOOK:
                found = cast("tuple[tuple[str, str], ...]", result)
            elif outcome is Outcome.DONE and action is Action.FOLLOW:
                value, error = cast("Ended", result).status, cast("Ended", result).reason
            elif outcome is Outcome.DONE and action in {Action.READ, Action.START}:
                value = None if result is None else str(result)
            self.append(Operation(action, resource, outcome, value, began, time.time(), error, brings, found))
        if outcome is Outcome.REFUSED:
            # A service that is busy or down refuses immediately, and would fill the log with that.
            await asyncio.sleep(_PAUSE)
            while not self._is_up():  # noqa: ASYNC110 - it may be that of another process
                await asyncio.sleep(_PAUSE)
        return outcome, result
