"""The fixture ``managed_hsm`` in separate projects: with every way of running async tests, and with none."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from azure.keyvault.administration.emulator import pytest_plugin

if TYPE_CHECKING:
    from pathlib import Path

CONFTEST = f'pytest_plugins = ["{pytest_plugin.__name__}"]\n'

ASYNC_TESTS = """
import pytest

from azure.keyvault.administration.aio import KeyVaultAccessControlClient
from azure.keyvault.administration.emulator import ManagedHsmEmulator, faults

@pytest.fixture
def options(managed_hsm: ManagedHsmEmulator):
    return {"vault_url": managed_hsm.vault_url, "credential": managed_hsm.credential, **managed_hsm.client_kwargs}

@pytest.mark.parametrize("number", [1, 2])
async def test_each_has_an_hsm_of_its_own(managed_hsm, options, number):
    async with KeyVaultAccessControlClient(**options) as client:
        await client.set_role_definition("/", role_name="Mine")
        names = [role.role_name async for role in client.list_role_definitions("/")]
    assert len(names) == 11
    # The client of the first test spares that of the second the challenge.
    assert [entry.status for entry in managed_hsm.journal if entry.status != 401] == [201, 200]

async def test_with_a_fault(managed_hsm, options):
    fault = managed_hsm.faults.add(faults.Throttle(retry_after=0), times=2)
    async with KeyVaultAccessControlClient(**options) as client:
        assert len([role async for role in client.list_role_definitions("/")]) == 10
    assert fault.delivered == 2
"""

SYNC_TESTS = """
import asyncio
import os
import subprocess
import sys
import urllib.request

from azure.keyvault.administration.aio import KeyVaultAccessControlClient

PROGRAM = '''
import os, urllib.error, urllib.request
try:
    urllib.request.urlopen(os.environ["AZURE_MANAGEDHSM_URL"] + "/keys")
except urllib.error.HTTPError as error:
    print(error.code)
    error.close()
'''

def test_that_waits_for_a_program(managed_hsm):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM], env={**os.environ, **managed_hsm.environment()},
        check=True, capture_output=True, text=True,
    )
    assert done.stdout == "401\\n"
    assert [(entry.path, entry.status) for entry in managed_hsm.journal] == [("/keys", 401)]

def test_that_uses_the_control_path(managed_hsm):
    with urllib.request.urlopen(managed_hsm.environment()["EMULATOR_CONTROL_URL"] + "/faults") as answer:
        assert answer.status == 200

def test_with_a_loop_of_its_own(managed_hsm):
    async def main():
        async with KeyVaultAccessControlClient(
            managed_hsm.vault_url, managed_hsm.credential, **managed_hsm.client_kwargs
        ) as client:
            return len([role async for role in client.list_role_definitions("/")])

    assert [asyncio.run(main()), asyncio.run(main())] == [10, 10]

def test_that_does_nothing(managed_hsm):
    pass
"""

MARKED_FOR_ASYNCIO = f"{ASYNC_TESTS}\npytestmark = pytest.mark.asyncio\n"
MARKED_FOR_ANYIO = f"""{ASYNC_TESTS}
pytestmark = pytest.mark.anyio

@pytest.fixture
def anyio_backend():
    return "asyncio"
"""


@pytest.mark.parametrize(
    ("plugins", "settings", "sources", "passed"),
    [
        (
            ["pytest_asyncio.plugin", "anyio.pytest_plugin"],
            "asyncio_mode = strict",
            [MARKED_FOR_ASYNCIO, MARKED_FOR_ANYIO],
            6,
        ),
        (["pytest_asyncio.plugin"], "asyncio_mode = auto", [ASYNC_TESTS], 3),
        ([], "", [SYNC_TESTS], 4),
    ],
    ids=["pytest-asyncio-strict-and-anyio", "pytest-asyncio-auto", "neither"],
)
def test_the_fixture_works_with(
    plugins: list[str], settings: str, sources: list[str], passed: int, tmp_path: Path
) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    # pytest-asyncio warns of a default that it is about to change.
    settings += "\nasyncio_default_fixture_loop_scope = function\n" if plugins else ""
    (tmp_path / "pytest.ini").write_text(f"[pytest]\n{settings}", encoding="utf-8")
    for index, source in enumerate(sources):
        (tmp_path / f"test_project_{index}.py").write_text(source, encoding="utf-8")

    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"),
            *(part for plugin in plugins for part in ("-p", plugin)),
            tmp_path,
        ],
        cwd=tmp_path,
        # Nothing else that is installed here.
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.stdout.splitlines()[-1].startswith(f"{passed} passed in"), done.stdout + done.stderr
    assert done.returncode == 0
