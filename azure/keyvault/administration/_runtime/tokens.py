"""Access tokens of one client: requested when needed, once for all calls that need one at the same time."""

from __future__ import annotations

import inspect
import logging
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from azure.core.exceptions import ClientAuthenticationError

from .single_flight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Callable

_LOGGER = logging.getLogger(__name__)

# azure-core's own margin: a token with less life left is renewed.
_MINIMUM_LIFETIME = 300


class Audience(NamedTuple):
    """The scope of a token, and the tenant that has to issue it."""

    scope: str
    tenant_id: str | None
    """None lets the credential choose."""


class _Held(NamedTuple):
    audience: Audience
    claims: str | None
    token: str
    renew_at: float


class TokenSource:
    """Gets tokens from a credential and holds the newest one.

    :param credential: A credential: ``get_token_info``, ``get_token``, or a ``get_token`` without keywords. A sync one
        works, but blocks the event loop.
    :keyword clock: Returns the time in seconds since the epoch.
    """

    def __init__(self, credential: Any, *, clock: Callable[[], float] = time.time) -> None:
        self._credential = credential
        self._clock = clock
        self._held: _Held | None = None
        self._warned = False
        self._flights: SingleFlight[tuple[Audience, str | None], _Held] = SingleFlight()

    async def token(self, audience: Audience, *, claims: str | None = None, rejected: str | None = None) -> str:
        """Return a token for an audience.

        :param audience: The audience of the token.
        :keyword claims: Claims that the token must satisfy, as JSON text.
        :keyword rejected: A token that the service just rejected, so that it isn't returned again.
        :raises ~azure.core.exceptions.ClientAuthenticationError: If the credential returned anything but a token, or
            raised this itself.
        """
        held = self._usable(audience, claims, rejected)
        if held is None:
            held = await self._flights.run((audience, claims), lambda: self._acquire(audience, claims, rejected))
        return held.token

    def forget(self, token: str) -> None:
        """Drop a token that the service rejected, unless a newer one has taken its place.

        :param token: The rejected token.
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
            held = self._held = _hold(await self._request(audience, claims), audience, claims, self._credential)
        return held

    async def _request(self, audience: Audience, claims: str | None) -> object:
        """Ask a credential of any shape for a token, and return what it returns."""
        options: dict[str, Any] = {"enable_cae": True}
        if audience.tenant_id:
            options["tenant_id"] = audience.tenant_id
        if claims:
            options["claims"] = claims
        get_token_info = getattr(self._credential, "get_token_info", None)
        if get_token_info is not None:
            returned = get_token_info(audience.scope, options=options)
        else:
            get_token = self._credential.get_token
            returned = get_token(audience.scope, **_accepted(get_token, options))
        if inspect.isawaitable(returned):
            return await returned
        if not self._warned:
            self._warned = True
            _LOGGER.warning(
                "The credential %s is not async: it blocks the event loop while it gets a token. azure.identity.aio has"
                " async credentials.",
                type(self._credential).__name__,
            )
        return returned


def _hold(returned: Any, audience: Audience, claims: str | None, credential: object) -> _Held:
    """Return what a credential returned as a token to hold, after checking it: it may be of the user's own making.

    An error names types only, because a value may be a secret.
    """
    token = getattr(returned, "token", None)
    expires_on = getattr(returned, "expires_on", None)
    refresh_on = getattr(returned, "refresh_on", None)
    if not hasattr(returned, "token"):
        problem = f"returned {_type(returned)} instead of an access token"
    elif not isinstance(token, str):
        problem = f"returned an access token whose 'token' is {_type(token)} instead of str"
    elif not token.strip():
        problem = "returned an access token whose 'token' is empty"
    elif not (token.isascii() and token.isprintable()):
        problem = "returned an access token whose 'token' holds characters that cannot be sent"
    elif not isinstance(expires_on, (int, float)):
        problem = f"returned an access token whose 'expires_on' is {_type(expires_on)} instead of int"
    elif not isinstance(refresh_on, (int, float, type(None))):
        problem = f"returned an access token whose 'refresh_on' is {_type(refresh_on)} instead of int"
    else:
        expiring: float = expires_on - _MINIMUM_LIFETIME
        return _Held(audience, claims, token, min(expiring, refresh_on) if refresh_on else expiring)
    raise ClientAuthenticationError(message=f"The credential {_type(credential)} {problem}.")


def _type(value: object) -> str:
    return type(value).__name__


def _accepted(function: Callable[..., Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that a function takes: a user's own credential may take none."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # a callable without a signature, for example one written in C
        return options
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return options
    return {name: value for name, value in options.items() if name in parameters}
