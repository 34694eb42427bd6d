"""Programs that know nothing of this project, with an emulator: each in its own process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from peers import azurite, emulator_process, installations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peers.azurite import Azurite


@pytest.fixture(scope="session", name="home")
def _home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the peers are installed; the environment of tox keeps it."""
    kept = os.environ.get("PEERS_HOME")
    return Path(kept) if kept else tmp_path_factory.mktemp("peers")


@pytest.fixture(scope="session", name="node_packages")
def _node_packages(home: Path) -> Path:
    """The folder that holds ``node_modules``."""
    return installations.make_node(home)


@pytest.fixture(scope="session", name="published_python")
def _published_python(home: Path) -> Path:
    """An interpreter that has the published packages, and not this one."""
    return installations.make_python(home)


@pytest.fixture(scope="session", name="azurite")
def _azurite(node_packages: Path) -> Iterator[Azurite]:
    """A storage service on this machine, for all tests; each makes its own containers."""
    with azurite.running(node_packages) as service:
        yield service


@pytest.fixture(name="emulator")
def _emulator(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What the env file of a fresh emulator says."""
    with emulator_process.running(tmp_path) as environment:
        yield environment
