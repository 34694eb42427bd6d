"""Clients in two processes lose and double nothing under faults, rate limits and kills of the service.

The emulator runs in its own process. Faults are injected over its control path, which also returns its journal; it is
killed (SIGKILL) and restarted on its data, also during restores. Each run prints its row of the reliability page's
table.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest

from chaos import clients
from chaos.checker import violations
from chaos.fault_schedule import VARIANTS, FaultSchedule
from chaos.figures import Run, report
from chaos.history import Event, FailedJob, JobKind, Outcome, Record
from chaos.inventory import Inventory
from chaos.jobs import GaveUpError, JobStarter, JobWorker, KeyWorker, Restorer
from chaos.operation_log import OperationLog
from chaos.second_process import SecondProcess
from chaos.workload import Worker
from hsm_process import HsmProcess

_WORKERS = 16
_KEY_WORKERS = 2
_KINDS = {
    "backup": JobKind.BACKUP,
    "prebackup": JobKind.BACKUP_CHECK,
    "restore": JobKind.RESTORE,
    "prerestore": JobKind.RESTORE_CHECK,
    "keyrestore": JobKind.KEY_RESTORE,
}


async def _restart_now_and_then(faults: FaultSchedule, log: OperationLog, *, kills: int, limits: int) -> None:
    """Kill the emulator, spread over the run; after some kills it keeps to the service's rate limits for a while."""
    restarts: list[Callable[[], Awaitable[None]]] = [faults.kill] * kills
    for number in range(limits):
        restarts.insert(
            number * (kills + limits) // limits, partial(faults.limit_rates, log, "none" if number % 2 else "1")
        )
    for number, restart in enumerate(restarts):
        await log.reaches((number + 1) / (len(restarts) + 1))
        await restart()


def _stored_jobs(folder: Path) -> tuple[dict[str, str], list[FailedJob]]:
    with sqlite3.connect(folder / "data" / "hsm.sqlite") as database:
        rows = database.execute("SELECT document FROM jobs").fetchall()
    database.close()
    jobs = [json.loads(document) for (document,) in rows]
    failed = [
        FailedJob(
            job["id"],
            _KINDS[job["kind"]],
            job["error_code"] or "",
            job["error_message"] or "",
            job["started"],
            job["ended"],
        )
        for job in jobs
        if job["status"] == "Failed"
    ]
    return {job["id"]: job["status"] for job in jobs}, failed


async def _run(
    folder: Path, *, seed: int, operations: int, kills: int, limits: int, restores: int
) -> tuple[Record, list[str], str]:
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        hsm = await stack.enter_async_context(HsmProcess(folder))
        access, backup, attempts = await stack.enter_async_context(clients.open_all(hsm))
        inventory = Inventory(access, hsm.variables["EMULATOR_ADMIN_OBJECT_ID"])
        await inventory.prepare()
        faults = FaultSchedule(hsm, seed)
        log = OperationLog(operations, lambda: hsm.is_serving)
        second = await stack.enter_async_context(SecondProcess(log, seed, hsm))
        jobs = JobStarter(log, backup, clients.backup_place(hsm))
        log.continue_while(lambda: faults.lacks() or jobs.lacks())
        try:
            await asyncio.gather(
                *(Worker(number, seed, log, access).work() for number in range(_WORKERS)),
                *(KeyWorker(number, seed, log, jobs, inventory).work() for number in range(_KEY_WORKERS)),
                JobWorker(seed, log, jobs).work(),
                Restorer(restores, seed, log, jobs, inventory, faults).work(),
                second.work(),
                _restart_now_and_then(faults, log, kills=kills, limits=limits),
                faults.inject(log),
            )
        except GaveUpError as error:
            pytest.fail(f"seed {seed}: {error}")
        sent = attempts.count + second.requests
        await faults.clear()
        resources = log.resources()
        remaining = [(resources.get(thing.mark, thing.mark), thing.mark) for thing in await inventory.things()]
    stored, failed = _stored_jobs(folder)
    record = Record(
        operations=log.operations,
        remaining=remaining,
        jobs=stored,
        failed_jobs=failed,
        journal=faults.journal,
        blind=faults.blind,
        expected_faults=VARIANTS,
        delivered=faults.delivered,
        last_life=faults.last_life,
        expected_jobs=frozenset(JobKind),
        expected_events=frozenset(Event),
    )
    found = violations(record)
    run = Run(seed, time.monotonic() - began, sent, faults.kills, faults.revocations)
    return record, found, report(record, run, found)


# A busy machine is slow; what hangs is found by the deadline of each operation.
@pytest.mark.timeout(600)
async def test_nothing_is_lost_or_doubled_under_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record, found, text = await _run(tmp_path, seed=20_261_124, operations=600, kills=1, limits=1, restores=2)

    with capsys.disabled():
        print(f"\n{text}")  # noqa: T201 - the figures are the purpose of the test
    assert found == [], text
    # While a key is restored, the service refuses everything else; but if most is refused, little is proven.
    assert sum(operation.outcome is Outcome.DONE for operation in record.operations) > len(record.operations) / 2


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_nothing_is_lost_or_doubled_for_long(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    record, found, text = await _run(tmp_path, seed=seed, operations=9_000, kills=5, limits=2, restores=6)

    with capsys.disabled():
        print(f"\n{text}")  # noqa: T201 - the figures are the purpose of the test
    assert found == [], text
    assert sum(seen.fault is not None for seen in record.journal) >= 2_000
