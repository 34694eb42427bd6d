"""Every sample runs as a user would run it: with no arguments, on the emulator."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_SAMPLES = Path(__file__).parents[2] / "samples"


def _run(name: str) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "AZURE_MANAGEDHSM_URL"}
    done = subprocess.run(
        [sys.executable, "-W", "error", _SAMPLES / name],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_every_sample_is_run_here() -> None:
    names = {path.name for path in _SAMPLES.glob("*_async.py")}

    assert names == {"quickstart_async.py", "access_control_operations_async.py"}


def test_the_quickstart_shows_the_roles_and_leaves_nothing_behind() -> None:
    output = _run("quickstart_async.py")

    assert output.count("AKVBuiltInRole") == 10
    assert "Created the role 'Key reader'" in output
    assert "+ Microsoft.KeyVault/managedHsm/keys/read/action" in output
    assert "at /keys." in output
    assert output.endswith("Removed both again: the HSM is as it was.\n")


@pytest.mark.parametrize("name", ["access_control_operations_async.py"])
def test_a_sample_ends_well(name: str) -> None:
    assert _run(name)
