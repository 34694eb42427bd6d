"""A client that works for days holds what it held after its first minute."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from azure.core.exceptions import ResourceNotFoundError

from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient
from hsm_process import HsmProcess, ProcessCredential

# A hundred bytes per operation would be found.
_MAY_GROW = 2 * 1024 * 1024

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")


class Held(NamedTuple):
    """What this process holds just now."""

    memory: int
    objects: int
    files: int
    tasks: int


def held() -> Held:
    gc.collect()
    resident = int(Path("/proc/self/statm").read_text().split()[1])
    return Held(
        resident * resource.getpagesize(),
        len(gc.get_objects()),
        len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - names are enough
        len(asyncio.all_tasks()),
    )


@pytest_asyncio.fixture(name="hsm")
async def _hsm(tmp_path: Path) -> AsyncIterator[HsmProcess]:
    async with HsmProcess(tmp_path, "--job-duration", "0") as hsm:
        yield hsm


async def _life(access: KeyVaultAccessControlClient, backup: KeyVaultBackupClient, place: tuple[str, str]) -> int:
    """Do ten operations of every kind."""
    role = await access.set_role_definition("/", role_name="mine")
    name = role.name or ""
    given = await access.create_role_assignment("/keys", role.id or "", name)
    await access.get_role_definition("/", name)
    await access.get_role_assignment("/keys", given.name or "")
    assert [item async for item in access.list_role_definitions("/")]
    assert [item async for item in access.list_role_assignments("/keys")]
    await access.delete_role_assignment("/keys", given.name or "")
    await access.delete_role_definition("/", name)
    with pytest.raises(ResourceNotFoundError):
        await access.get_role_definition("/", name)
    poller = await backup.begin_pre_backup(*place, polling_interval=0.01)
    await poller.update_status()
    assert poller.done()
    return 11


async def _operate(lives: int, *clients: Any) -> int:
    """Lead several lives at once, again and again, and return how many operations that took."""
    counts = [await asyncio.gather(*(_life(*clients) for _ in range(10))) for _ in range(lives // 10)]
    return sum(map(sum, counts))


@pytest.mark.parametrize(
    "operations",
    [2_000, pytest.param(20_000, marks=[pytest.mark.soak, pytest.mark.timeout(900)])],
)
async def test_memory_files_tasks_and_connections_stay_flat(hsm: HsmProcess, operations: int) -> None:
    credential = ProcessCredential(hsm)
    options = hsm.client_options(limit=5)
    place = hsm.variables["BLOB_CONTAINER_URL"], hsm.variables["BLOB_SAS_TOKEN"]
    async with (
        KeyVaultAccessControlClient(hsm.url, credential, **options) as access,
        KeyVaultBackupClient(hsm.url, credential, **options) as backup,
    ):
        warmed_up = await _operate(operations // 40, access, backup, place)
        before = held()
        done = warmed_up + await _operate(operations // 11 - operations // 40, access, backup, place)
        after = held()

    print(f"{done} operations: {before} after {warmed_up}, {after} after all")  # noqa: T201 - figures, with -s
    assert done > operations * 0.95
    assert after.files <= before.files
    assert after.tasks <= before.tasks
    # Caches fill and numbers grow; one object in every twenty operations would be a leak.
    assert after.objects - before.objects < operations / 20
    assert after.memory - before.memory < _MAY_GROW
    assert credential.requests == 2
