"""The headers of every answer, whole."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from emulator.raw import ROLE_ASSIGNMENTS, ROLE_DEFINITIONS

if TYPE_CHECKING:
    from emulator.raw import RawClient, Reply

ALWAYS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'self'",
    "Content-Type": "application/json; charset=utf-8",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
}
LET_THROUGH = {
    "x-ms-keyvault-network-info": "conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=Ipv4;",
    "x-ms-keyvault-region": "emulator",
}
GET = {"x-ms-build-version": "1.0.20260429-1-emulator"}
CHALLENGE = {
    "WWW-Authenticate": (
        'Bearer authorization="https://login.microsoftonline.com/9b1f0c52-3c8e-4f0d-8f6e-51f2f4c7d6aa", '
        'resource="https://managedhsm.azure.net"'
    )
}
MISSING = "00000000-0000-4000-8000-000000000000"


def stable(reply: Reply) -> dict[str, str]:
    """Return the headers without those that differ from answer to answer, having looked at those."""
    headers = dict(reply.headers)
    assert UUID(headers.pop("x-ms-request-id")).version == 1
    assert re.fullmatch(r"\d+", headers.pop("x-ms-server-latency"))
    assert headers.pop("Content-Length") == str(len(reply.body))
    return headers


async def test_a_get_that_succeeds_says_where_it_was_served_and_by_which_build(raw: RawClient) -> None:
    reply = await raw.send("GET", ROLE_DEFINITIONS)

    assert stable(reply) == {**ALWAYS, **LET_THROUGH, **GET}


async def test_a_put_that_succeeds_does_not_name_the_build(raw: RawClient) -> None:
    reply = await raw.assign(MISSING, "7b127d3c-77bd-4e3e-bbe0-dbb8971fa7f8")

    assert stable(reply) == {**ALWAYS, **LET_THROUGH}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"{ROLE_ASSIGNMENTS}/{MISSING}", 404),
        ("GET", "/providers", 404),
        ("GET", f"/keys/a/b{ROLE_ASSIGNMENTS}", 400),
    ],
)
async def test_an_error_of_the_front_end_does_not_say_where_it_was_served(
    raw: RawClient, method: str, path: str, status: int
) -> None:
    reply = await raw.send(method, path)

    assert (reply.status, stable(reply)) == (status, {**ALWAYS, **GET})


async def test_a_challenge_to_a_get_has_the_body_ok_that_calls_itself_json(raw: RawClient) -> None:
    reply = await raw.send("GET", ROLE_DEFINITIONS, token=None)

    assert (reply.status, reply.body, stable(reply)) == (401, b"OK", {**ALWAYS, **GET, **CHALLENGE})


async def test_a_challenge_to_anything_else_has_no_body(raw: RawClient) -> None:
    for method in ("PUT", "POST", "DELETE"):
        reply = await raw.send(method, ROLE_DEFINITIONS, token=None)

        assert (reply.status, reply.body, stable(reply)) == (401, b"", {**ALWAYS, **CHALLENGE})


async def test_every_response_has_its_own_activity_id(raw: RawClient) -> None:
    replies = [await raw.send("GET", ROLE_DEFINITIONS) for _ in range(20)]

    assert len({reply.headers["x-ms-request-id"] for reply in replies}) == 20
