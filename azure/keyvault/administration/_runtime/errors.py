"""What the library adds to the texts of azure-core's exceptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from azure.core.exceptions import ServiceRequestError, ServiceResponseError

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError

E = TypeVar("E", bound="AzureError")


class ClientClosedError(ServiceRequestError):
    """The client was closed, so that no retry can help."""


def with_sentence(error: E, sentence: str) -> E:
    """Add a sentence to what an error says, and return the error.

    An error's own ``message`` argument is of no use for this: azure-core drops it when the service's answer has a text.

    :param error: The error.
    :param sentence: The sentence.
    """
    error.message = f"{error.message}\n{sentence}"
    error.args = (error.message, *error.args[1:])
    return error


def broken_encoding(error: Exception) -> ServiceResponseError:
    """Return the error of an answer whose body cannot be decompressed, which azure-core leaves to zlib.

    :param error: What zlib raised.
    """
    return ServiceResponseError(f"The answer's content encoding is broken: {error}")
