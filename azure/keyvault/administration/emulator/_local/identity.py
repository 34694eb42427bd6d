"""The managed identity's tokens, as App Service issues them to the programs that it runs.

The protocol is https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

from aiohttp import web

from .._domain.arguments import parse_guid

if TYPE_CHECKING:
    from .._domain.tokens import TokenAuthority
    from .._state.clock import Clock

_API_VERSION = "2019-08-01"
_NAMES = ("client_id", "principal_id", "object_id", "mi_res_id")


@dataclass(frozen=True, slots=True)
class ManagedIdentity:
    """Everything that the endpoint needs to issue tokens."""

    authority: TokenAuthority
    clock: Clock
    principal: str
    """The default principal."""
    secret: str = field(repr=False)
    """Proves that the caller has read the emulator's environment."""


MANAGED_IDENTITY = web.AppKey("managed_identity", ManagedIdentity)


async def get_token(request: web.Request) -> web.Response:
    """Return a token for the principal and the resource that the query names."""
    identity = request.app[MANAGED_IDENTITY]
    secret = request.headers.get("X-IDENTITY-HEADER", "").encode("utf-8", "surrogateescape")
    if not secrets.compare_digest(secret, identity.secret.encode()):
        return _failure(401, "The X-IDENTITY-HEADER header must be the value of IDENTITY_HEADER")
    query = request.query
    if query.get("api-version") != _API_VERSION:
        return _failure(400, f"The api-version must be {_API_VERSION}")
    resource = query.get("resource", "")
    if not resource:
        return _failure(400, "The query parameter resource, the audience of the token, is missing")
    try:
        principal = _principal({name: query[name] for name in _NAMES if name in query}) or identity.principal
    except ValueError as error:
        return _failure(400, f"No User Assigned Managed Identity found: {error}")
    now = int(identity.clock.now())
    token, expires = identity.authority.issue(principal, resource, now)
    body = {
        "access_token": token,
        "client_id": principal,
        "expires_on": str(expires),
        "not_before": str(now),
        "resource": resource,
        "token_type": "Bearer",
    }
    return web.json_response(body, headers={"Cache-Control": "no-store"})


def _principal(named: dict[str, str]) -> str | None:
    """Return the object id of the named principal; every GUID is one, so there is nothing to set up."""
    if not named:
        return None
    if len(named) > 1:
        raise ValueError(f"only one of {', '.join(named)} may be given")
    ((name, value),) = named.items()
    if name == "mi_res_id":
        raise ValueError("the emulator knows no resources; give the object id of a principal as client_id")
    return parse_guid(f"{name}, the object id of a principal,", value)


def _failure(status: int, message: str) -> web.Response:
    body = {"statusCode": status, "message": message, "correlationId": str(uuid4())}
    return web.json_response(body, status=status)
