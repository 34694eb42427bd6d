"""The costs of the emulator for its users: the start of its command, and the pytest fixture."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

_STARTS = 7
_FURTHER_TESTS = 20
_RUNS = 3

# Without its site-packages, Python starts in hundredths of a second.
_COMMAND = (sys.executable, "-I", "-S", "-c", "import time; print(time.time())")

_TESTS = f"""\
import pytest

@pytest.mark.parametrize("number", range({_FURTHER_TESTS + 1}))
def test_hsm(managed_hsm, number):
    assert managed_hsm.vault_url
"""
_CONFTEST = """\
import json, time
from pathlib import Path

began = time.perf_counter()
from azure.keyvault.administration.emulator.pytest_plugin import managed_hsm
seconds = [time.perf_counter() - began]

def pytest_runtest_logreport(report):
    if report.when == "setup":
        seconds.append(0.0)
    if report.when != "call":
        seconds[-1] += report.duration

def pytest_sessionfinish():
    Path("seconds.json").write_text(json.dumps(seconds))
"""


def command_start() -> float:
    """Return how many seconds pass until the command begins that ``managed-hsm-emulator`` runs."""
    program = Path(sys.executable).with_name("managed-hsm-emulator")
    took: list[float] = []
    for _ in range(_STARTS):
        began = time.time()
        done = subprocess.run([program, "--quiet", "--", *_COMMAND], check=True, capture_output=True, text=True)
        took.append(float(done.stdout) - began)
    return statistics.median(took)


def fixture(folder: Path) -> tuple[float, float]:
    """Return the seconds that the fixture takes for the first test of a session, and for each further one.

    The first includes the import of the emulator.

    :param folder: A folder for the tests.
    """
    (folder / "conftest.py").write_text(_CONFTEST, encoding="utf-8")
    (folder / "test_hsm.py").write_text(_TESTS, encoding="utf-8")
    first: list[float] = []
    further: list[float] = []
    for _ in range(_RUNS):
        # Installed plugins and a configuration in a parent folder are not costs of the fixture.
        arguments = ("-q", "-c", os.devnull, "--rootdir", ".", "-p", "no:cacheprovider", "test_hsm.py")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=folder,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"the tests with the fixture failed: {done.stdout}{done.stderr}")
        importing, *tests = json.loads((folder / "seconds.json").read_text(encoding="utf-8"))
        first.append(importing + tests[0])
        further += tests[1:]
    return statistics.median(first), statistics.median(further)
