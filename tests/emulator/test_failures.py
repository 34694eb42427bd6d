"""When the emulator itself is at fault, it says so in the shape of the service and goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from azure.keyvault.administration.emulator import ManagedHsmEmulator
from azure.keyvault.administration.emulator._store.sqlite import SqliteStore
from emulator.operator_client import DURATION, Operator, failed
from emulator.raw import ROLE_DEFINITIONS

if TYPE_CHECKING:
    from azure.keyvault.administration.emulator._domain.records import Snapshot

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

    def _stumble(self, step: str) -> None:
        if step == self.step:
            raise RuntimeError("secret")


@pytest.fixture(name="faulty")
def _faulty(monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(step: str) -> None:
        monkeypatch.setattr(
            "azure.keyvault.administration.emulator._server.SqliteStore", lambda _path: FaultyStore(step)
        )

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
