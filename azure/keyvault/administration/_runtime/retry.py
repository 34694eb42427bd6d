"""When a request may be sent again.

A request that reached the service may have been carried out, even if no response, or an error, came back. So it
depends on what a second one would do:

* Reads, deletes and creations with a fixed name end in the same state however often they are sent. azure-core's rules
  apply: lost connections, 408, 429 and 5xx are retried. What an earlier attempt may have done is remembered
  (``may_have_been_accepted``), because the response to the last one speaks of that one alone.
* The second start of a job is a second job, or worse, a second restore. A start is sent again only if the service
  cannot have taken it: it carried no token yet (a probe), the service refused it with 401 or 429, or it never left this
  machine (``delivery.py``: refused connections, unknown hosts, proxies that don't connect). If that isn't certain, an
  error says that the job may be running.
* ``send_request`` sends requests whose meaning is unknown here, so azure-core's rules apply to it.

This policy alone could not enforce that: users bring their own retry and redirect policies, and aiohttp repeats
requests by itself. It only avoids attempts that make no sense. What makes it safe is the last step before the transport
(``sending.py``), which sends no start twice and keeps aiohttp from repeating anything.
"""

from __future__ import annotations

import math
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from azure.core.pipeline.policies import AsyncRetryPolicy, RequestHistory
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.core.utils import case_insensitive_dict

from .errors import ClientClosedError
from .starts import START_PROGRESS, StartProgress

if TYPE_CHECKING:
    from azure.core.pipeline import PipelineRequest, PipelineResponse

THROTTLED = "throttled"
"""The key in a request's context for how many seconds it waited for a throttled service before it gave up."""

_START_METHODS = frozenset({"POST", "PUT"})

_SERVER_ERROR = 500
# A day: the service says seconds.
_LONGEST_WAIT = 86_400.0
# Where services say how long to wait, and in which part of a second, in the order in which azure-core looks.
_WAITS = {"retry-after": 1, "retry-after-ms": 1000, "x-ms-retry-after-ms": 1000}


class JobAwareRetryPolicy(AsyncRetryPolicy[HttpRequest, AsyncHttpResponse]):
    """azure-core's retries, and those of a job's start that the service cannot have taken."""

    @override
    async def send(self, request: PipelineRequest[HttpRequest]) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        if START_PROGRESS in request.context:
            # azure-core wouldn't repeat a POST at all. What may be repeated is decided below.
            request.context.options.setdefault("retry_on_methods", _START_METHODS)
        return await super().send(request)

    @override
    def is_retry(self, settings: dict[str, Any], response: Any) -> bool:
        if THROTTLED in response.context:
            return False
        start: StartProgress | None = response.context.get(START_PROGRESS)
        return not (start and start.is_taken) and bool(super().is_retry(settings, response))

    @override
    def increment(self, settings: dict[str, Any], response: Any = None, error: Exception | None = None) -> bool:
        start: StartProgress | None = response.context.get(START_PROGRESS)
        if error is not None and ((start and start.is_taken) or isinstance(error, ClientClosedError)):
            return False
        if error is not None and not isinstance(error, (ServiceRequestError, ServiceResponseError)):
            # azure-core retries after a broken-off body, but leaves the attempt out of the history.
            settings["history"].append(RequestHistory(response.http_request, error=error))
        return super().increment(settings, response, error)

    @override
    def get_retry_after(self, response: Any) -> float | None:
        return retry_after(response)


def retry_after(response: Any) -> float | None:
    """Return how many seconds the service wants to be left alone, or None if it says nothing intelligible.

    azure-core looks no further than the first header that is there, intelligible or not.

    :param response: The pipeline's response.
    """
    headers = case_insensitive_dict(response.http_response.headers)
    for name, per_second in _WAITS.items():
        if name not in headers:
            continue
        seconds = _seconds(headers[name]) / per_second
        # "inf", "1e300" or the year 9999 are too long to wait, and "nan" is not a time.
        if seconds <= _LONGEST_WAIT:
            return max(0.0, seconds)
    return None


def _seconds(value: str) -> float:
    """Return how many seconds the value of a header means, which may be a date; "nan" if it means none."""
    try:
        return float(value)
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return math.nan
    # HTTP's dates are in UTC, also those that name no zone.
    moment = moment.replace(tzinfo=moment.tzinfo or timezone.utc)
    return (moment - datetime.now(timezone.utc)).total_seconds()


def carries_token(request: HttpRequest) -> bool:
    """Return whether a request was authorized: without a token the service does nothing.

    :param request: A request that was sent.
    """
    return "Authorization" in request.headers


def may_have_been_accepted(history: list[Any]) -> bool:
    """Return whether the service may have carried out an earlier attempt of a request.

    :param history: The attempts, as azure-core's retry policy records them.
    """
    return any(carries_token(attempt.http_request) and _may_have_worked(attempt) for attempt in history)


def _may_have_worked(attempt: RequestHistory[Any, Any]) -> bool:
    if attempt.http_response is None:
        return not isinstance(attempt.error, ServiceRequestError)
    return bool(attempt.http_response.status_code >= _SERVER_ERROR)
