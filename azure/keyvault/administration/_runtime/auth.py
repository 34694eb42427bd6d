"""Authentication: answer the service's challenges with bearer tokens, at one origin only.

A Managed HSM does not say beforehand which tokens it takes. It answers a request without one with 401, and a
challenge in ``WWW-Authenticate`` names the authorization server (whose path holds the tenant) and the resource. So
the first request to an HSM is sent bare, without token and body: a probe, whose only purpose is the challenge. The
challenge is checked: its resource must be a parent domain of the HSM's own host, or a server could collect tokens
that are meant for another. Only a challenge that passed is kept, and from then on every request carries a token.
Later the service may challenge again: because the HSM moved to another tenant (a challenge with a resource), or
because a policy wants more of the token (continuous access evaluation, a challenge with claims and error
``insufficient_claims``). Either is answered by sending the *same* request again with a new token, each kind at most
once per request, so that a service that is never content ends in an error, not in a loop.

Three rules make this safe when many requests share a client:

* What belongs to one request stays in local variables of one call; a probe is a request of its own. So no request
  can ever be replaced by another one.
* What belongs to the origin is one immutable value, replaced as a whole.
* Many who need the same thing at once (the first challenge, a new token) wait for one of them to get it.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy
from azure.core.rest import AsyncHttpResponse, HttpRequest

from .._challenge import Challenge, parse_challenge, resource_fits, resource_host
from .._identifiers import hostname, origin, resource_domains
from .errors import broken_encoding
from .redaction import redacted_response
from .single_flight import SingleFlight
from .tokens import Audience, TokenSource

if TYPE_CHECKING:
    from collections.abc import Iterable

_Request = PipelineRequest[HttpRequest]
_Response = PipelineResponse[HttpRequest, AsyncHttpResponse]

_UNAUTHORIZED = 401
_HEADER = "WWW-Authenticate"

_NOT_IN_A_PROBE = frozenset({"authorization", "content-length", "transfer-encoding"})


class _Demand(NamedTuple):
    """What the first challenge of an origin asks for."""

    audience: Audience
    claims: str | None


class ChallengeResourceError(ClientAuthenticationError, ValueError):
    """A challenge asks for a token that is not meant for the host that sent it.

    It is a ``ValueError`` too, since that is what the published package raises here.
    """


class ChallengeAuthPolicy(AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Authenticates the requests of one client to its HSM.

    :param credential: The credential that gives tokens.
    :param endpoint: URL of the HSM. Requests to any other origin are refused.
    :keyword verify_challenge_resource: Whether to check that a challenge's resource fits the HSM's host.
    :keyword challenge_resource_domains: ``host[:port]`` of resources to accept although they are no parent domain.
    """

    def __init__(
        self,
        credential: Any,
        endpoint: str,
        *,
        verify_challenge_resource: bool = True,
        challenge_resource_domains: Iterable[str] = (),
    ) -> None:
        super().__init__()
        self._origin = origin(endpoint)
        self._own_prefix = f"{endpoint}/"
        self._verify = verify_challenge_resource
        self._accepted_resources = frozenset(resource_domains(challenge_resource_domains))
        self._tokens = TokenSource(credential)
        self._audience: Audience | None = None
        self._discoveries: SingleFlight[None, _Demand | None] = SingleFlight()

    async def send(self, request: _Request) -> _Response:
        """Send a request with a token, and again after each challenge that can be answered.

        :param request: The request.
        :raises ~azure.core.exceptions.ClientAuthenticationError: If there is no token to be had, a challenge cannot
            be trusted, or the request is for another origin.
        """
        self._require_own_origin(request.http_request.url)
        options = request.context.options.copy()
        audience, claims = self._audience, None
        discovered = audience is None
        if audience is None:
            answer = await self._discover(request)
            if isinstance(answer, PipelineResponse):
                return answer
            audience, claims = answer
        answered_resource, answered_claims = discovered, claims is not None
        token = await self._tokens.token(audience, claims=claims)
        while True:
            response = await self._send_authorized(request, token, options)
            if response.http_response.status_code != _UNAUTHORIZED:
                return response
            challenge = await self._challenge(response)
            if challenge is None:
                self._forget(audience, token)
                return response
            if answered_claims or (answered_resource and challenge.claims is None):
                return response
            await _read(response)
            if challenge.claims is None:
                answered_resource = True
                audience = self._audience = self._trusted_audience(challenge, response)
            else:
                answered_claims = True
            token = await self._tokens.token(audience, claims=challenge.claims, rejected=token)

    async def _discover(self, request: _Request) -> _Demand | _Response:
        """Learn what the origin wants, together with all who ask now; or return what it answered instead."""
        response: _Response | None = None
        failure: Exception | None = None

        async def probe() -> _Demand | None:
            nonlocal response, failure
            try:
                response = await self._send_bare(request)
            except Exception as error:  # noqa: BLE001 - raised below, to the one whose request it was
                failure = error
                return None
            return await self._learn(response)

        demand = await self._discoveries.run(None, probe)
        if demand is None and response is None and failure is None:
            # The one who asked got no challenge, which says nothing about this request: ask for it alone.
            demand = await probe()
        if failure is not None:
            raise failure
        return demand or cast("_Response", response)

    async def _learn(self, response: _Response) -> _Demand | None:
        """Keep what the answer to a bare request tells about the origin, once it is trusted."""
        if response.http_response.status_code != _UNAUTHORIZED:
            return None
        challenge = await self._challenge(response)
        if challenge is None:
            return None
        self._audience = self._trusted_audience(challenge, response)
        return _Demand(self._audience, challenge.claims)

    async def _send_bare(self, request: _Request) -> _Response:
        """Send a copy of a request without token and body, so that a 401 costs nothing and leaks nothing."""
        original = request.http_request
        # A try before this one may have left its token. What sends requests again asks whether one carried a token.
        original.headers.pop("Authorization", None)
        headers = {name: value for name, value in original.headers.items() if name.lower() not in _NOT_IN_A_PROBE}
        bare = HttpRequest(original.method, original.url, headers={**headers, "Content-Length": "0"})
        options = request.context.options
        kept = options.copy()
        try:
            response = await self.next.send(PipelineRequest(bare, request.context))
        finally:
            _restore(options, kept)
        if response.http_response.status_code == _UNAUTHORIZED and response.http_response.headers.get(_HEADER):
            # It is answered or refused here. What could go wrong with that is the affair of this request alone.
            await _read(response)
        # The policies above know the request with its body: a redirect must not make them go on with the bare one.
        return PipelineResponse(original, response.http_response, response.context)

    async def _send_authorized(self, request: _Request, token: str, options: dict[str, Any]) -> _Response:
        # The policies below consume options, so each time the request is sent it gets all of them anew.
        _restore(request.context.options, options)
        request.http_request.headers["Authorization"] = f"Bearer {token}"
        return await self.next.send(request)

    async def _challenge(self, response: _Response) -> Challenge | None:
        """Return the challenge of a 401, or None if it has none."""
        header = response.http_response.headers.get(_HEADER)
        if not header:
            return None
        try:
            return parse_challenge(header)
        except ValueError as error:
            await _read(response)
            raise _refusal(
                f"The service refused the request, and its challenge cannot be answered: {error}.", response
            ) from error

    def _trusted_audience(self, challenge: Challenge, response: _Response) -> Audience:
        """Return whom a challenge wants a token for, if such a token may be sent to this origin."""
        scope = challenge.scope or self._conventional_scope()
        if scope is None:
            raise _refusal("The service asked for claims before it named a resource.", response)
        authority = self._origin.removeprefix("https://")
        if self._verify and not resource_fits(scope, authority, also_accepted=self._accepted_resources):
            raise _refusal(
                f"The challenge of host {authority!r} asks for a token of resource {resource_host(scope)!r},"
                " which is not its parent domain, so none was requested. If you trust the host, create the client with"
                f" challenge_resource_domains=[{resource_host(scope)!r}], or with verify_challenge_resource=False to"
                " accept any resource. See https://aka.ms/azsdk/blog/vault-uri.",
                response,
                ChallengeResourceError,
            )
        return Audience(scope, challenge.tenant_id)

    def _conventional_scope(self) -> str | None:
        """Return the scope that every cloud uses for hosts ``<name>.managedhsm.<domain>``."""
        parent = hostname(self._origin).partition(".")[2]
        return f"https://{parent}/.default" if parent.startswith("managedhsm.") else None

    def _forget(self, audience: Audience, token: str) -> None:
        """Start anew with the next request, unless another one has already learnt something newer."""
        self._tokens.forget(token)
        if self._audience is audience:
            self._audience = None

    def _require_own_origin(self, url: str) -> None:
        if url.startswith(self._own_prefix):
            return
        try:
            target = origin(url)
        except ValueError as error:
            raise ClientAuthenticationError(
                message=f"Refused to send a request to a URL without origin: {error}"
            ) from error
        if target != self._origin:
            raise ClientAuthenticationError(
                message=f"Refused to send a request to {target}: this client talks to {self._origin} only, and"
                " neither its tokens nor its requests may reach another origin."
            )


async def _read(response: _Response) -> None:
    """Read a challenge that nobody else will: that frees its connection, and an error can show it.

    Read once, it could not be streamed any more, and without a body not even be read again.
    """
    if not response.http_response.is_stream_consumed:
        try:
            await response.http_response.read()
        except zlib.error as error:
            raise broken_encoding(error) from None


def _refusal(
    message: str, response: _Response, error_type: type[ClientAuthenticationError] = ClientAuthenticationError
) -> ClientAuthenticationError:
    """Return an error about a 401 in our own words, with the service's behind them.

    azure-core would put the service's words in the place of ours.
    """
    said = ClientAuthenticationError(response=redacted_response(response.http_response))
    error = error_type(message=f"{message} The service said: {said.error.message}" if said.error else message)
    error.response, error.status_code, error.reason, error.error = (
        said.response,
        said.status_code,
        said.reason,
        said.error,
    )
    return error


def _restore(options: dict[str, Any], kept: dict[str, Any]) -> None:
    options.clear()
    options.update(kept)
