"""Requests of the user's own, and keywords of calls that only transports know."""

from __future__ import annotations

from collections.abc import AsyncIterator
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.core.rest import AsyncHttpResponse, HttpRequest

from azure.keyvault.administration.aio import KeyVaultAccessControlClient
from fakes import CHALLENGE, VAULT, Answer, FakeCredential, ScriptedTransport, Sent
from raw_server import RawServer, challenging, http
from transports import TRANSPORTS

if TYPE_CHECKING:
    from pathlib import Path

_OTHER = "https://fabrikam.managedhsm.azure.net"


def _server(sent: Sent) -> Answer:
    return Answer(404) if sent.token else CHALLENGE


def _client(vault: str = VAULT, **options: Any) -> KeyVaultAccessControlClient:
    options.setdefault("transport", ScriptedTransport(server=_server))
    return KeyVaultAccessControlClient(vault, FakeCredential(), **options)


async def _parts() -> AsyncIterator[bytes]:
    yield b"part"


def _state(request: HttpRequest) -> Any:
    return request.method, request.url, dict(request.headers), request.content, dict(vars(request))


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("x?a=b", {}),
        (f"{VAULT}/x", {"json": {"a": 1}}),
        ("/x", {"content": b"bytes"}),
        ("/x", {"params": {"q": "1"}}),
        ("/x", {"headers": {"Authorization": "mine", "X-Mine": "1"}, "json": {}}),
    ],
)
async def test_request_of_the_user_stays_as_it_is(url: str, body: Any) -> None:
    request = HttpRequest("POST", url, **body)
    before = _state(request)

    async with _client() as client:
        for _ in range(2):
            response = await client.send_request(request, headers={"X-Call": "1"}, content_type="text/plain")
            assert response.status_code == 404

    headers = request.headers
    assert _state(request) == before
    assert request.headers is headers


@pytest.mark.parametrize("make", TRANSPORTS)
@pytest.mark.parametrize("content", [lambda: BytesIO(b"part"), _parts], ids=["file", "async iterator"])
async def test_streamed_body_is_sent_and_the_request_stays_as_it_is(tmp_path: Path, make: Any, content: Any) -> None:
    async with RawServer(tmp_path, challenging(http(404))) as server:
        headers = {"Content-Length": "4"}
        request = HttpRequest("POST", "/x", content=content(), headers=headers)
        before = _state(request)
        transport = make(server.ca_file)
        async with _client(server.url, transport=transport, verify_challenge_resource=False) as client:
            await client.send_request(HttpRequest("GET", "/x"))
            await client.send_request(request)

    assert server.requests[-1].body == b"part"
    assert _state(request) == before


async def test_request_can_be_sent_again_with_another_client() -> None:
    request = HttpRequest("GET", "/x?a=b")
    transports = [ScriptedTransport(server=_server), ScriptedTransport(server=_server)]

    async with _client(transport=transports[0]) as client:
        await client.send_request(request)
    async with _client(_OTHER, transport=transports[1], api_version="7.4") as client:
        await client.send_request(request)

    assert [sent.url.startswith(f"{VAULT}/x?a=b&api-version=") for sent in transports[0].requests] == [True, True]
    assert {sent.url for sent in transports[1].requests} == {f"{_OTHER}/x?a=b&api-version=7.4"}


async def test_placeholder_of_generated_clients_is_resolved() -> None:
    transport = ScriptedTransport(server=_server)
    async with _client(transport=transport, api_version="7.4") as client:
        await client.send_request(HttpRequest("GET", "{vaultBaseUrl}/keys"))

    assert transport.requests[-1].url == f"{VAULT}/keys?api-version=7.4"


class _Watching(SansIOHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    def __init__(self) -> None:
        self.seen: list[Any] = []

    def on_request(self, request: PipelineRequest[HttpRequest]) -> None:
        self.seen.append(request.http_request.headers.get("Authorization"))

    def on_response(
        self, request: PipelineRequest[HttpRequest], response: PipelineResponse[HttpRequest, AsyncHttpResponse]
    ) -> None:
        del request
        self.seen.append(response.http_response.status_code)


async def test_per_retry_policies_see_neither_probe_nor_challenge() -> None:
    policy = _Watching()
    async with _client(per_retry_policies=[policy]) as client:
        await client.send_request(HttpRequest("GET", "/x"))

    assert policy.seen == [None, 404]


@pytest.mark.parametrize(
    "keyword", [{"decompress": False}, {"response_encoding": "utf-8"}, {"content_type": "text/plain"}], ids=str
)
async def test_keywords_of_generated_clients_are_accepted(tmp_path: Path, keyword: dict[str, Any]) -> None:
    async with (
        RawServer(tmp_path, challenging(http(200, b'{"name":"n"}'))) as server,
        _client(
            server.url, transport=None, connection_verify=server.ca_file, verify_challenge_resource=False
        ) as client,
    ):
        await client.get_role_definition("/", "n", **keyword)
        await client.send_request(HttpRequest("PUT", "/x", json={}), **keyword)

    expected = keyword.get("content_type", "application/json")
    assert server.requests[-1].headers["content-type"] == expected


@pytest.mark.parametrize("make", TRANSPORTS)
async def test_unknown_keyword_is_named(tmp_path: Path, make: Any) -> None:
    async with (
        RawServer(tmp_path, lambda _: http(500)) as server,
        _client(server.url, transport=make(server.ca_file)) as client,
    ):
        with pytest.raises(ValueError, match="unknown keyword 'polling_intervall'"):
            await client.get_role_definition("/", "n", polling_intervall=1)

    assert server.requests == []


async def test_transport_that_takes_no_options_is_given_none() -> None:
    class Plain(ScriptedTransport):
        async def send(self, request: HttpRequest, *, stream: bool = False) -> AsyncHttpResponse:  # type: ignore[override]
            return await super().send(request, stream=stream)

    transport = Plain(server=_server)
    async with _client(transport=transport) as client:
        for _ in range(2):
            assert (await client.send_request(HttpRequest("GET", "/x"))).status_code == 404

    assert transport.options == [{"stream": False}] * 3
