"""Any bytes in a request: a well-formed response or a closed connection, never a 500, and no error in a log."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import re
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from azure.keyvault.administration.emulator import ManagedHsmEmulator
from emulator.operator_client import Operator
from emulator.raw import ROLE_ASSIGNMENTS, ROLE_DEFINITIONS, ROLE_ID
from json_strategies import json_values, mutated, text

pytestmark = pytest.mark.fuzz

NAME = "2f5b1a7e-6c1d-4f7a-9b35-7f0c5c9d7f11"
HEAD = re.compile(rb"HTTP/1\.[01] (\d{3}) [^\r\n]*\r\n((?:[!-9;-~]+: [^\r\n]*\r\n)*)\r\n")
TOKEN = b"Authorization: Bearer <token>"

EXAMPLES = settings().max_examples


def shares_the_emulator(max_examples: int = EXAMPLES) -> settings:
    return settings(max_examples=max_examples, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Complaints(logging.Handler):
    """Everything that is logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(f"{record.getMessage()}\n{record.exc_text or record.exc_info}")


class Watched:
    """An emulator whose errors are collected from the log."""

    def __init__(self, operator: Operator, token: str) -> None:
        self.operator = operator
        self.complaints = Complaints()
        self._token = token.encode()
        self._context = ssl.create_default_context(cadata=operator.hsm.ca_certificate.decode())

    async def exchange(self, sent: bytes, *, patience: float = 10) -> bytes:
        """Send bytes on a new connection, and return what comes back until it is closed."""
        reader, writer = await asyncio.open_connection("localhost", self.operator.hsm.port, ssl=self._context)
        answers = bytearray()
        try:
            writer.write(sent.replace(b"<token>", self._token))
            while chunk := await asyncio.wait_for(reader.read(65536), patience):
                answers += chunk
        except (ConnectionError, asyncio.TimeoutError):
            pass
        finally:
            writer.transport.abort()
        return bytes(answers)


@pytest_asyncio.fixture(name="watched")
async def _watched(hsm: ManagedHsmEmulator) -> AsyncIterator[Watched]:
    operator = Operator(hsm)
    await operator.furnish()
    watched = Watched(operator, await operator.token())
    logging.getLogger().addHandler(watched.complaints)
    yield watched
    logging.getLogger().removeHandler(watched.complaints)


def statuses(answers: bytes, *, head: bool = False) -> list[int]:
    """Return the status codes of well-formed responses; fail if they are anything else."""
    found = []
    while answers:
        match = HEAD.match(answers)
        assert match, answers
        found.append(int(match[1]))
        headers = {
            name.lower(): value
            for name, _, value in (line.partition(b": ") for line in match[2].split(b"\r\n") if line)
        }
        # The response to an unreadable request is text, whatever its method was.
        refused = headers.get(b"content-type", b"").startswith(b"text/plain")
        without = found[-1] in (100, 204) or (head and not refused)
        length = 0 if without else int(headers[b"content-length"])
        body, answers = answers[match.end() :][:length], answers[match.end() + length :]
        assert len(body) == length
        if headers.get(b"content-type", b"").startswith(b"application/json") and body not in (b"", b"OK"):
            json.loads(body)
    return found


methods = st.sampled_from(["GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "BREW"])
segments = st.sampled_from(
    [
        *("keys", "a", "create", "versions", "restore", "backup", "pending", "deletedkeys", "recover", "rng", "", ".."),
        *("providers", "Microsoft.Authorization", "roleDefinitions", "roleAssignments", NAME, "%2F", "%00", "%ff"),
    ]
) | text.map(lambda value: value.encode("utf-8", "surrogatepass").hex("%", 1))
paths = st.sampled_from(
    [ROLE_DEFINITIONS, ROLE_ASSIGNMENTS, f"{ROLE_DEFINITIONS}/{NAME}", f"/keys/a{ROLE_ASSIGNMENTS}/{NAME}", "/backup"]
) | st.lists(segments, max_size=6).map(lambda parts: "/" + "/".join(parts))
visible = st.binary(max_size=30).map(lambda raw: bytes(byte for byte in raw if byte > 32 and byte != 127))
queries = st.sampled_from(
    [b"", b"?api-version=7.6", b"?api-version=7.6&$skiptoken=x", b"?api-version=7.6&maxresults=1&$skiptoken=%ff"]
) | visible.map(lambda raw: b"?api-version=7.6&$filter=" + raw)
lines = st.binary(max_size=30).map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b""))
headers = st.lists(
    st.builds(
        lambda name, value: name + b": " + value,
        st.sampled_from(
            [b"Authorization", b"Content-Type", b"Host", b"Expect", b"Accept-Encoding", b"Cookie", b"Range", b"X"]
        ),
        lines | st.just(b"100-continue"),
    ),
    max_size=2,
)
contents = json_values.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40)


@given(method=methods, path=paths, query=queries, more=headers, token=st.sampled_from([[TOKEN], []]), content=contents)
@shares_the_emulator()
async def test_any_request_is_answered_and_never_with_a_500(
    watched: Watched, method: str, path: str, query: bytes, more: list[bytes], token: list[bytes], content: bytes
) -> None:
    head = [
        method.encode() + b" " + path.encode() + query + b" HTTP/1.1",
        *token,
        *more,
        b"Host: localhost",
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(content),
        b"Connection: close",
    ]

    answers = await watched.exchange(b"\r\n".join(head) + b"\r\n\r\n" + content)

    assert watched.complaints.heard == []
    assert all(status < 500 for status in statuses(answers, head=method == "HEAD"))


fragments = st.sampled_from(
    [
        *b"GET ,PUT ,/,/keys/a ,HTTP/1.1\r\n,HTTP/1.0\r\n,HTTP/9.9\r\n,\r\n,\n,\0,\xff".split(b","),
        *b"Host: localhost\r\n,Content-Length: 5\r\n,Content-Length: -1\r\n,Content-Length: 99\r\n".split(b","),
        *b"Transfer-Encoding: chunked\r\n,5\r\nhello\r\n,0\r\n\r\n,ffffffffffffffffff\r\n".split(b","),
        *b"Connection: close\r\n,Upgrade: websocket\r\n,PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".split(b","),
        *(TOKEN + b"\r\n", b"a: " + b"b" * 9000),
    ]
)


@given(sent=st.lists(fragments | st.binary(max_size=20), max_size=12).map(b"".join))
@example(sent=b"GET / HTTP/1.1\r\nHost: localhost\r\nExpect: \xf0\r\n\r\n")
@example(sent=b"GET / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n")
@example(sent=b"PUT /keys/a HTTP/1.1\r\n" + TOKEN + b"\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
@shares_the_emulator(EXAMPLES // 2)
async def test_any_bytes_are_answered_or_the_connection_is_closed(watched: Watched, sent: bytes) -> None:
    # Where the server waits for more of a request, the client closes the connection.
    answers = await watched.exchange(sent, patience=0.05)

    assert watched.complaints.heard == []
    assert all(status < 500 for status in statuses(answers))
    assert (await watched.operator.send("GET", ROLE_DEFINITIONS)).status == 200


SAS: dict[str, Any] = {"storageResourceUri": "https://a.blob.core.windows.net/backups", "token": "sv=1&sig=x"}
PERMISSION = {"actions": [], "notActions": [], "dataActions": ["x"], "notDataActions": []}
ROLE = {"roleName": "mine", "description": "", "type": "CustomRole", "permissions": [PERMISSION]}
KEY = {"key_ops": ["sign"], "attributes": {"enabled": True, "exp": 2_000_000_000, "nbf": 1}, "tags": {"a": "b"}}
BODIES: list[tuple[str, str, Any]] = [
    ("PUT", f"{ROLE_DEFINITIONS}/{NAME}", {"properties": {**ROLE, "assignableScopes": ["/"]}}),
    (
        "PUT",
        f"{ROLE_ASSIGNMENTS}/{NAME}",
        {"properties": {"roleDefinitionId": f"{ROLE_ID}{NAME}", "principalId": NAME}},
    ),
    ("POST", "/backup", SAS),
    ("POST", "/prebackup", SAS),
    ("PUT", "/restore", {"sasTokenParameters": SAS, "folderToRestore": "f"}),
    ("PUT", "/keys/k/restore", {"sasTokenParameters": SAS, "folder": "f"}),
    ("PUT", "/prerestore", {"sasTokenParameters": SAS, "folderToRestore": "f"}),
    ("POST", "/keys/k/create", {"kty": "EC", "crv": "P-256", **KEY}),
    ("PATCH", "/keys/a", KEY),
]


@given(request_=st.sampled_from(BODIES), data=st.data())
@shares_the_emulator(EXAMPLES * 2)
async def test_any_body_is_accepted_or_refused_and_never_with_a_500(
    watched: Watched, request_: tuple[str, str, Any], data: st.DataObject
) -> None:
    method, path, body = copy.deepcopy(request_)
    storage = body.get("sasTokenParameters", body)
    if "storageResourceUri" in storage:
        storage.update(watched.operator.storage)

    # Sent as bytes because the client would refuse to make some JSON texts.
    sent = json.dumps(data.draw(mutated(body) | json_values)).encode()
    reply = await watched.operator.send(method, path, sent, headers={"Content-Type": "application/json"})

    assert watched.complaints.heard == []
    assert reply.status < 500
