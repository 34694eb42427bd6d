"""When the emulator itself is at fault, it says so in the shape of the service and continues."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from azure.keyvault.administration.emulator import ManagedHsmEmulator
from azure.keyvault.administration.emulator._domain.records import JobStatus
from azure.keyvault.administration.emulator._state.sqlite import SqliteStore, StoreError
from emulator.operator_client import DURATION, Operator, failed, folder_of, operating
from emulator.raw import ROLE_DEFINITIONS

if TYPE_CHECKING:
    from pathlib import Path

    from azure.keyvault.administration.emulator._domain.records import Job, Snapshot

INTERNAL = ("InternalError", "The emulator failed; its log has the details")


class FaultyStore(SqliteStore):
    """Fails at one step with an unexpected error."""

    def __init__(self, step: str) -> None:
        super().__init__()
        self.step = step

    def key_count(self) -> int:
        if self.step == "count":
            raise RuntimeError("secret")
        return super().key_count()

    def replace(self, snapshot: Snapshot) -> None:
        super().replace(snapshot)
        if self.step == "replace":
            raise RuntimeError("secret")

    def forget_jobs(self, *, keep: int) -> None:
        if self.step == "start":
            raise StoreError("hsm.sqlite: database or disk is full")
        super().forget_jobs(keep=keep)

    def save_job(self, job: Job) -> None:
        if self.step == "end" and job.status is not JobStatus.IN_PROGRESS:
            raise StoreError("hsm.sqlite: database or disk is full")
        super().save_job(job)


@pytest.fixture(name="faulty")
def _faulty(monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(step: str) -> FaultyStore:
        store = FaultyStore(step)
        monkeypatch.setattr("azure.keyvault.administration.emulator._assembly.SqliteStore", lambda _path: store)
        return store

    return install


async def test_an_unexpected_error_is_a_500_without_secrets(faulty: Any, caplog: pytest.LogCaptureFixture) -> None:
    faulty("count")
    async with operating() as operator:
        await operator.furnish()

        reply = await operator.send("POST", "/keys/k/create", {"kty": "oct"})

        assert reply.error == (500, *INTERNAL)
        assert (await operator.send("GET", ROLE_DEFINITIONS)).status == 200
    assert "POST /keys/k/create failed" in caplog.text


async def test_a_restore_with_an_unexpected_error_changes_nothing(
    faulty: Any, caplog: pytest.LogCaptureFixture
) -> None:
    faulty("replace")
    async with operating() as operator:
        await operator.furnish()
        folder = await operator.folder()
        await operator.wreck()
        before = await operator.state()

        done = await operator.finish(await operator.restore(folder))

        assert failed(done) == INTERNAL
        assert await operator.state() == before
        assert (await operator.back_up()).status == 202
    assert "failed" in caplog.text


async def test_a_backup_with_an_unexpected_error_is_reported_failed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("secret")

    async with operating() as operator:
        monkeypatch.setattr("azure.keyvault.administration.emulator._domain.archive.pack", fail)

        done = await operator.finish(await operator.back_up())

        assert failed(done) == INTERNAL
        assert (await operator.back_up()).status == 202
    assert "failed" in caplog.text


async def test_a_job_whose_end_cannot_be_stored_ends_when_it_can(
    faulty: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("azure.keyvault.administration.emulator._hsm.jobs._MAX_WAIT_SECONDS", 0.01)
    store = faulty("nothing")
    async with operating() as operator:
        await operator.furnish()
        folder = await operator.folder()
        await operator.wreck()
        before = await operator.state()
        store.step = "end"
        started = await operator.restore(folder)
        operator.hsm.clock.advance(DURATION)
        while caplog.text.count("could not be stored") < 2:
            assert (await operator.status(started)).json["status"] == "InProgress"

        store.step = "nothing"
        done = await operator.finish(started)

        message = "The emulator cannot use its data directory: hsm.sqlite: database or disk is full"
        assert failed(done) == ("StorageUnavailable", message)
        assert await operator.state() == before
        assert (await operator.back_up()).status == 202


@pytest.mark.parametrize(
    ("method", "path", "step"),
    [("POST", "/backup", "start"), ("PUT", "/restore", "start"), ("POST", "/prebackup", "end")],
)
async def test_a_job_that_cannot_be_stored_is_an_error_and_blocks_no_other(
    faulty: Any, method: str, path: str, step: str
) -> None:
    store = faulty(step)
    async with operating() as operator:
        restore = {"sasTokenParameters": operator.storage, "folderToRestore": "f"}

        refused = await operator.send(method, path, restore if method == "PUT" else operator.storage)
        store.step = "nothing"

        assert refused.status == 503
        assert (await operator.back_up()).status == 202


async def test_closing_waits_for_a_backup_that_is_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def write_slowly(*_arguments: object) -> None:
        begun.set()
        may_end.wait(10)
        ended.set()

    monkeypatch.setattr("azure.keyvault.administration.emulator._state.backup_storage._write_folder", write_slowly)
    async with operating(data=tmp_path) as operator:
        await operator.back_up()
        await asyncio.to_thread(begun.wait, 10)
        asyncio.get_running_loop().call_later(0.05, may_end.set)

    assert ended.is_set()


async def test_poll_of_a_job_that_is_not_due_is_not_held_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("azure.keyvault.administration.emulator._hsm.jobs._MAX_WAIT_SECONDS", 3600)
    async with operating() as operator:
        started = await operator.back_up()

        assert (await asyncio.wait_for(operator.status(started), 30)).json["status"] == "InProgress"


async def test_backups_of_one_moment_have_different_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ManagedHsmEmulator(job_duration=0) as hsm:
        now = hsm.clock.now()
        monkeypatch.setattr(hsm.clock, "_source", lambda: now)
        operator, folders = Operator(hsm), set[str]()
        for _ in range(2):
            started = await operator.back_up()
            while (done := await operator.status(started)).json["status"] == "InProgress":
                pass
            folders.add(folder_of(done))

    assert len(folders) == 2


async def test_only_the_newest_jobs_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("azure.keyvault.administration.emulator._hsm.jobs._MAX_JOBS", 3)
    async with operating() as operator:
        started = [await operator.back_up()]
        for _ in range(3):
            await operator.finish(started[-1])
            started.append(await operator.back_up())

        statuses = [(await operator.status(each)).status for each in started]

    assert statuses == [404, 200, 200, 200]
