"""Nothing lost, nothing doubled: clients under every fault at once, and a service that is killed in the middle.

The emulator runs in a process of its own. It is told over its control path what to do to requests, and tells there what
it saw; and it is killed (SIGKILL) and started again on its data. Each run prints its figures and its seed.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy

from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient
from chaos.checker import violations
from chaos.history import Outcome, Record
from chaos.weather import KINDS, Weather
from chaos.workload import Diary, Worker, job_workers
from hsm_process import HsmProcess, ProcessCredential

_WORKERS = 16


class CountTries(SansIOHTTPPolicy[Any, Any]):
    """Counts how often requests are sent, retries and all."""

    def __init__(self) -> None:
        self.count = 0

    def on_request(self, request: PipelineRequest[Any]) -> None:
        del request
        self.count += 1


def _clients(hsm: HsmProcess, tries: CountTries) -> tuple[KeyVaultAccessControlClient, KeyVaultBackupClient]:
    credential = ProcessCredential(hsm)
    common = {"retry_backoff_factor": 0.02, "per_retry_policies": [tries]}
    return (
        KeyVaultAccessControlClient(hsm.url, credential, **hsm.client_options(read_timeout=10), **common),
        KeyVaultBackupClient(hsm.url, credential, **hsm.client_options(read_timeout=10), **common),
    )


async def _kill_now_and_then(weather: Weather, diary: Diary, wanted: int, kills: int) -> None:
    """Kill the emulator and start it again, spread over the run."""
    for number in range(kills):
        while len(diary.operations) < wanted * (number + 1) // (kills + 1):  # noqa: ASYNC110 - a diary has no bell
            await asyncio.sleep(0.01)
        await weather.kill()


async def _remaining(access: KeyVaultAccessControlClient, made_as: dict[str, str], keys: int) -> list[tuple[str, str]]:
    """Look at what is there, and call it by the names of the diary."""
    roles = [role async for role in access.list_role_definitions("/") if role.role_type == "CustomRole"]
    marks = [role.role_name or "" for role in roles]
    left = [(made_as.get(mark, mark), mark) for mark in marks]
    for scope in ("/", "/keys", *(f"/keys/k{number}" for number in range(keys))):
        async for assignment in access.list_role_assignments(scope):
            properties = assignment.properties
            if properties and properties.scope == scope:
                left.append((properties.principal_id or "", properties.principal_id or ""))
    return left


def _jobs(folder: Path) -> dict[str, str]:
    with sqlite3.connect(folder / "data" / "hsm.sqlite") as database:
        jobs = dict(database.execute("SELECT id, status FROM jobs"))
    database.close()
    return jobs


async def _run(folder: Path, *, seed: int, operations: int, kills: int) -> tuple[Record, str]:
    tries, began = CountTries(), time.monotonic()
    async with AsyncExitStack() as stack:
        hsm = await stack.enter_async_context(HsmProcess(folder))
        access, backup = _clients(hsm, tries)
        await stack.enter_async_context(access)
        await stack.enter_async_context(backup)
        before = await _remaining(access, {}, 0)
        weather = Weather(hsm, seed)
        diary = Diary(operations, weather.lacks)
        place = hsm.variables["BLOB_CONTAINER_URL"], hsm.variables["BLOB_SAS_TOKEN"]
        workers = [Worker(number, seed, diary, access) for number in range(_WORKERS)]
        await asyncio.gather(
            *(worker.work() for worker in workers),
            *(worker.work() for worker in job_workers(seed, diary, backup, place)),
            _kill_now_and_then(weather, diary, operations, kills),
            weather.blow(lambda: diary.full),
        )
        sent = tries.count
        await weather.clear()
        made_as = {operation.value or "": operation.resource for operation in diary.operations}
        left = await _remaining(access, made_as, _WORKERS)
    record = Record(
        operations=diary.operations,
        remaining=[resource for resource in left if resource not in before],
        jobs=_jobs(folder),
        journal=weather.journal,
        blind=weather.blind,
        expected_faults=KINDS,
    )
    faults = Counter(seen.fault for seen in record.journal if seen.fault)
    outcomes = Counter(operation.outcome.value for operation in diary.operations)
    longest = max(operation.ended - operation.began for operation in diary.operations)
    report = (
        f"seed {seed}: {len(diary.operations)} operations {dict(outcomes)} in {time.monotonic() - began:.0f} s,"
        f" none longer than {longest:.1f} s,"
        f" {sent - len(diary.operations)} requests more than operations, {kills} kills, {weather.revocations}"
        f" revocations, {len(record.jobs)} jobs, {sum(faults.values())} faults {dict(sorted(faults.items()))}"
    )
    return record, report


async def test_nothing_is_lost_or_doubled_under_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record, report = await _run(tmp_path, seed=20_261_124, operations=1_000, kills=1)

    with capsys.disabled():
        print(f"\n{report}")  # noqa: T201 - the figures are what the test is for
    assert violations(record) == [], report
    # While a key is restored, the service refuses all else; but where most is refused, little is proven.
    assert sum(operation.outcome is Outcome.DONE for operation in record.operations) > len(record.operations) / 2


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_nothing_is_lost_or_doubled_for_long(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    record, report = await _run(tmp_path, seed=seed, operations=12_000, kills=10)

    with capsys.disabled():
        print(f"\n{report}")  # noqa: T201 - the figures are what the test is for
    assert violations(record) == [], report
    assert len(record.operations) >= 10_000
    assert sum(seen.fault is not None for seen in record.journal) >= 2_000
