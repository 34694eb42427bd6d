"""When a request may be sent again. A job's start may not, once the service may have taken it."""

from __future__ import annotations

import math
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.pipeline.policies import AsyncRetryPolicy, RequestHistory
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.core.utils import case_insensitive_dict

JOB_START = "job_start"
"""The request option that marks the start of a job."""

THROTTLED = "throttled"
"""The key in a request's context for how many seconds it waited for a throttled service before it gave up."""

_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
# A day: the service says seconds.
_LONGEST_WAIT = 86_400.0
# Where services say how long to wait, and in which part of a second, in the order in which azure-core looks.
_WAITS = {"retry-after": 1, "retry-after-ms": 1000, "x-ms-retry-after-ms": 1000}
# A success that is not the promised one, and a request that the service waited for too long.
_UNDECIDED = frozenset({200, 201, 202, 204, 408})


START_OPTIONS = frozenset({JOB_START, "retry_total", "permit_redirects"})
"""The options of a start. azure-core's policies take theirs out; a policy of the user's own may leave them."""


def start_options(retry_policy: object) -> dict[str, Any]:
    """Return the options that keep a pipeline from sending the start of a job twice.

    A redirect is refused as well: to follow it would be a second start.

    :param retry_policy: The retry policy that the user brought, or None. It knows no starts, so it must not retry them.
    """
    if retry_policy is None or isinstance(retry_policy, JobAwareRetryPolicy):
        return {JOB_START: True, "permit_redirects": False}
    return {"retry_total": 0, "permit_redirects": False}


class JobAwareRetryPolicy(AsyncRetryPolicy[HttpRequest, AsyncHttpResponse]):
    """azure-core's retries, but for the starts of jobs, of which a second one would be a second job.

    A start is sent again only if the service cannot have taken it: it said so (429), the request never left this
    machine, or it carried no token yet.
    """

    def configure_retries(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the settings of one request.

        :param options: The request's options.
        """
        is_start = options.pop(JOB_START, False)
        settings = super().configure_retries(options)
        settings[JOB_START] = is_start
        if is_start:
            settings["methods"] = frozenset({"POST", "PUT"})
        return settings

    def is_retry(self, settings: dict[str, Any], response: Any) -> bool:
        """Tell whether an answer calls for another try.

        :param settings: The settings of the request.
        :param response: The answer.
        """
        if THROTTLED in response.context:
            return False
        if settings[JOB_START] and carries_token(response.http_request):
            return bool(settings["total"] > 0 and response.http_response.status_code == _TOO_MANY_REQUESTS)
        return bool(super().is_retry(settings, response))

    def increment(
        self,
        settings: dict[str, Any],
        response: Any = None,
        error: Exception | None = None,
    ) -> bool:
        """Count a try, and tell whether there is another one.

        :param settings: The settings of the request.
        :param response: The answer, or the request if there was none.
        :param error: Why there was no answer.
        """
        if (
            settings[JOB_START]
            and error is not None
            and carries_token(response.http_request)
            and not _never_left(error)
        ):
            return False
        if error is not None and not isinstance(error, (ServiceRequestError, ServiceResponseError)):
            # azure-core retries after a broken-off body, but leaves the try out of the history.
            settings["history"].append(RequestHistory(response.http_request, error=error))
        return super().increment(settings, response, error)

    def get_retry_after(self, response: Any) -> float | None:
        """Return how many seconds the service wants to be left alone, or None if it says nothing intelligible.

        azure-core looks no further than the first header that is there, intelligible or not.

        :param response: The answer.
        """
        headers = case_insensitive_dict(response.http_response.headers)
        for name, per_second in _WAITS.items():
            if name not in headers:
                continue
            seconds = _seconds(headers[name]) / per_second
            # "inf", "1e300" or the year 9999: nobody can wait that long. Nor is "nan" any time.
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


def _never_left(error: Exception) -> bool:
    """Tell whether an error proves that the request was not sent.

    azure-core's class alone does not: it stands for nearly every error of aiohttp.
    """
    from aiohttp import ClientConnectorError, ClientError, ConnectionTimeoutError  # noqa: PLC0415 - seldom needed

    if not isinstance(error, ServiceRequestError):
        return False
    cause = error.inner_exception
    return not isinstance(cause, ClientError) or isinstance(cause, (ClientConnectorError, ConnectionTimeoutError))


def carries_token(request: HttpRequest) -> bool:
    """Tell whether a request was authorized: without a token the service does nothing.

    :param request: A request that was sent.
    """
    return "Authorization" in request.headers


def may_have_started(request: HttpRequest, error: AzureError) -> bool:
    """Tell whether the service may run a job although its start ended in an error.

    :param request: The start, as it was sent last.
    :param error: How it ended.
    """
    if not carries_token(request) or isinstance(error, (ClientAuthenticationError, ServiceRequestError)):
        return False
    status = error.status_code if isinstance(error, HttpResponseError) else None
    return status is None or status >= _SERVER_ERROR or status in _UNDECIDED


def may_have_been_accepted(history: list[Any]) -> bool:
    """Tell whether the service may have done what one of the earlier tries of a request asked for.

    :param history: The tries, as azure-core's retry policy records them.
    """
    return any(carries_token(attempt.http_request) and _may_have_worked(attempt) for attempt in history)


def _may_have_worked(attempt: RequestHistory[Any, Any]) -> bool:
    if attempt.http_response is None:
        return not isinstance(attempt.error, ServiceRequestError)
    return bool(attempt.http_response.status_code >= _SERVER_ERROR)
