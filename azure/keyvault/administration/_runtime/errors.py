"""azure-core's exceptions as this library raises them: fit to be shown, and with what the service said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar, cast

from aiohttp import ClientConnectorError, ClientResponseError, InvalidURL, RequestInfo

import azure.core.exceptions
from azure.core.exceptions import AzureError, HttpResponseError, ServiceResponseError

from .redaction import redact, secrets_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azure.core.rest import AsyncHttpResponse, HttpRequest

E = TypeVar("E", bound=AzureError)

# No chain of causes is that long, but a cause could name itself.
_LONGEST_CHAIN = 8


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
    return ServiceResponseError(f"The content encoding of the response is broken: {error}")


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


def safe_error(error: AzureError, request: HttpRequest) -> AzureError:
    """Return a transport's error as it may be shown: itself, or one without secrets if it or its causes hold any.

    The causes of such errors hold the request with its token, the URL of a proxy with its password, and the bytes that
    could not be parsed. A cause of aiohttp's is replaced by one of the same type, any other is left out: decide before
    what it proves.

    Call it, and raise its result, outside of the ``except`` block: an exception keeps what is being handled.

    :param error: The error.
    :param request: The request that failed.
    """
    cause = error.inner_exception
    secrets = [*secrets_of(request), *_user_info(cause)]
    if not any(_shows(shown, secrets) for shown in _chain(error)):
        return error
    shown_cause = _safe_cause(cause, secrets)
    # A class of the transport's own might take other arguments.
    public = next(base for base in type(error).__mro__ if base.__module__ == azure.core.exceptions.__name__)
    safe = cast("AzureError", public(redact(error.message, secrets), error=shown_cause))
    safe.__cause__ = shown_cause
    return safe


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(_LONGEST_CHAIN):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__ or getattr(error, "inner_exception", None)


def _shows(error: BaseException, secrets: list[str]) -> bool:
    """Return whether an error holds the request, or its texts hold a secret."""
    if getattr(error, "request_info", None) is not None or getattr(error, "request", None) is not None:
        return True
    seen = f"{error}\n{error!r}\n{error.args!r}"
    return redact(seen, secrets) != seen


def _user_info(cause: BaseException | None) -> list[str]:
    """Return user and password of the URL that an error of aiohttp's is about, which may be a proxy's."""
    if isinstance(cause, ClientResponseError):
        url = cause.request_info.real_url
        return [":".join(part for part in (url.raw_user, url.raw_password) if part)]
    if isinstance(cause, InvalidURL):
        # A URL that failed to parse cannot be taken apart.
        before = str(cause.url).rpartition("@")[0]
        return [before.partition("://")[2] or before]
    return []


def _safe_cause(cause: BaseException | None, secrets: list[str]) -> BaseException | None:
    """Return an error of aiohttp's without the secrets; None for any other, which may hold them anywhere."""
    if isinstance(cause, InvalidURL):
        return type(cause)(redact(str(cause.url), secrets), cause.description)
    if isinstance(cause, ClientResponseError):
        info = cause.request_info
        url, real_url = (type(url)(redact(str(url.with_user(None)), secrets)) for url in (info.url, info.real_url))
        shown = RequestInfo(url, info.method, cast("Any", {}), real_url)
        return type(cause)(shown, (), status=cause.status, message=redact(cause.message, secrets))
    # The error of a Unix socket, which has a path, is made in another way; it knows no proxy.
    if isinstance(cause, ClientConnectorError) and not hasattr(cause, "path"):
        key, reason = cast("tuple[Any, Any]", cause.args)
        if key.proxy is not None:
            key = key._replace(proxy=key.proxy.with_user(None), proxy_auth=None)
        return type(cause)(key, reason)
    return None
