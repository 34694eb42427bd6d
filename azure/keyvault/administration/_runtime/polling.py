"""Follow a job: start or resume, ask for its status, tell how it ended.

A job's life is one row of states: started, then in progress until the service names one of the terminal states. Only
the ``status`` decides. The ``error`` member does not: services have sent an object of nulls there while a job was well,
and failed jobs with their reason in ``statusDetails`` alone.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeVar, cast

from azure.core.exceptions import DecodeError, HttpResponseError, ODataV4Format
from azure.core.polling import AsyncLROPoller, AsyncPollingMethod

from .. import _identifiers
from .._models import KeyVaultJobDetails
from .errors import with_sentence
from .redaction import redact, redacted_response, secrets_of
from .rest import RestClient, decode_object
from .retry import JobAwareRetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

    from azure.core.pipeline import PipelineResponse
    from azure.core.pipeline.transport import AsyncHttpTransport
    from azure.core.rest import AsyncHttpResponse, HttpRequest

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_LOGGER = logging.getLogger(__name__)

_SUCCEEDED = "succeeded"
_UNSUCCESSFUL = frozenset({"failed", "canceled", "cancelled"})


class JobPolling(AsyncPollingMethod[T]):
    """Polls one job at the URL that the service named.

    :param kind: What the job is, in words: part of its details and of every error.
    :param to_details: Makes the public details of the body of an answer.
    :param polling_interval: Seconds between two polls, unless the service says otherwise.
    :param options: Options for the requests that poll.
    """

    def __init__(
        self,
        kind: str,
        to_details: Callable[[str, dict[str, Any]], KeyVaultJobDetails],
        polling_interval: float,
        options: dict[str, Any],
    ) -> None:
        self._to_details = to_details
        self._interval = polling_interval
        self._options = options
        self._retry_after = JobAwareRetryPolicy().get_retry_after
        self._body: dict[str, Any] | None = None
        self._response: AsyncHttpResponse | None = None
        self._secrets: list[str] = []
        self.details = KeyVaultJobDetails(kind=kind)

    def initialize(
        self, client: Any, initial_response: Any, deserialization_callback: Callable[[dict[str, Any]], T]
    ) -> None:
        """Begin with the answer to a start, or with the status URL of a job that somebody else started.

        :param client: The client to poll with.
        :param initial_response: The pipeline's response to the start, or a status URL.
        :param deserialization_callback: Makes the result of the body of the last answer.
        :raises ~azure.core.exceptions.HttpResponseError: If the answer does not tell where the job is.
        """
        self._client: RestClient = client
        self._to_result = deserialization_callback
        if isinstance(initial_response, _identifiers.JobUrl):
            self._status_url = initial_response.url
            self.details.job_id = initial_response.job_id
            _LOGGER.info("Following the %s job %s.", self.details.kind, self.details.job_id)
            return
        response: AsyncHttpResponse = initial_response.http_response
        self._secrets = secrets_of(response.request)
        self._status_url = response.headers.get("azure-asyncoperation") or ""
        try:
            self._require_own_job_url(response)
            try:
                ended = self._take(response)
            except HttpResponseError as error:
                error.continuation_token = self.get_continuation_token()
                raise
        except HttpResponseError as error:
            with_sentence(error, f"The {self.details.kind} may be running all the same.")
            raise
        _LOGGER.info("Started the %s job %s.", self.details.kind, self.details.job_id)
        if ended:
            self._log_end()

    def _require_own_job_url(self, response: AsyncHttpResponse) -> None:
        try:
            job_origin = _identifiers.origin(self._status_url)
        except ValueError as error:
            raise DecodeError(
                message="The service accepted the job, but its answer names no status URL in 'azure-asyncoperation'.",
                response=redacted_response(response, self._secrets),
            ) from error
        own_origin = _identifiers.origin(self._client.endpoint)
        if job_origin != own_origin:
            raise DecodeError(
                message=f"The service at {own_origin} named a status URL at {job_origin}: this client talks to its own"
                " service only.",
                response=redacted_response(response, self._secrets),
            )

    async def run(self) -> None:
        """Poll until the job has ended.

        :raises ~azure.core.exceptions.HttpResponseError: If it did not succeed, or the service refuses to tell.
        """
        while not self.finished():
            response = await self.update()
            if not self.finished():
                # azure-core types the transport of a context for sync and async pipelines alike.
                transport = cast("AsyncHttpTransport[HttpRequest, AsyncHttpResponse]", response.context.transport)
                # A Retry-After of 0 would ask without a pause: azure-core takes it for none, and so does this.
                await transport.sleep(self._retry_after(response) or self._interval)
        if not self._succeeded():
            raise self._failure()

    async def update(self) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        """Ask for the job's status, once.

        :raises ~azure.core.exceptions.HttpResponseError: If the service refuses to tell, or its answer is no job.
        """
        try:
            response = await self._client.get(self._status_url, secrets=self._secrets, **self._options)
            ended = self._take(response.http_response)
        except HttpResponseError as error:
            with_sentence(error, f"This was the status of {self._job()}.")
            raise
        if ended:
            self._log_end()
        return response

    def _take(self, response: AsyncHttpResponse) -> bool:
        """Remember what an answer says of the job, and tell whether it is the news that the job ended."""
        body = decode_object(response, self._secrets)
        details = self._to_details(self.details.kind, body)
        if details.status_details:
            details.status_details = redact(details.status_details, self._secrets)
        if not details.status:
            raise DecodeError(
                message="The service sent a job without a status.", response=redacted_response(response, self._secrets)
            )
        if self.finished():
            # An answer that was under way for longer than the one that told the end.
            return False
        details.job_id = details.job_id or self.details.job_id
        self._body, self._response, self.details = body, response, details
        return self.finished()

    def _log_end(self) -> None:
        start, end = self.details.start_time, self.details.end_time
        took = "" if start is None or end is None else f" after {(end - start).total_seconds():.0f} s"
        if self._succeeded():
            _LOGGER.info("The %s job %s succeeded%s.", self.details.kind, self.details.job_id, took)
        else:
            reason = self._reason()
            _LOGGER.warning(
                "The %s job %s did not succeed%s: (%s) %s",
                self.details.kind,
                self.details.job_id,
                took,
                reason.code,
                reason.message,
            )

    def _succeeded(self) -> bool:
        return self.status().lower() == _SUCCEEDED

    def _reason(self) -> ODataV4Format:
        """Return why the job did not succeed, from where the service said it."""
        member = (self._body or {}).get("error")
        reported = cast("dict[str, Any]", member) if isinstance(member, dict) else {}
        code, message = reported.get("code"), reported.get("message")
        details = self.details.status_details or "the service gives no reason"
        return ODataV4Format(
            {
                "code": redact(code, self._secrets) if isinstance(code, str) else self.status(),
                "message": redact(message, self._secrets) if isinstance(message, str) else details,
            }
        )

    def _failure(self) -> HttpResponseError:
        """Return the error of a job that did not succeed."""
        reason = self._reason()
        error = HttpResponseError(message=f"({reason.code}) {reason.message}\nThis was {self._job()}.")
        error.error = reason
        if self._response is not None:
            error.response = redacted_response(self._response, self._secrets)
            error.status_code, error.reason = self._response.status_code, self._response.reason
        return error

    def _job(self) -> str:
        return f"the {self.details.kind} job {self.details.job_id}"

    def status(self) -> str:
        """Return what the service last said, or that the job is in progress if it was not yet asked."""
        return self.details.status or "InProgress"

    def finished(self) -> bool:
        """Tell whether the job has ended, well or not."""
        return self._succeeded() or self.status().lower() in _UNSUCCESSFUL

    def resource(self) -> T:
        """Return what the job made."""
        return self._to_result(self._body or {})

    def get_continuation_token(self) -> str:
        """Return a token to resume the job with."""
        return _identifiers.continuation_token(self._status_url)

    @classmethod
    def from_continuation_token(cls, continuation_token: str, **kwargs: Any) -> tuple[Any, Any, Callable[[Any], T]]:
        """Return what a poller needs to resume a job.

        :param continuation_token: A poller's token.
        :keyword client: The client to poll with.
        :keyword family: The collection in which the job must be: ``backup`` or ``restore``.
        :keyword deserialization_callback: Makes the result of the body of the last answer.
        :raises ValueError: If the token is malformed, of the other family or of another vault.
        """
        client: RestClient = kwargs["client"]
        job = _identifiers.job_url_from_token(continuation_token, family=kwargs["family"], endpoint=client.endpoint)
        return client, job, kwargs["deserialization_callback"]


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

        :raises ~azure.core.exceptions.HttpResponseError: If the service refuses to tell.
        """
        await self._polling().update()

    def done(self) -> bool:
        """Tell whether the service has said that the job ended, well or not.

        :rtype: bool
        """
        return self._polling().finished()
