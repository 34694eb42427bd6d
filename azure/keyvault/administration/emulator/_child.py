"""A command that runs in the environment of an emulator, and ends before it."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The exit statuses of shells and env(1).
NOT_EXECUTABLE = 126
NOT_FOUND = 127
_SIGNALLED = 128


class Child:
    """A command as a child process in the same terminal."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._stopped_by: int | None = None

    def receive(self, number: int) -> None:
        """Pass a signal on to the command, unless the terminal has sent it to both."""
        if self._process is None:
            self._stopped_by = number
        elif number in _PASSED_ON:
            # It may just have ended.
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def run(self, command: Sequence[str], environment: Mapping[str, str]) -> int:
        """Run the command to its end, and return its exit status as a shell would.

        :raises OSError: if it cannot be run.
        """
        if self._stopped_by is not None:
            return _SIGNALLED + self._stopped_by
        program, *arguments = command
        if sys.platform == "win32":
            # The Azure CLI and most Node commands are .cmd files there, which are not found without their suffix.
            program = shutil.which(program, path=environment.get("PATH")) or program
        self._process = await asyncio.create_subprocess_exec(program, *arguments, env=environment)
        if self._stopped_by is not None:
            self.receive(self._stopped_by)
        status = await self._process.wait()
        return _SIGNALLED - status if status < 0 else status


if sys.platform == "win32":
    # A console sends Ctrl-C and Ctrl-Break to all its processes: the emulator only has to survive them.
    SIGNALS = (signal.SIGINT, signal.SIGBREAK)
    _PASSED_ON: tuple[int, ...] = ()
else:
    # A terminal sends the first two to all its foreground processes.
    SIGNALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)
    _PASSED_ON = (signal.SIGTERM, signal.SIGHUP)
