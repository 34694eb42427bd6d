"""The stand-ins do what the tests that use them take for granted."""

from __future__ import annotations

import asyncio

import pytest
from azure.core.exceptions import HttpResponseError, ResponseNotReadError, ServiceResponseError
from azure.core.rest import HttpRequest

from azure.keyvault.administration._challenge import Challenge, parse_challenge
from fakes import (
    CHALLENGE,
    SCOPE,
    TENANT,
    Answer,
    FakeCredential,
    FakeResponse,
    ScriptedTransport,
    Sent,
    TokenRequest,
    claims_challenge,
    yield_to_loop,
)

GET = HttpRequest("GET", "https://contoso.managedhsm.azure.net/a")


async def test_a_script_is_followed_in_order_and_exceptions_are_raised() -> None:
    transport = ScriptedTransport(Answer(200, {"a": 1}), ServiceResponseError("lost"))

    first = await transport.send(GET)

    assert (first.status_code, first.json(), first.request) == (200, {"a": 1}, GET)
    with pytest.raises(ServiceResponseError, match="lost"):
        await transport.send(GET)
    with pytest.raises(AssertionError, match="a request too many: GET"):
        await transport.send(GET)


async def test_requests_are_recorded_as_they_were_when_they_were_sent() -> None:
    transport = ScriptedTransport(Answer())
    request = HttpRequest("PUT", GET.url, headers={"Authorization": "Bearer abc"}, json={"x": 1})

    await transport.send(request)
    request.headers.clear()
    request.url = "https://elsewhere.example"

    (sent,) = transport.requests
    assert (sent.method, sent.url, sent.token, sent.body) == ("PUT", GET.url, "abc", '{"x": 1}')


async def test_a_server_may_think_before_it_answers() -> None:
    async def server(sent: Sent) -> Answer:
        await yield_to_loop()
        return Answer(200, {"path": sent.url})

    response = await ScriptedTransport(server=server).send(GET)

    assert response.json() == {"path": GET.url}


async def test_waiting_takes_no_time_and_is_recorded() -> None:
    transport = ScriptedTransport()

    await transport.sleep(3600)

    assert transport.waits == [3600]


async def test_a_response_reads_as_those_of_azure_core() -> None:
    response = FakeResponse(GET, Answer(404, headers={"X-Y": "z"}, body=b"\xffabc"))

    assert await response.read() == b"\xffabc"
    assert [chunk async for chunk in response.iter_bytes()] == [b"\xffabc"]
    assert [chunk async for chunk in response.iter_raw()] == [b"\xffabc"]
    assert (response.headers["x-y"], response.text(), response.is_closed) == ("z", "\ufffdabc", True)
    with pytest.raises(HttpResponseError):
        response.raise_for_status()


async def test_a_streamed_response_has_no_content_before_it_is_read() -> None:
    response = await ScriptedTransport(Answer(body=b"abc")).send(GET, stream=True)

    with pytest.raises(ResponseNotReadError):
        assert response.content
    await response.read()

    assert response.content == b"abc"


async def test_a_credential_lets_others_run_and_numbers_its_tokens() -> None:
    credential = FakeCredential()

    tokens = await asyncio.gather(*(credential.get_token_info(SCOPE, options={"enable_cae": True}) for _ in range(2)))

    assert [token.token for token in tokens] == ["token-1", "token-2"]
    assert credential.requests == [TokenRequest(SCOPE, enable_cae=True)] * 2


async def test_a_credential_fails_as_often_as_it_is_told() -> None:
    credential = FakeCredential(ValueError("once"))

    with pytest.raises(ValueError, match="once"):
        await credential.get_token_info(SCOPE)
    assert (await credential.get_token_info(SCOPE)).token == "token-2"


def test_the_challenges_are_ones_that_the_parser_understands() -> None:
    assert parse_challenge(CHALLENGE.headers["WWW-Authenticate"]) == Challenge(SCOPE, TENANT)
    assert parse_challenge(claims_challenge('{"a":1}')) == Challenge(None, None, '{"a":1}')
