"""The proxy leads to the emulator, and nowhere else."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from azure.keyvault.administration.emulator import ManagedHsmEmulator
from azure.keyvault.administration.emulator._net.connect import Refusal, read_target
from azure.keyvault.administration.emulator._net.connect_proxy import ConnectProxy
from azure.keyvault.administration.emulator._state.certificates import issue
from emulator import application

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

HOST = "emulated-hsm.managedhsm.azure.net"
CONNECT = f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n".encode()
ONLY_CONNECT = f"This proxy only tunnels to {HOST}:443; the method is CONNECT."
NO_TARGET = "The target of CONNECT is a host and a port."
NO_REQUEST = "This is not an HTTP/1.1 request."


def _port(hsm: ManagedHsmEmulator) -> int:
    port = urlsplit(hsm.environment()["HTTPS_PROXY"]).port
    assert port
    return port


async def _ask(port: int, request: bytes) -> bytes:
    """Send something, and return everything that comes back until the proxy hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def _only(host: str) -> str:
    return f"This proxy tunnels to {HOST}:443 only, not to {host}; --allow-host adds a host."


async def test_a_client_with_the_proxy_and_strict_verification_is_served(hsm: ManagedHsmEmulator) -> None:
    variables = hsm.environment()
    token = await application.get_token(variables)

    challenged = await application.send(variables, "GET", "/keys?api-version=7.6")
    path = "/providers/Microsoft.Authorization/roleAssignments?api-version=7.6"
    status, body = await application.send(variables, "GET", path, token=token)

    assert challenged == (401, "OK")
    assert (status, len(body["value"])) == (200, 1)
    assert [(entry.method, entry.status) for entry in hsm.journal] == [("GET", 401), ("GET", 200)]


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop is not for Windows")
def test_a_client_is_served_on_uvloop_too() -> None:
    import uvloop

    async def ask() -> tuple[int, object]:
        async with ManagedHsmEmulator() as hsm:
            return await application.send(hsm.environment(), "GET", "/")

    assert uvloop.run(ask()) == (401, "OK")


async def test_a_large_body_comes_through(hsm: ManagedHsmEmulator) -> None:
    variables = hsm.environment()
    token = await application.get_token(variables)

    status, body = await application.send(
        variables, "POST", "/backup?api-version=7.6", {"x": "x" * 1_000_000}, token=token
    )

    assert (status, body["error"]["code"]) == (400, "BadRequest")


async def test_a_request_that_comes_with_the_end_of_the_handshake_is_served(hsm: ManagedHsmEmulator) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context(cadata=hsm.ca_certificate.decode())
    tls = context.wrap_bio(incoming, outgoing, server_hostname=HOST)
    reader, writer = await asyncio.open_connection("127.0.0.1", _port(hsm))
    writer.write(CONNECT)
    await reader.readuntil(b"\r\n\r\n")

    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    while not tls.version() or outgoing.pending:
        writer.write(outgoing.read())
        incoming.write(await reader.read(65536))
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            continue
    tls.write(f"GET /keys HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
    writer.write(outgoing.read())
    answer = b""
    while not answer:
        incoming.write(await reader.read(65536))
        try:
            answer = tls.read()
        except ssl.SSLWantReadError:
            continue
    writer.close()

    assert answer.startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    ("request_line", "status", "reason"),
    [
        ("CONNECT example.com:443 HTTP/1.1", 403, _only("example.com:443")),
        (f"CONNECT {HOST}:80 HTTP/1.1", 403, _only(f"{HOST}:80")),
        (f"CONNECT other.{HOST}:443 HTTP/1.1", 403, _only(f"other.{HOST}:443")),
        (f"CONNECT {HOST}.:443 HTTP/1.1", 403, _only(f"{HOST}.:443")),
        ("CONNECT 127.0.0.1:443 HTTP/1.1", 403, _only("127.0.0.1:443")),
        ("CONNECT [::1]:443 HTTP/1.1", 403, _only("[::1]:443")),
        (f"CONNECT {HOST} HTTP/1.1", 400, NO_TARGET),
        (f"CONNECT {'x' * 254}:443 HTTP/1.1", 400, NO_TARGET),
        (f"CONNECT {HOST}:443443 HTTP/1.1", 400, NO_TARGET),
        (f"CONNECT user:secret@{HOST}:443 HTTP/1.1", 400, NO_TARGET),
        (f"CONNECT https://{HOST}:443 HTTP/1.1", 400, NO_TARGET),
        (f"GET http://{HOST}/ HTTP/1.1", 405, ONLY_CONNECT),
        ("GET / HTTP/1.1", 405, ONLY_CONNECT),
        (f"connect {HOST}:443 HTTP/1.1", 405, ONLY_CONNECT),
        (f"CONNECT {HOST}:443 HTTP/2.0", 400, NO_REQUEST),
        (f"CONNECT  {HOST}:443 HTTP/1.1", 400, NO_REQUEST),
        (f"CONNECT {HOST}:443", 400, NO_REQUEST),
        ("", 400, NO_REQUEST),
        (f"CONNECT {HOST}:443 HTTP/1.1\r\nno field", 400, NO_REQUEST),
        (f"CONNECT {HOST}:443 HTTP/1.1\r\na: b\r\n folded: c", 400, NO_REQUEST),
        (f"CONNECT {HOST}:443 HTTP/1.1\r\na: b\nc: d", 400, NO_REQUEST),
        (f"CONNECT {HOST}:443 HTTP/1.1\r\na: \0", 400, NO_REQUEST),
        (f"CONNECT {HOST}:443 HTTP/1.1\r\n\r\n\x16\x03\x01", 400, "Nothing may be sent before the tunnel is open."),
        ("x" * 20_000, 431, "The head of a request may have 16384 bytes."),
        (f"CONNECT {HOST}:443 HTTP/1.1\r\na: {'x' * 20_000}", 431, "The head of a request may have 16384 bytes."),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_proxy_refuses_anything_else_with_the_reason(request_line: str, status: int, reason: str) -> None:
    with pytest.raises(Refusal) as caught:
        read_target(request_line.encode("latin-1") + b"\r\n\r\n", f"{HOST}:443", [f"{HOST}:443"])

    assert (caught.value.status, caught.value.reason) == (status, reason)


@pytest.mark.parametrize(
    ("request_bytes", "status", "reason", "allow"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 405, ONLY_CONNECT, ["Allow: CONNECT"]),
        pytest.param(b"x" * 2_000_000, 431, "The head of a request may have 16384 bytes.", [], id="endless"),
    ],
)
async def test_refusal_is_sent_whole_and_once(
    hsm: ManagedHsmEmulator,
    caplog: pytest.LogCaptureFixture,
    request_bytes: bytes,
    status: int,
    reason: str,
    allow: list[str],
) -> None:
    head, _, body = (await _ask(_port(hsm), request_bytes)).decode().partition("\r\n\r\n")

    assert body == reason + "\n"
    assert head.split("\r\n") == [
        f"HTTP/1.1 {status} {reason}",
        *allow,
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_the_host_name_may_be_written_in_any_case_and_the_head_sent_in_pieces(hsm: ManagedHsmEmulator) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", _port(hsm))
    for byte in CONNECT.replace(HOST.encode(), HOST.upper().encode()):
        writer.write(bytes([byte]))
        await writer.drain()

    assert await reader.readline() == b"HTTP/1.1 200 Connection established\r\n"
    writer.close()
    await writer.wait_closed()


async def test_after_a_client_that_hangs_up_or_speaks_no_tls_the_proxy_goes_on(hsm: ManagedHsmEmulator) -> None:
    port = _port(hsm)
    for request in (b"", b"CONNECT", CONNECT):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        writer.close()
        await writer.wait_closed()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(CONNECT)
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    await reader.read()
    writer.close()

    assert await application.send(hsm.environment(), "GET", "/") == (401, "OK")


async def test_a_client_that_does_not_trust_the_authority_is_not_served(hsm: ManagedHsmEmulator) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(hsm.vault_url, proxy=hsm.environment()["HTTPS_PROXY"])

    assert hsm.journal == []


@pytest.mark.parametrize("sent", [b"", b"CONNECT", b"GET / HTTP/1.1\r\n\r\n", CONNECT], ids=str)
async def test_closing_drops_clients_without_a_tunnel(sent: bytes) -> None:
    hsm = ManagedHsmEmulator()
    await hsm.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", _port(hsm))
    writer.write(sent)
    # A later client gets its response, so the first one is inside.
    await _ask(_port(hsm), b"\r\n\r\n")

    await hsm.close()

    with suppress(ConnectionResetError):
        await reader.read()
    writer.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_client_that_resets_the_connection_leaves_nothing_behind(hsm: ManagedHsmEmulator) -> None:
    port = _port(hsm)
    for _ in range(10):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(CONNECT)
            # Closed with no time to linger, a connection is reset.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await _ask(port, b"\r\n\r\n")

    await hsm.close()

    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_closing_the_emulator_ends_its_tunnels(hsm: ManagedHsmEmulator) -> None:
    context = ssl.create_default_context(cadata=hsm.ca_certificate.decode())
    proxy = hsm.environment()["HTTPS_PROXY"]
    async with aiohttp.ClientSession() as session:
        async with session.get(hsm.vault_url, proxy=proxy, ssl=context) as reply:
            assert reply.status == 401
        await hsm.close()

        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(hsm.vault_url, proxy=proxy, ssl=context)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", b"HTTP/1.1 408 The request took too long.\r\n"),
        (CONNECT[:-1], b"HTTP/1.1 408 The request took too long.\r\n"),
        # In the handshake of TLS, it is dropped.
        (CONNECT, b"HTTP/1.1 200 Connection established\r\n\r\n"),
    ],
    ids=["nothing", "almost all", "no handshake"],
)
async def test_a_client_that_takes_too_long_is_told_so(sent: bytes, said: bytes) -> None:
    runner = web.AppRunner(web.Application())
    await runner.setup()
    assert runner.server
    proxy = ConnectProxy(HOST, runner.server, issue(HOST).server_context(), timeout=0.05)
    port = await proxy.start()
    answer = await _ask(port, sent)
    await proxy.close()
    await proxy.close()
    await runner.cleanup()

    assert answer.startswith(said)
    assert b"200" not in said or answer == said


async def _request(hsm: ManagedHsmEmulator, method: str, url: str) -> tuple[int, Any]:
    variables = hsm.environment()
    context = ssl.create_default_context(cafile=variables["SSL_CERT_FILE"])
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, proxy=variables["HTTPS_PROXY"], ssl=context) as reply,
    ):
        return reply.status, await reply.json()


async def test_the_resource_manager_has_no_subscriptions_and_nothing_else(hsm: ManagedHsmEmulator) -> None:
    url = "https://management.azure.com"
    for query in ("", "?api-version=2022-12-01"):
        assert await _request(hsm, "GET", f"{url}/subscriptions{query}") == (200, {"value": []})
    for method, path in (("POST", "/subscriptions"), ("GET", "/tenants"), ("GET", "/")):
        status, body = await _request(hsm, method, url + path)
        assert (status, body["error"]["code"]) == (404, "NotFound")
    assert hsm.journal == []


async def test_the_certificate_of_the_resource_manager_is_kept_with_the_data(tmp_path: Path) -> None:
    for _ in range(2):
        async with ManagedHsmEmulator(data=tmp_path) as hsm:
            assert await _request(hsm, "GET", "https://management.azure.com/subscriptions") == (200, {"value": []})


async def test_the_directory_tells_nothing_in_its_own_words(hsm: ManagedHsmEmulator) -> None:
    for method, path in (("GET", "/v1.0/me"), ("POST", "/v1.0/directoryObjects/getByIds"), ("GET", "/")):
        status, body = await _request(hsm, method, f"https://graph.microsoft.com{path}")

        error = body["error"]
        assert (status, list(body)) == (403, ["error"])
        assert error["code"] == "Authorization_RequestDenied"
        assert error["message"] == "Insufficient privileges to complete the operation."
        assert list(error["innerError"]) == ["date", "request-id", "client-request-id"]


@pytest_asyncio.fixture(name="elsewhere")
async def _elsewhere() -> AsyncIterator[int]:
    """The port of another program on this machine; it responds with the host that it was asked for."""

    async def handle(request: web.Request) -> web.Response:
        return web.Response(text=f"{request.host} {len(await request.read())}")

    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=issue("localhost").server_context())
    await site.start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def test_a_host_that_is_allowed_is_reached(elsewhere: int) -> None:
    body = b"x" * 900_000
    async with (
        ManagedHsmEmulator(allow_hosts=["example.com", f"LOCALHOST:{elsewhere}"]) as hsm,
        aiohttp.ClientSession() as session,
    ):
        options: dict[str, Any] = {"proxy": hsm.environment()["HTTPS_PROXY"], "ssl": False}
        async with session.post(f"https://localhost:{elsewhere}/", data=body, **options) as reply:
            said = await reply.text()
        async with session.get(hsm.vault_url, **options) as reply:
            status = reply.status
        refused = await _ask(_port(hsm), b"CONNECT localhost:443 HTTP/1.1\r\n\r\n")

    assert (said, status) == (f"localhost:{elsewhere} 900000", 401)
    assert refused.startswith(b"HTTP/1.1 403 ")


async def test_a_host_that_is_allowed_and_cannot_be_reached_is_a_bad_gateway() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    async with ManagedHsmEmulator(allow_hosts=[f"localhost:{port}"]) as hsm:
        answer = await _ask(_port(hsm), f"CONNECT localhost:{port} HTTP/1.1\r\n\r\n".encode())

    reason = f"The emulator's proxy cannot connect to localhost:{port}."
    assert answer.startswith(f"HTTP/1.1 502 {reason}\r\n".encode())


async def test_a_host_that_hangs_up_ends_the_tunnel() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"bye")
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with ManagedHsmEmulator(allow_hosts=[f"localhost:{port}"]) as hsm:
            answer = await _ask(_port(hsm), f"CONNECT localhost:{port} HTTP/1.1\r\n\r\n".encode())

    assert answer == b"HTTP/1.1 200 Connection established\r\n\r\nbye"


async def test_closing_the_emulator_ends_tunnels_that_lead_out(elsewhere: int) -> None:
    async with ManagedHsmEmulator(allow_hosts=[f"localhost:{elsewhere}"]) as hsm:
        reader, writer = await asyncio.open_connection("127.0.0.1", _port(hsm))
        writer.write(f"CONNECT localhost:{elsewhere} HTTP/1.1\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")

    with suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.close()


async def test_allowing_the_name_of_the_hsm_changes_nothing() -> None:
    async with ManagedHsmEmulator(allow_hosts=[HOST]) as hsm:
        assert await application.send(hsm.environment(), "GET", "/") == (401, "OK")
