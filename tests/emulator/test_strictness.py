"""Every malformed request gets the service's error shape, and never a 500."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import ssl
from typing import Any

import pytest

from azure.keyvault.administration.emulator._domain.errors import ServiceError
from azure.keyvault.administration.emulator._http.json_body import JsonBody
from emulator.raw import ROLE_ASSIGNMENTS, ROLE_DEFINITIONS, RawClient

URL = f"{ROLE_DEFINITIONS}/2f5b1a7e-6c1d-4f7a-9b35-7f0c5c9d7f11"
VALID: dict[str, Any] = {"properties": {"permissions": [{"dataActions": []}]}}


async def test_every_version_of_the_service_is_answered(raw: RawClient) -> None:
    for version in ("7.2", "7.3", "7.4", "7.5", "7.6", "2025-07-01", "2026-04-01", "7.6-preview.2"):
        assert (await raw.send("GET", ROLE_DEFINITIONS, version=version)).status == 200


async def test_any_other_version_is_refused(raw: RawClient) -> None:
    for version in ("7.1", "2027-01-01", "latest", "7.6%0A", "7.6%00"):
        status, code, message = (await raw.send("GET", ROLE_DEFINITIONS, version=version)).error

        assert (status, code) == (400, "BadParameter")
        assert re.fullmatch(r"The api-version '.*' is not supported", message)


async def test_a_missing_version_is_refused(raw: RawClient) -> None:
    reply = await raw.send("GET", ROLE_DEFINITIONS, version=None)

    assert reply.error == (400, "BadParameter", "The query parameter api-version is missing")


async def test_an_unknown_query_parameter_is_refused(raw: RawClient) -> None:
    unknown = await raw.send("GET", ROLE_DEFINITIONS, query="$top=5")
    twice = await raw.send("GET", ROLE_DEFINITIONS, query="api-version=7.5")

    assert unknown.error == (400, "BadParameter", "The query parameter '$top' is unknown")
    assert twice.error == (400, "BadParameter", "The query parameter api-version is given more than once")


async def test_an_unknown_path_is_not_found(raw: RawClient) -> None:
    for path in (
        *("/", "/nothing", "/ekms", "/securitydomain", "/backup%0A", "/%00", "/%ff%fe", "/%E2%82"),
        *("/providers/Microsoft.Authorization", "/providers/microsoft.authorization/roledefinitions"),
        *(f"{ROLE_DEFINITIONS}/a/b", f"{ROLE_DEFINITIONS}/", f"/%0A{ROLE_DEFINITIONS}%0A"),
        *("/%2e%2e/%2e%2e/etc/passwd", "/keys/k/versions%0D%0Ax/y"),
    ):
        reply = await raw.send("GET", path)

        assert reply.error == (404, "NotFound", "The requested resource does not exist on this Managed HSM"), path


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
        *(b"", b"{", b"{'a': 1}", b"{}{}", b"\xff\xfe", b"\xef\xbb\xbf{}"),
        pytest.param(b"[" * 200_000, id="deep"),
        pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, id="deep-object"),
        pytest.param(b'{"a": ' + b"9" * 10_000 + b"}", id="long-number"),
    ],
)
def test_body_that_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(ServiceError, match="The request body is not valid JSON"):
        JsonBody.parse(body)


@pytest.mark.parametrize("body", [b"null", b"[]", b'"text"', b"5", b"true"], ids=bytes.decode)
def test_body_that_is_not_an_object_is_refused(body: bytes) -> None:
    with pytest.raises(ServiceError, match="The request body must be an object"):
        JsonBody.parse(body)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "The request body is not valid JSON"),
        (b"", "The request body is not valid JSON"),
        (b"[" * 200_000, "The request body is not valid JSON"),
        (b"[]", "The request body must be an object"),
        (
            b'{"properties": {"permissions": [{}], "roleName": "\\ud800"}}',
            "properties.roleName holds half a surrogate pair",
        ),
        (b'{"properties": {}, "\\ud800": 1}', "The request body has unknown members: '\\ud800'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_body_is_refused_with_the_reason(raw: RawClient, body: bytes, message: str) -> None:
    assert (await raw.send("PUT", URL, body)).error == (400, "BadRequest", message)


async def test_a_body_of_one_mebibyte_is_read_and_a_byte_more_is_not(raw: RawClient) -> None:
    text = json.dumps(VALID).encode()
    largest = text + b" " * (1024 * 1024 - len(text))

    read = await raw.send("PUT", URL, largest)
    refused = await raw.send("PUT", URL, largest + b" ")
    after = await raw.send("GET", URL)

    assert read.status == 201
    assert refused.error == (413, "RequestBodyTooLarge", "The request body is larger than 1048576 bytes")
    assert after.status == 200


async def test_a_body_of_another_type_is_refused(raw: RawClient) -> None:
    message = "The request body must be uncompressed application/json"
    for name, value in (
        *(("Content-Type", value) for value in ("text/plain", "application/x-www-form-urlencoded", "x")),
        *(("Content-Encoding", value) for value in ("gzip", "deflate", "br", "identity")),
    ):
        body = gzip.compress(json.dumps(VALID).encode()) if name == "Content-Encoding" else VALID

        assert (await raw.send("PUT", URL, body, headers={name: value})).error == (415, "UnsupportedMediaType", message)

    json_in_utf_8 = {"Content-Type": "application/json; charset=UTF-8"}
    assert (await raw.send("PUT", URL, VALID, headers=json_in_utf_8)).status == 201


async def test_caller_that_disconnects_is_not_logged_as_an_error(
    raw: RawClient, caplog: pytest.LogCaptureFixture
) -> None:
    context = ssl.create_default_context(cadata=raw.hsm.ca_certificate.decode())
    _, writer = await asyncio.open_connection("localhost", raw.hsm.port, ssl=context)
    headers = f"Authorization: Bearer {await raw.token()}\r\nContent-Type: application/json\r\nContent-Length: 100"
    writer.write(f"PUT {URL}?api-version=7.6 HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n{{".encode())
    await writer.drain()
    writer.transport.abort()

    assert (await raw.send("GET", URL)).status == 404
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_encoded_characters_are_refused_in_a_scope(raw: RawClient) -> None:
    for path in (
        *(f"{scope}{ROLE_ASSIGNMENTS}" for scope in ("/keys%0A", "/keys/k%0A", "/%0A/", "/keys/k%0D%0Ax")),
        *(f"/keys/k%0A{ROLE_DEFINITIONS}", "/keys/k%0A", "/keys/k%00/versions"),
    ):
        assert (await raw.send("GET", path)).error == (400, "Invalidkeyidentifier", "Invalid key identifier"), path


async def test_encoded_characters_are_refused_in_a_name(raw: RawClient) -> None:
    for name in ("2f5b1a7e-6c1d-4f7a-9b35-7f0c5c9d7f11%0A", "%0A", "a%2Fb", "%00"):
        read = await raw.send("GET", f"{ROLE_DEFINITIONS}/{name}")
        written = await raw.send("PUT", f"{ROLE_DEFINITIONS}/{name}", VALID)

        assert read.error == (404, "RoleDefinitionNotFound", "Requested role definition not found")
        assert written.error == (400, "BadParameter", "Role definition name must be a GUID")


async def test_failure_is_logged_on_one_line(
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


async def test_unexpected_body_is_refused(raw: RawClient) -> None:
    for method in ("GET", "DELETE"):
        reply = await raw.send(method, URL, b"{}")

        assert reply.error == (400, "BadRequest", "This operation has no request body")


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("OPTIONS * HTTP/1.1\r\nHost: localhost", b"404 Not Found"),
        ("GET http://localhost/nothing HTTP/1.1\r\nHost: localhost", b"404 Not Found"),
        ("GET /a?b=c HTTP/1.0", b"404 Not Found"),
        ("GET // HTTP/1.1\r\nHost: localhost", b"404 Not Found"),
        (f"GET {ROLE_DEFINITIONS}?api-version=7.6 HTTP/1.0", b"200 OK"),
    ],
)
async def test_an_odd_request_line_is_answered(raw: RawClient, line: str, status: bytes) -> None:
    request = f"{line}\r\nAuthorization: Bearer {await raw.token()}\r\nConnection: close\r\n\r\n"

    head, _, body = (await raw.send_bytes(request.encode())).partition(b"\r\n\r\n")

    assert head.partition(b"\r\n")[0].endswith(b" " + status)
    assert status == b"200 OK" or json.loads(body)["error"]["code"] == "NotFound"


# What has no path has no route, either.
@pytest.mark.parametrize("line", ["GET / HTTP/1.1", "CONNECT localhost:443 HTTP/1.1"])
@pytest.mark.parametrize("expected", [b"wonders", b"\xff\xfe"], ids=["a word", "no text"])
async def test_unknown_expectation_fails(
    raw: RawClient, caplog: pytest.LogCaptureFixture, line: str, expected: bytes
) -> None:
    head = f"{line}\r\nHost: localhost\r\nConnection: close\r\nExpect: ".encode()
    status = (await raw.send_bytes(head + expected + b"\r\n\r\n")).partition(b"\r\n")[0]

    assert status.endswith(b" 417 Expectation Failed")
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_malformed_request_is_not_logged_as_an_error(raw: RawClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")

    answer = await raw.send_bytes(b"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret\0\r\n\r\n")

    assert answer.partition(b"\r\n")[0].split()[1] == b"400"
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    assert "secret" not in caplog.text
