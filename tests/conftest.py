"""An emulated HSM and a client of its administrator, for whoever asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from azure.keyvault.administration.aio import KeyVaultAccessControlClient
from azure.keyvault.administration.emulator import ManagedHsmEmulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest_asyncio.fixture(name="hsm")
async def _hsm() -> AsyncIterator[ManagedHsmEmulator]:
    async with ManagedHsmEmulator() as hsm:
        yield hsm


@pytest_asyncio.fixture(name="client")
async def _client(hsm: ManagedHsmEmulator) -> AsyncIterator[KeyVaultAccessControlClient]:
    async with KeyVaultAccessControlClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as client:
        yield client
