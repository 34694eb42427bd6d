"""One execution of the same work at a time, shared by everybody who asked for it meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

T = TypeVar("T")
K = TypeVar("K", bound="Hashable")


class _Flight(Generic[T]):
    """Work under way. It may end without having landed: then it has no outcome, and somebody else leads."""

    __slots__ = ("ended", "error", "landed", "loop", "value")

    value: T

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.ended = asyncio.Event()
        self.landed = False
        self.error: Exception | None = None


class SingleFlight(Generic[K, T]):
    """Runs work once per key for all who wait for it.

    The first caller leads: it does the work in its own task. Those who come before it ends wait, and share its value,
    or its error as a copy of their own, since who catches an error may add to it. A leader that is cancelled has no
    outcome to share: the next waiter leads. Nothing is kept afterwards: a later caller starts anew.
    """

    def __init__(self) -> None:
        self._flights: dict[K, _Flight[T]] = {}

    async def run(self, key: K, work: Callable[[], Awaitable[T]]) -> T:
        """Return what the work returns, whoever does it.

        :param key: What makes two pieces of work the same.
        :param work: The work; called only by the leader.
        :raises Exception: What the work raised.
        """
        loop = asyncio.get_running_loop()
        # The leader of another loop may be gone with it, so nobody would ever wake those who wait.
        while (flight := self._flights.get(key)) is not None and flight.loop is loop:
            # All who wait wake at once: were they to wake one by one, the last would miss the flight that the first
            # starts next, and a credential that fails would be asked again and again.
            await flight.ended.wait()
            if flight.landed:
                break
        else:
            return await self._lead(key, _Flight(loop), work)
        if flight.error is not None:
            raise _copy(flight.error)
        return flight.value

    async def _lead(self, key: K, flight: _Flight[T], work: Callable[[], Awaitable[T]]) -> T:
        self._flights[key] = flight
        try:
            flight.value = await work()
            flight.landed = True
        except Exception as error:  # cancellation is no Exception
            flight.error = _copy(error)
            flight.landed = True
            raise
        finally:
            if self._flights.get(key) is flight:
                del self._flights[key]
            flight.ended.set()
        return flight.value


def _copy(error: Exception) -> Exception:
    """Return a copy of an error with the same history; or itself, if its class cannot be copied.

    Its own constructor is not called: that may take other arguments than it hands on, and it made the text of them.
    """
    builtin: Any = next(base for base in type(error).__mro__ if base.__module__ == "builtins")
    try:
        _, arguments, *states = builtin.__reduce__(error)
        twin: Exception = builtin.__new__(type(error), *arguments)
        builtin.__init__(twin, *arguments)
        for state in states:
            builtin.__setstate__(twin, state)
        if "__notes__" in twin.__dict__:
            twin.__dict__["__notes__"] = [*twin.__dict__["__notes__"]]
        twin.__cause__, twin.__context__ = error.__cause__, error.__context__
        twin.__suppress_context__ = error.__suppress_context__
        return twin.with_traceback(error.__traceback__)
    except Exception:  # noqa: BLE001 - whatever a class of the user's raises
        return error
