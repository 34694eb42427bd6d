"""Keep secrets out of everything that people read: logs, and the texts of errors.

Two secrets travel: the bearer token in a header, and the SAS token in the body of a job's start. Both are known when an
answer comes, so whatever the service makes of them can be found; patterns find those of other requests.
"""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, unquote

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import NetworkTraceLoggingPolicy
from azure.core.rest import AsyncHttpResponse, HttpRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

REDACTED = "REDACTED"

_PATTERNS = (
    re.compile(r"(?<=\bsig=)[^&\s\"'<>\\]+", re.IGNORECASE),
    re.compile(r"(?<=\bsig%3D)[^&\s\"'<>\\]+", re.IGNORECASE),
    re.compile(r"(?<=\bBearer )[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE),
    re.compile(r'(?<="token":")(?:[^"\\]|\\.)+'),
    re.compile(r'(?<="token": ")(?:[^"\\]|\\.)+'),
)
_SIGNATURE = re.compile(r"(?:^|[?&])sig=([^&]+)", re.IGNORECASE)
_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})

# What is shorter is no secret, and would be found in innocent words.
_SHORTEST_SECRET = 6

_TRACE_LOGGER = logging.getLogger("azure.core.pipeline.policies._universal")


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text with its secrets replaced.

    :param text: Any text.
    :param secrets: Secrets that are known, besides those that can be recognized.
    """
    for secret in secrets:
        text = text.replace(secret, REDACTED)
    for pattern in _PATTERNS:
        text = pattern.sub(REDACTED, text)
    return text


class FollowUpRequest(HttpRequest):
    """A GET about something that an earlier request started: the response may echo what that one carried.

    :param url: The URL.
    :param secrets: The secrets of the earlier request.
    """

    def __init__(self, url: str, secrets: Iterable[str]) -> None:
        super().__init__("GET", url, headers={"Accept": "application/json"})
        self.earlier_secrets = tuple(secrets)


def secrets_of(request: HttpRequest) -> list[str]:
    """Return the secrets that may come back in the response to a request, in every form; the longest first.

    :param request: The request as it was sent.
    """
    found = {request.headers.get("Authorization", "").removeprefix("Bearer ")}
    if isinstance(request, FollowUpRequest):
        found.update(request.earlier_secrets)
    for token in _sas_tokens(request):
        found.add(token)
        for signature in _SIGNATURE.findall(token):
            plain = unquote(signature)
            found.update((signature, plain, quote(plain, safe="")))
    # A secret inside JSON is escaped.
    found.update([json.dumps(secret)[1:-1] for secret in found])
    return sorted((secret for secret in found if len(secret) >= _SHORTEST_SECRET), key=len, reverse=True)


def readable(response: AsyncHttpResponse, secrets: Iterable[str] = ()) -> AsyncHttpResponse:
    """Return a response that an error may show: itself, or a copy without secrets if its body holds any.

    :param response: A response whose body was read.
    :param secrets: Secrets to look for, besides those of its own request.
    """
    known = [*secrets, *secrets_of(response.request)]
    text = response.content.decode("utf-8", errors="replace")
    redacted = redact(text, known)
    # A response cannot be changed, so one that answers as it does stands in for it.
    return response if redacted == text else cast("AsyncHttpResponse", RedactedResponse(response, redacted))


class RedactedResponse:
    """A response with another body.

    :param response: The response.
    :param text: The body to show.
    """

    def __init__(self, response: AsyncHttpResponse, text: str) -> None:
        self._response = response
        self._text = text

    def __getattr__(self, name: str) -> Any:
        return getattr(self._response, name)

    @property
    def content(self) -> bytes:
        """The body."""
        return self._text.encode()

    def body(self) -> bytes:
        """Return the body."""
        return self.content

    def text(self, encoding: str | None = None) -> str:
        """Return the body as text.

        :param encoding: Of no use here: the body is text already.
        """
        del encoding
        return self._text

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self._text)

    def __reduce__(self) -> tuple[type[RedactedResponse], tuple[AsyncHttpResponse, str]]:
        # A copy that is made without its members would ask itself for them, for ever.
        return RedactedResponse, (self._response, self._text)

    def __repr__(self) -> str:
        return repr(self._response)


class RedactingTracePolicy(NetworkTraceLoggingPolicy):
    """azure-core's network trace (``logging_enable=True``, logged at DEBUG) without the secrets.

    It shows copies: the request and response themselves stay as they are.
    """

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Log a request.

        :param request: The request.
        """
        enabled = request.context.options.get("logging_enable", self.enable_http_logger)
        if enabled and _TRACE_LOGGER.isEnabledFor(logging.DEBUG):
            request = PipelineRequest(_redacted_request(request.http_request), request.context)
        super().on_request(request)

    def on_response(self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]) -> None:
        """Log a response.

        :param request: The request.
        :param response: The response.
        """
        if response.context.get("logging_enable") and _TRACE_LOGGER.isEnabledFor(logging.DEBUG):
            shown = _redacted_response(response.http_response, streamed=response.context.options.get("stream", False))
            response = PipelineResponse(response.http_request, shown, response.context)
        super().on_response(request, response)


class _Traced:
    """What the trace reads of a request or response."""

    def __init__(self, original: Any, headers: dict[str, str], body: str | None) -> None:
        self.method = getattr(original, "method", None)
        self.url = redact(getattr(original, "url", ""))
        self.status_code = getattr(original, "status_code", None)
        self.headers = headers
        self.body = body

    def text(self) -> str:
        return self.body or ""


def _redacted_request(request: HttpRequest) -> _Traced:
    content = request.content
    body = content.decode("utf-8", errors="replace") if isinstance(content, bytes) else str(content or "")
    secrets = secrets_of(request)
    return _Traced(request, _redacted_headers(request.headers, secrets), redact(body, secrets) or None)


def _redacted_response(response: AsyncHttpResponse, *, streamed: bool) -> _Traced:
    secrets = secrets_of(response.request)
    body = None if streamed else redact(response.content.decode("utf-8", errors="replace"), secrets)
    return _Traced(response, _redacted_headers(response.headers, secrets), body)


def _redacted_headers(headers: Any, secrets: list[str]) -> dict[str, str]:
    return {
        name: REDACTED if name.lower() in _SECRET_HEADERS else redact(str(value), secrets)
        for name, value in headers.items()
    }


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
