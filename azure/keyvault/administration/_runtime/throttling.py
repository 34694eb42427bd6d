"""Slow a client down as a whole while the service says 429, so that no call fails because of the others.

A Managed HSM takes a few requests a second and refuses the rest. If each call retries by itself, most requests of a
busy client are refused, and most calls use up their retries on refusals that other calls caused. So the client keeps
one pace for all its calls, from the first refusal on:

* Nothing is sent before the time that the service named in ``Retry-After``, or before a back-off where it named none.
* Then calls take turns in the order in which they came, evenly spaced. The first rate is the one that the service took
  in the second before it refused; while that is below what the service documents, it grows to that in a few seconds.
* A new refusal lowers the rate: a little if the rate had held for a while, more if it came soon. The refusal of a
  request that was sent before the current pause tells nothing new about the rate, and can only prolong the pause.
* A rate that held for long enough is raised, ever faster, until the service refuses it, or takes so much that there is
  no limit left to keep to: then the client is no longer throttled. The longer the pause that a refusal costs, the
  longer a rate must hold before more is tried, so that pauses cost a few percent of the time whatever their length.

:class:`Pacer` holds these rules and does no I/O; :class:`ThrottlingPolicy` holds the queue.
"""

from __future__ import annotations

import logging
import math
from bisect import insort
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy, SansIOHTTPPolicy
from azure.core.rest import AsyncHttpResponse, HttpRequest

from .errors import ClientClosedError, read_body
from .event_loop import running_clock, running_loop, wait
from .retry import THROTTLED, retry_after

if TYPE_CHECKING:
    from .event_loop import Event
    from .sending import SendOncePolicy

_LOGGER = logging.getLogger(__name__)

_TOO_MANY_REQUESTS = 429

# As many as the connections that aiohttp opens by default. Further ones would wait for a connection, where a refusal of
# those before them could not hold them back.
_CONNECTIONS = 100

# Rates are in requests a second, times in seconds. The figures were found by simulating one client and four clients at
# services that count by token bucket, sliding window or fixed window.
_DOCUMENTED_RATE = 5.0
_LOWEST_RATE = 0.2
# Of what the service took just so: the rest is for the jitter of the network.
_MARGIN = 0.99
# A rate that was refused this soon was too high; one that held for longer, hardly.
_SOON = 3.0
_FALL_SOON = 0.9
_FALL = 0.97
# After an early refusal the rate climbs back by this part of its fall.
_CLIMB = 0.2
# The time in which a rate grows to what it aims at.
_CLIMB_TIME = 5.0
# How long a rate must hold before more is tried, for pauses of up to a second, and for each further second of them.
_HOLD_TIME = 17.5
_HOLD_TIME_PER_PAUSE = 25.0
# Then it doubles in this time. After this long without a refusal, no limit is left.
_DOUBLING_TIME = 1.5
_TRIAL_TIME = 20.0
# A trial is believed if it showed this much more than the rate before it.
_SHOWN = 1.1
# The pause where the service names no time.
_BACK_OFF = 1.0
# More than this many requests taken in the second before a refusal, and the number makes no difference.
_REMEMBERED = 512


class Pacer:
    """The rate at which a throttled client may send: pure rules, the time comes in as a number of seconds."""

    def __init__(self) -> None:
        self._accepted: deque[float] = deque(maxlen=_REMEMBERED)
        self.throttling = False
        """Whether the service refused something not long ago."""
        self._pausing = False
        self._resume_at = self._next_at = -math.inf
        self._pause = 0.0
        # The rate is a curve over the time since the last pause: from the first of these to the second, and on.
        self._since = -math.inf
        self._low = self._level = math.inf
        # When the request was sent whose refusal began the present pause, and whether it ended a time without limits.
        self._refused_at = 0.0
        self._is_first = False

    def sent(self, now: float) -> None:
        """Note that a request is sent.

        :param now: The time.
        """
        if self.throttling:
            interval = 1 / self.rate(now)
            # A turn that was taken a little late must not make all later ones late.
            self._next_at = max(self._next_at, now - interval / 5) + interval

    def accepted(self, sent_at: float) -> None:
        """Note that the service took a request.

        :param sent_at: When it was sent.
        """
        self._accepted.append(sent_at)

    def refused(self, sent_at: float, now: float, pause: float | None) -> None:
        """Note that the service refused a request.

        :param sent_at: When it was sent.
        :param now: The time.
        :param pause: How many seconds the service wants to be left alone, or None if it did not say.
        """
        pause = _BACK_OFF if pause is None else pause
        if self._pausing:
            self._resume_at = max(self._resume_at, now + pause)
            return
        if self.throttling and sent_at < self._since:
            # A straggler of the requests that were under way when the pause began.
            self._next_at = max(self._next_at, now + pause)
            return
        self._is_first = not self.throttling
        self.throttling = self._pausing = True
        self._refused_at, self._pause, self._resume_at = sent_at, pause, now + pause
        if self._is_first:
            _LOGGER.info("The service throttles the client, which pauses for %.1f s.", pause)

    def delay(self, now: float) -> float:
        """Return for how many seconds nothing may be sent.

        :param now: The time.
        """
        return max(self._resume_at, self._next_at) - now

    def resume(self, now: float) -> None:
        """End a pause that is over, or the throttling as a whole if the service has refused nothing for long enough.

        :param now: The time, when nothing keeps the client from sending.
        """
        if self._pausing:
            self._pausing = False
            self._choose_rate()
            self._since = now
            self._next_at = max(self._next_at, now)
            if self._is_first:
                _LOGGER.info("The throttled client now sends %.2g requests a second.", self._low)
        elif now - self._since > self._hold_time() + _TRIAL_TIME:
            self.throttling = False
            _LOGGER.info("The service no longer throttles the client, which sent %.2g requests a second.", self._level)

    def rate(self, now: float) -> float:
        """Return the rate of a throttled client.

        :param now: The time.
        """
        elapsed = max(0.0, now - self._since)
        if elapsed < _CLIMB_TIME:
            return self._low + (self._level - self._low) * elapsed / _CLIMB_TIME
        trial = max(0.0, elapsed - self._hold_time())
        growth: float = 2.0 ** min(trial / _DOUBLING_TIME, _TRIAL_TIME)
        return self._level * growth

    def _hold_time(self) -> float:
        return _HOLD_TIME + _HOLD_TIME_PER_PAUSE * max(0.0, self._pause - 1.0)

    def _choose_rate(self) -> None:
        """Set the rate after a pause: by then, all that the service took before it has come back."""
        before = self._refused_at
        if self._is_first:
            shown = _MARGIN * max(1, sum(at > before - 1.0 for at in self._accepted))
            self._low, self._level = shown, max(shown, _MARGIN * _DOCUMENTED_RATE)
            return
        held, refused = before - self._since, self.rate(before)
        if held >= self._hold_time():
            # More was tried. The rate before held; what was taken in the last second may show a better one, less what a
            # service with a token bucket saved up during a long pause.
            saved = self._level * min(1.0, max(0.0, self._pause - 1.0))
            shown = _MARGIN * sum(before - 1.0 < at <= before for at in self._accepted) - saved
            shown = min(shown, _FALL * refused)
            self._low = self._level = shown if shown > _SHOWN * self._level else self._level
        elif held < _SOON:
            self._low = max(_FALL_SOON * refused, _LOWEST_RATE)
            self._level = self._low + _CLIMB * (refused - self._low)
        else:
            self._low = self._level = max(_FALL * refused, _LOWEST_RATE)


class CallLimits(NamedTuple):
    """What a call says about its own retries."""

    began_at: float
    """When the call began, on the clock of the event loop."""
    timeout: float
    """How many seconds it may take."""
    may_retry: bool
    """Whether a request that was refused may be sent again."""


_LIMITS = "call_limits"
_NO_LIMITS = CallLimits(0.0, math.inf, may_retry=True)
# azure-core's default of a week, which no call is meant to take.
_NO_TIMEOUT = 604_800


class CallLimitsPolicy(SansIOHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Keeps a call's limits for :class:`ThrottlingPolicy`: the retry policy takes them out of the options.

    :param retry_policy: The client's retry policy. One that isn't azure-core's may have no limits.
    """

    def __init__(self, retry_policy: Any) -> None:
        self._total = getattr(retry_policy, "total_retries", 1)
        self._status = getattr(retry_policy, "status_retries", 1)
        self._timeout = getattr(retry_policy, "timeout", _NO_TIMEOUT)
        self._limits_all = not (self._total and self._status) or self._timeout < _NO_TIMEOUT

    def on_request(self, request: PipelineRequest[HttpRequest]) -> None:
        """Keep the limits of a call.

        :param request: The request.
        """
        options = request.context.options
        if not options and not self._limits_all:
            return
        may_retry = options.get("retry_total", self._total) and options.get("retry_status", self._status)
        timeout = options.get("timeout", self._timeout)
        clock = running_clock()
        request.context[_LIMITS] = CallLimits(clock(), timeout if timeout < _NO_TIMEOUT else math.inf, bool(may_retry))


class _Waiter:
    """A call that waits for its turn."""

    __slots__ = ("deadline", "ticket", "wake")

    def __init__(self, ticket: int, deadline: float) -> None:
        self.ticket = ticket
        self.deadline = deadline
        self.renew()

    def __lt__(self, other: _Waiter) -> bool:
        return self.ticket < other.ticket

    def renew(self) -> None:
        self.wake: Event = running_loop()[1]()


class _Queue:
    """The calls of a client in one event loop, and their pace: the clocks of two loops may have nothing in common.

    :param loop: The event loop.
    :param transport: How the client sends, and sleeps.
    :param guard: Knows whether the client was closed.
    """

    def __init__(self, loop: object, transport: Any, guard: SendOncePolicy) -> None:
        self.loop = loop
        self._clock = running_clock()
        self.pacer = Pacer()
        self.refusal: AsyncHttpResponse | None = None
        """The last 429, for calls that give up before they are sent."""
        self._transport = transport
        self._guard = guard
        self._waiters: list[_Waiter] = []
        self._connections = _connections(transport)
        self._in_flight = 0
        self.calls = 0
        # How far transports whose sleep takes no time are ahead of the clock.
        self._slept = 0.0

    def now(self) -> float:
        """Return the time, on the clock of the loop and the sleeps of the transport."""
        return self._clock() + self._slept

    def must_wait(self) -> bool:
        """Return whether a call has to wait for its turn."""
        return self.pacer.throttling or bool(self._waiters) or self._in_flight >= self._connections

    def begin(self, now: float) -> None:
        """Note that a request is sent."""
        self.pacer.sent(now)
        self._in_flight += 1

    def end(self) -> None:
        """Note that a request is no longer under way."""
        self._in_flight -= 1
        self._wake_first()

    async def turn_comes(self, ticket: int, limits: CallLimits) -> bool:
        """Wait for a call's turn. Return False if its time is up first.

        :raises ~azure.core.exceptions.ServiceRequestError: If the client is closed meanwhile.
        """
        left = math.inf if limits.timeout == math.inf else limits.timeout - (self._clock() - limits.began_at)
        waiter = _Waiter(ticket, self.now() + left)
        insort(self._waiters, waiter)
        try:
            while True:
                if self._guard.is_closed:
                    raise ClientClosedError("The client is closed.")
                now = self.now()
                left = waiter.deadline - now
                if left <= 0 and self.pacer.throttling:
                    return False
                if self._waiters[0] is not waiter or self._in_flight >= self._connections:
                    await wait(waiter.wake, left if left > 0 else math.inf)
                    waiter.renew()
                elif self.pacer.throttling and (delay := self.pacer.delay(now)) > 0:
                    await self._sleep(now, min(delay, left))
                else:
                    if self.pacer.throttling:
                        self.pacer.resume(now)
                    return True
        finally:
            self._waiters.remove(waiter)
            self._wake_first()

    async def _sleep(self, now: float, seconds: float) -> None:
        """Wait as the first in the queue."""
        # In whole milliseconds: event loops know no finer time.
        await self._transport.sleep(math.ceil(seconds * 1000) / 1000)
        ahead = now + seconds - self.now()
        if ahead > 0:
            self._slept += ahead
            for waiter in self._waiters:
                if waiter.deadline <= now + seconds:
                    waiter.wake.set()

    def _wake_first(self) -> None:
        if self._waiters:
            self._waiters[0].wake.set()


class ThrottlingPolicy(AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Sends the requests of a client at the rate that the service takes, and again those that it refused with 429.

    It stands right behind the retry policy, which sees no 429 that is sent again here: none counts as a retry. A call
    gets a 429 only for its own limits: its ``timeout`` ends before its turn comes, or ``retry_total`` or
    ``retry_status`` is 0. What stands behind it, a user's ``per_retry_policies`` and the authentication, sees each
    request that is sent, and gets its token when its turn has come.

    Whether throttled or not, a client has at most as many requests under way as its transport opens connections: 100,
    unless the transport is one of aiohttp with another limit. Others wait here, where they can be held back.

    :param guard: Knows whether the client was closed, so that no call goes on waiting for its turn.
    """

    def __init__(self, guard: SendOncePolicy) -> None:
        super().__init__()
        self._guard = guard
        self._queue: _Queue | None = None

    async def send(self, request: PipelineRequest[HttpRequest]) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        """Send a request when its turn has come, and again for as long as the service refuses it.

        :param request: The request.
        """
        context = request.context
        loop, _ = running_loop()
        queue = self._queue
        if queue is None or queue.loop is not loop:
            queue = self._queue = _Queue(loop, context.transport, self._guard)
        queue.calls += 1
        ticket = queue.calls
        limits: CallLimits = context.get(_LIMITS, _NO_LIMITS)
        options = context.options.copy()
        arrived = sent_at = queue.now()
        while True:
            if queue.must_wait():
                if not await queue.turn_comes(ticket, limits):
                    return _given_up(request, cast("AsyncHttpResponse", queue.refusal), queue.now() - arrived)
                sent_at = queue.now()
            queue.begin(sent_at)
            try:
                response = await self.next.send(request)
            finally:
                queue.end()
            if response.http_response.status_code != _TOO_MANY_REQUESTS:
                queue.pacer.accepted(sent_at)
                return response
            # Other calls that give up get this response, too.
            await read_body(response.http_response)
            queue.refusal = response.http_response
            queue.pacer.refused(sent_at, queue.now(), retry_after(response))
            if not limits.may_retry:
                return _given_up(request, response.http_response, queue.now() - arrived)
            # The policies behind this one took their options out.
            context.options.clear()
            context.options.update(options)


def _given_up(
    request: PipelineRequest[HttpRequest], refusal: AsyncHttpResponse, waited: float
) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
    """Return the service's refusal as the response of a call, which says for how many seconds it waited."""
    request.context[THROTTLED] = waited
    _LOGGER.warning("A call gave up after it waited %.1f s for a service that throttles the client.", waited)
    return PipelineResponse(request.http_request, refusal, request.context)


def _connections(transport: Any) -> float:
    """Return how many connections a transport opens."""
    connector = getattr(getattr(transport, "session", None), "connector", None)
    limits = [getattr(connector, "limit", _CONNECTIONS), getattr(connector, "limit_per_host", 0)]
    # To aiohttp, 0 means no limit. Another library's session may call anything a limit.
    return min([limit for limit in limits if isinstance(limit, int) and limit], default=math.inf)
