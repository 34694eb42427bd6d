"""The two environments, and the processes that run in them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

PUBLISHED = "4.7.2"

# Installed in the published package's environment in the same versions as here: only the package differs.
_SHARED = (
    *("azure-core", "isodate", "psutil", "typing-extensions"),
    *("aiohttp", "aiohappyeyeballs", "aiosignal", "attrs", "frozenlist", "multidict", "propcache", "yarl"),
)


def published_python(folder: Path) -> str:
    """Return the interpreter of an environment with the published package; create the environment if it is missing.

    :param folder: Where the environment is or will be.
    """
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    wanted = [f"azure-keyvault-administration=={PUBLISHED}"]
    wanted += [f"{name}=={metadata.version(name)}" for name in _SHARED]
    subprocess.run([python, "-m", "pip", "--quiet", "--quiet", "install", *wanted], check=True)
    return str(python)


class Process:
    """A process that reads and writes lines of JSON.

    :param python: The interpreter of the environment to run in.
    :param module: The module to run.
    :param arguments: Its arguments.
    :keyword environment: Environment variables to add.
    """

    def __init__(self, python: str, module: str, *arguments: str, environment: dict[str, str] | None = None) -> None:
        # Settings that slow Python down, such as not caching bytecode, would be measured as imports.
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        tests = str(Path(__file__).parent.parent)
        self._module = module
        self._process = subprocess.Popen(
            [python, "-m", f"benchmarks.{module}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=tests,
            env={**inherited, **(environment or {}), "PYTHONPATH": tests},
        )

    def ask(self, question: object) -> Any:
        """Return the response of the process to a question.

        :param question: What can be said in JSON.
        """
        if self._process.stdin is None:
            raise RuntimeError("The process has no input")
        self._process.stdin.write(f"{json.dumps(question)}\n")
        self._process.stdin.flush()
        return self.hear()

    def hear(self) -> Any:
        """Return the next line of the process."""
        if self._process.stdout is None:
            raise RuntimeError("The process has no output")
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._module} ended with status {self._process.wait()}")
        return json.loads(line)

    def work(self, name: str, arguments: dict[str, Any]) -> dict[str, float]:
        """Return the results of a work.

        :param name: Name of a function of :mod:`benchmarks.works`.
        :param arguments: Its arguments.
        """
        return cast("dict[str, float]", self.ask([name, arguments]))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Each ends when its input does.
        self._process.communicate()


def here() -> str:
    """Return the interpreter of the environment with this package."""
    return sys.executable
