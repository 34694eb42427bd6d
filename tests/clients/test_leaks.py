"""A client that works for days holds what it held after its first minute."""

from __future__ import annotations

import asyncio
import gc
import math
import os
import resource
from collections import Counter
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from azure.core.exceptions import ResourceNotFoundError

from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient
from hsm_process import HsmProcess, ProcessCredential

_WINDOWS = 4  # What fills a cache grows in one of them; what leaks grows in each.
_CONCURRENT_LIVES = 10
_OPERATIONS_OF_A_LIFE = 11
_MAY_GROW = 1024 * 1024  # In a window of 4,000 operations, 250 bytes of each.
# asyncio keeps cancelled timers until there are a hundred or so of them.
_NOT_COUNTED = "TimerHandle", "Context"

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")


class Held(NamedTuple):
    """What this process holds just now."""

    memory: int
    objects: Counter[str]
    files: int
    tasks: int


def held() -> Held:
    gc.collect()
    resident = int(Path("/proc/self/statm").read_text().split()[1])
    return Held(
        resident * resource.getpagesize(),
        Counter(name for thing in gc.get_objects() if (name := type(thing).__qualname__) not in _NOT_COUNTED),
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
    return _OPERATIONS_OF_A_LIFE


async def _operate(operations: int, *clients: Any) -> int:
    """Lead several lives at once, again and again, for as many operations or a few more; return how many."""
    rounds = math.ceil(operations / (_CONCURRENT_LIVES * _OPERATIONS_OF_A_LIFE))
    counts = [await asyncio.gather(*(_life(*clients) for _ in range(_CONCURRENT_LIVES))) for _ in range(rounds)]
    return sum(map(sum, counts))


@pytest.mark.parametrize(
    "operations", [1_000, pytest.param(20_000, marks=[pytest.mark.soak, pytest.mark.timeout(900)])]
)
async def test_memory_files_tasks_and_connections_stay_flat(hsm: HsmProcess, operations: int) -> None:
    credential = ProcessCredential(hsm)
    options = hsm.client_options(limit=5)
    place = hsm.variables["BLOB_CONTAINER_URL"], hsm.variables["BLOB_SAS_TOKEN"]
    async with (
        KeyVaultAccessControlClient(hsm.url, credential, **options) as access,
        KeyVaultBackupClient(hsm.url, credential, **options) as backup,
    ):
        done = [await _operate(operations // (_WINDOWS + 1), access, backup, place)]
        seen = [held()]
        for _ in range(_WINDOWS):
            done.append(await _operate(operations // (_WINDOWS + 1), access, backup, place))
            seen.append(held())

    memory = [after.memory - before.memory for before, after in pairwise(seen)]
    objects = [after.objects.total() - before.objects.total() for before, after in pairwise(seen)]
    print(f"{done} operations: memory {memory}, objects {objects}, files {seen[-1].files}")  # noqa: T201 - figures, with -s
    assert sum(done) >= operations
    assert seen[-1].files <= seen[0].files
    assert seen[-1].tasks <= seen[0].tasks
    lives = done[-1] // _OPERATIONS_OF_A_LIFE
    assert min(objects) < lives, (seen[-1].objects - seen[0].objects).most_common(20)
    assert min(memory) < _MAY_GROW
    assert credential.requests == 2
