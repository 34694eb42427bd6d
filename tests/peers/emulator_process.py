"""An emulator from the command line, and programs that know nothing of it but its env file."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

_TIMEOUT = 60


@contextmanager
def running(directory: Path, *arguments: str) -> Generator[dict[str, str]]:
    """Run an emulator, and give what its env file says.

    :param directory: Where the env file may lie.
    :param arguments: More arguments of the command line.
    """
    env_file = directory / "hsm.env"
    command = [sys.executable, "-m", "azure.keyvault.administration.emulator", "--print-env", f"--env-file={env_file}"]
    with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline(), f"the emulator ended with {process.wait(_TIMEOUT)}"
            yield dict(word.split("=", 1) for word in shlex.split(env_file.read_text(encoding="utf-8")))
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(_TIMEOUT) == 0


def run(program: list[str | Path], environment: Mapping[str, str]) -> Any:
    """Run a program with this environment and no other, and return the JSON that it prints."""
    done = subprocess.run(program, env=dict(environment), capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    assert done.returncode == 0, f"{program} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return json.loads(done.stdout)
