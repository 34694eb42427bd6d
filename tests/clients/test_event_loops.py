"""The clients and the emulator on every loop that people use, in debug mode, several at once and one after another."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import pytest
import trio
from azure.core.pipeline.transport import AioHttpTransport

from azure.keyvault.administration import KeyVaultPermission, KeyVaultRoleScope
from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient
from azure.keyvault.administration.emulator import ManagedHsmEmulator
from fakes import CHALLENGE, VAULT, Answer, FakeCredential, ScriptedTransport

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
    # In debug mode slow steps are reported, and how fast this machine is just now is nobody's promise.
    loop.slow_callback_duration = 60
    try:
        return loop.run_until_complete(main)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


async def _administer(vault_url: str, credential: Any, container: str, sas: str, **options: Any) -> int:
    """Use every kind of operation, many at once, and return how many custom roles there were in the end."""
    async with (
        KeyVaultAccessControlClient(vault_url, credential, **options) as access,
        KeyVaultBackupClient(vault_url, credential, **options) as backup,
    ):
        role = [KeyVaultPermission(data_actions=["Microsoft.KeyVault/managedHsm/keys/read/action"])]
        made = await asyncio.gather(*(access.set_role_definition(ROOT, permissions=role) for _ in range(20)))
        poller = await backup.begin_backup(container, sas, polling_interval=0.01)
        folder = (await poller.result()).folder_url
        await asyncio.gather(*(access.delete_role_definition(ROOT, each.name or "") for each in made))
        await (await backup.begin_restore(folder or "", sas, polling_interval=0.01)).wait()
        return len([role async for role in access.list_role_definitions(ROOT) if role.role_type == "CustomRole"])


async def _with_an_emulator() -> int:
    async with ManagedHsmEmulator(job_duration=0, retry_after=0) as hsm:
        return await _administer(hsm.vault_url, hsm.credential, hsm.container_url, hsm.sas_token, **hsm.client_kwargs)


@pytest.mark.parametrize("debug", [False, True], ids=["plain", "debug"])
@pytest.mark.parametrize("new_loop", LOOPS)
def test_everything_works_on_every_loop(new_loop: NewLoop, debug: bool, caplog: pytest.LogCaptureFixture) -> None:
    assert _run(new_loop, _with_an_emulator(), debug=debug) == 20

    # Tasks that were never awaited and exceptions that nobody saw are reported there.
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
