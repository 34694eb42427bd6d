"""Tests reach this machine and no other: an audit hook sees every connection that Python code makes.

It is in force from the import of this module until the process ends.
"""

from __future__ import annotations

import socket
import sys
from ipaddress import ip_address
from typing import Any

_LOCAL_NAMES = frozenset({None, "", "localhost"})


class NetworkAccessError(BaseException):
    """A test wanted to leave the machine. No ``except Exception`` swallows this."""


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        sock, address = arguments
        if sock.family in {socket.AF_INET, socket.AF_INET6} and address is not None:
            _require_local(address[0])
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        _require_local(arguments[0])


def _require_local(host: Any) -> None:
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if name in _LOCAL_NAMES:
        return
    try:
        address = ip_address(name.partition("%")[0])
    except ValueError:
        raise NetworkAccessError(f"a test looked up {name!r}: tests must not need the network") from None
    # Who connects to the unspecified address connects to this machine.
    if not (address.is_loopback or address.is_unspecified):
        raise NetworkAccessError(f"a test connected to {name!r}: tests must not need the network")


sys.addaudithook(_audit)
