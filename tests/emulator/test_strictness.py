"""Whatever is sent, the answer is the service's error shape and never a 500."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
from typing import Any

import pytest

from emulator.raw import ROLE_ASSIGNMENTS, ROLE_DEFINITIONS, RawClient

URL = f"{ROLE_DEFINITIONS}/2f5b1a7e-6c1d-4f7a-9b35-7f0c5c9d7f11"
VALID: dict[str, Any] = {"properties": {"permissions": [{"dataActions": []}]}}
BAD_JSON = (400, "BadRequest", "The request body is not valid JSON")


@pytest.mark.parametrize("version", ["7.2", "7.3", "7.4", "7.5", "7.6", "2025-07-01", "2026-04-01", "7.6-preview.2"])
async def test_every_version_of_the_service_is_answered(raw: RawClient, version: str) -> None:
    assert (await raw.send("GET", ROLE_DEFINITIONS, version=version)).status == 200


@pytest.mark.parametrize("version", ["7.1", "2027-01-01", "latest", "7.6%0A", "7.6%00"])
async def test_any_other_version_is_refused(raw: RawClient, version: str) -> None:
    status, code, message = (await raw.send("GET", ROLE_DEFINITIONS, version=version)).error

    assert (status, code) == (400, "BadParameter")
    assert message.startswith("The api-version ")
    assert message.endswith(" is not supported")


async def test_a_missing_version_is_refused(raw: RawClient) -> None:
    reply = await raw.send("GET", ROLE_DEFINITIONS, version=None)

    assert reply.error == (400, "BadParameter", "The query parameter api-version is missing")


async def test_an_unknown_query_parameter_is_refused(raw: RawClient) -> None:
    reply = await raw.send("GET", ROLE_DEFINITIONS, query="$top=5")

    assert reply.error == (400, "BadParameter", "The query parameter '$top' is unknown")


async def test_a_query_parameter_that_is_given_twice_is_refused(raw: RawClient) -> None:
    reply = await raw.send("GET", ROLE_DEFINITIONS, query="api-version=7.5")

    assert reply.error == (400, "BadParameter", "The query parameter api-version is given more than once")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nothing",
        "/ekms",
        "/securitydomain",
        "/providers/Microsoft.Authorization",
        "/providers/microsoft.authorization/roledefinitions",
        f"{ROLE_DEFINITIONS}/a/b",
        f"{ROLE_DEFINITIONS}/",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/%00",
        "/%ff%fe",
        "/%E2%82",
        f"/%0A{ROLE_DEFINITIONS}%0A",
        "/backup%0A",
        "/keys/k/versions%0D%0Ax/y",
    ],
)
async def test_an_unknown_path_is_not_found(raw: RawClient, path: str) -> None:
    reply = await raw.send("GET", path)

    assert reply.error == (404, "NotFound", "The requested resource does not exist on this Managed HSM")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", ROLE_DEFINITIONS, "GET"),
        ("PATCH", f"{ROLE_ASSIGNMENTS}/x", "DELETE, GET, PUT"),
        ("OPTIONS", ROLE_ASSIGNMENTS, "GET"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(raw: RawClient, method: str, path: str, allowed: str) -> None:
    reply = await raw.send(method, path)

    assert reply.error == (405, "MethodNotAllowed", f"{method} is not allowed here; allowed: {allowed}")
    assert reply.headers["Allow"] == allowed


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="truncated"),
        pytest.param(b"\xff\xfe", id="not-utf-8"),
        pytest.param(b"\xef\xbb\xbf{}", id="byte-order-mark"),
        pytest.param(b"[" * 200_000, id="deep"),
        pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, id="deep-object"),
        pytest.param(b'{"a": ' + b"9" * 10_000 + b"}", id="long-number"),
        pytest.param(b"{'a': 1}", id="python"),
        pytest.param(b"{}{}", id="two-objects"),
    ],
)
async def test_a_body_that_is_no_json_is_refused(raw: RawClient, body: bytes) -> None:
    assert (await raw.send("PUT", URL, body)).error == BAD_JSON


@pytest.mark.parametrize("body", [b"null", b"[]", b'"text"', b"5", b"true"], ids=bytes.decode)
async def test_a_body_that_is_no_object_is_refused(raw: RawClient, body: bytes) -> None:
    reply = await raw.send("PUT", URL, body)

    assert reply.error == (400, "BadRequest", "The request body must be an object")


async def test_half_a_surrogate_pair_is_refused(raw: RawClient) -> None:
    body = b'{"properties": {"permissions": [{}], "roleName": "\\ud800"}}'

    reply = await raw.send("PUT", URL, body)

    assert reply.error == (400, "BadRequest", "properties.roleName holds half a surrogate pair")


async def test_an_unknown_member_with_half_a_surrogate_pair_is_named_harmlessly(raw: RawClient) -> None:
    reply = await raw.send("PUT", URL, b'{"properties": {"permissions": [{}]}, "\\ud800": 1}')

    assert reply.error == (400, "BadRequest", "The request body has unknown members: '\\ud800'")


async def test_a_body_of_one_mebibyte_is_read_and_a_byte_more_is_not(raw: RawClient) -> None:
    text = json.dumps(VALID).encode()
    largest = text + b" " * (1024 * 1024 - len(text))

    read = await raw.send("PUT", URL, largest)
    refused = await raw.send("PUT", URL, largest + b" ")
    after = await raw.send("GET", URL)

    assert read.status == 201
    assert refused.error == (413, "RequestBodyTooLarge", "The request body is larger than 1048576 bytes")
    assert after.status == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "x"])
async def test_a_body_of_another_type_is_refused(raw: RawClient, content_type: str) -> None:
    reply = await raw.send("PUT", URL, VALID, headers={"Content-Type": content_type})

    assert reply.error == (415, "UnsupportedMediaType", "The request body must be uncompressed application/json")


async def test_a_content_type_may_name_its_character_set(raw: RawClient) -> None:
    reply = await raw.send("PUT", URL, VALID, headers={"Content-Type": "application/json; charset=UTF-8"})

    assert reply.status == 201


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity"])
async def test_a_compressed_body_is_refused(raw: RawClient, encoding: str) -> None:
    body = gzip.compress(json.dumps(VALID).encode())

    reply = await raw.send("PUT", URL, body, headers={"Content-Encoding": encoding})

    assert reply.error == (415, "UnsupportedMediaType", "The request body must be uncompressed application/json")
    assert (await raw.send("PUT", URL, VALID)).status == 201


async def test_a_caller_that_goes_away_is_nobody_s_error(raw: RawClient, caplog: pytest.LogCaptureFixture) -> None:
    context = ssl.create_default_context(cadata=raw.hsm.ca_certificate.decode())
    _, writer = await asyncio.open_connection("localhost", raw.hsm.port, ssl=context)
    headers = f"Authorization: Bearer {await raw.token()}\r\nContent-Type: application/json\r\nContent-Length: 100"
    writer.write(f"PUT {URL}?api-version=7.6 HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n{{".encode())
    await writer.drain()
    writer.transport.abort()

    assert (await raw.send("GET", URL)).status == 404
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize(
    "path",
    [
        f"/keys%0A{ROLE_ASSIGNMENTS}",
        f"/keys/k%0A{ROLE_ASSIGNMENTS}",
        f"/%0A/{ROLE_ASSIGNMENTS}",
        f"/keys/k%0D%0Ax{ROLE_ASSIGNMENTS}",
        f"/keys/k%0A{ROLE_DEFINITIONS}",
        "/keys/k%0A",
        "/keys/k%00/versions",
    ],
)
async def test_what_a_path_encodes_is_no_part_of_a_scope(raw: RawClient, path: str) -> None:
    assert (await raw.send("GET", path)).error == (400, "Invalidkeyidentifier", "Invalid key identifier")


@pytest.mark.parametrize("name", ["2f5b1a7e-6c1d-4f7a-9b35-7f0c5c9d7f11%0A", "%0A", "a%2Fb", "%00"])
async def test_what_a_path_encodes_is_no_part_of_a_name(raw: RawClient, name: str) -> None:
    read = await raw.send("GET", f"{ROLE_DEFINITIONS}/{name}")
    written = await raw.send("PUT", f"{ROLE_DEFINITIONS}/{name}", VALID)

    assert read.error == (404, "RoleDefinitionNotFound", "Requested role definition not found")
    assert written.error == (400, "BadParameter", "Role definition name must be a GUID")


async def test_a_failure_is_logged_in_one_line_whatever_the_path_encodes(
    raw: RawClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_hsm: object) -> None:
        raise RuntimeError("made up")

    monkeypatch.setattr(type(raw.hsm._run.hsm.store), "role_definitions", fail)

    reply = await raw.send("GET", f"{ROLE_DEFINITIONS}/x%0D%0AERROR%20forged")

    assert reply.status == 500
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        f"GET {ROLE_DEFINITIONS}/x%0D%0AERROR%20forged failed"
    ]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_body_where_none_belongs_is_refused(raw: RawClient, method: str) -> None:
    reply = await raw.send(method, URL, b"{}")

    assert reply.error == (400, "BadRequest", "This operation has no request body")


async def by_hand(raw: RawClient, request_line: str, *headers: str) -> tuple[bytes, bytes]:
    """Send a request that no client would, and return status line and body."""
    lines = [request_line, f"Authorization: Bearer {await raw.token()}", "Connection: close", *headers, "", ""]
    head, _, body = (await raw.send_bytes("\r\n".join(lines).encode())).partition(b"\r\n\r\n")
    return head.partition(b"\r\n")[0], body


@pytest.mark.parametrize(
    "line", ["OPTIONS * HTTP/1.1", "GET http://localhost/nothing HTTP/1.1", "GET /a?b=c HTTP/1.0", "GET // HTTP/1.1"]
)
async def test_an_odd_request_line_is_not_found(raw: RawClient, line: str) -> None:
    status, body = await by_hand(raw, line, "Host: localhost")

    assert status.endswith(b" 404 Not Found")
    assert json.loads(body)["error"]["code"] == "NotFound"


async def test_a_request_without_a_host_is_answered(raw: RawClient) -> None:
    status, _ = await by_hand(raw, f"GET {ROLE_DEFINITIONS}?api-version=7.6 HTTP/1.0")

    assert status.endswith(b" 200 OK")


# What has no path has no route, either.
@pytest.mark.parametrize("line", ["GET / HTTP/1.1", "CONNECT localhost:443 HTTP/1.1"])
@pytest.mark.parametrize("expected", [b"wonders", b"\xff\xfe"], ids=["a word", "no text"])
async def test_an_expectation_that_nobody_knows_fails(
    raw: RawClient, caplog: pytest.LogCaptureFixture, line: str, expected: bytes
) -> None:
    head = f"{line}\r\nHost: localhost\r\nConnection: close\r\nExpect: ".encode()
    status = (await raw.send_bytes(head + expected + b"\r\n\r\n")).partition(b"\r\n")[0]

    assert status.endswith(b" 417 Expectation Failed")
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
