"""The emulator as a command in a process of its own."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from emulator import application

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator
    from pathlib import Path

NAMES = [
    "AZURE_MANAGEDHSM_URL",
    "EMULATOR_LOCALHOST_URL",
    "EMULATOR_ADMIN_OBJECT_ID",
    "EMULATOR_CONTROL_URL",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
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
]


def parse(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


class Command:
    """A command that has been started."""

    def __init__(self, process: Process, variables: dict[str, str], text: str) -> None:
        self.process = process
        self.variables = variables
        self.text = text

    async def stop(self, number: int = signal.SIGTERM) -> tuple[int | None, str]:
        """Send a signal, and return the exit code and what was said on stderr."""
        self.process.send_signal(number)
        _, errors = await self.process.communicate()
        return self.process.returncode, errors.decode()


async def start(*arguments: str | Path) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error::ResourceWarning", "-m", "azure.keyvault.administration.emulator"),
        *map(str, arguments),
        env=application.environment({}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def started(*arguments: str | Path) -> AsyncIterator[Command]:
    """Run the command until the block ends, at most."""
    process = await start(*arguments)
    assert process.stdout
    try:
        lines = [(await process.stdout.readline()).decode() for _ in NAMES]
        text = "".join(lines)
        yield Command(process, parse(text), text)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
