"""A pytest plugin: the fixture ``managed_hsm``, an emulated HSM for each test.

.. code-block:: python

    pytest_plugins = ["azure.keyvault.administration.emulator.pytest_plugin"]

in ``conftest.py`` makes it known. It runs in a thread with its own event loop, so it serves whatever loop a test
runs on, be it pytest-asyncio's, anyio's or one of ``asyncio.run``, and also tests that have none, and that block.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ._emulator import ManagedHsmEmulator


@pytest.fixture
def managed_hsm() -> Iterator[ManagedHsmEmulator]:
    """Yield a new Managed HSM, which is gone after the test."""
    with ManagedHsmEmulator() as hsm:
        yield hsm
