"""What calls say when their client is closed, before them or under them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import ServiceRequestError
from azure.core.rest import HttpRequest

from azure.keyvault.administration.aio import KeyVaultBackupClient
from fakes import CONTAINER, SAS, FakeCredential
from raw_server import Act, RawServer, Received, challenging, http
from transports import TRANSPORTS, aiohttp_transport, wrapped_aiohttp

if TYPE_CHECKING:
    from pathlib import Path

_GET = HttpRequest("GET", "/x")


_ANSWER = challenging(http(404))


def _client(server: RawServer, make: Any) -> KeyVaultBackupClient:
    trust = {"transport": make(server.ca_file)} if make else {"connection_verify": server.ca_file}
    return KeyVaultBackupClient(server.url, FakeCredential(), verify_challenge_resource=False, **trust)


@pytest.mark.parametrize("make", [None, *(make for make in TRANSPORTS if make.__name__ != "own_session")])
async def test_call_on_a_closed_client_says_so_immediately(tmp_path: Path, make: Any) -> None:
    async with RawServer(tmp_path, _ANSWER) as server:
        client = _client(server, make)
        await client.send_request(_GET)
        await client.close()
        await client.close()

        with pytest.raises(ServiceRequestError, match="client is closed"):
            await client.send_request(_GET)
        with pytest.raises(ServiceRequestError, match="client is closed") as of_start:
            await client.begin_backup(CONTAINER, SAS)
        with pytest.raises(ServiceRequestError, match="client is closed"):
            async with client:
                pass

    assert "may have started" not in str(of_start.value)


async def test_client_that_was_closed_unused_can_be_used(tmp_path: Path) -> None:
    async with RawServer(tmp_path, _ANSWER) as server:
        client = _client(server, None)
        await client.close()
        async with client:
            assert (await client.send_request(_GET)).status_code == 404


@pytest.mark.parametrize("make", [None, aiohttp_transport, wrapped_aiohttp])
async def test_calls_in_flight_end_when_the_client_is_closed(tmp_path: Path, make: Any) -> None:
    arrived = asyncio.Semaphore(0)

    async def stall(received: Received) -> Act:
        if received.token:
            arrived.release()
            await asyncio.sleep(3600)
        return _ANSWER(received)

    async with RawServer(tmp_path, stall) as server:
        client = _client(server, make)
        calls = [asyncio.create_task(client.send_request(_GET, stream=stream)) for stream in (False, True)]
        start = asyncio.create_task(client.begin_backup(CONTAINER, SAS))
        for _ in range(3):
            await arrived.acquire()

        await client.close()

        for call in calls:
            with pytest.raises(ServiceRequestError, match="client is closed"):
                await call
        with pytest.raises(ServiceRequestError, match="may have started the job"):
            await start


async def test_client_says_so_if_another_one_closed_its_transport(tmp_path: Path) -> None:
    async with RawServer(tmp_path, _ANSWER) as server:
        transport = aiohttp_transport(server.ca_file)
        first, second = (_client(server, lambda _: transport) for _ in range(2))
        await first.send_request(_GET)
        await first.close()

        with pytest.raises(ServiceRequestError, match="client is closed"):
            await second.send_request(_GET)
