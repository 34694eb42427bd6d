"""Send one request and tell what came of it: a JSON object, or azure-core's exception."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
    ResourceNotModifiedError,
)
from azure.core.rest import AsyncHttpResponse, HttpRequest

from .errors import with_model, with_sentence
from .redaction import FollowUpRequest, redacted_response
from .retry import may_have_been_accepted, may_have_started, start_options

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from typing import TypeGuard

    from azure.core.pipeline import AsyncPipeline, PipelineResponse

_OK = 200

_ERRORS: Mapping[int, type[HttpResponseError]] = {
    304: ResourceNotModifiedError,
    401: ClientAuthenticationError,
    404: ResourceNotFoundError,
    409: ResourceExistsError,
}


class RestClient:
    """The pipeline of one HSM, and what every request to it needs.

    :param endpoint: URL of the HSM, without a trailing slash.
    :param api_version: The service version to speak.
    :param pipeline: The pipeline to send through.
    :keyword retry_policy: The retry policy that the user brought, if any.
    """

    def __init__(
        self,
        endpoint: str,
        api_version: str,
        pipeline: AsyncPipeline[HttpRequest, AsyncHttpResponse],
        *,
        retry_policy: object = None,
    ) -> None:
        self.endpoint = endpoint
        self.api_version = api_version
        self.pipeline = pipeline
        self._start_options = start_options(retry_policy)

    async def send(self, request: HttpRequest, expected_status: int, **options: Any) -> dict[str, Any]:
        """Send a request and return the JSON object that it is answered with.

        :param request: The request.
        :param expected_status: The status that means success.
        :keyword error_map: Exceptions by status, in place of the usual ones.
        :keyword params: Query parameters to add.
        :keyword recover: Called with the error if an earlier try of this request may have succeeded: returns the JSON
            object that the lost answer held, or None.
        :raises ~azure.core.exceptions.HttpResponseError: If the status is another one, or the answer no JSON object.
        """
        recover: Callable[[HttpResponseError], Awaitable[dict[str, Any] | None]] | None = options.pop("recover", None)
        error_map = options.pop("error_map", None)
        response = await self._run(request, options)
        if response.http_response.status_code == expected_status:
            return decode_object(response.http_response)
        error = status_error(response.http_response, error_map)
        if recover is not None and may_have_been_accepted(response.context.get("history", [])):
            recovered = await recover(error)
            if recovered is not None:
                return recovered
        raise error

    async def start(
        self, request: HttpRequest, expected_status: int, **options: Any
    ) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        """Send a request that starts a job: never twice, once the service may have taken it.

        :param request: The request.
        :param expected_status: The status that means that the service took the job.
        :keyword error_map: Exceptions by status, in place of the usual ones.
        :keyword params: Query parameters to add.
        :raises ~azure.core.exceptions.AzureError: If the status is another one, or there is no answer. The text says so
            if the job may be running all the same.
        """
        try:
            return await self._run_checked(request, expected_status, {**options, **self._start_options})
        except AzureError as error:
            if may_have_started(request, error):
                with_sentence(error, "The service may have started the job: see what runs before you start another.")
            raise

    async def get(self, url: str, **options: Any) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        """Get a URL that the service itself named.

        :param url: An absolute URL.
        :keyword error_map: Exceptions by status, in place of the usual ones.
        :keyword secrets: Secrets of earlier requests, which the response may quote.
        :raises ~azure.core.exceptions.HttpResponseError: If the status is not 200.
        """
        secrets = options.pop("secrets", ())
        request = FollowUpRequest("GET", url, secrets=secrets, headers={"Accept": "application/json"})
        return await self._run_checked(request, _OK, options)

    async def _run_checked(
        self, request: HttpRequest, expected_status: int, options: dict[str, Any]
    ) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        error_map = options.pop("error_map", None)
        response = await self._run(request, options)
        if response.http_response.status_code != expected_status:
            raise status_error(response.http_response, error_map)
        return response

    async def _run(
        self, request: HttpRequest, options: dict[str, Any]
    ) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        if params := options.pop("params", None):
            request.url = with_query(request.url, params)
        return await self.pipeline.run(request, **options)


def decode_object(response: AsyncHttpResponse, secrets: Iterable[str] = ()) -> dict[str, Any]:
    """Return the JSON object that a response holds.

    :param response: A response whose body was read.
    :param secrets: Secrets that an error must not show, besides those of the request.
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
        response=redacted_response(response, secrets),
    )


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Tell whether a member of decoded JSON is a list. Its items are anything.

    :param value: The member.
    """
    return type(value) is list


def status_error(
    response: AsyncHttpResponse,
    error_map: Mapping[int, type[HttpResponseError]] | None = None,
    secrets: Iterable[str] = (),
) -> HttpResponseError:
    """Return the exception for a response with an unexpected status.

    :param response: The response.
    :param error_map: Exceptions by status, in place of the usual ones.
    :param secrets: Secrets that the error must not show, besides those of the request.
    """
    status = response.status_code
    error_type = (error_map or {}).get(status) or _ERRORS.get(status, HttpResponseError)
    shown = redacted_response(response, secrets)
    return with_model(error_type(response=shown), shown)


def has_query_parameter(url: str, name: str) -> bool:
    """Tell whether a URL has a query parameter.

    :param url: A URL.
    :param name: The parameter's name.
    """
    query = url.partition("#")[0].partition("?")[2]
    return any(part.partition("=")[0] == name for part in query.split("&"))


def with_query(url: str, params: Mapping[str, Any]) -> str:
    """Return a URL with query parameters added; those that it already has are replaced.

    :param url: A URL.
    :param params: The parameters.
    """
    from urllib.parse import unquote_plus, urlencode  # noqa: PLC0415 - off the usual path

    # What is not replaced stays as it is, byte for byte: a link's own parameters are the service's affair.
    base, _, query = url.partition("#")[0].partition("?")
    kept = [part for part in query.split("&") if part and unquote_plus(part.partition("=")[0]) not in params]
    return f"{base}?{'&'.join([*kept, urlencode(params, doseq=True)])}"
