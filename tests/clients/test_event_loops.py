"""The clients and the emulator on every event loop, in debug mode, several at once and one after another."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import trio
from azure.core.exceptions import ServiceRequestError
from azure.core.pipeline.transport import AioHttpTransport, TrioRequestsTransport

from azure.keyvault.administration import KeyVaultRoleScope
from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient
from azure.keyvault.administration.emulator import ManagedHsmEmulator
from fakes import CHALLENGE, VAULT, Answer, FakeCredential, ScriptedTransport
from transports import Wrapper, requests_transport, wrapped_aiohttp, wrapped_requests

ROOT = KeyVaultRoleScope.GLOBAL
NewLoop = Callable[[], asyncio.AbstractEventLoop]
LOOPS = [pytest.param(asyncio.new_event_loop, id="asyncio")]
if sys.platform != "win32":
    import uvloop

    LOOPS.append(pytest.param(uvloop.new_event_loop, id="uvloop"))


def _run(new_loop: NewLoop, main: Coroutine[Any, Any, Any], *, debug: bool = False) -> Any:
    """Do what asyncio.run does, on a loop of another make."""
    loop = new_loop()
    loop.set_debug(debug)
    # In debug mode slow steps are reported, and this machine may be slow.
    loop.slow_callback_duration = 60
    try:
        return loop.run_until_complete(main)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


async def _with_an_emulator() -> int:
    async with ManagedHsmEmulator(job_duration=0, retry_after=0) as hsm:
        return await _administer(hsm, hsm.vault_url, lambda: hsm.client_kwargs, _gathered)


async def _gathered(calls: list[Callable[[], Any]]) -> None:
    await asyncio.gather(*(call() for call in calls))


async def _administer(
    hsm: ManagedHsmEmulator, url: str, options: Callable[[], dict[str, Any]], at_once: Callable[..., Any]
) -> int:
    """Use both clients on whatever loop runs, many calls at once, and return how many custom roles there are then."""
    async with (
        KeyVaultAccessControlClient(url, hsm.credential, **options()) as access,
        KeyVaultBackupClient(url, hsm.credential, **options()) as backup,
    ):
        await at_once([lambda: access.set_role_definition(ROOT) for _ in range(20)])
        made = await _custom_roles(access)
        poller = await backup.begin_backup(hsm.container_url, hsm.sas_token, polling_interval=0.01)
        folder = (await poller.result()).folder_url or ""
        await at_once([lambda name=name: access.delete_role_definition(ROOT, name) for name in made])
        await (await backup.begin_restore(folder, hsm.sas_token, polling_interval=0.01)).wait()
        return len(await _custom_roles(access))


async def _custom_roles(access: KeyVaultAccessControlClient) -> list[str]:
    return [role.name or "" async for role in access.list_role_definitions(ROOT) if role.role_type == "CustomRole"]


def _options(transport: Callable[[], Any]) -> Callable[[], dict[str, Any]]:
    # urllib3 doesn't close the connections of a closed session while its responses are referenced.
    headers = {"Connection": "close"}
    return lambda: {"transport": transport(), "verify_challenge_resource": False, "headers": headers}


@pytest.mark.parametrize("debug", [False, True], ids=["plain", "debug"])
@pytest.mark.parametrize("new_loop", LOOPS)
def test_everything_works_on_every_loop(new_loop: NewLoop, debug: bool, caplog: pytest.LogCaptureFixture) -> None:
    assert _run(new_loop, _with_an_emulator(), debug=debug) == 20

    # Tasks that were never awaited and exceptions that were never retrieved are reported there.
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio" and record.levelno > 20] == []


def test_asyncio_run_can_follow_asyncio_run() -> None:
    assert [asyncio.run(_with_an_emulator()) for _ in range(2)] == [20, 20]


@pytest.mark.parametrize("new_loop", LOOPS)
async def test_loops_in_threads_of_their_own_have_a_client_each(hsm: ManagedHsmEmulator, new_loop: NewLoop) -> None:
    def in_a_thread(number: int) -> int:
        return int(_run(new_loop, manage(number)))

    async def manage(number: int) -> int:
        context = ssl.create_default_context(cadata=hsm.ca_certificate.decode())
        session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context), auto_decompress=False)
        async with KeyVaultAccessControlClient(
            hsm.localhost_url,
            hsm.credential,
            transport=AioHttpTransport(session=session),
            verify_challenge_resource=False,
        ) as client:
            names = [f"2f5b1a7e-6c1d-4f7a-9b35-{number:06}{index:06}" for index in range(20)]
            await asyncio.gather(*(client.set_role_definition(ROOT, name=name) for name in names))
            return sum([role.name in names async for role in client.list_role_definitions(ROOT)])

    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(2) as threads:
        found = await asyncio.gather(*(loop.run_in_executor(threads, in_a_thread, number) for number in range(2)))

    assert found == [20, 20]


def test_cold_calls_on_trio_share_challenge_and_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fakes.yield_to_loop", trio.lowlevel.checkpoint)
    role = Answer(200, {"name": "n"})
    transport = ScriptedTransport(server=lambda sent: role if sent.token else CHALLENGE)
    credential = FakeCredential()

    async def main() -> None:
        client = KeyVaultAccessControlClient(VAULT, credential, transport=transport)
        async with client, trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(client.get_role_definition, ROOT, "n")

    trio.run(main)

    assert [sent.token for sent in transport.requests] == [None, *["token-1"] * 20]
    assert len(credential.requests) == 1


@pytest_asyncio.fixture(name="quick")
async def _quick(tmp_path: Path) -> AsyncIterator[tuple[ManagedHsmEmulator, str]]:
    async with ManagedHsmEmulator(job_duration=0.05, retry_after=0) as hsm:
        ca_file = tmp_path / "ca.pem"
        ca_file.write_bytes(hsm.ca_certificate)
        yield hsm, str(ca_file)


@pytest.mark.parametrize("wrap", [lambda inner: inner, Wrapper], ids=["", "wrapped"])
async def test_both_clients_work_on_trio(quick: tuple[ManagedHsmEmulator, str], wrap: Any) -> None:
    hsm, ca_file = quick

    async def at_once(calls: list[Callable[[], Any]]) -> None:
        async with trio.open_nursery() as nursery:
            for call in calls:
                nursery.start_soon(call)

    options = _options(lambda: wrap(TrioRequestsTransport(connection_verify=ca_file)))

    # The emulator stays on this loop.
    assert await asyncio.to_thread(trio.run, _administer, hsm, hsm.localhost_url, options, at_once) == 20


@pytest.mark.parametrize("make", [requests_transport, wrapped_requests, wrapped_aiohttp])
async def test_both_clients_work_through_other_transports(quick: tuple[ManagedHsmEmulator, str], make: Any) -> None:
    hsm, ca_file = quick

    assert await _administer(hsm, hsm.localhost_url, _options(lambda: make(ca_file)), _gathered) == 20


def test_default_transport_on_trio_is_an_error_that_names_the_right_one() -> None:
    async def call() -> None:
        await KeyVaultAccessControlClient(VAULT, FakeCredential()).get_role_definition(ROOT, "n")

    with pytest.raises(ServiceRequestError, match="TrioRequestsTransport"):
        trio.run(call)
