"""Headers of every request: request id, user agent and encodings."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from azure.core.rest import HttpRequest

from azure.keyvault.administration.aio import KeyVaultAccessControlClient
from fakes import CHALLENGE, VAULT, Answer, FakeCredential, ScriptedTransport, Sent

_ID = "x-ms-client-request-id"
_OK = Answer(json={})


def _client(transport: ScriptedTransport, **options: Any) -> KeyVaultAccessControlClient:
    return KeyVaultAccessControlClient(VAULT, FakeCredential(), transport=transport, retry_backoff_factor=0, **options)


async def _sent(options: dict[str, Any], **call: Any) -> Sent:
    """Return the last request of one call."""
    transport = ScriptedTransport(CHALLENGE, _OK)
    async with _client(transport, **options) as client:
        await client.get_role_assignment("/", "name", **call)
    return transport.requests[-1]


async def test_every_call_has_an_id_of_its_own() -> None:
    transport = ScriptedTransport(CHALLENGE, _OK, _OK, _OK)
    async with _client(transport) as client:
        for _ in range(3):
            await client.get_role_assignment("/", "name")

    probe, *calls = [UUID(sent.headers[_ID]) for sent in transport.requests]
    assert probe == calls[0]
    assert len(set(calls)) == 3


async def test_a_retry_has_the_id_of_its_call() -> None:
    transport = ScriptedTransport(CHALLENGE, Answer(503), Answer(429), _OK)
    async with _client(transport) as client:
        await client.get_role_assignment("/", "name")

    assert len(transport.requests) == 4
    assert len({sent.headers[_ID] for sent in transport.requests}) == 1


@pytest.mark.parametrize(
    ("options", "call"),
    [
        ({"request_id": "given"}, {}),
        ({}, {"request_id": "given"}),
        ({"request_id": "other"}, {"request_id": "given"}),
        ({"auto_request_id": False}, {"request_id": "given"}),
        ({"headers": {_ID: "given"}}, {}),
        ({}, {"headers": {_ID: "given"}}),
    ],
)
async def test_a_given_id_is_taken(options: dict[str, Any], call: dict[str, Any]) -> None:
    assert (await _sent(options, **call)).headers[_ID] == "given"


@pytest.mark.parametrize(
    ("options", "call"), [({"request_id": None}, {}), ({}, {"request_id": None}), ({"auto_request_id": False}, {})]
)
async def test_ids_can_be_turned_off(options: dict[str, Any], call: dict[str, Any]) -> None:
    assert _ID not in (await _sent(options, **call)).headers


async def test_the_id_can_stand_in_another_header() -> None:
    headers = (await _sent({"request_id_header_name": "x-correlation-id"})).headers

    assert str(UUID(headers["x-correlation-id"])) == headers["x-correlation-id"]
    assert _ID not in headers


async def test_the_id_of_an_own_request_stays() -> None:
    transport = ScriptedTransport(CHALLENGE, _OK)
    async with _client(transport) as client:
        await client.send_request(HttpRequest("GET", "/keys", headers={_ID: "given"}))

    assert [sent.headers[_ID] for sent in transport.requests] == ["given", "given"]


async def test_the_user_agent_names_the_package_and_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_HTTP_USER_AGENT", "pipeline/7")

    user_agent = (await _sent({})).headers["User-Agent"]

    assert user_agent.startswith("azsdk-python-keyvault-administration/")
    assert user_agent.endswith(" pipeline/7")


@pytest.mark.parametrize(
    ("options", "call", "begins", "ends"),
    [
        ({"user_agent": "app"}, {}, "app azsdk-python-", " from-env"),
        ({}, {"user_agent": "app"}, "app azsdk-python-", " from-env"),
        ({}, {"user_agent": "app", "user_agent_overwrite": True}, "app", "app"),
        ({"user_agent_overwrite": True}, {"user_agent": "app"}, "app", "app"),
        ({"user_agent_use_env": False}, {}, "azsdk-python-", ")"),
        ({"headers": {"User-Agent": "mine"}}, {}, "mine", "mine"),
        ({"base_user_agent": "base"}, {}, "base", "base from-env"),
    ],
)
async def test_the_user_agent_follows_the_options_of_azure_core(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], call: dict[str, Any], begins: str, ends: str
) -> None:
    monkeypatch.setenv("AZURE_HTTP_USER_AGENT", "from-env")

    user_agent = (await _sent(options, **call)).headers["User-Agent"]

    assert user_agent.startswith(begins)
    assert user_agent.endswith(ends)


async def test_encodings_are_those_that_azure_core_decodes() -> None:
    transport = ScriptedTransport(CHALLENGE, _OK)
    async with _client(transport) as client:
        await client.get_role_assignment("/", "name")

    assert {sent.headers["Accept-Encoding"] for sent in transport.requests} == {"gzip, deflate"}


@pytest.mark.parametrize(
    ("options", "call"),
    [({"headers": {"accept-encoding": "identity"}}, {}), ({}, {"headers": {"accept-encoding": "identity"}})],
)
async def test_encodings_of_the_user_stay(options: dict[str, Any], call: dict[str, Any]) -> None:
    assert (await _sent(options, **call)).headers["Accept-Encoding"] == "identity"
