"""The command line: an emulator for programs in any language, until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from azure.keyvault.administration._version import VERSION

from . import _environment
from ._domain.hosts import is_loopback
from ._domain.rate_limits import RateLimits
from ._emulator import DEFAULT_NAME, ManagedHsmEmulator
from ._net.addresses import LOOPBACK, PORTS
from ._state import security_domain
from ._state.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

_PROGRAM = "managed-hsm-emulator"
_LOGGER = logging.getLogger(__name__)
_PACKAGE = "azure.keyvault.administration.emulator"
_LOG_LEVELS = ("debug", "info", "warning", "error")

_DESCRIPTION = """\
Run a Managed HSM on this machine: local RBAC, keys, backup and restore, for clients in any language.

When it answers, it prints what an unmodified application needs as NAME=value lines: the URL of the
HSM, a proxy under which that name resolves, a managed identity that DefaultAzureCredential finds,
whom to trust, and a container for backups. It runs until SIGTERM or SIGINT (Ctrl-C).
"""
_EPILOG = f"""\
Run an application against it, from another shell:

  {_PROGRAM} --env-file hsm.env
  env $(cat hsm.env) python application.py

The managed identity is the HSM's administrator. A client id, such as the one in AZURE_CLIENT_ID,
chooses another principal: it is taken for the object id.

The proxy, the managed identity and the control path are on loopback whatever --host says: no
other machine gets a token here.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit code.

    :param arguments: The arguments of the command. Defaults to those of the process.
    """
    options = _parser().parse_args(arguments)
    logging.basicConfig(format=f"{_PROGRAM}: %(levelname)s: %(message)s")
    # The emulator only: what other libraries log may hold secrets.
    logging.getLogger(_PACKAGE).setLevel(options.log_level.upper())
    try:
        hsm = _emulator(options)
        if options.env_file:
            # The file that a killed emulator has left behind names ports on which nothing listens any longer.
            options.env_file.unlink(missing_ok=True)
        asyncio.run(_run(hsm, options.env_file))
    except (OSError, ValueError) as error:
        _LOGGER.debug("Stopped by an error", exc_info=True)
        print(f"{_PROGRAM}: error: {_explain(error)}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        _PROGRAM, description=_DESCRIPTION, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--port", type=_port, default=0, help="port of the HSM; 0, the default, takes any free one")
    add("--host", default=LOOPBACK, help="address to listen on (default: %(default)s)")
    add("--allow-remote", action="store_true", help="allow a --host that other machines can reach")
    add("--name", default=DEFAULT_NAME, help="name of the HSM (default: %(default)s)")
    add(
        "--data",
        type=Path,
        metavar="DIR",
        help="keep the state here, with the certificates that applications trust; without it nothing is kept",
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
        help="how long a backup or restore is in progress, at least (default: %(default)s)",
    )
    add(
        "--propagation-delay",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="how long it takes until a change of roles counts (default: %(default)s)",
    )
    add(
        "--rate-limits",
        type=_rate_limits,
        nargs="?",
        const=RateLimits(),
        default=False,
        metavar="RETRY_AFTER",
        help="refuse with 429 what exceeds 5 RBAC operations and 1 start of a job in a second; a 429 says Retry-After: "
        "1, or this many seconds, or nothing if this is none",
    )
    add(
        "--env-file",
        type=Path,
        metavar="PATH",
        help="write the lines to this file, too; it appears whole when the HSM answers, and goes when the HSM stops",
    )
    add(
        "--log-level",
        choices=_LOG_LEVELS,
        default="warning",
        help="what is logged on stderr; info has a line for each request (default: %(default)s)",
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
        raise ValueError(f"other machines can reach {options.host!r}; say --allow-remote if they may")
    domain: Path | None = options.security_domain
    return ManagedHsmEmulator(
        options.name,
        data=options.data,
        host=options.host,
        port=options.port,
        security_domain=security_domain.read(domain) if domain else None,
        job_duration=options.job_duration,
        propagation_delay=options.propagation_delay,
        rate_limits=options.rate_limits,
    )


async def _run(hsm: ManagedHsmEmulator, env_file: Path | None) -> None:
    stop = asyncio.Event()
    _on_signals(stop.set)
    async with hsm:
        text = _environment.render(hsm.environment())
        with _published(env_file, text):
            print(text, end="", flush=True)
            await stop.wait()


def _on_signals(act: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        if sys.platform == "win32":
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(act))
        else:
            loop.add_signal_handler(number, act)


@contextmanager
def _published(path: Path | None, text: str) -> Generator[None]:
    """Keep a file that says where the emulator is, as long as that is true."""
    content = text.encode("utf-8", "surrogateescape")
    if path:
        write_whole(path, content)
    try:
        yield
    finally:
        # Another emulator may have taken the file over.
        if path and path.exists() and path.read_bytes() == content:
            path.unlink()


def _explain(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error)
