"""A pytest plugin with which live tests of published packages run on this library and against an emulator."""

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


class HttpChallengeCache:
    """A cache that tests empty when they end."""

    _cache: ClassVar[dict[str, str]] = {}

    @classmethod
    def clear(cls) -> None:
        cls._cache.clear()


def _stand_in(name: str, **contents: Any) -> None:
    """Make a private module of the published package importable."""
    module = ModuleType(f"azure.keyvault.administration.{name}")
    vars(module).update(contents)
    sys.modules[module.__name__] = module


_stand_in("_internal", HttpChallengeCache=HttpChallengeCache)
_stand_in("_internal.client_base", DEFAULT_VERSION=DEFAULT_API_VERSION)


@pytest.fixture(scope="session")
def test_proxy() -> None:
    """Stand in for the proxy that records."""


@pytest.fixture(scope="session", autouse=True)
def _short_waits() -> Iterator[None]:
    """Shorten the waits for a real service to settle."""
    sleep, async_sleep = time.sleep, asyncio.sleep

    # Waits of a few seconds become one: a test expects a later time after them, in whole seconds.
    def cut(delay: float) -> float:
        return min(delay, 1.05) if delay < 5 else 0.1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", lambda delay: sleep(cut(delay)))
        patch.setattr(asyncio, "sleep", lambda delay, result=None: async_sleep(cut(delay), result))
        yield


def pytest_sessionstart(session: pytest.Session) -> None:
    """Assign the roles that live tests of keys need, as the template of their resources does."""
    # Only once, if several processes share the tests.
    if not hasattr(session.config, "workerinput"):
        asyncio.run(_assign_crypto_roles(os.environ["AZURE_MANAGEDHSM_URL"]))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests that need a recording."""
    for item in items:
        if item.get_closest_marker("playback_test_only"):
            item.add_marker(pytest.mark.skip("needs a recording"))


async def _assign_crypto_roles(url: str) -> None:
    async with ManagedIdentityCredential() as credential, KeyVaultAccessControlClient(url, credential) as client:
        roles = {role.role_name: role.id async for role in client.list_role_definitions(KeyVaultRoleScope.GLOBAL)}
        for name in ("Managed HSM Crypto Officer", "Managed HSM Crypto User"):
            role_id = roles[name]
            assert role_id
            await client.create_role_assignment(
                KeyVaultRoleScope.GLOBAL, role_id, os.environ["EMULATOR_ADMIN_OBJECT_ID"]
            )
