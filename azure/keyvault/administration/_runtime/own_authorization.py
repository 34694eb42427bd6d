"""Keep other passwords out of requests: those of the machine's ``.netrc`` and of the user's session.

A transport that looks at the environment takes the user and password that ``.netrc`` has for the HSM's host. A session
can have its own ``auth``, or an ``Authorization`` among its headers. Both would replace the token.
"""

from __future__ import annotations

import netrc
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiohttp import ClientHandlerType, ClientRequest, ClientResponse


def is_in_netrc(host: str) -> bool:
    """Return whether the user's ``.netrc`` has an entry for a host, which aiohttp and requests would use."""
    path = os.environ.get("NETRC")
    files = [path] if path else ["~/.netrc", "~/_netrc"]
    # Unlike Path.expanduser, this leaves a home that isn't known as it is.
    return any(_has_entry(os.path.expanduser(file), host) for file in files)  # noqa: PTH111


def _has_entry(file: str, host: str) -> bool:
    try:
        return netrc.netrc(file).authenticators(host) is not None
    except (OSError, ValueError, netrc.NetrcParseError):
        # aiohttp and requests ignore such a file.
        return False


def has_own_authorization(transport: Any) -> bool:
    """Return whether a transport's session has its own ``Authorization``, as those of aiohttp and requests can."""
    session = getattr(transport, "session", None)
    return bool(getattr(session, "auth", None)) or "Authorization" in getattr(session, "headers", ())


def keep_headers(prepared: Any) -> Any:
    """Return a prepared request as it is, which is all that requests asks of an ``auth``."""
    return prepared


def without_authorization(prepared: Any) -> Any:
    """Return a prepared request without the ``Authorization`` of its session's headers."""
    prepared.headers.pop("Authorization", None)
    return prepared


AUTH_OF_REQUESTS = (keep_headers, without_authorization)


class OwnAuthorization:
    """An aiohttp middleware: a request has this ``Authorization`` and no other.

    :param value: The header's value, or None for no header.
    """

    def __init__(self, value: str | None) -> None:
        self._value = value

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        request.headers.pop("Authorization", None)
        if self._value is not None:
            request.headers["Authorization"] = self._value
        return await handler(request)
