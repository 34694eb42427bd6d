"""Follow a job, from its start or from a continuation token, to its end.

A job's state is what the service last said in ``status``: in progress, until it is one of the terminal ones. The
``error`` member doesn't decide: services have sent an object of nulls there while a job was well, and failed jobs with
their reason in ``statusDetails`` alone. The response to a poll is one of three things:

* A job: its ``status`` is the state.
* A refusal, which is a 4xx: the poller gives up, and its status is ``Failed``, as everywhere in azure-core. Only an
  explicit ``update_status()`` asks again.
* Nothing that tells about the job: throttling, a server error, an unreadable body. The caller gets the error, the state
  stays, and the next poll goes on.

A service may quote what the start sent, in any member and at any time. So a job remembers the secrets of its start, and
nothing of a response is kept, logged or raised before they are redacted.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from azure.core.exceptions import DecodeError, HttpResponseError, ODataV4Format
from azure.core.polling import AsyncLROPoller, AsyncPollingMethod

from .. import _identifiers
from .._models import KeyVaultJobDetails
from .errors import with_sentence
from .redaction import NO_SECRETS, FollowUpRequest, redact, redacted_response, secrets_of
from .rest import RestClient, called, decode_object, refusal, status_error
from .retry import retry_after

if TYPE_CHECKING:
    from collections.abc import Callable

    from azure.core.pipeline import PipelineResponse
    from azure.core.pipeline.transport import AsyncHttpTransport
    from azure.core.rest import AsyncHttpResponse, HttpRequest

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
E = TypeVar("E", bound=HttpResponseError)

_LOGGER = logging.getLogger(__name__)

_SUCCEEDED = "succeeded"
_TERMINAL = frozenset({_SUCCEEDED, "failed", "canceled"})
# What a caller asks of a check is whether it fails.
_CHECKS = frozenset({"pre-backup", "pre-restore"})

_JOB_SENT = frozenset({200, 201, 202})
_REFUSALS = frozenset(range(400, 500)) - {408, 429}

# How much of a text of the service's is kept: it is logged and raised.
_LONGEST_TEXT = 4096

_REQUEST_ID = "x-ms-client-request-id"


@dataclass(frozen=True, repr=False)
class JobPlan(Generic[T]):
    """How to follow a job, decided before it starts."""

    kind: str
    """What the job is, in words: part of its details, logs and errors."""
    to_details: Callable[[str, dict[str, Any]], KeyVaultJobDetails]
    """Makes the public details of the kind and a response's JSON object."""
    to_result: Callable[[dict[str, Any]], T]
    """Makes the result of the last response's JSON object."""
    interval: float
    """Seconds between two polls, unless the service says otherwise."""
    options: dict[str, Any]
    """The options of the call that starts or resumes the job: its polls get them, too."""
    cls: Callable[..., Any] | None = None
    """Called with the last response, the result and the headers: what it returns is the result."""


class JobPolling(AsyncPollingMethod[T]):
    """Polls one job. Made by :meth:`started` or :meth:`resumed`, so it always knows a status.

    :param client: The client to poll with.
    :param plan: How to follow the job.
    :param status_url: Where the service tells the job's status.
    :param job_id: The job's id, if it is known.
    :param secrets: The secrets of the job's start, which nothing may show.
    """

    def __init__(
        self,
        client: RestClient,
        plan: JobPlan[T],
        status_url: str,
        job_id: str | None,
        secrets: frozenset[bytes] = NO_SECRETS,
    ) -> None:
        self._client = client
        self._plan = plan
        self._status_url = status_url
        self._secrets = secrets
        self._options = dict(plan.options)
        # The start's query: the service named the status URL as a whole.
        self._options.pop("params", None)
        self._error_map = self._options.pop("error_map", None)
        self._response: PipelineResponse[HttpRequest, AsyncHttpResponse] | None = None
        self._body: dict[str, Any] = {}
        self._refusal: AsyncHttpResponse | None = None
        self.details = KeyVaultJobDetails(kind=plan.kind, job_id=job_id)

    @classmethod
    def started(
        cls, client: RestClient, plan: JobPlan[T], start: PipelineResponse[HttpRequest, AsyncHttpResponse]
    ) -> JobPolling[T]:
        """Follow a job from the response that accepted its start.

        :param client: The client that started the job.
        :param plan: How to follow the job.
        :param start: The response.
        :raises ~azure.core.exceptions.HttpResponseError: If the response doesn't tell how to follow the job. The text
            says that it may be running, and its id if there is one.
        """
        response = start.http_response
        secrets = secrets_of(response.request)
        try:
            status_url = _own_status_url(client, response)
        except HttpResponseError as error:
            job_id = None
            with contextlib.suppress(DecodeError):
                sent = decode_object(response)
                job_id = _word(sent, _redacted(sent, secrets), "jobId")
            with_sentence(error, _may_be_running(_name(plan.kind, job_id)))
            raise
        polling = cls(client, plan, status_url, _identifiers.job_id(status_url), secrets)
        try:
            has_ended = polling._learn(start)
        except HttpResponseError as error:
            polling._label(error, _may_be_running(polling._name()))
            raise
        _LOGGER.info("Started the %s.", polling._name())
        if has_ended:
            polling._log_end()
        return polling

    @classmethod
    async def resumed(cls, client: RestClient, plan: JobPlan[T], job: _identifiers.JobUrl) -> JobPolling[T]:
        """Follow a job from its status URL, by asking for its status once.

        :param client: The client to poll with.
        :param plan: How to follow the job.
        :param job: The status URL.
        :raises ~azure.core.exceptions.AzureError: If the service refuses to tell, or cannot be reached.
        """
        polling = cls(client, plan, job.url, job.job_id)
        _LOGGER.info("Following the %s.", polling._name())
        await polling.update_status()
        return polling

    def initialize(self, client: Any, initial_response: Any, deserialization_callback: Any) -> None:
        """Do nothing: :meth:`started` and :meth:`resumed` have read the first response by now.

        :param client: Unused.
        :param initial_response: Unused.
        :param deserialization_callback: Unused.
        """

    async def run(self) -> None:
        """Poll until the job has ended.

        :raises ~azure.core.exceptions.HttpResponseError: If it didn't succeed, or the service refuses to tell.
        """
        while not self.finished():
            await self.update_status()
            if not self.finished():
                await self._pause()
        if self._refusal is not None:
            error = status_error(self._refusal, self._error_map)
            raise self._label(error, self._about_status())
        if not self._succeeded():
            raise self._failure()

    async def update_status(self) -> None:
        """Ask for the job's status, once.

        :raises ~azure.core.exceptions.HttpResponseError: If the service refuses to tell, or its response isn't a job.
        """
        response = await self.request_status(self._status_url)
        try:
            has_ended = self._learn(response)
        except HttpResponseError as error:
            self._label(error, self._about_status())
            raise
        if has_ended:
            self._log_end()

    async def request_status(self, status_link: str) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        """Get a status URL, and return the response whatever its status code.

        :param status_link: The status URL.
        """
        request = FollowUpRequest("GET", status_link, secrets=self._secrets, headers={"Accept": "application/json"})
        return await self._client.pipeline.send(request, **self._options)

    def _learn(self, response: PipelineResponse[HttpRequest, AsyncHttpResponse]) -> bool:
        """Learn what a response says about the job, and return whether it is news that the job ended.

        This is the only place where the job's state changes. Every error that it raises is new, so the caller may add
        to it: an error of the pipeline can belong to several calls.

        :raises ~azure.core.exceptions.HttpResponseError: If the response isn't a job.
        """
        http_response = response.http_response
        if request_id := http_response.request.headers.get(_REQUEST_ID):
            # As azure-core's pollers do it: support finds all requests of a job by one id.
            self._options.setdefault("request_id", request_id)
        if http_response.status_code not in _JOB_SENT:
            if http_response.status_code in _REFUSALS and not self._has_ended():
                self._refusal = http_response
            raise refusal(response, self._error_map)
        sent = decode_object(http_response)
        body = _redacted(sent, secrets_of(http_response.request))
        details = self._plan.to_details(self._plan.kind, body)
        if _word(sent, body, "status") is None:
            raise DecodeError(
                message="The service sent a job without a status.", response=redacted_response(http_response)
            )
        self._refusal = None
        if self._has_ended():
            # This response was overtaken by the one that told the end.
            return False
        details.job_id = _word(sent, body, "jobId") or self.details.job_id
        self._response, self._body, self.details = response, body, details
        return self._has_ended()

    async def _pause(self) -> None:
        """Wait as long as the service says, or else the plan."""
        response = cast("PipelineResponse[HttpRequest, AsyncHttpResponse]", self._response)
        # azure-core types the transport of a context for sync and async pipelines alike.
        transport = cast("AsyncHttpTransport[HttpRequest, AsyncHttpResponse]", response.context.transport)
        # A Retry-After of 0 would mean polling without a pause: azure-core ignores it, and so does this.
        await transport.sleep(retry_after(response) or self._plan.interval)

    def _log_end(self) -> None:
        start, end = self.details.start_time, self.details.end_time
        took = "" if start is None or end is None else f" after {(end - start).total_seconds():.0f} s"
        if self._succeeded():
            _LOGGER.info("The %s succeeded%s.", self._name(), took)
            return
        reason = self._reason()
        # A check is asked whether something would fail: that it would is a result, not an incident.
        level = logging.INFO if self._plan.kind in _CHECKS else logging.WARNING
        _LOGGER.log(level, "The %s did not succeed%s: (%s) %s", self._name(), took, reason.code, reason.message)

    def _reason(self) -> ODataV4Format:
        """Return why the job didn't succeed, from where the service said it."""
        member = self._body.get("error")
        reported = cast("dict[str, Any]", member) if isinstance(member, dict) else {}
        details = self.details.status_details or "the service gives no reason"
        code, message = reported.get("code"), reported.get("message")
        return ODataV4Format(
            {
                "code": code if isinstance(code, str) else self.details.status,
                "message": message if isinstance(message, str) else details,
            }
        )

    def _failure(self) -> HttpResponseError:
        """Return the error of a job that didn't succeed."""
        reason = self._reason()
        error = HttpResponseError(message=str(reason))
        error.error = reason
        if self._response is not None:
            error.response = shown = redacted_response(self._response.http_response)
            error.status_code, error.reason = shown.status_code, shown.reason
        return self._label(error, f"This was the {self._name()}.")

    def _label(self, error: E, sentence: str) -> E:
        """Add to an error of this job's which job it is, and return the error."""
        error.continuation_token = self.get_continuation_token()
        return with_sentence(error, sentence)

    def _name(self) -> str:
        return _name(self._plan.kind, self.details.job_id)

    def _about_status(self) -> str:
        return f"This was the status of the {self._name()}."

    def _state(self) -> str:
        return (self.details.status or "").lower()

    def _has_ended(self) -> bool:
        return self._state() in _TERMINAL

    def _succeeded(self) -> bool:
        return self._state() == _SUCCEEDED

    def status(self) -> str:
        """Return what the service last said, or ``Failed`` if it refused to tell."""
        return "Failed" if self._refusal is not None else self.details.status or "InProgress"

    def finished(self) -> bool:
        """Return whether the job has ended, well or not, or the service refused to tell."""
        return self._refusal is not None or self._has_ended()

    def resource(self) -> T:
        """Return what the job made."""
        response = cast("PipelineResponse[HttpRequest, AsyncHttpResponse]", self._response)
        return called(self._plan.cls, response, self._plan.to_result(self._body))

    def get_continuation_token(self) -> str:
        """Return a token to resume the job with."""
        return _identifiers.continuation_token(self._status_url)


def _own_status_url(client: RestClient, response: AsyncHttpResponse) -> str:
    """Return the status URL that a response names, if it is one of the client's own service.

    :raises ~azure.core.exceptions.DecodeError: If it isn't.
    """
    own_origin, url = _identifiers.origin(client.endpoint), None
    with contextlib.suppress(ValueError):
        url = _identifiers.status_url(response.headers.get("azure-asyncoperation", ""))
    if url is None or redact(url, secrets_of(response.request)) != url:
        problem = "The service accepted the job, but its response has no valid status URL in 'azure-asyncoperation'."
    elif _identifiers.origin(url) != own_origin:
        problem = (
            f"The service at {own_origin} named a status URL at {_identifiers.origin(url)}:"
            " this client talks to its own service only."
        )
    else:
        return url
    # Raised out here, without a cause: the error of a malformed URL would show it.
    raise DecodeError(message=problem, response=redacted_response(response))


def _word(sent: dict[str, Any], redacted: dict[str, Any], name: str) -> str | None:
    """Return a member that is a short word and not a secret, or None."""
    value = sent.get(name)
    return value if _identifiers.is_plain_word(value) and redacted[name] == value else None


def _name(kind: str, job_id: str | None) -> str:
    return f"{kind} job {job_id}" if job_id else f"{kind} job"


def _may_be_running(name: str) -> str:
    return f"The {name} may be running anyway."


def _redacted(body: dict[str, Any], secrets: frozenset[bytes]) -> dict[str, Any]:
    """Return a job with its texts, and those of its error, bounded and without secrets."""

    def texts(members: dict[str, Any]) -> dict[str, Any]:
        return {name: redact(v, secrets)[:_LONGEST_TEXT] if isinstance(v, str) else v for name, v in members.items()}

    job = texts(body)
    if isinstance(job.get("error"), dict):
        job["error"] = texts(job["error"])
    return job


class AsyncKeyVaultLROPoller(AsyncLROPoller[T_co]):
    """Follows a backup, a restore or a pre-check.

    Await :meth:`result` or :meth:`wait` to wait for the end, or show progress: call :meth:`update_status` when you
    like and look at :attr:`details`, until :meth:`done`. Nothing polls in between.

    If the job fails, :meth:`result` and :meth:`wait` raise :class:`~azure.core.exceptions.HttpResponseError`, whose
    ``error`` has the service's code and reason. The job runs in the service: to stop waiting, by cancelling or with a
    timeout, does not stop it, and :meth:`continuation_token` resumes it on any client of the same HSM.
    """

    def _polling(self) -> JobPolling[T_co]:
        # Only the clients make pollers, and they make them with this method.
        return cast("JobPolling[T_co]", self.polling_method())

    @property
    def details(self) -> KeyVaultJobDetails:
        """What the service last said of the job.

        :rtype: ~azure.keyvault.administration.KeyVaultJobDetails
        """
        return self._polling().details

    async def update_status(self) -> None:
        """Ask the service for the job's status, with exactly one request.

        A job that failed raises nothing here: :meth:`done` becomes true, and :meth:`result` raises.

        :raises ~azure.core.exceptions.HttpResponseError: If the service refuses to tell: :meth:`done` is true after a
            4xx, and unchanged after an error that may pass, such as a 503.
        """
        await self._polling().update_status()

    def done(self) -> bool:
        """Return whether the job has ended, well or not, or the service refused to tell.

        :rtype: bool
        """
        return self._polling().finished()
