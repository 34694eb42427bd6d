"""Access tokens of one origin: asked for when needed, once for all who need one at the same time."""

from __future__ import annotations

import inspect
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from azure.core.exceptions import ClientAuthenticationError

from .single_flight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Callable

    from azure.core.credentials import AccessToken, AccessTokenInfo

# azure-core's own margin: a token with less life left is renewed.
_MINIMUM_LIFETIME = 300


class Audience(NamedTuple):
    """Whom a token is for."""

    scope: str
    tenant_id: str | None


class _Held(NamedTuple):
    audience: Audience
    claims: str | None
    token: str
    renew_at: float


class TokenSource:
    """Gets tokens from a credential and holds the newest one.

    :param credential: An async credential: ``get_token_info``, ``get_token``, or a ``get_token`` without keywords.
    :keyword clock: Returns the time in seconds since the epoch.
    """

    def __init__(self, credential: Any, *, clock: Callable[[], float] = time.time) -> None:
        self._credential = credential
        self._clock = clock
        self._held: _Held | None = None
        self._flights: SingleFlight[tuple[Audience, str | None], _Held] = SingleFlight()

    async def token(self, audience: Audience, *, claims: str | None = None, rejected: str | None = None) -> str:
        """Return a token for an audience.

        :param audience: Whom the token is for.
        :keyword claims: Claims that the token must satisfy, as JSON text.
        :keyword rejected: A token that the service just refused, so that it is not given again.
        :raises ~azure.core.exceptions.ClientAuthenticationError: If the credential has none to give.
        """
        held = self._usable(audience, claims, rejected)
        if held is None:
            held = await self._flights.run((audience, claims), lambda: self._acquire(audience, claims, rejected))
        return held.token

    def forget(self, token: str) -> None:
        """Drop a token that the service refused, unless a newer one has taken its place.

        :param token: The refused token.
        """
        if self._held is not None and self._held.token == token:
            self._held = None

    def _usable(self, audience: Audience, claims: str | None, rejected: str | None) -> _Held | None:
        held = self._held
        if (
            held is None
            or held.token == rejected
            or held.audience != audience
            or (claims is not None and held.claims != claims)
            or self._clock() >= held.renew_at
        ):
            return None
        return held

    async def _acquire(self, audience: Audience, claims: str | None, rejected: str | None) -> _Held:
        # Between the caller's look and this moment another flight may have landed.
        held = self._usable(audience, claims, rejected)
        if held is None:
            token = await _request_token(self._credential, audience, claims)
            held = self._held = _Held(audience, claims, token.token, _renew_at(token))
        return held


def _renew_at(token: AccessToken | AccessTokenInfo) -> float:
    expiring: float = token.expires_on - _MINIMUM_LIFETIME
    refresh_on = getattr(token, "refresh_on", None)
    return min(expiring, refresh_on) if refresh_on else expiring


async def _request_token(credential: Any, audience: Audience, claims: str | None) -> AccessToken | AccessTokenInfo:
    """Ask a credential of any shape for a token."""
    options: dict[str, Any] = {"enable_cae": True}
    if audience.tenant_id:
        options["tenant_id"] = audience.tenant_id
    if claims:
        options["claims"] = claims
    get_token_info = getattr(credential, "get_token_info", None)
    if get_token_info is not None:
        pending = get_token_info(audience.scope, options=options)
    else:
        pending = credential.get_token(audience.scope, **_accepted(credential.get_token, options))
    if not inspect.isawaitable(pending):
        raise ClientAuthenticationError(
            message=f"the credential {type(credential).__name__} is not async: use one of azure.identity.aio"
        )
    token: AccessToken | AccessTokenInfo = await pending
    return token


def _accepted(function: Callable[..., Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return those options that a function takes: a credential of the user's own may take none."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # a callable without a signature, for example one written in C
        return options
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return options
    return {name: value for name, value in options.items() if name in parameters}
