"""One execution of the same work at a time, shared by all callers that ask for it meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from azure.core.exceptions import AzureError

from .event_loop import running_loop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable
    from types import TracebackType

    from .event_loop import Event

T = TypeVar("T")
K = TypeVar("K", bound="Hashable")
E = TypeVar("E", bound=AzureError)


class _Flight(Generic[T]):
    """Work under way. If it ends without landing, it has no outcome, and a waiter leads the next."""

    __slots__ = ("_error", "_traceback", "_twin", "_value", "ended", "landed", "loop")

    _value: T

    def __init__(self, loop: object, ended: Event) -> None:
        self.loop = loop
        self.ended = ended
        self.landed = False
        self._error: Exception | None = None
        self._twin: AzureError | None = None
        self._traceback: TracebackType | None = None

    def succeed(self, value: T) -> None:
        """Land with a value."""
        self._value = value
        self.landed = True

    def fail(self, error: Exception) -> None:
        """Land with an error, which the leader is about to raise."""
        self._error, self._traceback = error, error.__traceback__
        self._twin = _twin(error) if isinstance(error, AzureError) else None
        self.landed = True

    def outcome(self) -> T:
        """Return the value to a waiter, or raise the error."""
        if self._twin is not None:
            raise _twin(self._twin) from self._error
        if self._error is not None:
            raise self._error.with_traceback(self._traceback)
        return self._value


class SingleFlight(Generic[K, T]):
    """Runs work once per key for all callers that wait for it.

    The first caller leads: it does the work in its own task. Callers that come before it ends wait, and share its value
    or its error. A leader that is cancelled has no outcome to share: the next waiter leads. Nothing is kept afterwards:
    a later caller starts again.

    An error of azure-core's is raised to each waiter as its own object of the same class, with the leader's as its
    cause, because pagers and pollers write to the errors that pass through them: each adds its own continuation token.
    """

    def __init__(self) -> None:
        self._flights: dict[K, _Flight[T]] = {}

    async def run(self, key: K, work: Callable[[], Awaitable[T]]) -> T:
        """Return what the work returns, whether this caller does it or another one.

        :param key: What makes two pieces of work the same.
        :param work: The work; called only by the leader.
        :raises Exception: What the work raised.
        """
        loop, event = running_loop()
        # A leader in another loop may be gone with that loop, and would never wake its waiters.
        while (flight := self._flights.get(key)) is not None and flight.loop is loop:
            # All waiters wake together: were they to wake one by one, the last would miss the flight that the first
            # starts next, and a credential that fails would be asked again and again.
            await flight.ended.wait()
            if flight.landed:
                return flight.outcome()
        return await self._lead(key, _Flight(loop, event()), work)

    async def _lead(self, key: K, flight: _Flight[T], work: Callable[[], Awaitable[T]]) -> T:
        self._flights[key] = flight
        try:
            value = await work()
            flight.succeed(value)
        except Exception as error:  # cancellation is a BaseException
            flight.fail(error)
            raise
        finally:
            if self._flights.get(key) is flight:
                del self._flights[key]
            flight.ended.set()
        return value


def _twin(error: E) -> E:
    """Return an equal error. Its constructor isn't called, because a subclass may have its own parameters."""
    twin = type(error).__new__(type(error))
    twin.args = error.args
    vars(twin).update(vars(error))
    return twin
