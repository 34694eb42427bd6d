"""The emulator as a command in its own process."""

from __future__ import annotations

import asyncio
import shlex
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from emulator import application

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

NAMES = [
    "AZURE_MANAGEDHSM_URL",
    "EMULATOR_LOCALHOST_URL",
    "EMULATOR_ADMIN_OBJECT_ID",
    "EMULATOR_CONTROL_URL",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
    "AZURE_TOKEN_CREDENTIALS",
    "BLOB_CONTAINER_URL",
    "BLOB_SAS_TOKEN",
    "HTTPS_PROXY",
    "NO_PROXY",
    "https_proxy",
    "no_proxy",
    "NODE_USE_ENV_PROXY",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "JAVA_TOOL_OPTIONS",
]


def parse(text: str) -> dict[str, str]:
    """Read an env file as a shell does."""
    return dict(word.split("=", 1) for word in shlex.split(text))


class Command:
    """A command that has been started."""

    def __init__(self, process: Process, variables: dict[str, str], text: str) -> None:
        self.process = process
        self.variables = variables
        self.text = text

    async def stop(self, number: int = signal.SIGTERM) -> tuple[int | None, str]:
        """Send a signal, and return the exit code and the output on stderr."""
        self.process.send_signal(number)
        _, errors = await self.process.communicate()
        return self.process.returncode, errors.decode()


async def start(*arguments: str | Path, variables: Mapping[str, str] | None = None) -> Process:
    """Start the command in an environment with these variables and no other setting."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error::ResourceWarning", "-m", "azure.keyvault.administration.emulator"),
        *map(str, arguments),
        env=application.environment(variables or {}),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def started(*arguments: str | Path) -> AsyncIterator[Command]:
    """Serve until the block ends, or earlier."""
    process = await start("--print-env", "--quiet", *arguments)
    assert process.stdout
    try:
        lines = [(await process.stdout.readline()).decode() for _ in NAMES]
        text = "".join(lines)
        yield Command(process, parse(text), text)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
