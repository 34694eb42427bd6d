"""Clients that keep idle connections: the emulator serves the others, and does not fill its log."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import socket
import ssl
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock
from urllib.parse import urlsplit

import pytest

from azure.keyvault.administration.emulator import ManagedHsmEmulator, faults
from azure.keyvault.administration.emulator._net import connections
from azure.keyvault.administration.emulator._net.connections import Connection, Connections
from emulator import application
from emulator.raw import RawClient

if TYPE_CHECKING:
    from emulator.slow_key import SlowKey

HOST = "emulated-hsm.managedhsm.azure.net"
CONNECT = f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n".encode()
HEAD = b"GET /keys HTTP/1.1\r\nHost: localhost\r\n"


def set_limits(monkeypatch: pytest.MonkeyPatch, **limits: float) -> None:
    for name, value in limits.items():
        monkeypatch.setattr(connections, name, value)


def port_of(hsm: ManagedHsmEmulator, listener: str) -> int:
    if listener in {"hsm", "tls"}:
        return hsm.port
    return urlsplit(hsm.environment()[{"proxy": "HTTPS_PROXY", "local": "IDENTITY_ENDPOINT"}[listener]]).port or 0


def trust(hsm: ManagedHsmEmulator) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=hsm.ca_certificate.decode())


async def connect(hsm: ManagedHsmEmulator, way: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect, as far as to where a request would be sent, or TLS be begun."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    port = port_of(hsm, "proxy" if way == "tunnel" else way)
    transport: asyncio.Transport | None
    transport, _ = await loop.create_connection(lambda: protocol, "127.0.0.1", port)
    if way == "tunnel":
        transport.write(CONNECT)
        await reader.readuntil(b"\r\n\r\n")
    if way in {"hsm", "tunnel"}:
        transport = await loop.start_tls(transport, protocol, trust(hsm), server_hostname=HOST)
        assert transport
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def end(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until the emulator hangs up."""
    with suppress(ConnectionError):
        return await reader.read()
    return b""


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


async def test_idle_connections_make_room_and_are_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    set_limits(monkeypatch, MAX_CONNECTIONS=4, MIN_IDLE_SECONDS=0)
    async with ManagedHsmEmulator() as hsm:
        variables = hsm.environment()
        idle = [
            await asyncio.open_connection("127.0.0.1", port_of(hsm, listener))
            for _ in range(6)
            for listener in ("hsm", "proxy", "local")
        ]

        token = await application.get_token(variables)
        assert (await application.send(variables, "GET", "/keys?api-version=7.6"))[0] == 401
        assert (await RawClient(hsm).send("GET", "/keys", token=token)).status == 403

        assert await end(idle[0][0]) == b""
        for _, writer in idle:
            writer.close()
    expected = "4 connections are open: idle ones are closed for new ones, or new ones wait"
    listeners = ("HSM", "Local services", "Proxy")
    assert sorted(warnings(caplog)) == [f"{each}: {expected}" for each in listeners]


@pytest.mark.parametrize("way", ["hsm", "tunnel", "local"])
async def test_connection_that_was_used_longest_ago_makes_room(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    set_limits(monkeypatch, MAX_CONNECTIONS=2, MIN_IDLE_SECONDS=0)
    async with ManagedHsmEmulator() as hsm:
        opened = []
        for _ in range(3):
            reader, writer = await connect(hsm, way)
            writer.write(HEAD + b"\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 40")
            opened.append((reader, writer))

        await end(opened[0][0])
        opened[2][1].write(HEAD + b"Connection: close\r\n\r\n")

        assert (await end(opened[2][0])).count(b"HTTP/1.1 40") == 1
        for _, writer in opened:
            writer.close()


async def test_connection_with_a_request_in_progress_makes_no_room(
    monkeypatch: pytest.MonkeyPatch, slow_key: SlowKey
) -> None:
    set_limits(monkeypatch, MAX_CONNECTIONS=1, MIN_IDLE_SECONDS=0)
    async with ManagedHsmEmulator() as hsm:
        raw = RawClient(hsm)
        await raw.grant_key_roles()
        creating = asyncio.create_task(raw.send("POST", "/keys/k/create", {"kty": "RSA"}))
        await slow_key.begun()

        waiting = asyncio.create_task(raw.send("GET", "/keys"))
        done, _ = await asyncio.wait([waiting, creating], timeout=0.2)
        slow_key.end()

        assert done == set()
        assert [(await creating).status, (await waiting).status] == [200, 200]


async def test_client_that_does_not_finish_its_request_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    set_limits(monkeypatch, REQUEST_SECONDS=0.1)
    requests = [
        ("tls", b""),
        ("hsm", b""),
        ("hsm", HEAD),
        ("hsm", HEAD + b"Content-Length: 5\r\n\r\nabc"),
        ("hsm", HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc"),
        ("tunnel", HEAD),
        ("local", b"POST"),
        ("proxy", b"CONNECT"),
        ("proxy", CONNECT),
    ]
    async with ManagedHsmEmulator() as hsm:
        for way, sent in requests:
            reader, writer = await connect(hsm, way)
            writer.write(sent[:1])
            await writer.drain()
            await asyncio.sleep(0)
            writer.write(sent[1:])

            await asyncio.wait_for(end(reader), 30)
            writer.close()


async def test_connection_may_rest_between_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    set_limits(monkeypatch, REQUEST_SECONDS=0.05)
    async with ManagedHsmEmulator() as hsm:
        reader, writer = await connect(hsm, "hsm")
        for pause in (0.1, 0):
            writer.write(HEAD + b"\r\n")
            assert await reader.readline() == b"HTTP/1.1 401 Unauthorized\r\n"
            await reader.readuntil(b"\r\n\r\nOK")
            await asyncio.sleep(pause)
        writer.close()


async def test_request_that_came_while_the_loop_was_blocked_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    set_limits(monkeypatch, REQUEST_SECONDS=0.1)
    async with ManagedHsmEmulator() as hsm:
        reader, writer = await connect(hsm, "hsm")
        writer.write(HEAD + b"\r\n")
        # As a debugger does.
        time.sleep(0.2)  # noqa: ASYNC251

        assert await reader.readline() == b"HTTP/1.1 401 Unauthorized\r\n"
        writer.close()


async def test_request_that_the_emulator_delays_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    set_limits(monkeypatch, REQUEST_SECONDS=0.05)
    async with ManagedHsmEmulator() as hsm:
        hsm.faults.add(faults.Delay(60))
        sending = asyncio.create_task(RawClient(hsm).send("POST", "/keys/k/create", b"x" * 900_000))
        await asyncio.wait([sending], timeout=0.3)
        hsm.clock.advance(60)

        assert (await sending).status == 403


async def test_client_that_does_not_read_its_response_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    set_limits(monkeypatch, REQUEST_SECONDS=0.05)
    dropped = asyncio.Event()
    connection = Connection(Connections("HSM"), Mock())
    connection.connection_made(Mock(abort=dropped.set))

    connection.pause_writing()
    connection.resume_writing()
    connection.pause_writing()

    await asyncio.wait_for(dropped.wait(), 30)
    connection.connection_lost(None)


@pytest.fixture(name="few_files")
def _few_files() -> Any:
    """Keep the process from opening files, and let it again."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []

    def take(number: int) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, before[1]))
        with suppress(OSError):
            while True:
                taken.append(os.dup(0))

    def give_back() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        while taken:
            os.close(taken.pop())

    yield take, give_back
    give_back()


async def test_without_file_descriptors_new_clients_wait_and_the_log_says_so_once(
    few_files: Any, caplog: pytest.LogCaptureFixture
) -> None:
    take, give_back = few_files
    async with ManagedHsmEmulator() as hsm:
        variables = hsm.environment()
        address = ("127.0.0.1", port_of(hsm, "local"))
        with socket.socket() as client:
            client.setblocking(False)
            # Every listener waits for a client by then.
            assert await application.get_token(variables)
            take(200)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(client, address)
            await asyncio.sleep(0.2)
            give_back()
            await loop.sock_sendall(client, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")

            assert (await loop.sock_recv(client, 100)).startswith(b"HTTP/1.1 404 ")
        assert await application.get_token(variables)

    assert warnings(caplog) == ["Local services: New connections have to wait: Too many open files"]


@pytest.mark.parametrize(("files", "limit"), [(256, 52), (1024, 308), (20_000, 1024), (64, 16)])
async def test_listener_leaves_file_descriptors_for_the_rest_of_the_process(
    monkeypatch: pytest.MonkeyPatch, files: int, limit: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    kept = Connections("HSM")
    for _ in range(limit - 1):
        kept.add(Mock(idle_since=None))
    await kept.make_room()

    kept.add(Mock(idle_since=None))

    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(kept.make_room(), 0.1)
