"""Keep tests, and the Python processes that they start, on this machine.

An audit hook sees each connection and look-up of Python code, from the import of this module until the process ends.
Children inherit it by PYTHONPATH. It does not see uvloop's connections, which are made in C, or other programs.
"""

from __future__ import annotations

import os
import sys
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any

_FOLDER = str(Path(__file__).parent)
_LOCAL_NAMES = frozenset({None, "", "localhost"})


class NetworkAccessError(BaseException):
    """A test wanted to leave the machine. No ``except Exception`` swallows this."""


def environment() -> dict[str, str]:
    """Return what guards a child that gets nothing else of this environment."""
    return {"PYTHONPATH": _FOLDER}


def guard_children() -> None:
    """Let the children of this process inherit the guard, and refuse to start one that would not."""
    inherited = filter(None, [os.environ.get("PYTHONPATH")])
    os.environ["PYTHONPATH"] = os.pathsep.join([_FOLDER, *inherited])
    sys.addaudithook(_audit_children)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        _, address = arguments
        if isinstance(address, tuple):
            _require_local(address[0])
    elif event in {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}:
        _require_local(arguments[0])


def _audit_children(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen":
        program, _, _, variables = arguments
        path = (os.environ if variables is None else variables).get("PYTHONPATH", "")
        if _FOLDER not in path.split(os.pathsep):
            raise NetworkAccessError(f"a test started {program!r} without the guard in its PYTHONPATH")


def _require_local(host: Any) -> None:
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if name in _LOCAL_NAMES:
        return
    try:
        address = ip_address(name.partition("%")[0])
    except ValueError:
        raise NetworkAccessError(f"a test looked up {name!r}: tests must not need the network") from None
    # Older Pythons do not look inside an IPv4 address in the form of IPv6.
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    # Connecting to the unspecified address connects to this machine.
    if not (address.is_loopback or address.is_unspecified):
        raise NetworkAccessError(f"a test connected to {name!r}: tests must not need the network")


sys.addaudithook(_audit)
