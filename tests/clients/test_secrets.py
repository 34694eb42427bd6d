"""The canary: secrets are planted everywhere, and everything that a person may read is searched for them."""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessTokenInfo
from azure.core.exceptions import AzureError, HttpResponseError, ServiceResponseError
from azure.core.rest import HttpRequest
from azure.core.settings import settings
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient
from fakes import CHALLENGE, VAULT, Answer, FakeCredential, ScriptedTransport, Sent, error, resource_challenge
from raw_server import Act, RawServer, Received, http

_TOKEN = "eyJhbGciOiJub25lIn0.canary-bearer-token.c2ln"
_SIGNATURE = "canary+signature/with=signs"
_SAS = "sv=2024-11-04&se=2999-01-01&sp=crdw&sig=canary%2Bsignature%2Fwith%3Dsigns"
_SECRETS = ("canary-bearer", "canary+signature", "canary%2Bsignature", "canary%2bsignature")

_CONTAINER = "https://account.blob.core.windows.net/backups"
_FOLDER = f"{_CONTAINER}/mhsm-contoso-2026112416000000"


class _Credential(FakeCredential):
    async def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        given = await super().get_token_info(*scopes, options=options)
        return AccessTokenInfo(_TOKEN, given.expires_on)


def _echo(sent: Sent) -> str:
    """Return all that a request brought, in words: a service may quote any of it."""
    signature = _SIGNATURE if _SAS in (sent.body or "") else ""
    return f"you sent {sent.token} and {sent.body} and {_SAS} and {signature} in {sent.url}"


def _succeed(sent: Sent) -> Answer:
    status = {"PUT": 201, "POST": 202}.get(sent.method, 200)
    family = "backup" if "backup" in sent.url else "restore"
    if "/restore" in sent.url or "/prerestore" in sent.url:
        status = 200 if sent.method == "GET" else 202
    body: dict[str, Any] = {
        "status": "Succeeded" if sent.method == "GET" else "InProgress",
        "statusDetails": _echo(sent),
        "jobId": "5f",
        "echo": _echo(sent),
        "value": [],
    }
    return Answer(status, body, {"azure-asyncoperation": f"{VAULT}/{family}/5f/pending", "x-echo": _echo(sent)})


def _fail(status: int) -> Callable[[Sent], Answer]:
    return lambda sent: Answer(status, error("Echo", _echo(sent)), {"x-echo": _echo(sent)})


def _fail_in_text(sent: Sent) -> Answer:
    return Answer(400, body=f"<html>{_echo(sent)}</html>".encode())


def _garbage(sent: Sent) -> Answer:
    return Answer(_succeed(sent).status, body=_echo(sent).encode() + b"\xff", headers=_succeed(sent).headers)


def _failed_job(sent: Sent) -> Answer:
    if sent.method != "GET":
        return _succeed(sent)
    return Answer(
        200, {"status": "Failed", "statusDetails": _echo(sent), "error": {"code": "E", "message": _echo(sent)}}
    )


def _no_status_url(sent: Sent) -> Answer:
    return Answer(_succeed(sent).status, _succeed(sent).json)


def _no_status(sent: Sent) -> Answer:
    return Answer(_succeed(sent).status, {"echo": _echo(sent)}, _succeed(sent).headers)


_SERVERS = [
    pytest.param(_succeed, id="success"),
    *(pytest.param(_fail(status), id=str(status)) for status in (400, 401, 403, 404, 409, 500)),
    pytest.param(_fail_in_text, id="text"),
    pytest.param(_garbage, id="garbage"),
    pytest.param(_failed_job, id="failed job"),
    pytest.param(_no_status_url, id="no status URL"),
    pytest.param(_no_status, id="no status"),
]


async def _wait(starting: Any) -> Any:
    poller = await starting
    seen = [poller.continuation_token(), base64.b64decode(poller.continuation_token()).decode(), poller.details]
    try:
        await poller.result()
    finally:
        seen.append(poller.details)
    return seen


async def _items(paged: Any) -> Any:
    return [item async for item in paged]


_CALLS: list[Any] = [
    pytest.param(
        lambda access, _: access.create_role_assignment("/", "role", "principal"), id="create_role_assignment"
    ),
    pytest.param(lambda access, _: access.get_role_assignment("/", "name"), id="get_role_assignment"),
    pytest.param(lambda access, _: access.delete_role_assignment("/", "name"), id="delete_role_assignment"),
    pytest.param(lambda access, _: _items(access.list_role_assignments("/")), id="list_role_assignments"),
    pytest.param(lambda access, _: access.set_role_definition("/"), id="set_role_definition"),
    pytest.param(lambda access, _: access.get_role_definition("/", "name"), id="get_role_definition"),
    pytest.param(lambda access, _: access.delete_role_definition("/", "name"), id="delete_role_definition"),
    pytest.param(lambda access, _: _items(access.list_role_definitions("/")), id="list_role_definitions"),
    pytest.param(lambda _, backup: _wait(backup.begin_backup(_CONTAINER, _SAS)), id="begin_backup"),
    pytest.param(lambda _, backup: _wait(backup.begin_pre_backup(_CONTAINER, _SAS)), id="begin_pre_backup"),
    pytest.param(lambda _, backup: _wait(backup.begin_restore(_FOLDER, _SAS)), id="begin_restore"),
    pytest.param(lambda _, backup: _wait(backup.begin_restore(_FOLDER, _SAS, key_name="k")), id="key restore"),
    pytest.param(lambda _, backup: _wait(backup.begin_pre_restore(_FOLDER, _SAS)), id="begin_pre_restore"),
    pytest.param(
        lambda _, backup: backup.send_request(HttpRequest("POST", f"/backup?{_SAS}", json={"token": _SAS})),
        id="send_request",
    ),
]


def _shown(raised: BaseException | None) -> list[str]:
    """Return all that can be seen of an error and of those that led to it."""
    seen: list[str] = []
    while raised is not None:
        seen += [str(raised), repr(raised), "".join(traceback.format_exception(raised))]
        if isinstance(raised, AzureError):
            seen += [raised.message, raised.exc_msg, str(raised.continuation_token)]
            seen += [repr(getattr(raised, "error", None)), str(getattr(raised, "error", None))]
        raised = raised.__cause__ or raised.__context__
    return seen


@pytest.mark.parametrize("server", _SERVERS)
@pytest.mark.parametrize("call", _CALLS)
async def test_no_secret_is_seen(
    call: Any, server: Any, caplog: pytest.LogCaptureFixture, spans: InMemorySpanExporter
) -> None:
    caplog.set_level(logging.DEBUG)
    transport = ScriptedTransport(server=lambda sent: server(sent) if sent.token else CHALLENGE)
    options: dict[str, Any] = {"transport": transport, "logging_enable": True, "retry_total": 0}
    access = KeyVaultAccessControlClient(VAULT, _Credential(), **options)
    backup = KeyVaultBackupClient(VAULT, _Credential(), **options)

    seen: list[str] = []
    settings.tracing_enabled = True
    try:
        seen.append(repr(await call(access, backup)))
    except AzureError as raised:
        seen += _shown(raised)
    finally:
        settings.tracing_enabled = None
    seen += [span.to_json() for span in spans.get_finished_spans()]
    seen += [record.getMessage() for record in caplog.records]
    seen += [str(record.exc_text) for record in caplog.records]
    seen += [repr(access), repr(backup)]

    assert any(sent.token == _TOKEN for sent in transport.requests)
    assert "Request URL" in caplog.text
    assert spans.get_finished_spans()
    assert [text for text in seen for secret in _SECRETS if secret in text] == []


@pytest.mark.parametrize(
    "duplicate",
    [
        pytest.param(copy.copy, id="copy"),
        pytest.param(copy.deepcopy, id="deepcopy"),
        pytest.param(lambda raised: pickle.loads(pickle.dumps(raised)), id="pickle"),
    ],
)
async def test_an_error_whose_answer_echoed_secrets_can_be_copied_and_still_shows_none(
    tmp_path: Path, duplicate: Callable[[Any], Any]
) -> None:
    def echo(received: Received) -> Act:
        challenge = http(401, b"OK", {"WWW-Authenticate": resource_challenge()})
        return http(400, json.dumps(error("Echo", received.body.decode())).encode()) if received.token else challenge

    async with (
        RawServer(tmp_path, echo) as server,
        KeyVaultBackupClient(
            server.url,
            FakeCredential(),
            **server.client_options(),
        ) as client,
    ):
        with pytest.raises(HttpResponseError) as caught:
            await client.begin_backup(_CONTAINER, _SAS)

    assert caught.value.response is not None
    other = duplicate(caught.value)
    assert (str(other), other.response.text()) == (str(caught.value), caught.value.response.text())
    assert "REDACTED" in other.response.text()
    assert not any(secret in other.response.text() for secret in _SECRETS)
    assert other.response.content == other.response.body() == other.response.text().encode()
    assert other.response.json() == json.loads(other.response.text())
    assert not any(secret in repr(other.response) for secret in _SECRETS)


async def _refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    "proxy",
    [
        pytest.param("http://user:canary-bearer@127.0.0.1:{port}", id="refusal"),
        pytest.param("http://user:canary-bearer@127.0.0.1:99999", id="no-port"),
        pytest.param("user:canary-bearer@127.0.0.1:{port}", id="no-scheme"),
        pytest.param("http://:canary-bearer@127.0.0.1:{port}", id="no-user"),
        pytest.param("http://canary-bearer@127.0.0.1:{port}", id="no-password"),
        pytest.param("http://user:'canary-bearer@127.0.0.1:{port}", id="quote"),
        pytest.param("http://user:a canary-bearer@127.0.0.1:{port}", id="space"),
        pytest.param("http://user:a canary-bearer@127.0.0.1:99999", id="space-and-no-port"),
        pytest.param("http://user:a@canary-bearer@127.0.0.1:{port}", id="at-sign"),
        pytest.param("http://user:a/@canary-bearer@127.0.0.1:99999", id="slash"),
    ],
)
async def test_an_error_of_a_proxy_does_not_show_its_password(proxy: str) -> None:
    async with await asyncio.start_server(_refuse, "127.0.0.1", 0) as server:
        proxies = {"https": proxy.format(port=server.sockets[0].getsockname()[1])}
        with pytest.raises((AzureError, ValueError), match=r"127\.0\.0\.1") as caught:
            async with KeyVaultBackupClient(VAULT, FakeCredential(), proxies=proxies, retry_total=0) as client:
                await client.send_request(HttpRequest("GET", "/x"))

    assert not any(secret in _all_of(caught.value) for secret in _SECRETS)


def _all_of(raised: Exception) -> str:
    kept: tuple[Any, ...] = (raised,)
    if isinstance(raised, AzureError):
        replaced = getattr(raised.exc_value, "inner_exception", None)
        kept = (raised, raised.inner_exception, raised.exc_msg, raised.exc_value, replaced)
    return "".join(traceback.format_exception(raised)) + "".join(map(repr, kept))


@pytest.mark.parametrize("line", [b"not http", b"a:" * 4000], ids=["short", "full-of-colons"])
async def test_an_answer_that_is_no_http_shows_no_token(tmp_path: Path, line: bytes) -> None:
    def garble(received: Received) -> Act:
        challenge = http(401, b"OK", {"WWW-Authenticate": resource_challenge()})
        return Act(line + b"\r\n\r\n", "close") if received.token else challenge

    async with (
        RawServer(tmp_path, garble) as server,
        KeyVaultBackupClient(
            server.url,
            _Credential(),
            **server.client_options(),
            retry_total=0,
        ) as client,
    ):
        with pytest.raises(ServiceResponseError) as caught:
            await client.send_request(HttpRequest("GET", "/keys/a@b"))

    assert line.decode() in str(caught.value)
    assert f"{server.url}/keys/a@b" in str(caught.value)
    assert not any(secret in _all_of(caught.value) for secret in _SECRETS)
