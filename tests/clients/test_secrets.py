"""Secrets are planted everywhere, and everything that a person may read is searched for them."""

from __future__ import annotations

import asyncio
import base64
import copy
import gzip
import html
import json
import logging
import pickle
import re
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any
from urllib.parse import quote, unquote

import pytest
from aiohttp import ClientConnectorError
from azure.core.credentials import AccessTokenInfo
from azure.core.exceptions import AzureError, HttpResponseError, ServiceResponseError
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.core.settings import settings
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient
from fakes import (
    CHALLENGE,
    CONTAINER,
    FOLDER,
    VAULT,
    Answer,
    FakeCredential,
    ScriptedTransport,
    Sent,
    error,
    resource_challenge,
)
from raw_server import Act, RawServer, Received, challenging, http
from transports import requests_transport

_TOKEN = "eyJhbGciOiJub25lIn0.canary-bearer-token.c2ln"
_SIGNATURE = "canary+signature/with=signs"
_SAS = "sv=2024-11-04&se=2999-01-01&sp=crdw&sig=canary%2Bsignature%2Fwith%3Dsigns"
_RAW_SAS = f"sv=2024-11-04&se=2999-01-01&sp=crdw&sig={_SIGNATURE}"

# A few of them, side by side. The unit tests of redaction nest them.
_SPELLINGS: list[Callable[[str], str]] = [
    str,
    lambda text: text.replace("+", "\\u002B").replace("&", "\\u0026").replace("/", "\\/"),
    lambda text: "".join(f"\\u{ord(character):04x}" for character in text),
    lambda text: quote(text, safe="").replace("%2B", "%2b"),
    lambda text: quote(quote(text, safe=""), safe=""),
    lambda text: html.escape(text).replace("+", "&#x2B;"),
]


def _secrets_in(texts: Iterable[str]) -> list[str]:
    """Return where texts hold a canary, however it is spelled."""
    text = "\n".join(set(texts))
    for _ in range(4):
        text = re.sub(
            r"\\+u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), text.replace("\0", "").replace("\\x00", "")
        )
        text = unquote(html.unescape(text)).replace("\\", "")
    return re.findall(".{,80}canary.{,80}", text)


class _Credential(FakeCredential):
    async def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        given = await super().get_token_info(*scopes, options=options)
        return AccessTokenInfo(_TOKEN, given.expires_on)


def _echo(sent: Sent) -> str:
    """Return the secrets in several spellings: a service may quote any of them anywhere."""
    secrets = [sent.token or "", _SIGNATURE] if _is_known(sent) else [sent.token or ""]
    return " and ".join([_SAS, str(sent.body), *(spell(secret) for secret in secrets for spell in _SPELLINGS)])


def _is_known(sent: Sent) -> bool:
    """Return whether the client knows the signature: from this request, or from the start of the job."""
    return "canary" in f"{sent.body}{sent.url}" or "/pending" in sent.url


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


# Headers that azure-core logs at INFO, and one that it puts into spans.
_SHOWN_HEADERS = ("x-ms-error-code", "x-ms-request-id", "x-ms-keyvault-region")


def _fail(status: int) -> Callable[[Sent], Answer]:
    def fail(sent: Sent) -> Answer:
        headers = dict.fromkeys(("x-echo", *_SHOWN_HEADERS), _echo(sent))
        return Answer(status, error("Echo", _echo(sent)), headers, reason=_echo(sent))

    return fail


def _redirect(sent: Sent) -> Answer:
    if "/moved" in sent.url:
        return _fail(500)(sent)
    return Answer(307, headers={"Location": f"{VAULT}/moved/{sent.token}/{quote(_SAS)}?sig=canary&{_SAS}"})


def _failed_job(sent: Sent) -> Answer:
    if sent.method != "GET":
        return _succeed(sent)
    return Answer(
        200, {"status": "Failed", "statusDetails": _echo(sent), "error": {"code": "E", "message": _echo(sent)}}
    )


_SERVERS: dict[str, Callable[[Sent], Answer]] = {
    "success": _succeed,
    **{str(status): _fail(status) for status in (400, 401, 403, 404, 409, 500)},
    "another challenge": lambda sent: Answer(401, headers={"WWW-Authenticate": f'Basic realm="{_echo(sent)}"'}),
    "token as scheme": lambda _: Answer(401, headers={"WWW-Authenticate": _TOKEN}),
    "redirect": _redirect,
    "redirect loop": lambda sent: Answer(307, headers={"Location": f"{VAULT}/{sent.token}"}),
    "refused poll": lambda sent: _fail(403)(sent) if "/pending" in sent.url else _succeed(sent),
    "text": lambda sent: Answer(400, body=f"<html>{_echo(sent)}</html>".encode()),
    "UTF-16": lambda sent: Answer(400, body=json.dumps(error("Echo", _echo(sent))).encode("utf-16")),
    "garbage": lambda sent: replace(_succeed(sent), body=_echo(sent).encode() + b"\xff"),
    "failed job": _failed_job,
    "no status URL": lambda sent: replace(_succeed(sent), headers={}),
    "no status": lambda sent: replace(_succeed(sent), json={"echo": _echo(sent)}),
}


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


_CALLS: dict[str, Any] = {
    "create_role_assignment": lambda access, _: access.create_role_assignment("/", "role", "principal"),
    "get_role_assignment": lambda access, _: access.get_role_assignment("/", "name"),
    "delete_role_assignment": lambda access, _: access.delete_role_assignment("/", "name"),
    "list_role_assignments": lambda access, _: _items(access.list_role_assignments("/")),
    "set_role_definition": lambda access, _: access.set_role_definition("/"),
    "get_role_definition": lambda access, _: access.get_role_definition("/", "name"),
    "delete_role_definition": lambda access, _: access.delete_role_definition("/", "name"),
    "list_role_definitions": lambda access, _: _items(access.list_role_definitions("/")),
    "begin_backup": lambda _, backup: _wait(backup.begin_backup(CONTAINER, _SAS)),
    "raw signature": lambda _, backup: _wait(backup.begin_backup(CONTAINER, _RAW_SAS)),
    "begin_pre_backup": lambda _, backup: _wait(backup.begin_pre_backup(CONTAINER, _SAS)),
    "begin_restore": lambda _, backup: _wait(backup.begin_restore(FOLDER, _SAS)),
    "key restore": lambda _, backup: _wait(backup.begin_restore(FOLDER, _SAS, key_name="k")),
    "begin_pre_restore": lambda _, backup: _wait(backup.begin_pre_restore(FOLDER, _SAS)),
    "send_request": lambda _, backup: backup.send_request(HttpRequest("POST", f"/backup?{_SAS}", json={"token": _SAS})),
}


def _texts(thing: Any, seen: dict[int, Any] | None = None) -> Iterator[str]:
    """Yield all that can be seen of a thing and of whatever it holds."""
    seen = {} if seen is None else seen
    if id(thing) in seen or isinstance(thing, (type, ModuleType, FunctionType, logging.Logger)):
        return
    seen[id(thing)] = thing
    yield from (str(thing), repr(thing))
    if isinstance(thing, bytes):
        yield thing.decode("latin-1")
    held: list[Any] = [*thing] if isinstance(thing, (list, tuple, set)) else []
    if isinstance(thing, Mapping):
        held += [*thing.keys(), *thing.values()]
    if isinstance(thing, BaseException):
        held += [thing.args, thing.__cause__, thing.__context__]
        yield "".join(traceback.format_exception(thing))
    held += getattr(thing, "__dict__", {}).values()
    for inner in held:
        yield from _texts(inner, seen)


@pytest.mark.parametrize(
    ("name", "server"),
    [
        *((name, server) for name in ("get_role_assignment", "raw signature") for server in _SERVERS),
        *((name, server) for name in _CALLS for server in ("success", "400", "garbage")),
    ],
)
async def test_no_secret_is_seen(
    name: str, server: str, caplog: pytest.LogCaptureFixture, spans: InMemorySpanExporter
) -> None:
    call, answer = _CALLS[name], _SERVERS[server]
    caplog.set_level(logging.DEBUG)
    transport = ScriptedTransport(server=lambda sent: answer(sent) if sent.token else CHALLENGE)
    options: dict[str, Any] = {"transport": transport, "logging_enable": True, "retry_total": 0, "redirect_max": 2}
    access = KeyVaultAccessControlClient(VAULT, _Credential(), **options)
    backup = KeyVaultBackupClient(VAULT, _Credential(), **options)

    seen: list[str] = []
    settings.tracing_enabled = True
    try:
        seen.append(repr(await call(access, backup)))
    except AzureError as raised:
        seen += _texts(raised)
        seen += _texts(pickle.loads(pickle.dumps(getattr(raised, "response", None))))
    finally:
        settings.tracing_enabled = None
    seen += [span.to_json() for span in spans.get_finished_spans()]
    seen += [record.getMessage() for record in caplog.records]
    seen += [str(record.exc_text) for record in caplog.records]
    seen += [repr(access), repr(backup)]

    assert any(sent.token == _TOKEN for sent in transport.requests)
    assert "Request URL" in caplog.text
    assert spans.get_finished_spans()
    assert not _secrets_in(seen)


async def test_refusal_of_a_challenge_shows_no_token() -> None:
    # A host name is shown in lower case.
    stolen = Answer(401, headers={"WWW-Authenticate": resource_challenge(resource=f"https://{_TOKEN}")})
    transport = ScriptedTransport(CHALLENGE, Answer(200, {"value": []}), stolen)
    client = KeyVaultAccessControlClient(VAULT, _Credential(), transport=transport)
    await _items(client.list_role_definitions("/"))
    with pytest.raises(AzureError, match="does not match the requested domain") as caught:
        await _items(client.list_role_definitions("/"))

    assert not _secrets_in(_texts(caught.value))


async def test_error_of_a_redirect_to_no_origin_can_be_pickled() -> None:
    redirect = Answer(307, headers={"Location": "https://user@host"})
    transport = ScriptedTransport(server=lambda sent: redirect if sent.token else CHALLENGE)
    client = KeyVaultAccessControlClient(VAULT, _Credential(), transport=transport)
    with pytest.raises(AzureError, match="without origin") as caught:
        await client.get_role_assignment("/", "name")

    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize(
    "duplicate",
    [lambda raised: raised, copy.copy, copy.deepcopy, lambda raised: pickle.loads(pickle.dumps(raised))],
    ids=["itself", "copy", "deepcopy", "pickle"],
)
async def test_response_of_an_error_is_as_it_was_sent_but_for_the_secrets(
    tmp_path: Path, duplicate: Callable[[Any], Any]
) -> None:
    def echo(received: Received) -> Act:
        body = json.dumps(error("Echo", received.body.decode())).encode()
        return http(400, body, {"X-Echo": str(received.token), "Via": "1.1 gateway"})

    async with (
        RawServer(tmp_path, challenging(echo)) as server,
        KeyVaultBackupClient(server.url, _Credential(), **server.client_options()) as client,
    ):
        with pytest.raises(HttpResponseError) as caught:
            await client.begin_backup(CONTAINER, _SAS)

    raised = duplicate(caught.value)
    response: AsyncHttpResponse = raised.response
    sent = {"storageResourceUri": CONTAINER, "token": "REDACTED"}
    assert not _secrets_in(_texts(raised))
    assert str(raised) == str(caught.value)
    assert raised.model.error.code == "Echo"
    assert isinstance(response, AsyncHttpResponse)
    assert (response.status_code, response.reason) == (raised.status_code, raised.reason) == (400, "Reason")
    assert (response.headers["x-echo"], response.headers["VIA"]) == ("Bearer REDACTED", "1.1 gateway")
    assert json.loads(response.json()["error"]["message"]).items() >= sent.items()
    assert response.content == await response.read() == response.text().encode()
    assert (response.request.method, response.request.url, response.url) == ("POST", response.url, response.request.url)
    assert response.request.headers["authorization"] == "REDACTED"
    assert json.loads(response.request.content).items() >= sent.items()
    assert repr(response) == "<AsyncHttpResponse: 400 Reason, Content-Type: application/json>"
    with pytest.raises(HttpResponseError, match="Echo"):
        response.raise_for_status()


async def _refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    "proxy",
    [
        "http://user:canary-bearer@127.0.0.1:{port}",
        "http://user:canary-bearer@127.0.0.1:99999",
        "user:canary-bearer@127.0.0.1:{port}",
        "http://:canary-bearer@127.0.0.1:{port}",
        "http://canary-bearer@127.0.0.1:{port}",
        "http://user:'canary-bearer@127.0.0.1:{port}",
        "http://user:a canary-bearer@127.0.0.1:99999",
        "http://user:a@canary-bearer@127.0.0.1:{port}",
        "http://user:a/@canary-bearer@127.0.0.1:99999",
    ],
)
async def test_an_error_of_a_proxy_does_not_show_its_password(proxy: str) -> None:
    async with await asyncio.start_server(_refuse, "127.0.0.1", 0) as server:
        proxies = {"https": proxy.format(port=server.sockets[0].getsockname()[1])}
        with pytest.raises((AzureError, ValueError), match=r"127\.0\.0\.1") as caught:
            async with KeyVaultBackupClient(VAULT, FakeCredential(), proxies=proxies, retry_total=0) as client:
                await client.send_request(HttpRequest("GET", "/x"))

    assert not _secrets_in(_texts(caught.value))


async def test_an_error_of_tls_through_a_proxy_does_not_show_its_password() -> None:
    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\nthis is not TLS")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(connect, "127.0.0.1", 0) as server:
        proxy = f"http://user:'canary@127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with KeyVaultBackupClient(VAULT, FakeCredential(), proxies={"https": proxy}, retry_total=0) as client:
            with pytest.raises(AzureError) as caught:
                await client.send_request(HttpRequest("GET", "/x"))

    assert isinstance(caught.value.inner_exception, ClientConnectorError)
    assert not _secrets_in(_texts(caught.value))


_HEAD = "HTTP/1.1 400 Bad Request\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        "not http {}\r\n\r\n",
        "HTTP/1.1 400 {}\x01\r\n\r\n",
        _HEAD + "a header {}\r\n\r\n",
        _HEAD + "x: {}\x01\r\n\r\n",
        _HEAD + "x: {}" + "a" * 10_000 + "\r\n\r\n",
        _HEAD + "Content-Length: {}\r\n\r\n",
        _HEAD + "Transfer-Encoding: chunked\r\n\r\n{}\r\n",
        _HEAD + "Content-Length: 1000\r\n\r\n{}",
    ],
    ids=["status line", "reason", "name", "value", "long header", "length", "chunk size", "half a body"],
)
async def test_a_response_that_is_not_http_shows_no_secret(tmp_path: Path, answer: str) -> None:
    echo = f"Bearer {_TOKEN} {_SIGNATURE} {_SIGNATURE.replace('+', '%2b')}"
    garbled = Act(answer.format(echo).encode("latin-1"), "close")
    caught = await _caught(tmp_path, garbled, lambda client: client.begin_backup(CONTAINER, _SAS))

    assert not _secrets_in(_texts(caught))


async def _caught(folder: Path, act: Act, call: Callable[[KeyVaultBackupClient], Any]) -> Any:
    """Return the error of a call whose requests with a token are all answered with this."""
    async with (
        RawServer(folder, challenging(act)) as server,
        KeyVaultBackupClient(server.url, _Credential(), **server.client_options(), retry_total=0) as client,
    ):
        with pytest.raises(AzureError) as caught:
            await call(client)
    return caught.value


async def test_an_error_of_another_transport_shows_no_secret(tmp_path: Path) -> None:
    async with RawServer(tmp_path, challenging(Act(b"", "close"))) as server:
        options = server.client_options()
        await options["transport"].close()
        options["transport"] = requests_transport(server.ca_file, use_env_settings=False)
        async with KeyVaultBackupClient(server.url, _Credential(), **options, retry_total=0) as client:
            with pytest.raises(AzureError) as caught:
                await client.begin_backup(CONTAINER, _SAS)

    assert server.authorized()
    assert not _secrets_in(_texts(caught.value))


async def test_the_error_of_a_response_that_is_not_http_quotes_it(tmp_path: Path) -> None:
    garbled = Act(b"not http\r\n\r\n", "close")
    caught = await _caught(tmp_path, garbled, lambda client: client.send_request(HttpRequest("GET", "/keys/a@b")))

    assert isinstance(caught, ServiceResponseError)
    assert "not http" in str(caught)
    assert "/keys/a@b" in str(caught)


async def test_a_huge_error_body_is_cut_off(tmp_path: Path) -> None:
    body = gzip.compress(f"before {_TOKEN} after {'%41' * 10_000_000}".encode())
    huge = http(400, body, {"Content-Encoding": "gzip"})
    caught = await _caught(tmp_path, huge, lambda client: client.begin_backup(CONTAINER, _SAS))

    text = caught.response.text()
    assert text.startswith("before REDACTED after %41%41")
    assert re.fullmatch(r"\.\.\. \(\d+ more bytes\)", text[-26:].lstrip("%41"))
    assert len(text) < 70_000
