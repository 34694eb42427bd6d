"""With a plain ``with``, the emulator runs in its own thread, and serves clients on any loop."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import HTTPConnection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from azure.core.exceptions import HttpResponseError, ServiceResponseError

from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient
from azure.keyvault.administration.emulator import ManagedHsmEmulator, faults
from emulator import application
from emulator.operator_client import ALICE

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(name="hsm")
def _hsm() -> Iterator[ManagedHsmEmulator]:
    with ManagedHsmEmulator() as hsm:
        yield hsm


def _access(hsm: ManagedHsmEmulator) -> KeyVaultAccessControlClient:
    return KeyVaultAccessControlClient(hsm.vault_url, hsm.credential, retry_total=0, **hsm.client_kwargs)


async def _count_roles(client: KeyVaultAccessControlClient) -> int:
    return len([role async for role in client.list_role_definitions("/")])


def test_each_loop_has_its_clients(hsm: ManagedHsmEmulator) -> None:
    async def main() -> int:
        async with _access(hsm) as client:
            return await _count_roles(client)

    with ThreadPoolExecutor() as pool:
        in_threads = [pool.submit(asyncio.run, main()) for _ in range(3)]
        here = [asyncio.run(main()) for _ in range(2)]

    assert here + [each.result() for each in in_threads] == [10] * 5
    assert [entry.status for entry in hsm.journal if entry.status != 401] == [200] * 5


async def test_clients_share_the_keywords_and_no_connection(hsm: ManagedHsmEmulator) -> None:
    keywords = hsm.client_kwargs
    first = KeyVaultAccessControlClient(hsm.vault_url, hsm.credential, **keywords)
    second = KeyVaultAccessControlClient(hsm.vault_url, hsm.credential, **keywords)
    async with first, second:
        await asyncio.gather(_count_roles(first), _count_roles(second))
        await first.close()

        assert await _count_roles(second) == 10


def test_it_serves_a_program_that_the_block_waits_for(hsm: ManagedHsmEmulator) -> None:
    code = "import os, urllib.request as r; print(r.urlopen(os.environ['EMULATOR_CONTROL_URL'] + '/clock').status)"

    assert application.run(code, hsm.environment()) == "200"


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (faults.Status(503), 503),
        (faults.Throttle(), 429),
        (faults.Drop(), None),
        (faults.Reset(after_work=True), None),
        (faults.TruncatedBody(), 201),
        (faults.MalformedBody(), 201),
        (faults.Challenge(), 401),
        (faults.ClaimsChallenge(), 401),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
async def test_when_a_client_knows_of_a_fault_the_journal_does(
    hsm: ManagedHsmEmulator, fault: faults.Fault, status: int | None
) -> None:
    rule = hsm.faults.add(fault, method="PUT", times=None)
    async with _access(hsm) as client:
        assert await _count_roles(client) == 10
        with pytest.raises((HttpResponseError, ServiceResponseError)):
            await client.set_role_definition("/", role_name="Signer")
        seen = [(entry.status, entry.fault) for entry in hsm.journal if entry.method == "PUT"]

    assert set(seen) == {(status, fault.kind)}
    assert rule.delivered == len(seen)


async def test_clock_wakes_waits_in_the_other_thread(hsm: ManagedHsmEmulator) -> None:
    hsm.faults.add(faults.SlowJob(1_000_000))
    hsm.faults.add(faults.Delay(1_000_000), method="GET", path="/backup/*")
    async with (
        KeyVaultBackupClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as client,
        _access(hsm) as other,
    ):
        poller = await client.begin_backup(hsm.container_url, hsm.sas_token, polling_interval=0.01)
        result = asyncio.create_task(poller.result())
        while hsm.faults:
            assert await _count_roles(other) == 10
        hsm.clock.advance(1_000_000)

        assert (await result).folder_url


async def test_tokens_are_revoked_from_here(hsm: ManagedHsmEmulator) -> None:
    async with _access(hsm) as client:
        await _count_roles(client)
        hsm.revoke_tokens()
        hsm.revoke_tokens(ALICE)
        await _count_roles(client)

    assert [entry.status for entry in hsm.journal] == [401, 200, 401, 200]


async def test_faults_come_and_go_while_requests_meet_them(hsm: ManagedHsmEmulator) -> None:
    stop = threading.Event()

    def come_and_go() -> None:
        while not stop.is_set():
            hsm.faults.remove(hsm.faults.add(faults.Status(500), path="/nowhere"))
            time.sleep(0)  # lets the other threads go on

    with ThreadPoolExecutor() as pool:
        hectic = pool.submit(come_and_go)
        try:
            async with _access(hsm) as client:
                counts = [await _count_roles(client) for _ in range(50)]
        finally:
            stop.set()

    hectic.result()
    assert counts == [10] * 50


def test_leaving_the_block_leaves_nothing() -> None:
    before = set(threading.enumerate())
    hsm = ManagedHsmEmulator()

    for _ in range(2):
        with hsm:
            url = urlsplit(hsm.control_url)
            client = HTTPConnection(url.netloc)
            client.request("GET", f"{url.path}/clock")
            assert client.getresponse().read()
            assert [each.name for each in set(threading.enumerate()) - before] == ["emulated-hsm"]

        assert set(threading.enumerate()) <= before
        assert client.sock.recv(1) == b""
        client.close()
        with pytest.raises(RuntimeError, match="not running"):
            _ = hsm.port


def test_failed_start_raises_in_the_caller(hsm: ManagedHsmEmulator) -> None:
    before = set(threading.enumerate())

    with pytest.raises(OSError, match="in use"), ManagedHsmEmulator(port=hsm.port):
        pass
    with pytest.raises(RuntimeError, match="runs already"), hsm:
        pass

    assert set(threading.enumerate()) <= before
    assert hsm.port


async def test_the_thread_is_not_closed_from_another_loop(hsm: ManagedHsmEmulator) -> None:
    with pytest.raises(RuntimeError, match="leaving its 'with' block"):
        await hsm.close()

    assert hsm.port


def test_an_interrupted_start_leaves_no_thread_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(threading.enumerate())
    wait = Future[object].result

    def interrupted(future: Future[object], timeout: float | None = None) -> object:
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        return wait(future, timeout)

    with monkeypatch.context() as patched:
        patched.setattr(Future, "result", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ManagedHsmEmulator().__enter__()

    assert set(threading.enumerate()) <= before
