"""The last step before the transport: what is sent, how often, and what is said when that fails.

Transports differ in what they do by themselves, and azure-core's errors differ in what they mean. Above this step
they don't:

* Each send is one request on the wire, even with aiohttp, which would send PUT, GET and DELETE again after a broken
  connection. Only a session of requests inside a wrapper can still repeat requests, if its ``Retry`` says so.
* The start of a job that the service may have taken isn't sent again, whichever policy asks for it.
* A ``ServiceRequestError`` that has a cause means that the request never left. Other failures are
  ``ServiceResponseError``.
* ``Authorization`` is the client's, even if the machine's ``.netrc`` or the transport's session has another one.
* No error holds the password of a proxy, or the request with its token.

The transport may be one of azure-core's or wrap one.
"""

from __future__ import annotations

import re
import zlib
from http import HTTPStatus
from http.cookiejar import CookieJar
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp
from typing_extensions import override

from azure.core.exceptions import AzureError, ServiceRequestError, ServiceResponseError
from azure.core.pipeline.policies import AsyncHTTPPolicy
from azure.core.pipeline.transport import AioHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest

from .._identifiers import described, hostname
from .delivery import never_left, proxy_refusal
from .errors import ClientClosedError, broken_encoding
from .own_authorization import (
    AUTH_OF_REQUESTS,
    OwnAuthorization,
    has_own_authorization,
    is_in_netrc,
    keep_headers,
    without_authorization,
)
from .proxies import PROXY_SCHEMES, environment_proxies, proxy_of, secrets_of_proxy, shown_proxy, user_info_of
from .read_once import ReadOnceCookies, WatchedBody
from .starts import START_PROGRESS, AlreadySentError
from .tls import apply_tls
from .transport_errors import new_error, safe_error

if TYPE_CHECKING:
    from azure.core.pipeline import PipelineRequest, PipelineResponse

    from .starts import StartProgress
    from .tls import OwnTls

# What azure-core can decode, with any transport. aiohttp would ask for brotli and zstd, too, once they are installed.
_ENCODINGS = "gzip, deflate"
# Responses to a start that say that the service did not take it.
_NOT_TAKEN = frozenset({401, 429})

_UNKNOWN_KEYWORD = re.compile(r"unexpected keyword argument '(\w+)'")


class _Failure(NamedTuple):
    """What is raised for a transport's error."""

    error: Exception
    may_have_left: bool


class SendOncePolicy(AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Sends each request once, and a start once for all, and makes errors mean the same for every transport.

    :param endpoint: URL of the HSM.
    :param tls: TLS settings of the client, if it made the transport.
    :keyword trusts_environment: Whether the transport may look at the environment: proxies and ``.netrc``.
    """

    def __init__(self, endpoint: str, tls: OwnTls | None = None, *, trusts_environment: bool = False) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._tls = tls
        self._trusts_environment = trusts_environment
        self._has_netrc_entry = trusts_environment and is_in_netrc(hostname(endpoint))
        # What a transport of unknown type turns out to be.
        self._not_taken: set[str] = set()
        self._wraps_aiohttp = False
        self.is_closed = False
        """Whether the client was closed."""

    @override
    async def send(self, request: PipelineRequest[HttpRequest]) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        start = _start_of(request)
        if start is not None:
            start.begin()
        while True:
            changes = self._prepare(request, start)
            try:
                response = await self.next.send(request)
            except Exception as error:  # noqa: BLE001 - translated and raised below
                caught = error
            else:
                if start is not None:
                    start.end(response, may_be_taken=response.http_response.status_code not in _NOT_TAKEN)
                return response
            finally:
                if changes is not None:
                    changes.undo()
            # Out here: an azure-core error keeps the exception that is being handled where it is made or raised. Those
            # of aiohttp and requests hold the request with its token, or the password of a proxy.
            is_unsent = changes is not None and changes.is_unsent()
            failure = self._failure(caught, request, is_start=start is not None, is_unsent=is_unsent)
            if failure is None:
                # The transport refused an option that was set here.
                continue
            if start is not None:
                outcome = failure.error if isinstance(failure.error, AzureError) else None
                start.end(outcome, may_be_taken=failure.may_have_left)
            try:
                raise failure.error
            finally:
                # On Python 3.10 a coroutine that was resumed with an exception goes on handling it.
                failure.error.__context__ = None

    def _prepare(self, request: PipelineRequest[HttpRequest], start: StartProgress | None) -> _TemporaryChanges | None:
        """Set the options with which the request is sent once and as it is.

        Returns what the request is to lose again, if it had to be changed for that.
        """
        options, headers = request.context.options, request.http_request.headers
        if "Accept-Encoding" not in headers:
            headers["Accept-Encoding"] = _ENCODINGS
        apply_tls(self._tls, options, request.context.transport)
        if "cookies" not in self._not_taken:
            given = options.get("cookies")
            # A jar says for which hosts its cookies are.
            if not (given and isinstance(given, CookieJar)):
                options["cookies"] = _read_once(given)
        is_overruling = self._trusts_environment and (
            self._has_netrc_entry or has_own_authorization(request.context.transport)
        )
        if start is None and not is_overruling:
            return None
        changes = _TemporaryChanges(request.http_request)
        if start is not None and _is_of_azure_core(request.context.transport):
            changes.watch_body()
        if is_overruling:
            self._overrule_passwords(request, changes)
        return changes

    def _proxy(self, request: PipelineRequest[HttpRequest]) -> str | None:
        proxy = proxy_of(request.http_request.url, request.context.options)
        if proxy is None and self._trusts_environment:
            proxy = (environment_proxies(self._endpoint) or {}).get("https")
        return proxy

    def _overrule_passwords(self, request: PipelineRequest[HttpRequest], changes: _TemporaryChanges) -> None:
        """Keep the password of a ``.netrc`` entry, or of the transport's session, out of a request.

        requests uses neither for a request that has its own ``auth``. aiohttp always does, and refuses a request that
        has an ``Authorization`` already, so it gets ours afterwards.
        """
        options = request.context.options
        if self._wraps_aiohttp or isinstance(request.context.transport, AioHttpTransport):
            options.pop("auth", None)
            given = [each for each in options.get("middlewares") or () if not isinstance(each, OwnAuthorization)]
            options["middlewares"] = (*given, OwnAuthorization(changes.hide_authorization()))
        elif "auth" not in self._not_taken and options.get("auth") in (None, *AUTH_OF_REQUESTS):
            has_own = "Authorization" in request.http_request.headers
            options["auth"] = keep_headers if has_own else without_authorization

    def _failure(  # noqa: PLR0911 - one for each kind of error
        self, error: Exception, request: PipelineRequest[HttpRequest], *, is_start: bool, is_unsent: bool
    ) -> _Failure | None:
        """Return what to raise for a transport's error, or None if the request is to be sent with other options."""
        options = request.context.options
        if self._is_shut(request.context.transport):
            return _Failure(ClientClosedError("The client is closed."), isinstance(error, AzureError))
        if isinstance(error, AzureError):
            return self._azure_failure(error, request, is_unsent=is_unsent)
        if self._takes_back(error, options):
            return None
        if isinstance(error, TypeError) and (unknown := _UNKNOWN_KEYWORD.search(str(error))):
            text = f"unknown keyword {unknown[1]!r}: neither the client nor its transport takes it"
            return _Failure(ValueError(text), False)
        if isinstance(error, UnicodeEncodeError):
            text = f"a header, or user or password of the proxy, cannot be encoded in {error.encoding}"
            return _Failure(ServiceRequestError(f"The request was not sent: {text}."), False)
        if isinstance(error, zlib.error):
            failure = broken_encoding(error)
            failure.__cause__ = error
            return _Failure(failure, True)
        if isinstance(error, OSError):
            may_have_left = not never_left(error)
            kind = ServiceResponseError if may_have_left else ServiceRequestError
            return _Failure(kind(str(error), error=error), may_have_left)
        if is_start and not is_unsent:
            # A transport's bug, or a response that it cannot handle: the job may be running anyway.
            unknown_cause = ServiceResponseError(f"{type(error).__name__}: {error}", error=error)
            return self._azure_failure(unknown_cause, request, is_unsent=False)
        if isinstance(error, TypeError):
            wrong = ValueError(f"the transport does not take the request, or a keyword of the call: {error}")
            wrong.__cause__ = error
            return _Failure(wrong, may_have_left=not is_unsent)
        return _Failure(error, may_have_left=not is_unsent)

    def _takes_back(self, error: Exception, options: dict[str, Any]) -> bool:
        """Return whether a transport refused what it was offered here, after noting that for the next time."""
        text = str(error)
        if isinstance(error, TypeError) and (unknown := _UNKNOWN_KEYWORD.search(text)):
            value = options.get(unknown[1])
            if value in AUTH_OF_REQUESTS or (isinstance(value, ReadOnceCookies) and not value):
                self._not_taken.add(unknown[1])
                del options[unknown[1]]
                return True
        # Only aiohttp refuses such an "auth". Its text is checked because a response can end in a ValueError, too.
        is_refusal = isinstance(error, (TypeError, ValueError, Warning)) and "auth" in text.lower()
        if is_refusal and options.get("auth") in AUTH_OF_REQUESTS:
            self._wraps_aiohttp = True
            return True
        return False

    def _azure_failure(self, error: AzureError, request: PipelineRequest[HttpRequest], *, is_unsent: bool) -> _Failure:
        cause, proxy = error.inner_exception, self._proxy(request)
        # Without a proxy the causes decide.
        is_unsent = is_unsent and proxy is not None
        may_have_left = not (is_unsent or never_left(error))
        kind: type[AzureError] = type(error)
        if not may_have_left and not isinstance(error, ServiceRequestError):
            kind = ServiceRequestError
        elif may_have_left and isinstance(error, ServiceRequestError) and cause is not None:
            kind = ServiceResponseError
        if kind is not type(error) or proxy is not None:
            text = error.message if proxy is None else _through_proxy(error, proxy, is_unsent=is_unsent)
            # A proxy's refusal is what the proxy says, which may be its password.
            shown = None if proxy_refusal(error) else cause
            error = new_error(kind, text, shown)
        return _Failure(safe_error(error, request.http_request, secrets_of_proxy(proxy)), may_have_left)

    def _is_shut(self, transport: Any) -> bool:
        """Return whether a transport has closed its connections."""
        try:
            session = transport.session
        except AttributeError:
            # A transport of another make, or a wrapper.
            return self.is_closed
        return session is None or getattr(session, "closed", False) is True


def _read_once(cookies: Any) -> ReadOnceCookies:
    try:
        return ReadOnceCookies(cookies or ())
    except (TypeError, ValueError):
        # Raised outside of the handler because Python's error may show a cookie.
        pass
    raise ValueError(f"cookies must be a mapping of names to values, got {described(cookies)}")


def _start_of(request: PipelineRequest[HttpRequest]) -> StartProgress | None:
    """Return the start that a request is, or None if it is something else.

    :raises AlreadySentError: If the service may have taken it already.
    """
    start: StartProgress | None = request.context.get(START_PROGRESS)
    if start is None:
        return None
    if start.is_taken:
        raise AlreadySentError
    # Without a token the service does nothing.
    return start if "Authorization" in request.http_request.headers else None


def _is_of_azure_core(transport: object) -> bool:
    """Return whether a transport takes a body that is read while it is sent, and takes no copy of it.

    By name, because the transports that use requests are optional.
    """
    return type(transport).__module__.startswith("azure.core.pipeline.transport.")


def _through_proxy(error: AzureError, proxy: str, *, is_unsent: bool) -> str:
    """Return the text of an error of a request to a proxy. What the proxy itself said isn't shown."""
    shown = shown_proxy(proxy)
    if status := proxy_refusal(error):
        return f"The proxy {shown} did not connect to the service: {f'{status} {_phrase(status)}'.rstrip()}."
    if is_unsent:
        return f"The connection to the proxy {shown} was lost before the request was sent."
    if isinstance(error.inner_exception, aiohttp.ClientError) and proxy.partition("://")[0] not in PROXY_SCHEMES:
        return f"The proxy {shown} cannot be used: aiohttp supports URLs of {' and '.join(PROXY_SCHEMES)} only."
    user_info = user_info_of(proxy)
    text = error.message.replace(f"{user_info}@", "") if user_info else error.message
    return f"{text} (through the proxy {shown})" if shown else text


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


class _TemporaryChanges:
    """What a request carries only while it is being sent.

    :param request: The request.
    """

    def __init__(self, request: HttpRequest) -> None:
        # Any: the name by which azure-core's transports ask for the body is missing from its newer type.
        self._request: Any = request
        self._authorization: str | None = None
        self._content: Any = None
        self._body: WatchedBody | None = None

    def hide_authorization(self) -> str | None:
        """Take the request's ``Authorization`` out, and return it."""
        self._authorization = self._request.headers.pop("Authorization", None)
        return self._authorization

    def watch_body(self) -> None:
        """Give the request a body that is sent once, and knows whether it was.

        Only that tells whether a proxy hung up before the request was sent to the service, or after that.
        """
        self._content = self._request.content
        if isinstance(self._content, (str, bytes)):
            content = self._content.encode() if isinstance(self._content, str) else self._content
            self._body = self._request.data = WatchedBody(content)

    def is_unsent(self) -> bool:
        """Return whether it is certain that the request was not sent."""
        return self._body is not None and not self._body.is_begun

    def undo(self) -> None:
        """Make the request what it was."""
        if self._authorization is not None:
            self._request.headers["Authorization"] = self._authorization
        if self._body is not None:
            self._request.data = self._content
