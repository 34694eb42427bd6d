"""What a user installs is the package and nothing else."""

from __future__ import annotations

import re
import subprocess
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest


def test_the_wheel_holds_the_package_only(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    outside = [name for name in names if not name.startswith("azure/keyvault/administration/")]
    assert all(name.startswith("azure_keyvault_administration-5.0.0b1.dist-info/") for name in outside)


@pytest.mark.parametrize("name", ["azure/__init__.py", "azure/keyvault/__init__.py"])
def test_the_namespaces_stay_shared(wheel: Path, name: str) -> None:
    assert name not in zipfile.ZipFile(wheel).namelist()


@pytest.mark.parametrize("name", ["py.typed", "aio/__init__.py", "emulator/_state/schema.sql"])
def test_the_wheel_holds_what_the_package_needs(wheel: Path, name: str) -> None:
    assert f"azure/keyvault/administration/{name}" in zipfile.ZipFile(wheel).namelist()


def test_a_package_index_shows_the_readme_without_links_that_lead_nowhere(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    shown = message_from_bytes(archive.read(metadata)).get_payload(decode=True)
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")

    assert isinstance(shown, bytes)
    text = shown.decode()
    assert text.splitlines()[0] == readme.splitlines()[0]
    assert re.findall(r"\]\((?!https?://|#)\S+\)", text) == []
    assert "(`azure/keyvault/administration/emulator/README.md`)" in text
    assert "azure/keyvault/administration/emulator/README.md" in archive.namelist()
    code = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
    assert code.findall(text) == code.findall(readme)


def test_the_wheel_installs_into_an_empty_environment_and_imports(installed: Path, tmp_path: Path) -> None:
    script = (
        "import sys, azure.keyvault.administration.aio as aio\nprint(aio.__file__)\n"
        "sys.modules['cryptography'] = None\n"
        "try:\n    import azure.keyvault.administration.emulator\n"
        "except ImportError as error:\n    print(error)"
    )
    python = installed / "bin" / "python"
    done = subprocess.run([python, "-c", script], check=True, capture_output=True, text=True, timeout=60, cwd=tmp_path)

    assert done.stdout.startswith(str(installed))
    assert 'pip install "azure-keyvault-administration[emulator]"' in done.stdout
