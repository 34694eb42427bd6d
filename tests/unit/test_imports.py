"""What an import costs: nothing that a program may not need."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["azure.keyvault.administration", "azure.keyvault.administration.aio"])
def test_importing_the_package_imports_neither_aiohttp_nor_isodate(module: str) -> None:
    program = f"import sys, {module}; print(*sys.modules)"

    imported = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout

    assert module in imported.split()
    assert not {"aiohttp", "isodate"} & set(imported.split())
