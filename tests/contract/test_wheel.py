"""What a user installs is the package and nothing else."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest


def test_the_wheel_holds_the_package_only(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    outside = [name for name in names if not name.startswith("azure/keyvault/administration/")]
    assert all(name.startswith("azure_keyvault_administration-5.0.0b1.dist-info/") for name in outside)


@pytest.mark.parametrize("name", ["azure/__init__.py", "azure/keyvault/__init__.py"])
def test_the_namespaces_stay_shared(wheel: Path, name: str) -> None:
    assert name not in zipfile.ZipFile(wheel).namelist()


@pytest.mark.parametrize("name", ["py.typed", "aio/__init__.py", "emulator/_store/schema.sql"])
def test_the_wheel_holds_what_the_package_needs(wheel: Path, name: str) -> None:
    assert f"azure/keyvault/administration/{name}" in zipfile.ZipFile(wheel).namelist()


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
