"""Requests of the access control client, and its results."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from azure.core.configuration import Configuration
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
    ResourceNotModifiedError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.rest import HttpRequest

from azure.keyvault.administration import (
    ApiVersion,
    KeyVaultRoleAssignment,
    KeyVaultRoleAssignmentProperties,
    KeyVaultRoleDefinition,
)
from azure.keyvault.administration.aio import KeyVaultAccessControlClient
from fakes import ALICE, CHALLENGE, VAULT, Answer, FakeCredential, ScriptedTransport, Sent, error

Client = KeyVaultAccessControlClient
Call = Callable[[Client], Awaitable[Any]]

DEFINITIONS = "/providers/Microsoft.Authorization/roleDefinitions"
ASSIGNMENTS = "/providers/Microsoft.Authorization/roleAssignments"
VERSION = "api-version=2026-04-01"
NAME = "ff388517-2e5c-4d0f-8a0b-0d6f5c3b7a01"
ROLE_ID = "Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/21dbd100-6940-42c2-9190-5d6cb909625b"


def scripted(*script: Answer | Exception, **kwargs: Any) -> tuple[Client, ScriptedTransport]:
    """Return a client that was challenged already as far as the script is concerned, and its transport."""
    transport = ScriptedTransport(CHALLENGE, *script)
    return Client(VAULT, FakeCredential(), transport=transport, **kwargs), transport


def sent(transport: ScriptedTransport) -> list[Sent]:
    """Return what was sent after the challenge."""
    return transport.requests[1:]


async def list_definitions(client: Client) -> list[KeyVaultRoleDefinition]:
    return [item async for item in client.list_role_definitions("/")]


async def list_assignments(client: Client) -> list[KeyVaultRoleAssignment]:
    return [item async for item in client.list_role_assignments("/")]


def wire_definition(name: str) -> dict[str, Any]:
    return {"id": f"i/{name}", "name": name, "type": "t", "properties": {"roleName": name}}


def wire_assignment(principal: str = ALICE, scope: str = "/", name: str = NAME) -> dict[str, Any]:
    properties = {"principalId": principal, "roleDefinitionId": ROLE_ID, "scope": scope}
    return {"id": f"{ASSIGNMENTS}/{name}", "name": name, "type": "t", "properties": properties}


CALLS: dict[str, tuple[int, Call]] = {
    "list_role_definitions": (200, list_definitions),
    "get_role_definition": (200, lambda client: client.get_role_definition("/", NAME)),
    "set_role_definition": (201, lambda client: client.set_role_definition("/", name=NAME)),
    "delete_role_definition": (200, lambda client: client.delete_role_definition("/", NAME)),
    "list_role_assignments": (200, list_assignments),
    "get_role_assignment": (200, lambda client: client.get_role_assignment("/", NAME)),
    "create_role_assignment": (201, lambda client: client.create_role_assignment("/", ROLE_ID, ALICE, name=NAME)),
    "delete_role_assignment": (200, lambda client: client.delete_role_assignment("/", NAME)),
}
READING = [name for name in CALLS if not name.startswith("delete")]
DELETING = [name for name in CALLS if name.startswith("delete")]


# Requests


@pytest.mark.parametrize(
    ("method", "path", "body", "call"),
    [
        ("GET", DEFINITIONS, None, list_definitions),
        ("GET", f"/keys{DEFINITIONS}/{NAME}", None, lambda client: client.get_role_definition("keys", UUID(NAME))),
        (
            "PUT",
            f"{DEFINITIONS}/a%2Fb%3Fc%23d",
            {"properties": {"permissions": []}},
            lambda client: client.set_role_definition("/", name="a/b?c#d"),
        ),
        ("DELETE", f"{DEFINITIONS}/{NAME}", None, lambda client: client.delete_role_definition("/", NAME)),
        (
            "PUT",
            f"/keys/my-key{ASSIGNMENTS}/{NAME}",
            {"properties": {"roleDefinitionId": ROLE_ID, "principalId": ALICE}},
            lambda client: client.create_role_assignment("/keys/my-key", ROLE_ID, ALICE, name=UUID(NAME)),
        ),
        (
            "DELETE",
            f"/keys/my-key{ASSIGNMENTS}/{NAME}",
            None,
            lambda client: client.delete_role_assignment("//keys//my-key/", NAME),
        ),
    ],
)
async def test_each_call_sends_one_request(method: str, path: str, body: Any, call: Call) -> None:
    client, transport = scripted(Answer(201 if method == "PUT" else 200, {}))

    await call(client)

    (request,) = sent(transport)
    assert (request.method, request.url) == (method, f"{VAULT}{path}?{VERSION}")
    assert (None if request.body is None else json.loads(request.body)) == body
    assert request.headers["Accept"] == "application/json"
    assert request.headers["User-Agent"].startswith("azsdk-python-keyvault-administration/")


class _OtherApiVersion(str, Enum):
    V7_4 = "7.4"


@pytest.mark.parametrize(
    ("given", "spoken"),
    [(None, "2026-04-01"), (ApiVersion.V7_4, "7.4"), (_OtherApiVersion.V7_4, "7.4"), ("2027-01-01", "2027-01-01")],
)
async def test_the_api_version_can_be_chosen(given: Any, spoken: str) -> None:
    client, transport = scripted(Answer(200, {}), api_version=given)

    await client.get_role_definition("/", NAME)

    assert sent(transport)[0].url.endswith(f"?api-version={spoken}")
    assert client.api_version == spoken
    assert type(client.api_version) is str


async def test_a_configuration_of_azure_core_is_accepted_as_by_its_clients() -> None:
    client, transport = scripted(Answer(200, {}), config=Configuration())

    await client.get_role_definition("/", NAME)

    assert len(sent(transport)) == 1


async def test_options_of_azure_core_reach_the_request() -> None:
    seen: list[int] = []
    client, transport = scripted(Answer(200, {}), headers={"x-client": "c"})

    await client.get_role_definition(
        "/",
        NAME,
        headers={"x-call": "d"},
        raw_response_hook=lambda response: seen.append(response.http_response.status_code),
    )

    (request,) = sent(transport)
    assert (request.headers["x-client"], request.headers["x-call"]) == ("c", "d")
    # The hook stands below authentication, so that it sees each answer.
    assert seen == [401, 200]


# Bad arguments


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("scope", lambda c: c.get_role_definition("/keys/a?b", NAME)),
        ("name", lambda c: c.get_role_definition("/", "..")),
        ("scope", lambda c: c.set_role_definition("/keys/a#b")),
        ("name", lambda c: c.set_role_definition("/", name="")),
        ("permissions", lambda c: c.set_role_definition("/", permissions=["read"])),
        ("assignable_scopes", lambda c: c.set_role_definition("/", assignable_scopes="/")),
        ("scope", lambda c: c.set_role_definition("/", assignable_scopes=["a?"])),
        ("scope", lambda c: c.delete_role_definition("", NAME)),
        ("name", lambda c: c.delete_role_definition("/", "")),
        ("scope", lambda c: c.list_role_definitions(None)),
        ("scope", lambda c: c.create_role_assignment("\x00", ROLE_ID, ALICE)),
        ("definition_id", lambda c: c.create_role_assignment("/", "", ALICE)),
        ("principal_id", lambda c: c.create_role_assignment("/", ROLE_ID, None)),
        ("name", lambda c: c.create_role_assignment("/", ROLE_ID, ALICE, name=".")),
        ("scope", lambda c: c.get_role_assignment("https://a/keys/b", NAME)),
        ("name", lambda c: c.get_role_assignment("/", 3)),
        ("scope", lambda c: c.delete_role_assignment("/a b", NAME)),
        ("name", lambda c: c.delete_role_assignment("/", "\t")),
        ("scope", lambda c: c.list_role_assignments("/keys/a?b")),
        ("api_version", lambda _: scripted(api_version=7)),
        ("vault_url", lambda _: Client(f"{VAULT}/keys", FakeCredential())),
    ],
)
async def test_a_bad_argument_is_named_and_nothing_is_sent(argument: str, call: Call) -> None:
    client, transport = scripted()

    with pytest.raises(ValueError, match=f"^{argument} must"):
        await call(client)

    assert transport.requests == []


async def test_a_client_shows_its_vault_url_without_slash() -> None:
    client = Client(f" {VAULT}/ ", FakeCredential(), transport=ScriptedTransport())

    assert client.vault_url == VAULT
    assert repr(client) == f"KeyVaultAccessControlClient(vault_url='{VAULT}')"


# Answers


GARBAGE = [
    b"",
    b"null",
    b"[]",
    b'"text"',
    b"NaN",
    b"<html>proxy</html>",
    b'{"id": "\xff\xfe"}',
    b"[" * 200_000,
    b'{"properties": []}',
]


def _shown(value: object) -> str:
    return str(value)[:30]


READS = [name for name in READING if not name.startswith("list")]
LISTS = ["list_role_definitions", "list_role_assignments"]


@pytest.mark.parametrize(
    ("name", "body"),
    [*(("get_role_definition", body) for body in GARBAGE), *((name, b'{"id": 5}') for name in READS)],
    ids=_shown,
)
async def test_a_malformed_response_is_a_decode_error(name: str, body: bytes) -> None:
    status, call = CALLS[name]
    client, _ = scripted(Answer(status, body=body))

    with pytest.raises(DecodeError):
        await call(client)


PAGES = [
    b"[]",
    b'{"value": {}}',
    b'{"value": "abc"}',
    b'{"value": [1]}',
    b'{"value": [{"id": 5}]}',
    b'{"value": [], "nextLink": 5}',
    b'{"value": [], "nextLink": {"a": 1}}',
    b'{"value": [], "nextLink": "https://[x"}',
]


@pytest.mark.parametrize(("name", "body"), [*((LISTS[0], body) for body in PAGES), (LISTS[1], b'{"value": [1]}')])
async def test_a_malformed_page_is_an_azure_core_exception(name: str, body: bytes) -> None:
    client, _ = scripted(Answer(200, body=body))

    with pytest.raises(AzureError):
        await CALLS[name][1](client)


async def test_missing_members_are_none_or_empty() -> None:
    nulls = {"id": None, "properties": {"permissions": None, "roleName": None, "assignableScopes": None}}
    client, _ = scripted(Answer(200, {}), Answer(200, nulls), Answer(200, {"properties": None}))
    empty = KeyVaultRoleDefinition(permissions=[], assignable_scopes=[])

    assert [await client.get_role_definition("/", NAME) for _ in range(2)] == [empty, empty]
    assert await client.get_role_assignment("/", NAME) == KeyVaultRoleAssignment(
        properties=KeyVaultRoleAssignmentProperties()
    )


async def test_unknown_members_are_ignored() -> None:
    client, _ = scripted(Answer(200, {"id": "i", "new": 1, "properties": {"roleName": "r", "createdOn": {}}}))

    role = await client.get_role_definition("/", NAME)

    assert role == KeyVaultRoleDefinition(id="i", role_name="r", permissions=[], assignable_scopes=[])


STATUSES = {
    304: ResourceNotModifiedError,
    400: HttpResponseError,
    401: ClientAuthenticationError,
    403: HttpResponseError,
    404: ResourceNotFoundError,
    409: ResourceExistsError,
    501: HttpResponseError,
}


@pytest.mark.parametrize(
    ("name", "status"),
    [*(("get_role_definition", status) for status in STATUSES), *((name, 403) for name in CALLS), (DELETING[0], 409)],
)
async def test_an_error_status_is_raised_with_code_and_message(name: str, status: int) -> None:
    client, _ = scripted(Answer(status, error("SomeCode", "Some message.")))

    with pytest.raises(HttpResponseError, match="Some message") as caught:
        await CALLS[name][1](client)

    assert type(caught.value) is STATUSES[status]
    assert caught.value.status_code == status
    assert caught.value.error is not None
    assert (caught.value.error.code, caught.value.error.message) == ("SomeCode", "Some message.")


@pytest.mark.parametrize("name", DELETING)
async def test_deleting_a_missing_item_is_not_an_error(name: str) -> None:
    client, _ = scripted(Answer(404, error("RoleAssignmentNotFound", "x")))

    assert await CALLS[name][1](client) is None


NOT_THE_SERVICE = [
    b"",
    b"<html>proxy</html>",
    b"[]",
    b'{"code": "NotFound", "message": "x"}',
    b'{"statusCode": 404, "message": "Resource not found"}',
    b'{"error": "not found"}',
    b'{"error": null}',
    b'{"error": {"message": "x"}}',
    b'{"error": {"code": null}}',
    b'{"error": [{"code": "NotFound"}]}',
]


@pytest.mark.parametrize(
    ("name", "body"), [*((DELETING[0], body) for body in NOT_THE_SERVICE), (DELETING[1], NOT_THE_SERVICE[0])]
)
async def test_a_404_of_something_else_is_not_a_successful_delete(name: str, body: bytes) -> None:
    client, _ = scripted(Answer(404, body=body, headers={"Content-Type": "text/html"}))

    with pytest.raises(ResourceNotFoundError):
        await CALLS[name][1](client)


async def test_a_404_to_a_probe_is_not_a_successful_delete() -> None:
    transport = ScriptedTransport(Answer(404, error("RoleAssignmentNotFound", "x")))

    with pytest.raises(ResourceNotFoundError):
        await Client(VAULT, FakeCredential(), transport=transport).delete_role_assignment("/", NAME)


@pytest.mark.parametrize(("name", "status"), [("get_role_definition", 204), *((name, 202) for name in CALLS)])
async def test_an_unexpected_success_is_an_error(name: str, status: int) -> None:
    client, _ = scripted(Answer(status, {}))

    with pytest.raises(HttpResponseError):
        await CALLS[name][1](client)


async def test_error_map_chooses_the_exception() -> None:
    class MineError(HttpResponseError):
        pass

    client, _ = scripted(Answer(404, error("a", "b")))

    with pytest.raises(MineError):
        await client.get_role_definition("/", NAME, error_map={404: MineError})


# What a call makes of its response


@pytest.mark.parametrize("name", [name for name in CALLS if "list" not in name])
async def test_a_call_returns_what_cls_makes_of_its_response(name: str) -> None:
    status, _ = CALLS[name]
    wire = wire_assignment() if "assignment" in name else wire_definition(NAME)
    client, _ = scripted(Answer(status, wire, {"x-ms-request-id": "r"}))
    arguments = {"create_role_assignment": (ROLE_ID, ALICE), "set_role_definition": ()}.get(name, (NAME,))

    returned = await getattr(client, name)("/", *arguments, cls=lambda *seen: seen)

    if name in DELETING:
        assert returned is None
        return
    response, result, headers = returned
    assert (response.http_response.status_code, result.name, headers["X-Ms-Request-Id"]) == (status, NAME, "r")
    assert type(result) is (KeyVaultRoleAssignment if "assignment" in name else KeyVaultRoleDefinition)


@pytest.mark.parametrize("name", DELETING)
async def test_cls_sees_the_deleted_item(name: str) -> None:
    client, _ = scripted(Answer(200, {"name": NAME}))
    seen: list[Any] = []

    await getattr(client, name)("/", NAME, cls=lambda _, deleted, __: seen.append(deleted.name))

    assert seen == [NAME]


@pytest.mark.parametrize("name", ["list_role_definitions", "list_role_assignments"])
async def test_a_list_yields_what_cls_makes_of_each_page(name: str) -> None:
    client, _ = scripted(
        Answer(200, {"value": [{"name": "a"}, {"name": "b"}], "nextLink": f"{VAULT}/x"}, {"x-page": "1"}),
        Answer(200, {"value": [{"name": "c"}]}, {"x-page": "2"}),
    )

    def label(response: Any, items: list[Any], headers: Any) -> list[str]:
        return [f"{headers['x-page']}{item.name}{response.http_response.status_code}" for item in items]

    assert [item async for item in getattr(client, name)("/", cls=label)] == ["1a200", "1b200", "2c200"]


async def test_cls_is_not_called_for_an_error() -> None:
    client, _ = scripted(Answer(403, error("Forbidden", "x")))

    with pytest.raises(HttpResponseError, match="Forbidden"):
        await client.get_role_definition("/", NAME, cls=pytest.fail)


async def test_params_of_a_call_do_not_replace_the_api_version() -> None:
    page = Answer(200, {"value": [], "nextLink": f"{VAULT}/x"})
    client, transport = scripted(Answer(200, {}), page, Answer(200, {}), api_version="7.6")

    await client.get_role_definition("/", NAME, params={"a": "b", "api-version": "7.2"})
    assert [item async for item in client.list_role_definitions("/", params={"api-version": "7.2"})] == []

    assert [request.url.partition("?")[2] for request in sent(transport)] == [
        "a=b&api-version=7.6",
        "api-version=7.6",
        "api-version=7.6",
    ]


# Pages


async def test_a_list_follows_its_links_with_its_own_api_version() -> None:
    client, transport = scripted(
        Answer(
            200,
            {"value": [wire_definition("a"), wire_definition("b")], "nextLink": f"{VAULT}/x?skip=2&api-version=7.2"},
        ),
        Answer(200, {"value": [], "nextLink": f"{VAULT}/y?$skiptoken=q%2Bz"}),
        Answer(200, {"value": [wire_definition("c")], "nextLink": None}),
    )

    names = [item.role_name async for item in client.list_role_definitions("/")]

    assert names == ["a", "b", "c"]
    assert [request.url for request in sent(transport)] == [
        f"{VAULT}{DEFINITIONS}?{VERSION}",
        f"{VAULT}/x?skip=2&{VERSION}",
        f"{VAULT}/y?$skiptoken=q%2Bz&{VERSION}",
    ]


async def test_list_with_a_thousand_empty_pages_ends() -> None:
    def server(sent: Sent) -> Answer:
        if not sent.token:
            return CHALLENGE
        number = int(sent.url.partition("page=")[2].partition("&")[0] or 0)
        link = f"{VAULT}/next?page={number + 1}" if number < 1_000 else None
        return Answer(200, {"value": [] if link else [{"name": "last"}], "nextLink": link})

    transport = ScriptedTransport(server=server)
    async with KeyVaultAccessControlClient(VAULT, FakeCredential(), transport=transport) as client:
        items = client.list_role_assignments("/")
        assert [item.name async for item in items] == ["last"]
        assert [item async for item in items] == []


async def test_an_empty_link_ends_the_list_and_an_empty_token_starts_it() -> None:
    client, transport = scripted(Answer(200, {"value": [wire_assignment()], "nextLink": ""}))

    pages = client.list_role_assignments("/").by_page(continuation_token="")

    assert [len([item async for item in page]) async for page in pages] == [1]
    assert [request.url for request in sent(transport)] == [f"{VAULT}{ASSIGNMENTS}?{VERSION}"]


async def test_nothing_is_sent_before_a_list_is_read() -> None:
    client, transport = scripted()

    client.list_role_definitions("/")
    client.list_role_assignments("/").by_page()

    assert transport.requests == []


async def test_a_filter_goes_with_the_first_page_only() -> None:
    client, transport = scripted(
        Answer(200, {"value": [wire_assignment()], "nextLink": f"{VAULT}/x"}), Answer(200, {"value": []})
    )

    assert len([item async for item in client.list_role_assignments("/", filter=f"principalId eq '{ALICE}'")]) == 1
    first, second = (request.url for request in sent(transport))
    assert "filter=principalId%20eq%20%27" in first.replace("+", "%20")
    assert "filter" not in second


# Retries


# What an HSM answers to the second try, and what it answers if the role is assigned under another name.
EXISTS = error("RoleAssignmentExists", "The role assignment already exists. (Activity ID: 00000000)")
MATCHES = error("MatchingRoleAssignmentExists", f"Role assignment '{NAME}' already adds role.")
# Azure's control plane answers so.
CONFLICT = Answer(409, error("Conflict", "x"))


def create(client: Client) -> Awaitable[KeyVaultRoleAssignment]:
    return client.create_role_assignment("/", ROLE_ID, ALICE, name=NAME)


LOST = ServiceResponseError("connection lost")


@pytest.mark.parametrize(
    ("lost", "told"),
    [(LOST, Answer(400, EXISTS)), (Answer(500), Answer(400, MATCHES)), (Answer(503), CONFLICT)],
    ids=["lost response", "500", "503"],
)
async def test_an_assignment_whose_response_was_lost_is_read_back(lost: Answer | Exception, told: Answer) -> None:
    client, transport = scripted(lost, told, Answer(200, wire_assignment()))

    created = await create(client)

    assert created.properties == KeyVaultRoleAssignmentProperties(
        principal_id=ALICE, role_definition_id=ROLE_ID, scope="/"
    )
    assert [request.method for request in sent(transport)] == ["PUT", "PUT", "GET"]
    assert sent(transport)[2].url == sent(transport)[1].url


@pytest.mark.parametrize(
    ("before", "told"),
    [([], CONFLICT), ([], Answer(400, EXISTS)), ([Answer(429)], CONFLICT), ([ServiceRequestError("no")], CONFLICT)],
    ids=["409", "400", "after 429", "after a refused connection"],
)
async def test_an_assignment_of_another_call_is_an_error(before: list[Any], told: Answer) -> None:
    client, transport = scripted(*before, told)

    with pytest.raises(HttpResponseError) as caught:
        await create(client)

    assert caught.value.status_code == told.status
    assert {request.method for request in transport.requests} == {"PUT"}


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(Answer(200, wire_assignment(principal="somebody-else")), id="other-principal"),
        pytest.param(Answer(200, wire_assignment(scope="/keys")), id="other-scope"),
        pytest.param(Answer(404, error("RoleAssignmentNotFound", "x")), id="absent"),
        pytest.param(Answer(403, error("AccessDenied", "x")), id="unreadable"),
        pytest.param(Answer(200, body=b"[]"), id="garbage"),
        pytest.param(Answer(200, {}), id="empty"),
    ],
)
async def test_an_assignment_that_cannot_be_read_back_is_the_original_error(found: Answer) -> None:
    client, _ = scripted(Answer(500), Answer(400, EXISTS), found)

    with pytest.raises(HttpResponseError) as caught:
        await create(client)

    assert caught.value.error is not None
    assert caught.value.error.code == "RoleAssignmentExists"


async def test_another_error_after_a_lost_response_is_raised() -> None:
    client, transport = scripted(Answer(500), Answer(400, error("BadParameter", "x")))

    with pytest.raises(HttpResponseError, match="BadParameter"):
        await create(client)

    assert {request.method for request in transport.requests} == {"PUT"}


async def test_cls_sees_the_assignment_that_was_read_back() -> None:
    client, _ = scripted(Answer(500), Answer(400, EXISTS), Answer(200, wire_assignment(), {"x-mine": "read back"}))
    seen: list[tuple[Any, ...]] = []

    created = await client.create_role_assignment("/", ROLE_ID, ALICE, name=NAME, cls=lambda *it: seen.append(it))

    ((response, assignment, headers),) = seen
    assert created is None
    assert assignment.name == NAME
    assert (response.http_response.status_code, headers["x-mine"]) == (200, "read back")


# Requests of the user's own


@pytest.mark.parametrize(
    ("url", "sent_to"),
    [
        ("/settings", f"/settings?{VERSION}"),
        ("settings", f"/settings?{VERSION}"),
        (f"{VAULT}/settings", f"/settings?{VERSION}"),
        ("/settings?api-version=7.4", "/settings?api-version=7.4"),
        ("/settings?a=b", f"/settings?a=b&{VERSION}"),
        (f"/go?to={VAULT}", f"/go?to={VAULT}&{VERSION}"),
    ],
)
async def test_an_own_request_is_resolved_and_gets_an_api_version(url: str, sent_to: str) -> None:
    client, transport = scripted(Answer(418, {"a": 1}))

    response = await client.send_request(HttpRequest("GET", url))

    assert (response.status_code, response.json()) == (418, {"a": 1})
    (request,) = sent(transport)
    assert (request.url, request.token) == (f"{VAULT}{sent_to}", "token-1")


@pytest.mark.parametrize("url", ["https://evil.example/settings", f"{VAULT}:8443/settings", f"{VAULT}@evil.example/x"])
async def test_an_own_request_to_another_origin_is_refused(url: str) -> None:
    client, transport = scripted()

    with pytest.raises(ValueError, match="https"):
        await client.send_request(HttpRequest("GET", url))

    assert transport.requests == []
