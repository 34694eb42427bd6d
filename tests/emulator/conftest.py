"""Raw clients of an emulator, and keys whose generation takes as long as a test wants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from emulator.raw import RawClient
from emulator.slow_key import SlowKey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azure.keyvault.administration.emulator import ManagedHsmEmulator


@pytest.fixture(name="raw")
def _raw(hsm: ManagedHsmEmulator) -> RawClient:
    return RawClient(hsm)


@pytest_asyncio.fixture(name="user")
async def _user(raw: RawClient) -> RawClient:
    """An administrator who may use and manage keys."""
    await raw.grant_key_roles()
    return raw


@pytest.fixture(name="slow_key")
def _slow_key(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowKey]:
    slow_key = SlowKey()
    monkeypatch.setattr("azure.keyvault.administration.emulator._http.handlers.keys.generate", slow_key.generate)
    yield slow_key
    # A test that failed must not leave a thread waiting.
    slow_key.end()
