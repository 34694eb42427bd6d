"""An emulator for each test; it starts in a few milliseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from azure.keyvault.administration.emulator import ManagedHsmEmulator
from emulator.raw import RawClient
from emulator.slow_key import SlowKey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@pytest_asyncio.fixture(name="hsm")
async def _hsm() -> AsyncIterator[ManagedHsmEmulator]:
    async with ManagedHsmEmulator() as hsm:
        yield hsm


@pytest.fixture(name="raw")
def _raw(hsm: ManagedHsmEmulator) -> RawClient:
    return RawClient(hsm)


@pytest.fixture(name="slow_key")
def _slow_key(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowKey]:
    slow_key = SlowKey()
    monkeypatch.setattr("azure.keyvault.administration.emulator._http.handlers.keys.generate", slow_key.generate)
    yield slow_key
    # A test that failed must not leave a thread waiting.
    slow_key.end()
