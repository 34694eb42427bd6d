"""Every sample runs as a user would run it: with no arguments, on the emulator."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_SAMPLES = Path(__file__).parents[2] / "samples"


def _run(name: str) -> str:
    # Without the HSM of whoever runs the tests, and with the sample's folder on the path, as it is by default.
    unwanted = {"AZURE_MANAGEDHSM_URL", "PYTHONSAFEPATH"}
    environment = {key: value for key, value in os.environ.items() if key not in unwanted}
    done = subprocess.run(
        [sys.executable, "-W", "error", _SAMPLES / name],
        check=False,
        capture_output=True,
        timeout=60,
        env=environment,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    # Decoded here: text mode would take each carriage return for a new line.
    return done.stdout.decode()


def test_every_sample_is_run_here() -> None:
    names = {path.name for path in _SAMPLES.glob("*_async.py")}

    assert names == {
        "access_control_operations_async.py",
        "backup_restore_operations_async.py",
        "quickstart_async.py",
    }


def test_the_quickstart_shows_the_whole_life() -> None:
    output = _run("quickstart_async.py")

    assert output.count("AKVBuiltInRole") == 10
    assert "Created the role 'Key reader'" in output
    assert "+ Microsoft.KeyVault/managedHsm/keys/read/action" in output
    assert "at /keys." in output
    assert "Removed both again: the HSM is as it was." in output
    assert "Disaster: the keys are now intruder." in output
    assert "The keys are payments, signing: as before." in output
    assert output.endswith(
        "Number of successful key versions restored: 1, Number of key versions could not overwrite: 0.\n"
        "The keys are payments, signing.\n"
    )


def test_the_access_control_sample_leaves_nothing_behind() -> None:
    assert _run("access_control_operations_async.py").endswith("The role is gone: RoleDefinitionNotFound.\n")


def test_the_backup_sample_shows_progress_on_one_line_and_restores() -> None:
    output = _run("backup_restore_operations_async.py")

    assert "\rbackup: InProgress for 0 s\rbackup:" in output
    assert "\rrestore: Succeeded after" in output
    assert output.endswith("The HSM is as it was when it was backed up.\n")
