"""Stand-ins for what is outside the library: the network and the credential."""

from __future__ import annotations

import asyncio
import base64
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from azure.core.credentials import AccessTokenInfo, TokenRequestOptions
from azure.core.exceptions import HttpResponseError, ResponseNotReadError
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.core.utils import CaseInsensitiveDict

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

VAULT = "https://contoso.managedhsm.azure.net"
RESOURCE = "https://managedhsm.azure.net"
SCOPE = f"{RESOURCE}/.default"
TENANT = "9b1f0c52-3c8e-4f0d-8f6e-51f2f4c7d6aa"
ALICE = "a11ce000-0000-4000-8000-000000000001"
CONTAINER = "https://account.blob.core.windows.net/backups"
FOLDER = f"{CONTAINER}/mhsm-contoso-2026112416000000"
SAS = "sv=2024-11-04&se=2999-01-01&sp=crdw&sig=c2VjcmV0LXNpZ25hdHVyZQ%3D%3D"
# Long after these tests stop being run.
FAR_FUTURE = 32_503_680_000


async def yield_to_loop() -> None:
    """Give every other task the chance to come in between, as real I/O does."""
    for _ in range(3):
        await asyncio.sleep(0)


@dataclass(frozen=True)
class Answer:
    """What a server answers: a JSON value, or bytes as they are."""

    status: int = 200
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    reason: str | None = None

    @property
    def content(self) -> bytes:
        if self.body is not None:
            return self.body
        return b"" if self.json is None else json.dumps(self.json).encode()


class Sent(NamedTuple):
    """A request as it was when it was sent: policies change the object later."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: str | None

    @property
    def token(self) -> str | None:
        authorization: str | None = self.headers.get("Authorization")
        return None if authorization is None else authorization.removeprefix("Bearer ")


class _ClosedAtTheEnd(ABC):
    """Closes itself when its block ends."""

    @abstractmethod
    async def close(self) -> None: ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()


class FakeResponse(_ClosedAtTheEnd, AsyncHttpResponse):
    """A response of azure-core's that needs no connection."""

    request: Any = None
    status_code = 0
    headers: Any = None
    reason = ""
    content_type: str | None = None
    url = ""
    is_closed = False
    is_stream_consumed = False
    encoding: str | None = None

    def __init__(self, request: HttpRequest, answer: Answer, *, stream: bool = False) -> None:
        self.request, self.url, self.status_code = request, request.url, answer.status
        self.reason = answer.reason or f"Reason {answer.status}"
        self.headers = CaseInsensitiveDict({"Content-Type": "application/json; charset=utf-8", **answer.headers})
        self.content_type = str(self.headers["Content-Type"])
        self._answer = answer
        self._unread = stream

    @property
    def content(self) -> bytes:
        if self._unread:
            raise ResponseNotReadError(self)
        return self._answer.content

    def text(self, encoding: str | None = None) -> str:
        return self.content.decode(encoding or self.encoding or "utf-8", errors="replace")

    def json(self) -> Any:
        return json.loads(self.content)

    def raise_for_status(self) -> None:
        if self.status_code >= 400:
            raise HttpResponseError(response=self)

    async def read(self) -> bytes:
        self.is_closed = self.is_stream_consumed = True
        self._unread = False
        return self.content

    async def iter_raw(self, **_: Any) -> AsyncIterator[bytes]:
        yield await self.read()

    async def iter_bytes(self, **_: Any) -> AsyncIterator[bytes]:
        yield await self.read()

    async def close(self) -> None:
        self.is_closed = True


Server = Callable[[Sent], "Answer | Exception | Awaitable[Answer]"]


class ScriptedTransport(_ClosedAtTheEnd, AsyncHttpTransport[HttpRequest, AsyncHttpResponse]):
    """Sends nothing: a function, or a list in order, says what each request is answered with.

    An exception in place of an answer is raised. Waiting takes no time and is recorded.
    """

    def __init__(self, *script: Answer | Exception, server: Server | None = None) -> None:
        self._script = list(script)
        self._server = server
        self.requests: list[Sent] = []
        self.waits: list[float] = []
        self.options: list[dict[str, Any]] = []
        self.closed = 0

    async def send(self, request: HttpRequest, **kwargs: Any) -> AsyncHttpResponse:
        sent = Sent(request.method, request.url, CaseInsensitiveDict(request.headers), _body(request))
        self.requests.append(sent)
        self.options.append(kwargs)
        await yield_to_loop()
        answer = self._server(sent) if self._server else self._next()
        if isinstance(answer, Exception):
            raise answer
        given = answer if isinstance(answer, Answer) else await answer
        return FakeResponse(request, given, stream=kwargs.get("stream", False))

    async def sleep(self, duration: float) -> None:
        self.waits.append(duration)
        await yield_to_loop()

    async def open(self) -> None:
        """Do nothing; there is nothing to open."""

    async def close(self) -> None:
        self.closed += 1

    def _next(self) -> Answer | Exception:
        if not self._script:
            raise AssertionError(f"a request too many: {self.requests[-1].method} {self.requests[-1].url}")
        return self._script.pop(0)


class TokenRequest(NamedTuple):
    """What a credential was asked for."""

    scope: str
    tenant_id: str | None = None
    claims: str | None = None
    enable_cae: bool | None = None


class OpenCredential(_ClosedAtTheEnd):
    """A credential without tokens, which refuses the older protocol."""

    async def get_token(
        self, *scopes: str, claims: str | None = None, tenant_id: str | None = None, enable_cae: bool = False, **_: Any
    ) -> Any:
        """Part of azure-core's protocol; a client that finds ``get_token_info`` has no use for it."""
        raise AssertionError(f"get_token was called: {scopes} {claims} {tenant_id} {enable_cae}")

    async def close(self) -> None:
        """Do nothing; there is nothing to close."""


class FakeCredential(OpenCredential):
    """Counts its tokens ("token-1", "token-2", ...) and yields to the loop before it gives one.

    :param failures: Raised in turn, one a request, before any token is given.
    :keyword expires_on: When its tokens expire.
    :keyword refresh_on: When its tokens should be renewed.
    """

    def __init__(self, *failures: Exception, expires_on: int = FAR_FUTURE, refresh_on: int | None = None) -> None:
        self._failures = list(failures)
        self.expires_on = expires_on
        self.refresh_on = refresh_on
        self.requests: list[TokenRequest] = []

    def fail_with(self, *failures: Exception) -> None:
        """Raise these in turn, before any further token is given."""
        self._failures += failures

    async def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        (scope,) = scopes
        wanted = options or {}
        request = TokenRequest(scope, wanted.get("tenant_id"), wanted.get("claims"), wanted.get("enable_cae"))
        self.requests.append(request)
        number = len(self.requests)
        await yield_to_loop()
        if self._failures:
            raise self._failures.pop(0)
        return AccessTokenInfo(f"token-{number}", self.expires_on, refresh_on=self.refresh_on)


def unauthorized(header: str | None, *, code: str = "Unauthorized", message: str = "No.") -> Answer:
    """Return a 401 with a challenge, or without one."""
    headers = {} if header is None else {"WWW-Authenticate": header}
    return Answer(401, error(code, message), headers)


def resource_challenge(resource: str = RESOURCE, tenant: str = TENANT) -> str:
    """Return the header with which an HSM asks for a token."""
    return f'Bearer authorization="https://login.microsoftonline.com/{tenant}", resource="{resource}"'


def claims_challenge(claims: str) -> str:
    """Return the header with which an HSM asks for more of a token."""
    encoded = base64.b64encode(claims.encode()).decode().rstrip("=")
    return (
        'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize",'
        f' error="insufficient_claims", claims="{encoded}"'
    )


def error(code: str, message: str) -> dict[str, Any]:
    """Return an error as the service words it."""
    return {"error": {"code": code, "message": message}}


CHALLENGE = unauthorized(resource_challenge())
"""What an HSM answers to the first request."""


def _body(request: HttpRequest) -> str | None:
    content = request.content
    assert content is None or isinstance(content, (str, bytes))
    return content.decode() if isinstance(content, bytes) else content
