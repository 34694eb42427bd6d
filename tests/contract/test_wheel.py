"""What a user installs is the package and nothing else."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", name="wheel")
def _wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"),
            *("--wheel-dir", folder, _ROOT),
        ],
        check=True,
        timeout=120,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


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


def test_the_wheel_installs_into_an_empty_environment_and_imports(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path], check=True, timeout=120)
    python = tmp_path / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", wheel], check=True, timeout=180
    )
    # The dependencies are those of this environment: a test has no network to get them from.
    (packages,) = tmp_path.glob("lib/*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))

    script = (
        "import sys, azure.keyvault.administration.aio as aio\nprint(aio.__file__)\n"
        "sys.modules['cryptography'] = None\n"
        "try:\n    import azure.keyvault.administration.emulator\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run([python, "-c", script], check=True, capture_output=True, text=True, timeout=60, cwd=tmp_path)

    assert done.stdout.startswith(str(tmp_path))
    assert 'pip install "azure-keyvault-administration[emulator]"' in done.stdout
