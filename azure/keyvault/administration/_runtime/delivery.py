"""Which errors prove that a request never reached the service.

azure-core's classes don't tell: its aiohttp transport raises ``ServiceRequestError`` for nearly every error of a
connection, its requests transports for everything that isn't a read timeout. Their causes do. An unknown cause proves
nothing.
"""

from __future__ import annotations

import re
import socket
import ssl
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Iterator

# No chain of causes is that long, but a cause could name itself.
_LONGEST_CHAIN = 8

_TUNNEL_STATUS = re.compile(r"Tunnel connection failed: (\d{3})")

_PROOFS = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
    ConnectionRefusedError,
    socket.gaierror,
    # Certificates are verified during the handshake only.
    ssl.SSLCertVerificationError,
)


def never_left(error: BaseException) -> bool:
    """Return whether an error proves that the request was not sent.

    :param error: An error of a transport.
    """
    proofs = (
        *_PROOFS,
        *_errors_of("urllib3", "NewConnectionError", "ConnectTimeoutError", "LocationValueError"),
        *_errors_of("requests", "InvalidSchema", "InvalidURL", "MissingSchema"),
    )
    return any(isinstance(cause, proofs) for cause in _causes(error)) or proxy_refusal(error) is not None


def proxy_refusal(error: BaseException) -> int | None:
    """Return the status code with which a proxy refused to connect to the service, or None if it didn't refuse.

    urllib3's ``ProxyError`` doesn't tell: it raises that, too, if the connection is lost after the request was sent.

    :param error: An error of a transport.
    """
    for cause in _causes(error):
        if isinstance(cause, aiohttp.ClientHttpProxyError):
            return cause.status
        if isinstance(cause, OSError) and (tunnel := _TUNNEL_STATUS.match(str(cause))):
            return int(tunnel[1])
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(_LONGEST_CHAIN):
        if error is None:
            return
        yield error
        error = _inner(error)


def _inner(error: Any) -> BaseException | None:
    """Return the error that an error stands for: azure-core's, urllib3's and requests' each name it in their own way.

    Not ``__context__``: that may be an older error, which happened to be handled at the time.
    """
    candidates = (
        getattr(error, "inner_exception", None),
        getattr(error, "reason", None),
        *getattr(error, "args", ()),
    )
    return next((found for found in candidates if isinstance(found, BaseException)), None)


@cache
def _errors_of(library: str, *names: str) -> tuple[type[BaseException], ...]:
    try:
        exceptions = import_module(f"{library}.exceptions")
    except ImportError:
        return ()
    return tuple(getattr(exceptions, name) for name in names)
