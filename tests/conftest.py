"""An emulated HSM and a client of its administrator."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from hypothesis import settings

from azure.keyvault.administration._runtime.challenge_cache import CHALLENGES
from azure.keyvault.administration.aio import KeyVaultAccessControlClient
from azure.keyvault.administration.emulator import ManagedHsmEmulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# The same examples in every run, so that a failure can be repeated. Many more, and others, with "soak".
settings.register_profile("quick", derandomize=True, database=None, deadline=None, max_examples=50)
settings.register_profile("soak", database=None, deadline=None, max_examples=500, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


_PEERS = Path(__file__).resolve().parent / "peers"


def pytest_configure(config: pytest.Config) -> None:
    """Keep tests and their children on this machine. The peers are installed from the network."""
    if not _asked_for_peers(config):
        import loopback_only

        loopback_only.guard_children()
    # Python 3.10's TLS transport warns of itself when the peer drops the connection.
    if sys.version_info < (3, 11):
        config.addinivalue_line("filterwarnings", "ignore:unclosed transport <asyncio.sslproto:ResourceWarning")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the peers alone unless they are asked for by name: they install packages, from npm too."""
    return True if collection_path == _PEERS and not _asked_for_peers(config) else None


def _asked_for_peers(config: pytest.Config) -> bool:
    folder = config.invocation_params.dir
    paths = [(folder / argument.partition("::")[0]).resolve() for argument in config.args]
    return any(_PEERS in (path, *path.parents) for path in paths)


@pytest.fixture(autouse=True)
def _unknown_origins() -> None:
    """Let no test know an HSM's challenge from the one before."""
    CHALLENGES.clear()


@pytest_asyncio.fixture(name="hsm")
async def _hsm() -> AsyncIterator[ManagedHsmEmulator]:
    async with ManagedHsmEmulator() as hsm:
        yield hsm


@pytest_asyncio.fixture(name="client")
async def _client(hsm: ManagedHsmEmulator) -> AsyncIterator[KeyVaultAccessControlClient]:
    async with KeyVaultAccessControlClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as client:
        yield client
