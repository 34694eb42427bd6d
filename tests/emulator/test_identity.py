"""Tokens from the managed identity endpoint, as applications get them on App Service."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
import jwt
import pytest
from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential

from azure.keyvault.administration.aio import KeyVaultAccessControlClient
from emulator import application
from emulator.operator_client import ALICE
from emulator.raw import CRYPTO_USER, ROLE_DEFINITIONS, SCOPE, RawClient

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azure.keyvault.administration.emulator import ManagedHsmEmulator

NOT_FOUND = "No User Assigned Managed Identity found"
QUERY = {"api-version": "2019-08-01", "resource": application.RESOURCE}


async def _get(
    variables: Mapping[str, str], query: Mapping[str, str], headers: Mapping[str, str] | None = None
) -> tuple[int, Any]:
    sent = {"X-IDENTITY-HEADER": variables["IDENTITY_HEADER"], **(headers or {})}
    async with (
        aiohttp.ClientSession() as session,
        session.get(variables["IDENTITY_ENDPOINT"], params=query, headers=sent) as reply,
    ):
        is_json = reply.content_type == "application/json"
        return reply.status, await reply.json() if is_json else await reply.text()


def _object_id(token: str) -> str:
    return str(jwt.decode(token, options={"verify_signature": False})["oid"])


@pytest.fixture(name="environment")
def _environment(hsm: ManagedHsmEmulator, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    variables = hsm.environment()
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        monkeypatch.setenv(name, variables[name])
    return variables


@pytest.mark.usefixtures("environment")
async def test_default_azure_credential_is_the_administrator(hsm: ManagedHsmEmulator) -> None:
    async with (
        DefaultAzureCredential() as credential,
        KeyVaultAccessControlClient(hsm.vault_url, credential, **hsm.client_kwargs) as client,
    ):
        assignments = [assignment async for assignment in client.list_role_assignments("/")]

    assert [assignment.properties and assignment.properties.principal_id for assignment in assignments] == [
        hsm.admin_object_id
    ]


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    "options", [{"client_id": ALICE.upper()}, {"identity_config": {"principal_id": ALICE}}], ids=["client", "principal"]
)
async def test_the_client_id_chooses_the_principal(raw: RawClient, options: dict[str, Any]) -> None:
    async with ManagedIdentityCredential(**options) as credential:
        token = (await credential.get_token(SCOPE)).token

    forbidden = await raw.send("GET", "/keys", token=token)
    await raw.assign(ALICE, CRYPTO_USER)
    allowed = await raw.send("GET", "/keys", token=token)

    assert (_object_id(token), forbidden.status, allowed.status) == (ALICE, 403, 200)


async def test_the_azure_client_id_of_the_environment_chooses_it_too(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert environment
    monkeypatch.setenv("AZURE_CLIENT_ID", ALICE)

    async with DefaultAzureCredential() as credential:
        token = (await credential.get_token(SCOPE)).token

    assert _object_id(token) == ALICE


async def test_the_answer_is_that_of_app_service(hsm: ManagedHsmEmulator) -> None:
    status, body = await _get(hsm.environment(), QUERY)

    claims = jwt.decode(body["access_token"], options={"verify_signature": False})
    assert status == 200
    assert body == {
        "access_token": body["access_token"],
        "client_id": hsm.admin_object_id,
        "expires_on": str(claims["exp"]),
        "not_before": str(claims["nbf"]),
        "resource": application.RESOURCE,
        "token_type": "Bearer",
    }


async def test_a_token_for_another_resource_is_not_one_for_the_hsm(raw: RawClient) -> None:
    token = await application.get_token(raw.hsm.environment(), resource="https://vault.azure.net")

    assert (await raw.send("GET", "/keys", token=token)).status == 401


async def test_a_token_is_as_old_as_the_clock_of_the_emulator_says(raw: RawClient) -> None:
    token = await application.get_token(raw.hsm.environment())
    raw.hsm.clock.advance(7200)
    later = await application.get_token(raw.hsm.environment())

    assert (await raw.send("GET", ROLE_DEFINITIONS, token=token)).status == 401
    assert (await raw.send("GET", ROLE_DEFINITIONS, token=later)).status == 200


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"api-version": "2017-09-01"}, "The api-version must be 2019-08-01"),
        ({"resource": ""}, "The query parameter resource, the audience of the token, is missing"),
        (
            {"client_id": "me"},
            f"{NOT_FOUND}: client_id, the object id of a principal, must be a GUID, got 'me'",
        ),
        (
            {"mi_res_id": "/subscriptions/x"},
            f"{NOT_FOUND}: the emulator knows no resources; give the object id of a principal as client_id",
        ),
        ({"client_id": ALICE, "object_id": ALICE}, f"{NOT_FOUND}: only one of client_id, object_id may be given"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
async def test_a_request_that_names_no_token_is_told_why(
    hsm: ManagedHsmEmulator, changes: dict[str, str], message: str
) -> None:
    status, body = await _get(hsm.environment(), {**QUERY, **changes})

    assert status == 400
    assert body == {"statusCode": 400, "message": message, "correlationId": body["correlationId"]}


@pytest.mark.parametrize("secret", [b"", b"wrong", b"w\xf6rong", b"\xff\xfe"])
async def test_request_without_the_secret_gets_no_token(hsm: ManagedHsmEmulator, secret: bytes) -> None:
    endpoint = urlsplit(hsm.environment()["IDENTITY_ENDPOINT"])
    reader, writer = await asyncio.open_connection(endpoint.hostname, endpoint.port)
    writer.write(f"GET {endpoint.path} HTTP/1.1\r\nHost: localhost\r\nX-IDENTITY-HEADER: ".encode() + secret)
    writer.write(b"\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()

    body = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert body["statusCode"] == 401
    assert body["message"] == "The X-IDENTITY-HEADER header must be the value of IDENTITY_HEADER"


async def test_a_web_page_gets_no_token_but_a_program_of_this_machine_does(hsm: ManagedHsmEmulator) -> None:
    for headers in (
        *({"Host": host} for host in ("evil.example", "evil.example:80", "localhost.evil.example")),
        {"Origin": "null"},
    ):
        refused = await _get(hsm.environment(), QUERY, headers)
        assert refused == (403, "The emulator serves only programs on this machine.\n"), headers
    for host in ("localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:80"):
        status, _ = await _get(hsm.environment(), QUERY, {"Host": host})
        assert status == 200
