"""The command line: runs an emulator for one command, or until a signal stops it."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import shlex
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from azure.keyvault.administration._version import VERSION

from . import _child, _env_file, _environment
from ._domain.hosts import is_loopback
from ._domain.rate_limits import RateLimits
from ._emulator import DEFAULT_NAME, ManagedHsmEmulator
from ._net.addresses import LOOPBACK, PORTS
from ._state import security_domain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_PROGRAM = "managed-hsm-emulator"
_LOGGER = logging.getLogger(__name__)
_PACKAGE = "azure.keyvault.administration.emulator"
_LOG_LEVELS = ("debug", "info", "warning", "error")

_DESCRIPTION = """\
Run a Managed HSM on this machine: local RBAC, keys, backup and restore, for clients in any language.

With a command after --, run it in an environment that points it to the HSM, and exit with its status.
Without one, serve until SIGTERM, SIGHUP or SIGINT (Ctrl-C).
"""
_EPILOG = f"""\
Run an application against its own HSM:

  {_PROGRAM} -- python application.py

The environment has the URL of the HSM, a proxy that resolves its name, a managed identity that
DefaultAzureCredential finds, trusted CA certificates, and a container for backups. Variables that point
DefaultAzureCredential to other identities, such as AZURE_CLIENT_ID, are removed.

Exit status: the command's, or 128 plus the number of the signal that ended it; 127 if the command is not
found, 126 if it cannot be executed, 125 if the emulator could not start.

Several programs can share one emulator, which writes the variables to a file:

  {_PROGRAM} --env-file hsm.env
  set -a; . ./hsm.env; set +a; python application.py

The proxy, the managed identity and the control path stay on loopback whatever --host is, unless
--advertise is given: other machines get no tokens.
"""
_COULD_NOT_START = 125
_USAGE = 2

if sys.platform == "win32":
    _STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGBREAK)
else:
    _STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program with these arguments or those of the process, and return its exit status."""
    ours, command = _split(sys.argv[1:] if arguments is None else arguments)
    options = _parse(ours, command)
    logging.basicConfig(format=f"{_PROGRAM}: %(levelname)s: %(message)s")
    # Only the emulator's log: those of other libraries may hold secrets.
    logging.getLogger(_PACKAGE).setLevel(options.log_level.upper())
    try:
        hsm = _emulator(options)
        if options.env_file:
            _env_file.discard_stale(options.env_file)
        return asyncio.run(_run(hsm, options, command))
    except (OSError, ValueError) as error:
        _LOGGER.debug("Stopped by an error", exc_info=True)
        _say(f"error: {_explain(error)}")
        return _COULD_NOT_START if command else 1


def _split(arguments: Sequence[str]) -> tuple[Sequence[str], Sequence[str] | None]:
    """Return the emulator's arguments, and the command if there is one."""
    if "--" not in arguments:
        return arguments, None
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def _parse(arguments: Sequence[str], command: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    try:
        options = parser.parse_args(arguments)
        if command is not None and not command:
            parser.error("a command must follow --")
        if command and options.print_env:
            parser.error("--print-env cannot be used with a command, whose output it would be mixed with")
    except SystemExit as end:
        # Another status could be the command's.
        if command and end.code == _USAGE:
            raise SystemExit(_COULD_NOT_START) from end
        raise
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        _PROGRAM,
        usage="%(prog)s [OPTION...] [-- COMMAND ARG...]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--port", type=_port, default=0, help="port of the HSM (default: 0, any free port)")
    add("--host", default=LOOPBACK, help="address to listen on (default: %(default)s)")
    add("--allow-remote", action="store_true", help="allow a --host that other machines can reach")
    add(
        "--advertise",
        metavar="NAME",
        help="let other machines, such as containers on one network, use the proxy, the managed identity and the "
        "control path, under this name",
    )
    add(
        "--allow-host",
        action="append",
        default=[],
        metavar="HOST[:PORT]",
        help="let the proxy tunnel to this host, too; can be repeated. Without it, the emulator opens no connections "
        "that leave the machine",
    )
    add("--name", default=DEFAULT_NAME, help="name of the HSM (default: %(default)s)")
    add(
        "--as",
        dest="identity",
        metavar="OBJECT_ID",
        help="object id of the managed identity (default: the HSM's administrator)",
    )
    add(
        "--data",
        type=Path,
        metavar="DIR",
        help="keep the state and the certificates in this directory (default: in memory)",
    )
    add(
        "--security-domain",
        type=Path,
        metavar="FILE",
        help="the file security-domain in the --data of another emulator, so that its backups can be restored here",
    )
    add(
        "--job-duration",
        type=float,
        default=0.05,
        metavar="SECONDS",
        help="minimum time that a backup or restore is in progress (default: %(default)s)",
    )
    add(
        "--propagation-delay",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="time until a role change takes effect (default: %(default)s)",
    )
    add(
        "--rate-limits",
        type=_rate_limits,
        nargs="?",
        const=RateLimits(),
        default=False,
        metavar="RETRY_AFTER",
        help="respond 429 to more than 5 RBAC operations and 1 job start per second, with this Retry-After in seconds, "
        "1 if omitted, or without the header if none",
    )
    add(
        "--env-file",
        type=Path,
        metavar="PATH",
        help="write the variables to this file; it appears, complete, once the HSM is ready, and is deleted on exit",
    )
    add(
        "--print-env",
        action="store_true",
        help="print the variables, which hold secrets, on stdout once the HSM is ready",
    )
    add("--quiet", action="store_true", help="do not announce on stderr that the HSM is ready")
    add(
        "--log-level",
        choices=_LOG_LEVELS,
        default="warning",
        help="level of the log on stderr; info has a line for each request (default: %(default)s)",
    )
    add("--version", action="version", version=f"%(prog)s {VERSION}")
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) not in PORTS:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to {PORTS[-1]}, got {text!r}")
    return int(text)


def _rate_limits(text: str) -> RateLimits:
    if text != "none" and not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be whole seconds or none, got {text!r}")
    return RateLimits(retry_after=None if text == "none" else int(text))


def _emulator(options: argparse.Namespace) -> ManagedHsmEmulator:
    if not options.allow_remote and not is_loopback(options.host):
        raise ValueError(f"other machines can reach {options.host!r}; pass --allow-remote to let them")
    domain: Path | None = options.security_domain
    return ManagedHsmEmulator(
        options.name,
        data=options.data,
        host=options.host,
        port=options.port,
        security_domain=security_domain.read(domain) if domain else None,
        job_duration=options.job_duration,
        propagation_delay=options.propagation_delay,
        identity_object_id=options.identity,
        allow_hosts=options.allow_host,
        advertise=options.advertise,
        rate_limits=options.rate_limits,
    )


async def _run(hsm: ManagedHsmEmulator, options: argparse.Namespace, command: Sequence[str] | None) -> int:
    child, stop = _child.Child(), asyncio.Event()
    if command:
        _on_signals(_child.SIGNALS, child.receive)
    else:
        _on_signals(_STOPPING, lambda _: stop.set())
    async with hsm:
        variables = hsm.environment()
        others = _environment.other_identities(os.environ)
        with ExitStack() as resources:
            if options.env_file or options.print_env:
                text = _env_file.render(variables)
                if others and not command:
                    _LOGGER.warning(
                        "Unset these where programs run, or they get tokens from elsewhere: %s", ", ".join(others)
                    )
                if options.env_file:
                    resources.enter_context(_env_file.published(options.env_file, text))
                if options.print_env:
                    print(text, end="", flush=True)
            if not options.quiet:
                _announce(hsm, options, command)
            if command:
                inherited = {name: value for name, value in os.environ.items() if name not in others}
                return await _run_command(child, command, {**inherited, **variables})
            await stop.wait()
    return 0


async def _run_command(child: _child.Child, command: Sequence[str], environment: dict[str, str]) -> int:
    try:
        return await child.run(command, environment)
    except OSError as error:
        _say(f"error: {command[0]}: {error.strerror}")
        return _child.NOT_FOUND if isinstance(error, FileNotFoundError) else _child.NOT_EXECUTABLE


def _announce(hsm: ManagedHsmEmulator, options: argparse.Namespace, command: Sequence[str] | None) -> None:
    """Announce on stderr that the HSM is ready; stdout may belong to a program."""
    data = f"data in {options.data}" if options.data else "data in memory"
    _say(f"{hsm.vault_url} is ready, {data}")
    if command:
        return
    if options.env_file:
        _say(f"to use it in a shell: set -a; . {_for_shell(options.env_file)}; set +a")
    _say("Ctrl-C stops it")


def _for_shell(path: Path) -> str:
    # Without a slash, a shell searches the PATH.
    return shlex.quote(str(path) if path.name != str(path) else f"./{path}")


def _say(sentence: str) -> None:
    print(f"{_PROGRAM}: {sentence}", file=sys.stderr, flush=True)


def _on_signals(numbers: Iterable[int], act: Callable[[int], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in numbers:
        if sys.platform == "win32":
            signal.signal(number, lambda received, _: loop.call_soon_threadsafe(act, received))
        # Under nohup, the end of the terminal is not the end of the emulator.
        elif number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, act, number)


def _explain(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error)
