"""As a new user does it: an empty directory, the wheel, and what the README says, copied."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_README = (_ROOT / "README.md").read_text(encoding="utf-8")


def _block(text: str) -> str:
    blocks: list[str] = re.findall(r"^```python\n(.*?)^```$", _README, re.DOTALL | re.MULTILINE)
    matching = [block for block in blocks if text in block]
    assert len(matching) == 1
    return matching[0]


def test_the_readme_alone_leads_to_a_client_a_backup_and_a_test(installed: Path, tmp_path: Path) -> None:
    path = os.pathsep.join([str(installed / "bin"), os.defpath])
    environment = {"PATH": path, "HOME": str(tmp_path), "PYTHONPATH": os.environ.get("PYTHONPATH", "")}

    def sh(command: str) -> str:
        done = subprocess.run(
            command, shell=True, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    (tmp_path / "first_client.py").write_text(_block("def print_roles"), encoding="utf-8")
    (tmp_path / "back_up.py").write_text(_block("def back_up("), encoding="utf-8")
    (tmp_path / "test_hsm.py").write_text(_block("def test_a_new_hsm_has_one_assignment"), encoding="utf-8")

    roles = sh("managed-hsm-emulator -- python first_client.py")
    backup = sh("managed-hsm-emulator --job-duration 2 -- python back_up.py")

    assert roles.count("Microsoft.Authorization/roleDefinitions") == 10
    assert re.search(r"Succeeded since .+\nBacked up to https://", backup)
    assert "1 passed" in sh("python -m pytest -q test_hsm.py")
