"""Send one request: return the JSON object of the response, or raise azure-core's exception."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, cast
from urllib.parse import quote

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
    ResourceNotModifiedError,
    ServiceResponseError,
)
from azure.core.rest import AsyncHttpResponse, HttpRequest

from .._identifiers import with_query
from .errors import with_model, with_sentence
from .redaction import redacted_response
from .request import RestRequest
from .retry import THROTTLED, may_have_been_accepted
from .starts import START_PROGRESS, AlreadySentError, StartProgress

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from azure.core.pipeline import PipelineResponse

    from .pipeline import ClientPipeline

    Recovery = Callable[[HttpResponseError], Awaitable[PipelineResponse[HttpRequest, AsyncHttpResponse] | None]]

_OK = 200

_ERRORS: Mapping[int, type[HttpResponseError]] = {
    304: ResourceNotModifiedError,
    401: ClientAuthenticationError,
    404: ResourceNotFoundError,
    409: ResourceExistsError,
}


WireT = TypeVar("WireT")
T = TypeVar("T")


class Operation(Generic[WireT]):
    """A request whose response is a JSON object.

    :param request: The request, relative to the HSM.
    :param expected_status: The status code that means success.
    """

    def __init__(self, request: HttpRequest, expected_status: int) -> None:
        self.request = request
        self.expected_status = expected_status


class JobStart(NamedTuple):
    """A request that starts a job. :meth:`RestClient.send` doesn't take it, because it would repeat it."""

    request: HttpRequest
    expected_status: int


class RestClient:
    """The pipeline of one HSM, and what every request to it needs.

    :param endpoint: URL of the HSM, without a trailing slash.
    :param api_version: The service version to speak.
    :param pipeline: The pipeline to send through.
    """

    def __init__(self, endpoint: str, api_version: str, pipeline: ClientPipeline) -> None:
        self.endpoint = endpoint
        self.api_version = api_version
        self.pipeline = pipeline
        self._version_parameter = f"api-version={quote(api_version, safe='')}"

    async def send(
        self,
        operation: Operation[WireT],
        convert: Callable[[WireT], T],
        *,
        cls: Callable[..., Any] | None = None,
        **options: Any,
    ) -> T:
        """Send a request and return what its response holds.

        :param operation: The request and the status code that means success.
        :param convert: Makes the result of the JSON object in the response.
        :keyword cls: Called with the response, the result and the headers: what it returns is the result.
        :keyword options: Those of :meth:`fetch`.
        :raises ~azure.core.exceptions.HttpResponseError: If the status code is another one, or the response isn't a
            JSON object.
        """
        response = await self.fetch(operation, **options)
        # The type is what the service promises: code that reads the members checks them.
        return called(cls, response, convert(cast("WireT", decode_object(response.http_response))))

    async def fetch(
        self,
        operation: Operation[Any],
        *,
        error_map: Mapping[int, type[HttpResponseError]] | None = None,
        params: Mapping[str, Any] | None = None,
        recover: Recovery | None = None,
        **options: Any,
    ) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        """Send a request and return its response.

        :param operation: The request and the status code that means success.
        :keyword error_map: Exceptions by status code, in place of the usual ones.
        :keyword params: Query parameters to add.
        :keyword recover: Called with the error if an earlier attempt of this request may have succeeded: returns a
            response that holds what the lost one held, or None.
        :keyword options: Options of the pipeline.
        :raises ~azure.core.exceptions.HttpResponseError: If the status code is another one.
        """
        self._address(operation.request, params)
        response = await self.pipeline.send(operation.request, **options)
        if response.http_response.status_code == operation.expected_status:
            return response
        error = refusal(response, error_map)
        if recover is not None and may_have_been_accepted(response.context.get("history", [])):
            recovered = await recover(error)
            if recovered is not None:
                return recovered
        raise error

    async def start(
        self,
        start: JobStart,
        *,
        error_map: Mapping[int, type[HttpResponseError]] | None = None,
        params: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        """Send a request that starts a job: never twice, once the service may have accepted it.

        :param start: The request and the status code that means that the service accepted the job.
        :keyword error_map: Exceptions by status code, in place of the usual ones.
        :keyword params: Query parameters to add.
        :keyword options: Options of the pipeline.
        :raises ~azure.core.exceptions.AzureError: If the status code is another one, or there is no response. The text
            says so if the job may be running anyway.
        """
        self._address(start.request, params)
        progress = StartProgress()
        try:
            try:
                response = await self.pipeline.send(start.request, **{**options, START_PROGRESS: progress})
            except AlreadySentError:
                # A policy of the user's asked for a second start.
                response = _outcome(progress)
            return _checked(response, start.expected_status, error_map)
        except AzureError as error:
            if progress.may_be_running():
                with_sentence(error, "The service may have started the job: see what runs before you start another.")
            raise

    async def get(
        self, url: str, *, error_map: Mapping[int, type[HttpResponseError]] | None = None, **options: Any
    ) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        """Get a URL that the service itself named.

        :param url: An absolute URL.
        :keyword error_map: Exceptions by status code, in place of the usual ones.
        :keyword options: Options of the pipeline.
        :raises ~azure.core.exceptions.HttpResponseError: If the status code isn't 200.
        """
        request = RestRequest("GET", url, headers={"Accept": "application/json"})
        return _checked(await self.pipeline.send(request, **options), _OK, error_map)

    def _address(self, request: HttpRequest, params: Mapping[str, Any] | None) -> None:
        """Complete a relative URL: this is the only place that adds the endpoint and the version."""
        url = request.url
        request.url = f"{self.endpoint}{url}{'&' if '?' in url else '?'}{self._version_parameter}"
        if params:
            request.url = with_query(request.url, {**params, "api-version": self.api_version})


def called(cls: Callable[..., Any] | None, response: PipelineResponse[HttpRequest, AsyncHttpResponse], result: T) -> T:
    """Return what a caller's ``cls`` makes of a result, or the result if there is no such function.

    :param cls: The function.
    :param response: The response.
    :param result: What was made of the response.
    """
    if cls is None:
        return result
    return cast("T", cls(response, result, response.http_response.headers))


def _checked(
    response: PipelineResponse[HttpRequest, AsyncHttpResponse],
    expected_status: int,
    error_map: Mapping[int, type[HttpResponseError]] | None,
) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
    """Return a response with the expected status code, or raise the error of another one."""
    if response.http_response.status_code != expected_status:
        raise refusal(response, error_map)
    return response


def refusal(
    response: PipelineResponse[HttpRequest, AsyncHttpResponse],
    error_map: Mapping[int, type[HttpResponseError]] | None = None,
) -> HttpResponseError:
    """Return the exception for a response with an unexpected status code.

    :param response: The pipeline's response.
    :param error_map: Exceptions by status code, in place of the usual ones.
    """
    error = status_error(response.http_response, error_map)
    waited = response.context.get(THROTTLED)
    if waited is not None:
        with_sentence(error, f"The service throttles the client: this call waited {waited:.1f} s for its turn.")
    return error


def _outcome(progress: StartProgress) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
    """Return the response to a start that was sent, or raise the error that it ended in."""
    if progress.outcome is None:
        raise ServiceResponseError("The start of the job was sent, but abandoned before the response arrived.")
    if isinstance(progress.outcome, AzureError):
        raise progress.outcome
    return progress.outcome


def decode_object(response: AsyncHttpResponse) -> dict[str, Any]:
    """Return the JSON object that a response holds.

    :param response: A response whose body was read.
    :raises ~azure.core.exceptions.DecodeError: If the body is anything else.
    """
    try:
        body: Any = json.loads(response.content)
    except (ValueError, RecursionError) as error:
        found = f"invalid JSON ({type(error).__name__})"
    else:
        if type(body) is dict:
            return cast("dict[str, Any]", body)
        found = f"JSON of type {type(body).__name__}"
    # Raised outside of the handler because json's error, which would be its context, holds the whole body.
    raise DecodeError(
        message=f"The service answered with {found} where a JSON object was expected.",
        response=redacted_response(response),
    )


def status_error(
    response: AsyncHttpResponse,
    error_map: Mapping[int, type[HttpResponseError]] | None = None,
) -> HttpResponseError:
    """Return the exception for a response with an unexpected status.

    :param response: The response.
    :param error_map: Exceptions by status, in place of the usual ones.
    """
    status = response.status_code
    error_type = (error_map or {}).get(status) or _ERRORS.get(status, HttpResponseError)
    shown = redacted_response(response)
    return with_model(error_type(response=shown), shown)
