"""What people may see of requests and responses.

**What is secret.** The bearer token, in a header of every request. The SAS token, in the body of a job's start or the
query of a URL, and above all its signature. The user and password of a proxy.

**When it is known.** Each request carries its own secrets, so :func:`secrets_of` finds them in the request behind a
response. A job remembers those of its start, because the service may quote them in any later status. Secrets of other
requests are recognized by what stands before them: ``sig=``, ``Bearer``, ``"token":``.

**What may be shown.** Everything else, up to a limit. A service, or a gateway in front of it, may quote what it
was sent anywhere: in body, header, reason phrase or redirect target, in any escape and charset. So everything that
leaves the library for people (logs, spans, the texts of errors, and the request and response that an error holds) is a
copy that went through here. :mod:`.spellings` finds the secrets; nothing is searched unless it will be shown.

The response to the caller's own request is data, not text for people: results, and the responses that
``send_request`` returns, are as they came.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from azure.core.exceptions import HttpResponseError, ResponseNotReadError
from azure.core.rest import AsyncHttpResponse, HttpRequest

from .request import RestRequest
from .spellings import REDACTED, decoded, without_secrets

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, MutableMapping
    from types import TracebackType

_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})
_SIGNATURE = re.compile(r"\bsig=([^&\s]+)", re.IGNORECASE)
_CLIENT_ERROR = 400

NO_SECRETS: frozenset[bytes] = frozenset()


def redact(text: str, secrets: frozenset[bytes] = NO_SECRETS) -> str:
    """Return a text without its secrets, cut off where it is too long to be shown.

    :param text: Any text.
    :param secrets: Secrets that are known, decoded, besides those that can be recognized.
    """
    content = text.encode(errors="surrogatepass")
    shown = without_secrets(content, secrets)
    return text if shown == content else shown.decode(errors="replace")


def secrets_of(request: HttpRequest) -> frozenset[bytes]:
    """Return the secrets that a request carries, decoded.

    :param request: The request as it was sent.
    """
    found: list[str] = []
    for name, value in request.headers.items():
        if name.lower() in _SECRET_HEADERS:
            # What comes before the first blank is the scheme, such as Bearer.
            found.append(value.partition(" ")[2] or value)
    tokens = _sas_tokens(request)
    found += tokens
    for text in (*tokens, request.url):
        found += _SIGNATURE.findall(text)
    own = decoded(found)
    return own | request.secrets if isinstance(request, FollowUpRequest) else own


class FollowUpRequest(RestRequest):
    """A request whose response may quote the secrets of an earlier one, as the status of a job may.

    :param method: The method.
    :param url: The URL.
    :keyword secrets: The secrets of earlier requests, decoded.
    :keyword headers: The headers.
    """

    def __init__(self, method: str, url: str, *, secrets: frozenset[bytes], headers: MutableMapping[str, str]) -> None:
        super().__init__(method, url, headers=headers)
        self.secrets = secrets


def redacted_request(request: HttpRequest) -> HttpRequest:
    """Return a copy of a request without its secrets.

    :param request: The request.
    """
    return _request_without(request, secrets_of(request))


def _request_without(request: HttpRequest, known: frozenset[bytes]) -> HttpRequest:
    """Return a copy of a request without secrets that are known, among them its own."""
    content = request.content
    if isinstance(content, bytes):
        content = without_secrets(content, known)
    else:
        # Streams and files are not for reading.
        content = redact(content, known) if isinstance(content, str) else None
    copy = HttpRequest(request.method, redact(request.url, known), content=content)
    copy.headers = redacted_headers(request.headers, known)
    return copy


def redacted_response(response: AsyncHttpResponse, secrets: frozenset[bytes] = NO_SECRETS) -> AsyncHttpResponse:
    """Return a copy of a response, and of the request behind it, that an error or a log may show.

    :param response: The response. Its body is shown if it was read.
    :param secrets: Secrets to look for, besides those of its request.
    """
    return RedactedResponse(response, secrets)


def redacted_headers(headers: MutableMapping[str, str], secrets: frozenset[bytes]) -> MutableMapping[str, str]:
    """Return a copy of headers without secrets.

    :param headers: The headers of a request or response.
    :param secrets: Secrets that are known.
    """
    # Transports have their own types, which all can be copied.
    shown: MutableMapping[str, str] = cast("Any", headers).copy()
    secret = [name for name in shown if name.lower() in _SECRET_HEADERS]
    for name in secret:
        shown[name] = REDACTED
    together = "\n".join(part for header in shown.items() for part in header)
    if redact(together, secrets) != together:
        for name in [*headers]:
            if name not in secret:
                shown.pop(name, None)
                shown[redact(name, secrets)] = redact(headers[name], secrets)
    return shown


class RedactedHead:
    """What logs and spans show of a request or response. The body isn't part of it, and isn't searched.

    :param message: The request or response.
    :param request: The request.
    """

    def __init__(self, message: Any, request: HttpRequest) -> None:
        self._request = request
        self._secrets = secrets_of(request)
        self.method = request.method
        self.status_code: int | None = getattr(message, "status_code", None)
        self.headers = redacted_headers(message.headers, self._secrets)
        # The logs say whether there is one.
        self.body = "a body" if request.content else None

    @property
    def url(self) -> str:
        """URL of the request."""
        return redact(self._request.url, self._secrets)


class RedactedResponse(AsyncHttpResponse):
    """A copy of a response without secrets. It has what azure-core documents of responses, and can be pickled.

    It keeps nothing of the transport's response, which holds the request as it was sent.

    :param response: The response.
    :param secrets: Secrets to look for, besides those of its request.
    """

    def __init__(self, response: AsyncHttpResponse, secrets: frozenset[bytes] = NO_SECRETS) -> None:
        known = secrets | secrets_of(response.request)
        self._request = _request_without(response.request, known)
        self._status_code = response.status_code
        self._reason = redact(response.reason or "", known)
        self._headers = redacted_headers(response.headers, known)
        self._encoding: str | None = None
        # A charset that isn't ASCII is an error of Python's e-mail package, with which azure-core looks for it.
        with suppress(UnicodeError):
            self._encoding = response.encoding
        self._content: bytes | None = None
        # A stream that was not read stays so.
        with suppress(ResponseNotReadError):
            self._content = without_secrets(response.content, known)

    @property
    def request(self) -> HttpRequest:
        """The request that led to the response."""
        return self._request

    @property
    def url(self) -> str:
        """URL of the request."""
        return self._request.url

    @property
    def status_code(self) -> int:
        """The status code."""
        return self._status_code

    @property
    def reason(self) -> str:
        """The reason phrase."""
        return self._reason

    @property
    def headers(self) -> MutableMapping[str, str]:
        """The headers."""
        return self._headers

    @property
    def content_type(self) -> str | None:
        """The content type."""
        return self._headers.get("Content-Type")

    @property
    def encoding(self) -> str | None:
        """The charset of the body, if it is known."""
        return self._encoding

    @encoding.setter
    def encoding(self, value: str | None) -> None:
        self._encoding = value

    @property
    def is_closed(self) -> bool:
        """Whether there is no connection, which is always so."""
        return True

    @property
    def is_stream_consumed(self) -> bool:
        """Whether there is nothing left to stream, which is always so."""
        return True

    @property
    def content(self) -> bytes:
        """The body."""
        if self._content is None:
            raise ResponseNotReadError(self)
        return self._content

    def body(self) -> bytes:
        """Return the body."""
        return self.content

    def text(self, encoding: str | None = None) -> str:
        """Return the body as text.

        :param encoding: Its charset, if it is another one than the response says.
        """
        charset = encoding or self._encoding or "utf-8"
        # As azure-core does it: a byte order mark is not part of the text.
        return self.content.decode("utf-8-sig" if charset.lower() == "utf-8" else charset, errors="replace")

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.text())

    def raise_for_status(self) -> None:
        """Raise an error if the status is one.

        :raises ~azure.core.exceptions.HttpResponseError: If the status is 400 or more.
        """
        if self._status_code >= _CLIENT_ERROR:
            raise HttpResponseError(response=self)

    async def read(self) -> bytes:
        """Return the body."""
        return self.content

    async def iter_raw(self, **_: Any) -> AsyncIterator[bytes]:
        """Yield the body."""
        yield self.content

    async def iter_bytes(self, **_: Any) -> AsyncIterator[bytes]:
        """Yield the body."""
        yield self.content

    async def close(self) -> None:
        """Do nothing: there is no connection."""

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """Do nothing: there is no connection."""

    def __repr__(self) -> str:
        content_type = f", Content-Type: {self.content_type}" if self.content_type else ""
        return f"<AsyncHttpResponse: {self._status_code} {self._reason}{content_type}>"


def _sas_tokens(request: HttpRequest) -> list[str]:
    """Return the members called ``token`` of a request's JSON body and of the objects in it."""
    try:
        body = _members(json.loads(request.content or b"null"))
    except (TypeError, ValueError, RecursionError):
        return []
    tokens = body.get("token"), _members(body.get("sasTokenParameters")).get("token")
    return [token for token in tokens if isinstance(token, str)]


def _members(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
