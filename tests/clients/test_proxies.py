"""Clients behind a proxy that doesn't let them through, and proxies that cannot be used."""

from __future__ import annotations

import asyncio
import base64
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import AzureError, ServiceRequestError
from azure.core.rest import HttpRequest

from azure.keyvault.administration.aio import KeyVaultBackupClient
from fakes import FOLDER, SAS, VAULT, FakeCredential, ScriptedTransport
from raw_server import Act, RawServer, challenging, http
from transports import aiohttp_transport, own_session, requests_transport, wrapped_aiohttp, wrapped_requests

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

_PASSWORD = "canary-password"


class _Proxy:
    """A CONNECT proxy that opens its first tunnels, and does the same about all others.

    :param refusal: The status code of its responses; None to hang up, or to reset the connection.
    """

    def __init__(self, refusal: int | None, *, resets: bool = False, tunnels: int = 1) -> None:
        self._refusal = refusal
        self._resets = resets
        self._tunnels = tunnels
        self.requests: list[bytes] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(head)
            if len(self.requests) <= self._tunnels:
                await self._tunnel(head.split()[1].decode(), reader, writer)
            elif self._refusal is not None:
                writer.write(f"HTTP/1.1 {self._refusal} {_PASSWORD}\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()
            elif self._resets:
                writer.transport.abort()
        writer.close()

    async def _tunnel(self, target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = target.rpartition(":")
        target_reader, target_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(_pump(reader, target_writer), _pump(target_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


# The start that follows needs its own connection, and so a tunnel.
_CLOSING = challenging(http(404), close=True)


def _client(server: RawServer, make: Any, **options: Any) -> KeyVaultBackupClient:
    trust = {"transport": make(server.ca_file)} if make else {"connection_verify": server.ca_file}
    return KeyVaultBackupClient(
        server.url,
        FakeCredential(),
        challenge_resource_domains=["managedhsm.azure.net"],
        retry_backoff_factor=0,
        **trust,
        **options,
    )


_PLAIN = (None, aiohttp_transport, own_session, requests_transport)
_EVERY = (*_PLAIN, wrapped_aiohttp, wrapped_requests)


async def _start_through(proxy: _Proxy, server: RawServer, make: Any, **options: Any) -> str:
    """Start a job, and return the text of the error that it ends in."""
    async with _client(server, make, **options) as client:
        with pytest.raises(ServiceRequestError) as caught:
            await client.begin_restore(FOLDER, SAS)
    shown = f"{caught.value!r} {caught.value} {caught.value.inner_exception!r} {caught.value.__cause__!r}"
    assert _PASSWORD not in shown
    assert "may have started" not in shown
    assert proxy.address in shown
    return str(caught.value)


@pytest.mark.parametrize(
    ("make", "status"), [*((make, 407) for make in _EVERY), (requests_transport, 503), (None, 599)]
)
async def test_start_that_a_proxy_refuses_is_retried(tmp_path: Path, make: Any, status: int) -> None:
    async with RawServer(tmp_path, _CLOSING) as server, _Proxy(status) as proxy:
        proxies = {"https": f"http://user:{_PASSWORD}@{proxy.address}"}
        text = await _start_through(proxy, server, make, proxies=proxies)

    assert f": {status}" in text
    assert len(proxy.requests) == 1 + 4


@pytest.mark.parametrize(("make", "resets"), [*((make, False) for make in _PLAIN), (None, True)])
async def test_start_during_which_a_proxy_hangs_up_is_retried(tmp_path: Path, make: Any, resets: bool) -> None:
    async with RawServer(tmp_path, _CLOSING) as server, _Proxy(None, resets=resets) as proxy:
        proxies = {"https": f"http://user:{_PASSWORD}@{proxy.address}"}
        text = await _start_through(proxy, server, make, proxies=proxies)

    assert "was lost before the request was sent" in text
    assert len(proxy.requests) == 1 + 4


@pytest.mark.parametrize(
    ("make", "refusal"), [(None, 502), (aiohttp_transport, 502), (requests_transport, 502), (aiohttp_transport, None)]
)
async def test_proxy_of_the_environment_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Any, refusal: int | None
) -> None:
    async with RawServer(tmp_path, _CLOSING) as server, _Proxy(refusal) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:{_PASSWORD}@{proxy.address}")
        monkeypatch.setenv("NO_PROXY", "")
        await _start_through(proxy, server, make)

    assert len(proxy.requests) == 1 + 4


@pytest.mark.parametrize(("make", "then"), [*((make, "close") for make in _EVERY), (None, "reset")])
async def test_connection_lost_behind_a_proxy_may_have_started_the_job(tmp_path: Path, make: Any, then: str) -> None:
    # azure-core's aiohttp transport of the user's own makes a connection for each request.
    async with RawServer(tmp_path, challenging(Act(b"", then))) as server, _Proxy(502, tunnels=2) as proxy:
        proxies = {"https": f"http://{proxy.address}"}
        async with _client(server, make, proxies=proxies) as client:
            with pytest.raises(AzureError, match="may have started") as caught:
                await client.begin_restore(FOLDER, SAS)

    assert f"(through the proxy {proxy.address})" in str(caught.value)
    assert len(server.authorized()) == 1


@pytest.mark.parametrize(
    ("make", "password"), [*((make, "p€ss:wörd") for make in _EVERY), (None, "p%E2%82%ACss%3Aw%C3%B6rd")]
)
async def test_password_of_a_proxy_is_sent_in_utf_8(tmp_path: Path, make: Any, password: str) -> None:
    async with RawServer(tmp_path, _CLOSING) as server, _Proxy(502) as proxy:
        await _start_through(proxy, server, make, proxies={"https": f"http://üser:{password}@{proxy.address}"})

    (line,) = (line for line in proxy.requests[0].split(b"\r\n") if line.lower().startswith(b"proxy-authorization"))
    credentials = base64.b64decode(line.split()[-1])
    assert credentials.partition(b":")[2].decode() == "p€ss:wörd"


async def test_password_of_the_environment_that_aiohttp_cannot_encode_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:€{_PASSWORD}@127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    async with RawServer(tmp_path, _CLOSING) as server, _client(server, aiohttp_transport) as client:
        with pytest.raises(ServiceRequestError, match="password of the proxy") as caught:
            await client.send_request(HttpRequest("GET", "/x"))

    assert _PASSWORD not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"


_UNUSABLE = [
    (f"user:{_PASSWORD}@proxy.example:3128", "no scheme"),
    (f"socks5://user:{_PASSWORD}@proxy.example:1080", "socks5"),
]


@pytest.mark.parametrize(("proxy", "reason"), _UNUSABLE)
async def test_proxy_that_cannot_be_used_is_an_error_that_says_so(
    monkeypatch: pytest.MonkeyPatch, proxy: str, reason: str
) -> None:
    with pytest.raises(ValueError, match=f"proxies must be .*{reason}") as of_client:
        KeyVaultBackupClient(VAULT, FakeCredential(), proxies={"https": proxy})
    async with KeyVaultBackupClient(VAULT, FakeCredential()) as client:
        with pytest.raises(ValueError, match=f"proxies must be .*{reason}") as of_call:
            await client.send_request(HttpRequest("GET", "/x"), proxies={"https": proxy})
        with pytest.raises(ValueError, match=f"proxy must be .*{reason}") as of_call_alone:
            await client.send_request(HttpRequest("GET", "/x"), proxy=proxy)
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(ValueError, match=f"HTTPS_PROXY must be .*{reason}") as of_environment:
        KeyVaultBackupClient(VAULT, FakeCredential())

    # Another transport may support it.
    KeyVaultBackupClient(VAULT, FakeCredential(), transport=ScriptedTransport(), proxies={"https": proxy})
    for caught in (of_client, of_call, of_call_alone, of_environment):
        assert _PASSWORD not in str(caught.value)


async def test_proxy_that_is_not_a_url_is_an_error_with_its_type() -> None:
    async with KeyVaultBackupClient(VAULT, FakeCredential()) as client:
        with pytest.raises(ValueError, match=r"proxy must be a URL .*, got dict"):
            await client.send_request(HttpRequest("GET", "/x"), proxy={"https": f"http://user:{_PASSWORD}@proxy:3128"})


@pytest.mark.parametrize("proxy", [proxy for proxy, _ in _UNUSABLE])
@pytest.mark.parametrize("make", [aiohttp_transport, wrapped_aiohttp, requests_transport])
async def test_proxy_that_another_transport_cannot_use_is_an_azure_core_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Any, proxy: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.replace("proxy.example", "127.0.0.1").replace("3128", "1"))
    monkeypatch.setenv("NO_PROXY", "")
    async with RawServer(tmp_path, _CLOSING) as server, _client(server, make) as client:
        with pytest.raises(AzureError) as caught:
            await client.send_request(HttpRequest("GET", "/x"))

    if make is not requests_transport:
        assert "cannot be used" in str(caught.value)
    assert _PASSWORD not in f"{caught.value!r} {caught.value} {caught.value.__cause__!r}"
