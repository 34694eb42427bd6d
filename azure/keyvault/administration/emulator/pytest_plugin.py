"""A pytest plugin: the fixture ``managed_hsm``, an emulated HSM for each test.

.. code-block:: python

    pytest_plugins = ["azure.keyvault.administration.emulator.pytest_plugin"]

in ``conftest.py`` loads it. The emulator runs in a thread with its own event loop, so it works with every test:
pytest-asyncio's, anyio's, one that uses ``asyncio.run``, and one that has no loop and blocks.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ._emulator import ManagedHsmEmulator


@pytest.fixture
def managed_hsm() -> Iterator[ManagedHsmEmulator]:
    """Yield a new Managed HSM for one test."""
    with ManagedHsmEmulator() as hsm:
        yield hsm
