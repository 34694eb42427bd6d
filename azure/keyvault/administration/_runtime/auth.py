"""Authentication: respond to the service's challenges with bearer tokens, at one origin only.

A Managed HSM does not say beforehand which tokens it takes. It answers a request without one with 401, and a
challenge in ``WWW-Authenticate`` names the authorization server (whose path holds the tenant) and the resource. So
the first request to an HSM is sent bare, without token and body: a probe, whose only purpose is the challenge. The
challenge is checked: its resource must be a parent domain of the HSM's own host, or a server could collect tokens
that are meant for another. Only a challenge that passed is kept, and from then on every request carries a token.
What a challenge asked for is also kept for the other clients of the process, which check it by their own settings
and then need no probe.

Later the service may challenge again: because the HSM moved to another tenant (a challenge with a resource), or
because a policy wants more of the token (continuous access evaluation, a challenge with claims and error
``insufficient_claims``). Either is answered by sending the *same* request again with a new token, each kind at most
once per request, so a service that keeps challenging causes an error, not a loop. A 401 that ends a call, for any
reason, drops the token and what was known of the origin: the next call starts with a probe and asks the credential
again.

Three rules make this safe when many requests share a client:

* What belongs to one request stays in local variables of one call; a probe is a separate request. So no request
  can ever be replaced by another one.
* What belongs to the origin is one immutable value, replaced as a whole.
* Calls that need the same thing at the same time (the first challenge, a new token) wait for one of them to get it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy
from azure.core.rest import AsyncHttpResponse, HttpRequest

from .._challenge import Challenge, parse_challenge, resource_fits, resource_host
from .._identifiers import hostname, origin, resource_domains
from .challenge_cache import CHALLENGES
from .errors import read_body
from .redaction import redact, redacted_response, secrets_of
from .single_flight import SingleFlight
from .spellings import REDACTED
from .tokens import Audience, TokenSource

if TYPE_CHECKING:
    from collections.abc import Iterable

_LOGGER = logging.getLogger(__name__)

_Request = PipelineRequest[HttpRequest]
_Response = PipelineResponse[HttpRequest, AsyncHttpResponse]

_UNAUTHORIZED = 401
_HEADER = "WWW-Authenticate"

_LONGEST_SHOWN = 200

_NOT_IN_A_PROBE = frozenset({"authorization", "content-length", "transfer-encoding"})


class _Demand(NamedTuple):
    """What an origin asks for."""

    audience: Audience
    claims: str | None = None
    is_fresh: bool = True
    """Whether the origin just said so: asking for the same again then means that the token was rejected."""


class _Probe(NamedTuple):
    """The outcome of a probe: a demand, another response, or the error instead of a response."""

    request: _Request
    """The request whose copy was sent. Any outcome but a demand says nothing about the other requests."""
    outcome: _Demand | _Response | Exception


class ChallengeError(ClientAuthenticationError, ValueError):
    """A challenge asks for a token that is not meant for the host that sent it.

    It is a ``ValueError`` too because that is what the published package raises here.
    """


class ChallengeAuthPolicy(AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Authenticates the requests of one client to its HSM.

    :param credential: The credential that gives tokens.
    :param endpoint: URL of the HSM. Requests to any other origin are refused.
    :keyword verify_challenge_resource: Whether to check that a challenge's resource fits the HSM's host.
    :keyword challenge_resource_domains: ``host[:port]`` of resources to accept although they are not parent domains.
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
        self._authority = self._origin.removeprefix("https://")
        self._own_prefix = f"{endpoint}/"
        self._verify = verify_challenge_resource
        self._accepted_resources = frozenset(resource_domains(challenge_resource_domains))
        self._tokens = TokenSource(credential)
        self._audience: Audience | None = None
        self._probes: SingleFlight[None, _Probe] = SingleFlight()

    async def send(self, request: _Request) -> _Response:
        """Send a request with a token, and again after each challenge that can be answered.

        :param request: The request.
        :raises ~azure.core.exceptions.ClientAuthenticationError: If there is no token, a challenge cannot be
            trusted, or the request is for another origin.
        """
        self._require_own_origin(request.http_request.url)
        options = request.context.options.copy()
        audience, claims, is_fresh = self._audience, None, False
        if audience is None:
            demand = await self._first_demand(request)
            if isinstance(demand, PipelineResponse):
                return demand
            audience, claims, is_fresh = demand
        answered_resource, answered_claims = is_fresh, claims is not None
        token = await self._tokens.token(audience, claims=claims)
        while True:
            response = await self._send_authorized(request, token, options)
            if response.http_response.status_code != _UNAUTHORIZED:
                return response
            rejected, answered = token, False
            try:
                challenge = self._challenge(response)
                if challenge is None or answered_claims or (answered_resource and challenge.claims is None):
                    return response
                await read_body(response.http_response)
                if challenge.claims is None:
                    answered_resource = True
                    audience = self._learn(challenge, response)
                else:
                    answered_claims = True
                token = await self._tokens.token(audience, claims=challenge.claims, rejected=rejected)
                answered = True
            finally:
                if not answered:
                    self._forget(audience, rejected)

    async def _first_demand(self, request: _Request) -> _Demand | _Response:
        """Return what the origin asks for, from the cache or a probe; or its response, if that is not a challenge."""
        audience = CHALLENGES.get(self._origin)
        if audience is None or not self._is_trusted(audience.scope):
            return await self._discover(request)
        try:
            await self._tokens.token(audience)
        except Exception:
            # The entry may name a tenant that the HSM has left, and that this credential has no account in.
            demand = await self._discover(request)
            if isinstance(demand, _Demand) and demand.audience == audience:
                raise
            return demand
        self._audience = audience
        return _Demand(audience, is_fresh=False)

    async def _discover(self, request: _Request) -> _Demand | _Response:
        """Probe once for all requests that wait now. Return the demand; or the response, if it is not a challenge."""
        probe = await self._probes.run(None, lambda: self._probe(request))
        if probe.request is not request and not isinstance(probe.outcome, _Demand):
            probe = await self._probe(request)
        if isinstance(probe.outcome, Exception):
            raise probe.outcome
        return probe.outcome

    async def _probe(self, request: _Request) -> _Probe:
        try:
            response = await self._send_bare(request)
            challenge = self._challenge(response)
            if challenge is not None:
                await read_body(response.http_response)
        except Exception as error:  # noqa: BLE001 - raised to the call that made the request, and to no other
            return _Probe(request, error)
        if challenge is None:
            return _Probe(request, response)
        return _Probe(request, _Demand(self._learn(challenge, response), challenge.claims))

    async def _send_bare(self, request: _Request) -> _Response:
        """Send a copy of a request without token and body, so that a 401 costs nothing and leaks nothing."""
        original = request.http_request
        # An earlier attempt may have left its token, and the retry policy asks whether a request carried one.
        original.headers.pop("Authorization", None)
        headers = {name: value for name, value in original.headers.items() if name.lower() not in _NOT_IN_A_PROBE}
        bare = HttpRequest(original.method, original.url, headers={**headers, "Content-Length": "0"})
        options = request.context.options
        kept = options.copy()
        try:
            response = await self.next.send(PipelineRequest(bare, request.context))
        finally:
            _restore(options, kept)
        # The policies above know the request with its body: after a redirect they must not go on with the bare one.
        return PipelineResponse(original, response.http_response, response.context)

    async def _send_authorized(self, request: _Request, token: str, options: dict[str, Any]) -> _Response:
        # The policies below consume options, so each time the request is sent it gets all of them again.
        _restore(request.context.options, options)
        request.http_request.headers["Authorization"] = f"Bearer {token}"
        return await self.next.send(request)

    def _challenge(self, response: _Response) -> Challenge | None:
        """Return the challenge of a response, or None if it has none that can be answered."""
        header = response.http_response.headers.get(_HEADER)
        if response.http_response.status_code != _UNAUTHORIZED or not header:
            return None
        try:
            return parse_challenge(header)
        except ValueError as error:
            _LOGGER.warning("A challenge of %s cannot be answered: %s.", self._origin, _shown(str(error), response))
            return None

    def _learn(self, challenge: Challenge, response: _Response) -> Audience:
        """Keep what a challenge asks for, if such a token may be sent to this origin."""
        scope = challenge.scope or self._conventional_scope()
        if not self._is_trusted(scope):
            raise self._refusal(scope, response)
        self._audience = audience = Audience(scope, challenge.tenant_id)
        if challenge.scope:
            CHALLENGES.store(self._origin, audience)
        return audience

    def _conventional_scope(self) -> str:
        """Return the scope that every cloud uses for hosts ``<name>.managedhsm.<domain>``, or one that fits no host."""
        parent = hostname(self._origin).partition(".")[2]
        return f"https://{parent}/.default" if parent.startswith("managedhsm.") else "/.default"

    def _is_trusted(self, scope: str) -> bool:
        return not self._verify or resource_fits(scope, self._authority, also_accepted=self._accepted_resources)

    def _refusal(self, scope: str, response: _Response) -> ChallengeError:
        """Return the error for a challenge that isn't trusted, with our own message before the service's.

        Programs look for "does not match the requested domain". azure-core would replace our message by the service's.
        """
        resource = resource_host(scope)
        shown = _shown(resource or scope, response)
        if resource is None and "://" not in scope:
            problem, remedy = f"contains invalid scope {shown!r}", ""
        else:
            problem = f"resource {shown!r} does not match the requested domain"
            remedy = f"challenge_resource_domains=[{shown!r}], or with " if resource else ""
        message = (
            f"The challenge {problem}: it is not a parent domain of {self._authority!r}, so no token was requested. If"
            f" you trust the host, create the client with {remedy}verify_challenge_resource=False to accept any"
            " resource. See https://aka.ms/azsdk/blog/vault-uri."
        )
        said = ClientAuthenticationError(response=redacted_response(response.http_response))
        error = ChallengeError(message=f"{message} The service said: {said.error.message}" if said.error else message)
        error.response, error.status_code, error.reason, error.error = (
            said.response,
            said.status_code,
            said.reason,
            said.error,
        )
        return error

    def _forget(self, audience: Audience, token: str) -> None:
        """Make the next request start with a probe, unless another one has already learnt something newer."""
        self._tokens.forget(token)
        CHALLENGES.drop(self._origin, audience)
        if self._audience is audience:
            self._audience = None

    def _require_own_origin(self, url: str) -> None:
        if url.startswith(self._own_prefix):
            return
        target, problem = None, ""
        try:
            target = origin(url)
        except ValueError as error:
            problem = str(error)
        if target is None:
            # Out here: an azure-core error keeps the exception that is being handled, and could not be pickled.
            raise ClientAuthenticationError(message=f"Refused to send a request to a URL without origin: {problem}")
        if target != self._origin:
            raise ClientAuthenticationError(
                message=f"Refused to send a request to {target}: this client talks to {self._origin} only, and"
                " neither its tokens nor its requests may reach another origin."
            )


def _shown(part: str, response: _Response) -> str:
    """Return a part of a challenge as it may be shown: not at all if there is a secret in the header.

    Taking the header apart changes its spelling (escapes, lower case), so a secret might not be found in the part.
    """
    header = response.http_response.headers[_HEADER]
    holds_secret = redact(header, secrets_of(response.http_response.request)) != header
    return REDACTED if holds_secret else part[:_LONGEST_SHOWN]


def _restore(options: dict[str, Any], kept: dict[str, Any]) -> None:
    options.clear()
    options.update(kept)
