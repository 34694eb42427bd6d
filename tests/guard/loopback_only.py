"""Tests reach this machine and no other: an audit hook sees every connection and look-up that Python code makes.

uvloop's are made in C, where no hook sees them, so the methods of its loop are wrapped as soon as it is imported. All
that is in force from the import of this module until the process ends.

Children are guarded by what they inherit. Out of reach is a child that takes that away from its own children: a shell
or ``env`` that unsets PYTHONPATH, a program that is no Python, or one that calls what no hook sees.
"""

from __future__ import annotations

import os
import re
import socket
import sys
from functools import wraps
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import PathFinder
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_FOLDER = str(Path(__file__).parent)
_LOCAL_NAMES = frozenset({None, "", "localhost"})
_LOOK_UPS = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})
# One word of a Python's options: single letters, of which the last may take a value or begin the program.
_OPTIONS = re.compile(r"-([^-cmWX]*)([cmWX]?)(.*)", re.DOTALL)
# Python reads PYTHONPATH or sitecustomize with none of these.
_UNGUARDED = frozenset("IES")


class NetworkAccessError(BaseException):
    """A test wanted to leave the machine. No ``except Exception`` swallows this."""


def environment() -> dict[str, str]:
    """Return what guards a child that is to have nothing else of this environment."""
    return {"PYTHONPATH": _FOLDER}


def guard_children() -> None:
    """Let the children of this process inherit the guard, and refuse to start one that would not."""
    inherited = filter(None, [os.environ.get("PYTHONPATH")])
    os.environ["PYTHONPATH"] = os.pathsep.join([_FOLDER, *inherited])
    sys.addaudithook(_audit_children)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        _require_local_peer(*arguments)
    elif event in _LOOK_UPS:
        _require_local(arguments[0])
    elif event == "socket.getnameinfo":
        _require_local(arguments[0][0])


def _audit_children(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen":
        program, command, _, variables = arguments
        _require_guard(program, command, variables)
    elif event in {"os.posix_spawn", "os.exec"}:
        _require_guard(*arguments)


def _require_guard(program: Any, command: Any, variables: Mapping[Any, Any] | None) -> None:
    inherited: Mapping[Any, Any] = os.environ.copy() if variables is None else variables
    path = os.fsdecode(inherited.get("PYTHONPATH") or inherited.get(b"PYTHONPATH") or "")
    words = [] if isinstance(command, (str, bytes)) else [os.fsdecode(word) for word in command]
    name = Path(os.fsdecode(program or words[0])).name
    ignores_it = name.startswith("python") and _ignores_its_environment(words[1:])
    if _FOLDER not in path.split(os.pathsep) or ignores_it:
        raise NetworkAccessError(f"a test started {name} without the guard in its PYTHONPATH")


def _ignores_its_environment(arguments: Sequence[str]) -> bool:
    """Return whether a Python would ignore it; what comes after its program is no option of its own."""
    words = iter(arguments)
    for word in words:
        options = _OPTIONS.fullmatch(word)
        if not options:
            return False
        letters, last, value = options.groups()
        if _UNGUARDED & set(letters):
            return True
        if last in {"c", "m"}:
            return False
        if last and not value:
            next(words, None)
    return False


def _require_local_peer(sock: Any, address: Any) -> None:
    if sock.family in {socket.AF_INET, socket.AF_INET6} and address is not None:
        _require_local(address[0])


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
    # Who connects to the unspecified address connects to this machine.
    if not (address.is_loopback or address.is_unspecified):
        raise NetworkAccessError(f"a test connected to {name!r}: tests must not need the network")


# What a call of each method of uvloop's loop would reach. The parameters bear uvloop's names: they may be keywords.


def _of_connection(protocol_factory: Any, host: Any = None, port: Any = None, **_: Any) -> None:
    del protocol_factory, port
    _require_local(host)


def _of_datagrams(protocol_factory: Any, local_addr: Any = None, remote_addr: Any = None, **_: Any) -> None:
    del protocol_factory
    # Where each datagram goes is said to the transport, which is C, too.
    if remote_addr is None:
        raise NetworkAccessError("a test opened a datagram endpoint of uvloop that may send anywhere")
    for address in filter(None, (local_addr, remote_addr)):
        _require_local(address[0])


def _of_look_up(host: Any, *_: Any, **__: Any) -> None:
    _require_local(host)


def _of_reverse_look_up(sockaddr: Any, *_: Any, **__: Any) -> None:
    _require_local(sockaddr[0])


def _of_datagram(sock: Any, data: Any, address: Any) -> None:
    del data
    _require_local_peer(sock, address)


def _of_program(protocol_factory: Any, program: Any, *arguments: Any, env: Any = None, **_: Any) -> None:
    del protocol_factory
    _require_guard(None, [program, *arguments], env)


def _of_shell(protocol_factory: Any, cmd: Any, *, env: Any = None, **_: Any) -> None:
    del protocol_factory, cmd
    _require_guard("sh", [], env)


_CHECKS: dict[str, Callable[..., None]] = {
    "create_connection": _of_connection,
    "create_datagram_endpoint": _of_datagrams,
    "getaddrinfo": _of_look_up,
    "getnameinfo": _of_reverse_look_up,
    "sock_connect": _require_local_peer,
    "sock_sendto": _of_datagram,
    "subprocess_exec": _of_program,
    "subprocess_shell": _of_shell,
}


def _guarded(method: Callable[..., Any], check: Callable[..., None]) -> Callable[..., Any]:
    @wraps(method)
    def call(self: Any, *arguments: Any, **options: Any) -> Any:
        check(*arguments, **options)
        return method(self, *arguments, **options)

    return call


class _GuardingLoader(Loader):
    """Loads uvloop, and wraps the methods of its loop."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        for name, check in _CHECKS.items():
            setattr(module.Loop, name, _guarded(getattr(module.Loop, name), check))


class _GuardingFinder(MetaPathFinder):
    """Finds uvloop, and nothing else."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname == "uvloop" else None
        if spec and spec.loader:
            spec.loader = _GuardingLoader(spec.loader)
        return spec


sys.addaudithook(_audit)
sys.meta_path.insert(0, _GuardingFinder())
