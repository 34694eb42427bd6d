"""How often requests, starts of jobs above all, reach a TLS server on real sockets."""

from __future__ import annotations

import asyncio
import json
from http.cookies import SimpleCookie
from pathlib import Path
from types import MappingProxyType
from typing import Any

import aiohttp
import pytest
import requests
from azure.core.async_paging import AsyncPageIterator
from azure.core.exceptions import AzureError, ServiceRequestError, ServiceResponseError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy, AsyncRedirectPolicy, AsyncRetryPolicy, SansIOHTTPPolicy
from azure.core.rest import AsyncHttpResponse, HttpRequest
from multidict import MultiDict
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient
from azure.keyvault.administration.emulator import ManagedHsmEmulator
from fakes import CONTAINER, FOLDER, SAS, VAULT, FakeCredential
from raw_server import Act, RawServer, Received, challenging, http
from transports import TRANSPORTS, aiohttp_transport, own_session, requests_transport, wrapped_aiohttp

_STARTS: list[Any] = [
    lambda client: client.begin_pre_backup(CONTAINER, SAS),
    lambda client: client.begin_restore(FOLDER, SAS, key_name="k"),
    lambda client: client.begin_pre_restore(FOLDER, SAS),
]
_DROP = Act(b"", "close")
_NO_GZIP = Act(b"HTTP/1.1 202 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd")
_NO_LENGTH = Act(b"HTTP/1.1 202 OK\r\nContent-Length: many\r\n\r\n{}", "close")
_LOST = [
    *(http(status) for status in (408, 500, 502, 504)),
    http(503, headers={"Retry-After": "1"}),
    Act(b'HTTP/1.1 202 Accepted\r\nContent-Length: 200\r\n\r\n{"status"', "close"),
    Act(b"\x00\x01\x02 garbage \r\n\r\n", "close"),
    _NO_GZIP,
    Act(b"HTTP/1.1 202 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabcd", "close"),
    _NO_LENGTH,
    _DROP,
    Act(b"", "reset"),
    Act(b"", "stall"),
]


def _client(server: RawServer, *, read_timeout: float = 10, **options: Any) -> KeyVaultBackupClient:
    return KeyVaultBackupClient(
        server.url,
        FakeCredential(),
        **server.client_options(read_timeout=read_timeout),
        retry_backoff_factor=0,
        **options,
    )


class _Bystander(AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """A policy in the place of one of azure-core's that knows none of its options."""

    async def send(self, request: PipelineRequest[HttpRequest]) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        return await self.next.send(request)


def _accept(received: Received) -> Act:
    status_url = f"https://{received.headers['host']}/backup/5f/pending"
    return http(202, b'{"status":"InProgress"}', {"azure-asyncoperation": status_url})


@pytest.mark.parametrize("place", ["retry_policy", "redirect_policy"])
async def test_a_policy_that_knows_no_options_of_azure_core_starts_jobs_too(tmp_path: Path, place: str) -> None:
    options: dict[str, Any] = {place: _Bystander()}
    async with RawServer(tmp_path, challenging(_accept)) as server, _client(server, **options) as client:
        poller = await client.begin_backup(CONTAINER, SAS)

    assert poller.status() == "InProgress"
    assert len(server.authorized()) == 1


def _chain(raised: BaseException | None) -> list[BaseException | None]:
    chain: list[BaseException | None] = []
    while raised is not None:
        chain += [raised, getattr(raised, "inner_exception", None)]
        raised = raised.__cause__ or raised.__context__
    return chain


async def _start_once(server: RawServer, client: KeyVaultBackupClient, begin: Any) -> None:
    with pytest.raises(AzureError, match="may have started the job") as caught:
        await begin(client)

    assert "token-1" not in "".join(repr(raised) for raised in _chain(caught.value))
    (start,) = server.authorized()
    assert SAS in start.body.decode()


def _shown(value: Any) -> str:
    return f"{value.then} {value.answer[:60]!r}" if isinstance(value, Act) else str(value.__name__)


@pytest.mark.parametrize("reuse", [True, False], ids=["reused connection", "new connection"])
async def test_start_whose_connection_is_lost_is_on_the_wire_once(tmp_path: Path, reuse: bool) -> None:
    async with RawServer(tmp_path, challenging(_DROP, close=not reuse)) as server, _client(server) as client:
        await _start_once(server, client, lambda client: client.begin_backup(CONTAINER, SAS))

    assert server.authorized()[0].on_reused_connection is reuse


@pytest.mark.parametrize("begin", _STARTS)
async def test_each_start_is_on_the_wire_once(tmp_path: Path, begin: Any) -> None:
    async with RawServer(tmp_path, challenging(_DROP)) as server, _client(server) as client:
        await _start_once(server, client, begin)


def _client_with(server: RawServer, transport: Any, **options: Any) -> KeyVaultBackupClient:
    return KeyVaultBackupClient(
        server.url,
        FakeCredential(),
        transport=transport,
        challenge_resource_domains=["managedhsm.azure.net"],
        **{"retry_backoff_factor": 0, **options},
    )


# A PUT, because aiohttp by itself would send it again.
async def _restore(client: KeyVaultBackupClient) -> Any:
    return await client.begin_restore(FOLDER, SAS)


@pytest.mark.parametrize(
    ("make", "answer"),
    [
        *((make, answer) for make in (aiohttp_transport, requests_transport) for answer in _LOST),
        *((make, answer) for make in TRANSPORTS for answer in (_DROP, _NO_GZIP, _NO_LENGTH)),
    ],
    ids=_shown,
)
async def test_start_is_on_the_wire_once_through_every_transport(tmp_path: Path, make: Any, answer: Act) -> None:
    async with RawServer(tmp_path, challenging(answer)) as server:
        # Long enough for the challenge on a busy machine, short enough to wait for a start that stalls.
        transport = make(server.ca_file, read_timeout=1 if answer.then == "stall" else 10)
        async with _client_with(server, transport) as client:
            await _start_once(server, client, _restore)


@pytest.mark.parametrize("make", TRANSPORTS)
async def test_no_transport_repeats_a_request_by_itself(tmp_path: Path, make: Any) -> None:
    async with (
        RawServer(tmp_path, challenging(Act(b"", "close"))) as server,
        _client_with(server, make(server.ca_file), retry_total=0) as client,
    ):
        for method in ("GET", "PUT", "DELETE", "POST"):
            with pytest.raises(ServiceResponseError):
                await client.send_request(HttpRequest(method, "/x", json={}))

    assert [received.method for received in server.authorized()] == ["GET", "PUT", "DELETE", "POST"]


class _Impatient(AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """A policy of the user's that repeats what takes too long."""

    async def send(self, request: PipelineRequest[HttpRequest]) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        for _ in range(2):
            try:
                return await asyncio.wait_for(self.next.send(request), 0.3)
            except asyncio.TimeoutError:  # noqa: PERF203 - what is tested
                continue
        return await self.next.send(request)


def _stubborn() -> AsyncRetryPolicy[Any, Any]:
    return AsyncRetryPolicy(retry_on_methods=["POST", "PUT"], retry_backoff_factor=0)


_REDIRECT = http(307, headers={"Location": "/elsewhere"})


@pytest.mark.parametrize(
    ("policies", "answer"),
    [
        (lambda: {"retry_policy": _stubborn()}, http(503)),
        (lambda: {"retry_policy": _stubborn()}, _DROP),
        (lambda: {"per_retry_policies": [_stubborn()]}, http(503)),
        (lambda: {"per_call_policies": [_stubborn()]}, _DROP),
        (lambda: {"per_call_policies": [_stubborn(), AsyncRedirectPolicy()]}, _REDIRECT),
        (lambda: {"redirect_policy": AsyncRedirectPolicy()}, _REDIRECT),
        (lambda: {"per_retry_policies": [_Impatient()]}, Act(b"", "stall")),
    ],
)
async def test_policies_of_the_user_start_a_job_once(tmp_path: Path, policies: Any, answer: Act) -> None:
    async with (
        RawServer(tmp_path, challenging(answer)) as server,
        _client_with(server, server.transport(), **policies()) as client,
    ):
        with pytest.raises(AzureError) as caught:
            await _restore(client)

    assert len(server.authorized()) == 1
    assert ("may have started" in str(caught.value)) is (answer is not _REDIRECT)
    # A policy that asks again gets the outcome of the only start.
    assert ("abandoned" in str(caught.value)) is (answer.then == "stall")


async def test_requests_session_that_retries_starts_a_job_once(tmp_path: Path) -> None:
    session = requests.Session()
    session.mount("https://", HTTPAdapter(max_retries=Retry(3, allowed_methods=None, status_forcelist=[503])))
    async with (
        RawServer(tmp_path, challenging(Act(b"", "close"))) as server,
        _client_with(server, requests_transport(server.ca_file, session=session)) as client,
    ):
        await _start_once(server, client, _restore)


@pytest.mark.parametrize("make", [aiohttp_transport, wrapped_aiohttp])
@pytest.mark.parametrize(
    "cookies", [{"a": "b"}, MappingProxyType({"a": "b"}), MultiDict(a="b"), {"a": "b"}.items(), SimpleCookie("a=b")]
)
async def test_start_with_cookies_is_on_the_wire_once(tmp_path: Path, make: Any, cookies: Any) -> None:
    async with (
        RawServer(tmp_path, challenging(_DROP)) as server,
        _client_with(server, make(server.ca_file)) as client,
    ):
        await _start_once(server, client, lambda client: client.begin_restore(FOLDER, SAS, cookies=cookies))

    assert server.authorized()[0].headers["cookie"] == "a=b"


@pytest.mark.parametrize("cookies", [5, [1], ["secret=hunter2"]])
async def test_invalid_cookies_are_an_error_that_does_not_show_them(cookies: Any) -> None:
    async with KeyVaultBackupClient(VAULT, FakeCredential()) as client:
        with pytest.raises(ValueError, match="cookies must be a mapping of names to values, got") as caught:
            await client.send_request(HttpRequest("GET", "/x"), cookies=cookies)

    assert "hunter2" not in "".join(map(repr, _chain(caught.value)))


async def test_cookies_of_a_call_are_sent_at_each_attempt(tmp_path: Path) -> None:
    answers = [http(404), http(503)]
    async with RawServer(tmp_path, challenging(lambda _: answers.pop())) as server, _client(server) as client:
        response = await client.send_request(HttpRequest("GET", "/x"), cookies={"a": "b"})

    assert response.status_code == 404
    assert [received.headers["cookie"] for received in server.authorized()] == ["a=b"] * 2


async def test_aiohttp_middlewares_of_session_and_call_run(tmp_path: Path) -> None:
    ran: list[str] = []

    def middleware(name: str) -> Any:
        async def run(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
            ran.append(name)
            return await handler(request)

        return run

    async with RawServer(tmp_path, challenging(http(404))) as server:
        transport = own_session(server.ca_file, middlewares=(middleware("session"),))
        async with _client_with(server, transport) as client:
            await client.send_request(HttpRequest("GET", "/x"))
            # As aiohttp says: those of a call take the place of the session's.
            await client.send_request(HttpRequest("GET", "/x"), middlewares=(middleware("call"),))

    assert ran == ["session", "session", "call"]


async def test_a_throttled_start_is_sent_again(tmp_path: Path) -> None:
    answers = [http(429), http(429, headers={"Retry-After": "0.01"})]

    def behave(received: Received) -> Act:
        return answers.pop() if answers else _accept(received)

    async with RawServer(tmp_path, challenging(behave)) as server, _client(server) as client:
        await client.begin_backup(CONTAINER, SAS)

    assert [received.method for received in server.authorized()] == ["POST", "POST", "POST"]


class _CountTries(SansIOHTTPPolicy[Any, Any]):
    def __init__(self) -> None:
        self.tries = 0

    def on_request(self, request: Any) -> None:
        del request
        self.tries += 1


async def test_a_start_without_connection_is_retried(tmp_path: Path) -> None:
    count = _CountTries()
    # No connection is kept: a start on a kept one that breaks may have been taken.
    behaviour = challenging(http(404, close=True), close=True)
    async with RawServer(tmp_path, behaviour) as server, _client(server, per_retry_policies=[count]) as client:
        response = await client.send_request(HttpRequest("GET", "/x"))
        assert response.status_code == 404
        await server.stop_listening()
        count.tries = 0
        with pytest.raises(ServiceRequestError) as caught:
            await client.begin_backup(CONTAINER, SAS)

    assert count.tries == 4
    assert "may have started" not in str(caught.value)


async def test_a_start_at_a_host_without_address_is_retried(hsm: ManagedHsmEmulator) -> None:
    count = _CountTries()
    # The emulator's transport knows the address of its own host only.
    async with KeyVaultBackupClient(
        "https://contoso.invalid",
        FakeCredential(),
        per_retry_policies=[count],
        retry_backoff_factor=0,
        **hsm.client_kwargs,
    ) as client:
        with pytest.raises(ServiceRequestError):
            await client.begin_backup(CONTAINER, SAS)

    assert count.tries == 4


def _page(server: RawServer, received: Received) -> Act:
    """Answer with one of 100 pages of 100 assignments each."""
    number = int(received.target.partition("page=")[2].partition("&")[0] or 0)
    items = [{"name": str(number * 100 + index)} for index in range(100)]
    # An empty link ends the list as a missing one does.
    link = f"{server.url}/next?page={number + 1}" if number < 99 else ""
    return http(200, json.dumps({"value": items, "nextLink": link}).encode())


async def test_a_long_list_is_complete_and_can_be_resumed_or_left_early(tmp_path: Path) -> None:
    async with (
        RawServer(tmp_path, challenging(lambda received: _page(server, received))) as server,
        KeyVaultAccessControlClient(server.url, FakeCredential(), **server.client_options()) as client,
    ):
        everything = [item.name async for item in client.list_role_assignments("/")]
        pages = client.list_role_assignments("/").by_page()
        assert isinstance(pages, AsyncPageIterator)
        first = [item.name async for item in await pages.__anext__()]
        resumed = client.list_role_assignments("/").by_page(pages.continuation_token)
        rest = [item.name async for page in resumed async for item in page]
        async for item in client.list_role_assignments("/"):
            assert item.name == "0"
            break

    assert everything == [str(number) for number in range(10_000)]
    assert first + rest == everything
    assert {received.on_reused_connection for received in server.requests[1:]} == {True}


def test_a_client_of_a_closed_event_loop_says_so(tmp_path: Path) -> None:
    async def closed_server() -> str:
        async with RawServer(tmp_path, challenging(http(404))) as server:
            return server.url

    async def call() -> None:
        with pytest.raises(ServiceRequestError):
            await client.send_request(HttpRequest("GET", "/x"))

    async def call_again() -> None:
        with pytest.raises(ServiceRequestError, match="another event loop"):
            await client.send_request(HttpRequest("GET", "/x"))
        await client.close()

    client = KeyVaultBackupClient(asyncio.run(closed_server()), FakeCredential(), retry_total=0)
    asyncio.run(call())
    asyncio.run(call_again())


def _trusts_environment(ca_file: str) -> Any:
    return own_session(ca_file, trust_env=True)


@pytest.mark.filterwarnings("ignore:The 'auth' parameter is deprecated:DeprecationWarning")
@pytest.mark.parametrize(
    ("make", "entry"),
    [
        (own_session, "machine localhost"),
        (requests_transport, "machine localhost"),
        *((make, "default") for make in (None, _trusts_environment, *TRANSPORTS)),
    ],
)
async def test_netrc_adds_no_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Any, entry: str) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"{entry} login user password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))

    async with RawServer(tmp_path, challenging(http(404))) as server:
        trust = {} if make else {"connection_verify": server.ca_file}
        async with _client_with(server, make(server.ca_file) if make else None, **trust) as client:
            await _expect_our_tokens(server, client)


def test_netrc_in_an_unknown_home_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETRC", "~nobody-by-that-name/netrc")

    KeyVaultBackupClient(VAULT, FakeCredential(), transport=requests_transport(""))


@pytest.mark.parametrize("make", TRANSPORTS)
async def test_start_on_a_machine_with_netrc_is_on_the_wire_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login user password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))

    async with (
        RawServer(tmp_path, challenging(_NO_LENGTH)) as server,
        _client_with(server, make(server.ca_file)) as client,
    ):
        await _start_once(server, client, _restore)


def _requests_session(**attributes: Any) -> requests.Session:
    session = requests.Session()
    for name, value in attributes.items():
        setattr(session, name, value)
    return session


@pytest.mark.filterwarnings("ignore:.*BasicAuth:DeprecationWarning", "ignore:The 'auth' parameter:DeprecationWarning")
@pytest.mark.parametrize(
    "make",
    [
        lambda ca_file: own_session(ca_file, auth=aiohttp.BasicAuth("user", "secret")),
        lambda ca_file: own_session(ca_file, headers={"Authorization": "Basic secret"}),
        lambda ca_file: requests_transport(ca_file, session=_requests_session(auth=("user", "secret"))),
        lambda ca_file: requests_transport(
            ca_file, session=_requests_session(headers={"Authorization": "Basic secret"})
        ),
    ],
    ids=["aiohttp auth", "aiohttp headers", "requests auth", "requests headers"],
)
async def test_session_of_the_user_adds_no_password(tmp_path: Path, make: Any) -> None:
    async with (
        RawServer(tmp_path, challenging(http(404))) as server,
        _client_with(server, make(server.ca_file)) as client,
    ):
        await _expect_our_tokens(server, client)


async def _expect_our_tokens(server: RawServer, client: KeyVaultBackupClient) -> None:
    requests = HttpRequest("GET", "/x"), HttpRequest("PUT", "/x", json={})
    responses = [await client.send_request(request) for request in requests]

    assert [received.token for received in server.requests] == [None, "Bearer token-1", "Bearer token-1"]
    # Policies see the request with its token, too.
    assert [response.request.headers["Authorization"] for response in responses] == ["Bearer token-1"] * 2


async def test_concurrent_calls_cost_one_challenge_and_one_token_on_the_wire(tmp_path: Path) -> None:
    credential = FakeCredential()
    async with (
        RawServer(tmp_path, challenging(http(404))) as server,
        KeyVaultAccessControlClient(server.url, credential, **server.client_options()) as client,
    ):
        answers = await asyncio.gather(*(client.send_request(HttpRequest("GET", "/x")) for _ in range(300)))

    assert {answer.status_code for answer in answers} == {404}
    assert (len(server.requests), len(server.authorized()), len(credential.requests)) == (301, 300, 1)


async def test_a_redirect_takes_neither_token_nor_body_to_another_host(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    async with RawServer(tmp_path / "other", challenging(http(200))) as other:
        redirect = http(307, headers={"Location": f"{other.url}/backup"})
        async with RawServer(tmp_path, challenging(redirect)) as server, _client(server) as client:
            for request in (HttpRequest("GET", "/x"), HttpRequest("PUT", "/x", json={"a": "secret"})):
                with pytest.raises(AzureError):
                    await client.send_request(request)

    assert other.requests == []
