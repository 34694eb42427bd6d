"""What the library adds to azure-core's exceptions."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any, TypeVar, cast

from azure.core.exceptions import AzureError, HttpResponseError, ServiceRequestError, ServiceResponseError

if TYPE_CHECKING:
    from azure.core.rest import AsyncHttpResponse

E = TypeVar("E", bound=AzureError)


class ClientClosedError(ServiceRequestError):
    """The client was closed, so that no retry can help."""


def with_sentence(error: E, sentence: str) -> E:
    """Add a sentence to the text of an error, and return the error.

    An error's own ``message`` argument is of no use for this: azure-core drops it when the response has a text.

    :param error: An error that was made for this call. One that several calls share, such as a credential's, would
        get the sentence of each.
    :param sentence: The sentence.
    """
    error.message = f"{error.message}\n{sentence}"
    error.args = (error.message, *error.args[1:])
    return error


def broken_encoding(error: Exception) -> ServiceResponseError:
    """Return the error of a response whose body cannot be decompressed, which azure-core leaves to zlib.

    :param error: What zlib raised.
    """
    return ServiceResponseError(f"The response's content encoding is broken: {error}")


async def read_body(response: AsyncHttpResponse) -> None:
    """Read a response that a policy answers or refuses: that frees its connection, and an error can show it.

    A response that is returned must not be read, because it may be streamed.

    :param response: The response.
    :raises ~azure.core.exceptions.ServiceResponseError: If it cannot be decompressed.
    """
    if not response.is_stream_consumed:
        try:
            await response.read()
        except zlib.error as error:
            raise broken_encoding(error) from None


class ServiceErrorDetails(dict[str, Any]):
    """An error as the service sent it, with its documented members as attributes. A missing one is None."""

    @property
    def code(self) -> str | None:
        """The error code."""
        return _text(self.get("code"))

    @property
    def message(self) -> str | None:
        """The error message."""
        return _text(self.get("message"))

    @property
    def inner_error(self) -> ServiceErrorDetails | None:
        """The error behind this one."""
        return _details(self.get("innererror"))


class ServiceError(dict[str, Any]):
    """The body of a response with an error status, as the service sent it: ``HttpResponseError.model``."""

    @property
    def error(self) -> ServiceErrorDetails | None:
        """The service's error."""
        return _details(self.get("error"))

    def as_dict(self) -> dict[str, Any]:
        """Return the members as a plain dict."""
        return dict(self)


def _details(value: object) -> ServiceErrorDetails | None:
    return ServiceErrorDetails(cast("dict[str, Any]", value)) if isinstance(value, dict) else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def with_model(error: HttpResponseError, response: AsyncHttpResponse) -> HttpResponseError:
    """Give an error the service's error as its model, if the response holds one, and return the error.

    :param error: The error.
    :param response: The response, without its secrets.
    """
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        return error
    if isinstance(body, dict):
        error.model = ServiceError(cast("dict[str, Any]", body))
    return error
