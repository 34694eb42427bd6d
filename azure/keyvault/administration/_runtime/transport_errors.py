"""Errors of transports, without the secrets that they and their causes hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from aiohttp import ClientConnectorError, ClientResponseError, InvalidURL, RequestInfo

import azure.core.exceptions

from .redaction import redact, secrets_of
from .spellings import decoded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from azure.core.exceptions import AzureError
    from azure.core.rest import HttpRequest

E = TypeVar("E", bound="AzureError")

# No chain of causes is that long, but a cause could name itself.
_LONGEST_CHAIN = 8


def safe_error(error: AzureError, request: HttpRequest, also: Iterable[str] = ()) -> AzureError:
    """Return a transport's error as it may be shown: itself, or one without secrets if it or its causes hold any.

    The causes of such errors hold the request with its token, the URL of a proxy with its password, and the bytes that
    could not be parsed. A cause of aiohttp's is replaced by one of the same type, any other is left out: decide before
    what it proves.

    Call it, and raise its result, outside of the ``except`` block: an exception keeps what is being handled.

    :param error: The error.
    :param request: The request that failed.
    :param also: Other secrets that the error may hold.
    """
    cause = error.inner_exception
    secrets = secrets_of(request) | decoded([*_user_info(cause), *also])
    if not any(_shows(shown, secrets) for shown in _chain(error)):
        return error
    shown_cause = _safe_cause(cause, secrets)
    # A class of the transport's own might take other arguments.
    public = next(base for base in type(error).__mro__ if base.__module__ == azure.core.exceptions.__name__)
    return new_error(cast("type[AzureError]", public), redact(error.message, secrets), shown_cause)


def new_error(kind: type[E], text: str, cause: BaseException | None) -> E:
    """Return an error that keeps this cause and nothing else.

    azure-core's errors keep what is being handled where they are made. On Python 3.10 that is the transport's error
    even outside of the ``except`` block, because a coroutine that was resumed with an exception goes on handling it.

    :param kind: The class of the error.
    :param text: Its text.
    :param cause: Its cause.
    """
    error = kind(text, error=cast("Exception | None", cause))
    error.__cause__ = cause
    error.exc_type = error.exc_value = error.exc_traceback = None
    error.exc_msg = error.message
    return error


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(_LONGEST_CHAIN):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__ or getattr(error, "inner_exception", None)


def _shows(error: BaseException, secrets: frozenset[bytes]) -> bool:
    """Return whether an error holds the request or a proxy's password, or its texts hold a secret."""
    if getattr(error, "request_info", None) is not None or getattr(error, "request", None) is not None:
        return True
    if isinstance(error, ClientConnectorError) and error.args[0].proxy is not None:
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


def _safe_cause(cause: BaseException | None, secrets: frozenset[bytes]) -> BaseException | None:
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
