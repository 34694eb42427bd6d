"""A streamed response arrives unread over a real socket, whatever authentication did before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import ServiceResponseError
from azure.core.rest import HttpRequest

from azure.keyvault.administration.aio import KeyVaultAccessControlClient
from fakes import FakeCredential, claims_challenge, resource_challenge
from raw_server import Act, RawServer, Received, challenging, http

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from azure.core.rest import AsyncHttpResponse

_BODY = b'{"error":null}'
_RESOURCE = {"WWW-Authenticate": resource_challenge()}
_CLAIMS = {"WWW-Authenticate": claims_challenge('{"access_token":{"nbf":{"essential":true}}}')}


def _client(server: RawServer, **options: Any) -> KeyVaultAccessControlClient:
    return KeyVaultAccessControlClient(server.url, FakeCredential(), **server.client_options(), **options)


async def _raw(response: AsyncHttpResponse) -> bytes:
    return b"".join([part async for part in response.iter_raw()])


async def _decoded(response: AsyncHttpResponse) -> bytes:
    return b"".join([part async for part in response.iter_bytes()])


async def _whole(response: AsyncHttpResponse) -> bytes:
    return await response.read()


def _to_a_token_with_claims(status: int, request: Received, body: bytes) -> Act:
    if request.token is None:
        return http(401, b"OK", _RESOURCE)
    return http(401, body, _CLAIMS) if request.token == "Bearer token-1" else http(status, body)


@pytest.mark.parametrize(
    ("behaviour", "status", "body", "read"),
    [
        (lambda status, _, body: http(status, body), 401, _BODY, _raw),
        (lambda status, _, body: http(status, body, {"WWW-Authenticate": ""}), 401, _BODY, _raw),
        (lambda status, _, body: http(status, body), 403, _BODY, _raw),
        (lambda status, received, body: challenging(http(status, body))(received), 404, _BODY, _raw),
        (lambda status, received, body: challenging(http(status, body))(received), 401, _BODY, _raw),
        (_to_a_token_with_claims, 404, _BODY, _raw),
        (lambda status, _, body: http(status, body, _RESOURCE), 401, _BODY, _raw),
        *((_to_a_token_with_claims, 401, body, read) for body in (b"", _BODY) for read in (_raw, _decoded, _whole)),
    ],
)
async def test_a_streamed_response_is_left_to_its_reader(
    tmp_path: Path,
    behaviour: Callable[[int, Received, bytes], Act],
    status: int,
    body: bytes,
    read: Callable[[AsyncHttpResponse], Awaitable[bytes]],
) -> None:
    async with (
        RawServer(tmp_path, lambda received: behaviour(status, received, body)) as server,
        _client(server) as client,
    ):
        answer = await client.send_request(HttpRequest("PUT", "/x", json={}), stream=True)

        assert (answer.status_code, await read(answer)) == (status, body)


@pytest.mark.parametrize(("status", "stream"), [(200, False), (401, False), (401, True), (429, False), (429, True)])
async def test_a_broken_encoding_is_an_azure_core_error(tmp_path: Path, status: int, stream: bool) -> None:
    garbled = http(status, b"garbage", {**_RESOURCE, "Content-Encoding": "gzip"})
    async with RawServer(tmp_path, lambda _: garbled) as server, _client(server, retry_total=0) as client:
        with pytest.raises(ServiceResponseError, match="content encoding is broken"):
            await client.send_request(HttpRequest("GET", "/x"), stream=stream)


async def test_an_answered_challenge_frees_its_connection(tmp_path: Path) -> None:
    async with (
        RawServer(tmp_path, lambda received: _to_a_token_with_claims(404, received, b"body")) as server,
        _client(server) as client,
    ):
        answer = await client.send_request(HttpRequest("PUT", "/x", json={}), stream=True)
        await answer.close()

    assert [request.on_reused_connection for request in server.requests] == [False, True, True]
