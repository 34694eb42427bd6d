"""When the emulator itself is at fault, it says so in the shape of the service and goes on."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from azure.keyvault.administration.emulator import ManagedHsmEmulator
from azure.keyvault.administration.emulator._domain.records import JobStatus
from azure.keyvault.administration.emulator._state.sqlite import SqliteStore, StoreError
from emulator.operator_client import DURATION, Operator, failed
from emulator.raw import ROLE_DEFINITIONS

if TYPE_CHECKING:
    from pathlib import Path

    from azure.keyvault.administration.emulator._domain.records import Job, Snapshot

INTERNAL = ("InternalError", "The emulator failed; its log has the details")


class FaultyStore(SqliteStore):
    """Fails at one step, in a way that nobody foresaw."""

    def __init__(self, step: str) -> None:
        super().__init__()
        self.step = step

    def key_count(self) -> int:
        self._stumble("count")
        return super().key_count()

    def replace(self, snapshot: Snapshot) -> None:
        super().replace(snapshot)
        self._stumble("replace")

    def save_job(self, job: Job) -> None:
        if self.step == "end" and job.status is not JobStatus.IN_PROGRESS:
            raise StoreError("hsm.sqlite: database or disk is full")
        super().save_job(job)

    def _stumble(self, step: str) -> None:
        if step == self.step:
            raise RuntimeError("secret")


@pytest.fixture(name="faulty")
def _faulty(monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(step: str) -> FaultyStore:
        store = FaultyStore(step)
        monkeypatch.setattr("azure.keyvault.administration.emulator._assembly.SqliteStore", lambda _path: store)
        return store

    return install


async def test_an_error_that_nobody_foresaw_is_a_500_that_tells_no_secrets(
    faulty: Any, caplog: pytest.LogCaptureFixture
) -> None:
    faulty("count")
    async with ManagedHsmEmulator() as hsm:
        operator = Operator(hsm)
        await operator.furnish()

        reply = await operator.send("POST", "/keys/k/create", {"kty": "oct"})

        assert reply.error == (500, *INTERNAL)
        assert (await operator.send("GET", ROLE_DEFINITIONS)).status == 200
    assert "POST /keys/k/create failed" in caplog.text


async def test_a_restore_that_stumbles_changes_nothing_and_is_reported_failed(
    faulty: Any, caplog: pytest.LogCaptureFixture
) -> None:
    faulty("replace")
    async with ManagedHsmEmulator(job_duration=DURATION) as hsm:
        operator = Operator(hsm)
        await operator.furnish()
        folder = await operator.folder()
        await operator.wreck()
        before = await operator.state()

        done = await operator.finish(await operator.restore(folder))

        assert failed(done) == INTERNAL
        assert await operator.state() == before
        assert (await operator.back_up()).status == 202
    assert "failed" in caplog.text


async def test_a_backup_that_stumbles_is_reported_failed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("secret")

    async with ManagedHsmEmulator(job_duration=DURATION) as hsm:
        operator = Operator(hsm)
        monkeypatch.setattr("azure.keyvault.administration.emulator._domain.archive.pack", stumble)

        done = await operator.finish(await operator.back_up())

        assert failed(done) == INTERNAL
        assert (await operator.back_up()).status == 202
    assert "failed" in caplog.text


async def test_a_job_whose_end_cannot_be_stored_ends_when_it_can(faulty: Any, caplog: pytest.LogCaptureFixture) -> None:
    store = faulty("nothing")
    async with ManagedHsmEmulator(job_duration=DURATION) as hsm:
        operator = Operator(hsm)
        await operator.furnish()
        folder = await operator.folder()
        await operator.wreck()
        before = await operator.state()
        store.step = "end"
        started = await operator.restore(folder)
        hsm.clock.advance(DURATION)
        while caplog.text.count("could not be stored") < 2:
            assert (await operator.status(started)).json["status"] == "InProgress"

        store.step = "nothing"
        done = await operator.finish(started)

        message = "The emulator cannot use its data directory: hsm.sqlite: database or disk is full"
        assert failed(done) == ("StorageUnavailable", message)
        assert await operator.state() == before
        assert (await operator.back_up()).status == 202


async def test_a_check_whose_end_cannot_be_stored_is_an_error_and_holds_up_nothing(faulty: Any) -> None:
    store = faulty("end")
    async with ManagedHsmEmulator(job_duration=DURATION) as hsm:
        operator = Operator(hsm)

        reply = await operator.send("POST", "/prebackup", operator.storage)
        store.step = "nothing"

        assert reply.status == 503
        assert (await operator.back_up()).status == 202


async def test_nothing_is_written_behind_an_emulator_that_was_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end = threading.Event(), threading.Event()
    ended = False

    def write_slowly(*_arguments: object) -> None:
        nonlocal ended
        begun.set()
        may_end.wait(10)
        ended = True

    monkeypatch.setattr("azure.keyvault.administration.emulator._state.backup_storage._write_folder", write_slowly)
    hsm = ManagedHsmEmulator(data=tmp_path)
    async with hsm:
        operator = Operator(hsm)
        await operator.back_up()
        await asyncio.to_thread(begun.wait, 10)
        asyncio.get_running_loop().call_later(0.05, may_end.set)

    assert ended


async def test_the_newest_jobs_are_remembered_and_the_others_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("azure.keyvault.administration.emulator._hsm.jobs._MAX_JOBS", 3)
    async with ManagedHsmEmulator(job_duration=DURATION) as hsm:
        operator = Operator(hsm)
        started = [await operator.back_up()]
        for _ in range(3):
            await operator.finish(started[-1])
            started.append(await operator.back_up())

        statuses = [(await operator.status(each)).status for each in started]

    assert statuses == [404, 200, 200, 200]
