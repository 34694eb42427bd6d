"""Which errors prove that a request never reached the service.

azure-core's classes don't tell: its aiohttp transport raises ``ServiceRequestError`` for nearly every error of a
connection, its requests transports for everything that isn't a read timeout. Their causes do. An unknown cause proves
nothing.
"""

from __future__ import annotations

import socket
import ssl
from functools import cache
from importlib import import_module
from typing import Any

import aiohttp

# No chain of causes is that long, but a cause could name itself.
_LONGEST_CHAIN = 8

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
    return _is_caused_by(
        error,
        (
            *_PROOFS,
            *_errors_of("urllib3", "NewConnectionError", "ConnectTimeoutError", "LocationValueError", "ProxyError"),
            *_errors_of("requests", "InvalidSchema", "InvalidURL", "MissingSchema"),
        ),
    )


def is_proxy_refusal(error: BaseException) -> bool:
    """Return whether a proxy did not connect to the service, so that nothing was sent to it.

    :param error: An error of a transport.
    """
    return _is_caused_by(error, (aiohttp.ClientHttpProxyError, *_errors_of("urllib3", "ProxyError")))


def _is_caused_by(error: BaseException, kinds: tuple[type[BaseException], ...]) -> bool:
    cause: BaseException | None = error
    for _ in range(_LONGEST_CHAIN):
        if cause is None or isinstance(cause, kinds):
            break
        cause = _inner(cause)
    return isinstance(cause, kinds)


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
