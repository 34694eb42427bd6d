"""Any response and any argument gives a result, an azure-core exception or a ValueError.

The examples are drawn from a fixed seed, so a run is repeatable. ``HYPOTHESIS_PROFILE=soak`` draws many more.
"""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from azure.core.exceptions import AzureError
from azure.core.rest import HttpRequest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from azure.keyvault.administration import KeyVaultPermission
from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient
from fakes import (
    CHALLENGE,
    CONTAINER,
    FOLDER,
    SAS,
    VAULT,
    Answer,
    FakeCredential,
    ScriptedTransport,
    Sent,
    unauthorized,
)
from json_strategies import json_values, mutated, text
from raw_server import Act, RawServer, challenging

pytestmark = pytest.mark.fuzz

PENDING = {"azure-asyncoperation": f"{VAULT}/backup/j/pending"}

ROLE = {
    "id": "/providers/Microsoft.Authorization/roleDefinitions/r",
    "name": "r",
    "type": "Microsoft.Authorization/roleDefinitions",
    "properties": {
        "roleName": "mine",
        "type": "CustomRole",
        "description": None,
        "permissions": [{"actions": [], "notActions": [], "dataActions": ["a"], "notDataActions": []}],
        "assignableScopes": ["/"],
    },
}
ASSIGNMENT = {"id": "i", "name": "n", "properties": {"principalId": "p", "roleDefinitionId": "r", "scope": "/"}}
JOB = {
    "status": "Succeeded",
    "statusDetails": None,
    "error": {"code": None, "innererror": None, "message": None},
    "startTime": 1_700_000_000,
    "endTime": None,
    "jobId": "j",
    "azureStorageBlobContainerUri": FOLDER,
}

Call = Callable[[Any], Awaitable[Any]]


async def _all(items: Any) -> Any:
    return [repr(item) async for item in items]


ACCESS: dict[str, tuple[Call, int, Any]] = {
    "create assignment": (lambda client: client.create_role_assignment("/", "r", "p", name="n"), 201, ASSIGNMENT),
    "get assignment": (lambda client: client.get_role_assignment("/", "n"), 200, ASSIGNMENT),
    "delete assignment": (lambda client: client.delete_role_assignment("/", "n"), 200, ASSIGNMENT),
    "list assignments": (lambda client: _all(client.list_role_assignments("/")), 200, {"value": [ASSIGNMENT]}),
    "set definition": (lambda client: client.set_role_definition("/", name="r"), 201, ROLE),
    "get definition": (lambda client: client.get_role_definition("/", "r"), 200, ROLE),
    "delete definition": (lambda client: client.delete_role_definition("/", "r"), 200, ROLE),
    "list definitions": (lambda client: _all(client.list_role_definitions("/")), 200, {"value": [ROLE]}),
}
STARTS: dict[str, Call] = {
    "backup": lambda client: client.begin_backup(CONTAINER, SAS),
    "pre-backup": lambda client: client.begin_pre_backup(CONTAINER, SAS),
    "restore": lambda client: client.begin_restore(FOLDER, SAS),
    "key restore": lambda client: client.begin_restore(FOLDER, SAS, key_name="k"),
    "pre-restore": lambda client: client.begin_pre_restore(FOLDER, SAS),
}

statuses = st.sampled_from([200, 201, 202, 204, 301, 307, 400, 401, 403, 404, 408, 409, 429, 500, 503, 599, 999])


def bodies(valid: Any) -> st.SearchStrategy[bytes]:
    return (mutated(valid) | json_values).map(lambda value: json.dumps(value).encode()) | st.binary(max_size=50)


class FuzzTransport(ScriptedTransport):
    """Waits no time at all, and insists that a wait is one that could be waited, and a request one for the HSM."""

    async def sleep(self, duration: float) -> None:
        assert math.isfinite(duration)
        assert duration >= 0
        await super().sleep(duration)

    async def send(self, request: HttpRequest, **kwargs: Any) -> Any:
        assert request.url.startswith((f"{VAULT}/", f"{VAULT}?"))
        return await super().send(request, **kwargs)


def _transport(*answers: Answer) -> Any:
    """Answer in this order, and go on with the last answer, until the client asks too often."""
    script = iter(answers)
    sent_last = 0

    def server(sent: Sent) -> Answer:
        nonlocal sent_last
        if sent.token is None:
            return CHALLENGE
        if (answer := next(script, None)) is None:
            sent_last += 1
            assert sent_last < 100, "this would never end"
            return answers[-1] if sent_last < 50 else Answer(400)
        return answer

    return FuzzTransport(server=server)


def _always(answer: Answer) -> Callable[[Sent], Answer]:
    return lambda _: answer


def _access(transport: Any) -> KeyVaultAccessControlClient:
    return KeyVaultAccessControlClient(VAULT, FakeCredential(), transport=transport)


def _backup(transport: Any) -> KeyVaultBackupClient:
    return KeyVaultBackupClient(VAULT, FakeCredential(), transport=transport)


@pytest.mark.parametrize("name", ACCESS)
@given(data=st.data())
async def test_any_body_is_a_model_or_an_azure_core_exception(name: str, data: st.DataObject) -> None:
    call, promised, valid = ACCESS[name]
    status = data.draw(st.just(promised) | statuses)
    answer = Answer(status, body=data.draw(bodies(valid)))

    with suppress(AzureError):
        repr(await call(_access(_transport(answer))))


@pytest.mark.parametrize("name", ["list assignments", "list definitions"])
@given(data=st.data())
async def test_any_page_and_any_link_is_a_list_or_an_azure_core_exception(name: str, data: st.DataObject) -> None:
    call, _, valid = ACCESS[name]
    links = text | st.builds("".join, st.tuples(st.sampled_from([VAULT, f"{VAULT}/", "https://", "/", "//"]), text))
    page = {**valid, "nextLink": data.draw(links)}
    second = data.draw(bodies(page))

    with suppress(AzureError):
        await call(_access(_transport(Answer(200, page), Answer(200, body=second), Answer(200, valid))))


@pytest.mark.parametrize("name", STARTS)
@given(data=st.data())
async def test_any_response_to_a_start_is_a_poller_or_an_azure_core_exception(name: str, data: st.DataObject) -> None:
    status = data.draw(st.just(202) | statuses)
    headers = data.draw(st.just(PENDING) | st.fixed_dictionaries({"azure-asyncoperation": text}))
    start = Answer(status, headers=headers, body=data.draw(bodies(JOB)))
    status = data.draw(st.just(200) | statuses)
    poll = Answer(status, headers=data.draw(retry_after), body=data.draw(bodies(JOB)))

    with suppress(AzureError):
        poller = await STARTS[name](_backup(_transport(start, poll, Answer(200, JOB))))
        repr(poller.details)
        await poller.result()
        repr(poller.details)


printable = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40)
retry_after = st.fixed_dictionaries(
    {},
    optional={
        name: printable
        | st.floats().map(str)
        | st.integers().map(str)
        | st.sampled_from(
            ["Mon, 01 Jan 99999 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -2359", "1e999", "1_0", "\u0661"]
        )
        for name in ("Retry-After", "retry-after-ms", "x-ms-retry-after-ms")
    },
)


@pytest.mark.parametrize("name", ["get definition", "set definition", "list assignments"])
@given(status=st.sampled_from([307, 429, 503]), headers=retry_after, location=printable | text)
@example(status=307, headers={}, location="https://[")
@example(status=307, headers={}, location="//\u2100.example")
async def test_any_retry_after_and_location_is_followed_or_an_azure_core_exception(
    name: str, status: int, headers: dict[str, str], location: str
) -> None:
    call, promised, valid = ACCESS[name]
    answer = Answer(status, headers={**headers, "Location": location})

    with suppress(AzureError):
        await call(_access(_transport(answer, Answer(promised, valid))))


@given(challenge=printable.map(lambda rest: f"Bearer {rest}") | text, authority=printable, resource=printable)
async def test_any_challenge_is_answered_or_an_azure_core_exception(
    challenge: str, authority: str, resource: str
) -> None:
    offered = f'Bearer authorization="{authority}", resource="{resource}"'
    for header in (challenge, offered, f"{offered}, {challenge}"):
        credential = FakeCredential()
        transport: Any = FuzzTransport(server=_always(unauthorized(header)))
        client = KeyVaultAccessControlClient(VAULT, credential, transport=transport)

        with pytest.raises(AzureError):
            await client.get_role_definition("/", "r")
        # Whatever was asked for: a token only for a resource of this service.
        assert {request.scope.rpartition("managedhsm.azure.net")[1] for request in credential.requests} <= {
            "managedhsm.azure.net"
        }


header_bytes = st.binary(max_size=40).map(lambda value: value.replace(b"\r", b"").replace(b"\n", b""))
header_names = st.sampled_from(
    [
        b"Content-Type: application/json; charset=",
        *(
            name + b": "
            for name in (
                b"azure-asyncoperation",
                b"Content-Encoding",
                b"Content-Length",
                b"Content-Type",
                b"Location",
                b"Retry-After",
                b"Set-Cookie",
                b"Transfer-Encoding",
                b"WWW-Authenticate",
                b"x-ms-request-id",
            )
        ),
        b"",
    ]
)
whole_answers = st.builds(
    lambda status, headers, body: Act(
        b"HTTP/1.1 %d \xe9\r\n" % status + b"".join(b"%b%b\r\n" % line for line in headers) + b"\r\n" + body, "close"
    ),
    statuses,
    st.lists(st.tuples(header_names, header_bytes), max_size=4),
    st.sampled_from([json.dumps(value).encode() for value in (ROLE, JOB, {"value": [ROLE]})]) | st.binary(max_size=50),
)


class Answering:
    """A server that challenges, and then gives one answer; and clients of it that keep their connection."""

    def __init__(self, folder: Path) -> None:
        self.answer = Act()
        self.server = RawServer(folder, challenging(lambda _: self.answer))

    def options(self) -> dict[str, Any]:
        return {
            "transport": self.server.transport(read_timeout=1),
            "verify_challenge_resource": False,
            "retry_total": 0,
            "redirect_max": 1,
        }


@pytest_asyncio.fixture(name="answering")
async def _answering(tmp_path: Path) -> AsyncIterator[Answering]:
    answering = Answering(tmp_path)
    async with answering.server:
        yield answering


@given(act=whole_answers | st.binary(max_size=60).map(lambda garbage: Act(garbage, "close")))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_bytes_of_a_response_are_a_result_or_an_azure_core_exception(answering: Answering, act: Act) -> None:
    answering.answer = act
    options = answering.options()
    access = KeyVaultAccessControlClient(answering.server.url, FakeCredential(), **options)
    backup = KeyVaultBackupClient(answering.server.url, FakeCredential(), **options)
    async with access:
        for client, call in ((access, ACCESS["list definitions"][0]), (backup, STARTS["backup"])):
            with suppress(AzureError):
                await call(client)


urls = text | st.builds(
    "".join, st.tuples(st.sampled_from(["https://", "https://a.b/", "HTTPS://h:", f"{CONTAINER}/", "//"]), text)
)
sas_tokens = text | text.map(lambda expiry: f"sv=1&se={expiry}&sig=x") | st.dates().map(lambda day: f"?se={day}")


@given(url=urls, name=text, scope=text | text.map(lambda end: f"/keys/{end}"), secret=sas_tokens)
async def test_any_argument_is_sent_to_the_hsm_or_a_value_error(url: str, name: str, scope: str, secret: str) -> None:
    with suppress(ValueError):
        KeyVaultAccessControlClient(url, FakeCredential())
    access, backup = _access(_transport(Answer(400))), _backup(_transport(Answer(400)))
    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: access.create_role_assignment(scope, name, name, name=name),
        lambda: access.get_role_assignment(scope, name),
        lambda: access.delete_role_assignment(scope, name),
        lambda: _all(access.list_role_assignments(scope, filter=name)),
        lambda: access.set_role_definition(
            scope,
            role_name=name,
            description=secret,
            permissions=[KeyVaultPermission(data_actions=[name])],
            assignable_scopes=[scope],
        ),
        lambda: backup.begin_backup(url, secret),
        lambda: backup.begin_pre_backup(url, secret),
        lambda: backup.begin_restore(url, secret),
        lambda: backup.begin_restore(FOLDER, SAS, key_name=name),
        lambda: backup.begin_pre_restore(url, secret),
        lambda: access.send_request(HttpRequest("GET", url)),
    ]
    for call in calls:
        with suppress(ValueError, AzureError):
            await call()
