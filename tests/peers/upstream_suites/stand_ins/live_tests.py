"""A plugin of pytest that lets live tests of published packages run on this library and against an emulator."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from azure.identity.aio import ManagedIdentityCredential

from azure.keyvault.administration import KeyVaultRoleScope
from azure.keyvault.administration._enums import DEFAULT_API_VERSION
from azure.keyvault.administration.aio import KeyVaultAccessControlClient

if TYPE_CHECKING:
    from collections.abc import Iterator

_CRYPTO_ROLES = {"Managed HSM Crypto Officer", "Managed HSM Crypto User"}


class HttpChallengeCache:
    """A stand-in for what tests empty behind themselves."""

    _cache: ClassVar[dict[str, str]] = {}

    @classmethod
    def clear(cls) -> None:
        cls._cache.clear()


def _stand_in(name: str, **contents: Any) -> None:
    """Make a private module of the published package importable."""
    module = ModuleType(f"azure.keyvault.administration.{name}")
    vars(module).update(contents)
    sys.modules[module.__name__] = module


_stand_in("_internal", HttpChallengeCache=HttpChallengeCache, parse_folder_url=None)
_stand_in("_internal.client_base", DEFAULT_VERSION=DEFAULT_API_VERSION)


@pytest.fixture(scope="session")
def test_proxy() -> None:
    """Stand in for the proxy that records."""


@pytest.fixture(scope="session", autouse=True)
def _short_waits() -> Iterator[None]:
    """Cut the waits for a real service to settle or to recover, which are of seconds and minutes."""
    sleep, async_sleep = time.sleep, asyncio.sleep

    # A second stays one: what differs after it are times in whole seconds.
    def cut(delay: float) -> float:
        return delay if delay <= 1 else 0.1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", lambda delay: sleep(cut(delay)))
        patch.setattr(asyncio, "sleep", lambda delay, result=None: async_sleep(cut(delay), result))
        yield


def pytest_sessionstart() -> None:
    """Give the administrator the roles that the resources of live tests give him."""
    asyncio.run(_let_administrator_use_keys(os.environ["AZURE_MANAGEDHSM_URL"]))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what would need a recording."""
    for item in items:
        if item.get_closest_marker("playback_test_only"):
            item.add_marker(pytest.mark.skip("needs a recording"))


async def _let_administrator_use_keys(url: str) -> None:
    async with ManagedIdentityCredential() as credential, KeyVaultAccessControlClient(url, credential) as client:
        async for role in client.list_role_definitions(KeyVaultRoleScope.GLOBAL):
            if role.role_name in _CRYPTO_ROLES:
                await client.create_role_assignment(
                    KeyVaultRoleScope.GLOBAL, role.id, os.environ["EMULATOR_ADMIN_OBJECT_ID"]
                )
