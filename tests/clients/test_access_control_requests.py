"""What the access control client sends, and what it makes of whatever is answered."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import TYPE_CHECKING, Any
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
    KeyVaultPermission,
    KeyVaultRoleAssignment,
    KeyVaultRoleAssignmentProperties,
    KeyVaultRoleDefinition,
)
from azure.keyvault.administration.aio import KeyVaultAccessControlClient
from fakes import CHALLENGE, VAULT, Answer, FakeCredential, ScriptedTransport, Sent, error

if TYPE_CHECKING:
    from azure.keyvault.administration.emulator import ManagedHsmEmulator

Client = KeyVaultAccessControlClient
Call = Callable[[Client], Awaitable[Any]]

DEFINITIONS = "/providers/Microsoft.Authorization/roleDefinitions"
ASSIGNMENTS = "/providers/Microsoft.Authorization/roleAssignments"
VERSION = "api-version=2026-04-01"
NAME = "ff388517-2e5c-4d0f-8a0b-0d6f5c3b7a01"
ALICE = "a11ce000-0000-4000-8000-000000000001"
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
each_call = pytest.mark.parametrize("name", CALLS)


# Requests


@pytest.mark.parametrize(
    ("call", "method", "path", "body"),
    [
        pytest.param(list_definitions, "GET", DEFINITIONS, None, id="list-definitions"),
        pytest.param(
            lambda client: client.get_role_definition("keys", UUID(NAME)),
            "GET",
            f"/keys{DEFINITIONS}/{NAME}",
            None,
            id="get-definition",
        ),
        pytest.param(
            lambda client: client.set_role_definition("/", name="a/b?c#d"),
            "PUT",
            f"{DEFINITIONS}/a%2Fb%3Fc%23d",
            {"properties": {"permissions": []}},
            id="a-name-is-encoded",
        ),
        pytest.param(
            lambda client: client.set_role_definition(
                "/",
                name=NAME,
                role_name="r",
                description="d",
                permissions=[KeyVaultPermission(actions=["a"], not_actions=[], data_actions=["b"])],
                assignable_scopes=["/", "keys/"],
            ),
            "PUT",
            f"{DEFINITIONS}/{NAME}",
            {
                "properties": {
                    "roleName": "r",
                    "description": "d",
                    "permissions": [{"actions": ["a"], "notActions": [], "dataActions": ["b"]}],
                    "assignableScopes": ["/", "/keys"],
                }
            },
            id="set-definition",
        ),
        pytest.param(
            lambda client: client.delete_role_definition("/", NAME),
            "DELETE",
            f"{DEFINITIONS}/{NAME}",
            None,
            id="delete-definition",
        ),
        pytest.param(
            lambda client: client.create_role_assignment("/keys/my-key", ROLE_ID, ALICE, name=UUID(NAME)),
            "PUT",
            f"/keys/my-key{ASSIGNMENTS}/{NAME}",
            {"properties": {"roleDefinitionId": ROLE_ID, "principalId": ALICE}},
            id="create-assignment",
        ),
        pytest.param(
            lambda client: client.delete_role_assignment("//keys//my-key/", NAME),
            "DELETE",
            f"/keys/my-key{ASSIGNMENTS}/{NAME}",
            None,
            id="delete-assignment",
        ),
    ],
)
async def test_each_call_sends_one_request(call: Call, method: str, path: str, body: Any) -> None:
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
    [
        pytest.param(None, "2026-04-01", id="default"),
        pytest.param(ApiVersion.V7_4, "7.4", id="enum"),
        pytest.param(_OtherApiVersion.V7_4, "7.4", id="enum-of-another-package"),
        pytest.param("7.2", "7.2", id="text"),
        pytest.param("2027-01-01", "2027-01-01", id="unknown"),
    ],
)
async def test_the_api_version_can_be_chosen(given: Any, spoken: str) -> None:
    client, transport = scripted(Answer(200, {}), api_version=given)

    await client.get_role_definition("/", NAME)

    assert sent(transport)[0].url.endswith(f"?api-version={spoken}")
    assert client.api_version == spoken
    assert type(client.api_version) is str


def test_an_api_version_that_is_no_text_is_refused() -> None:
    with pytest.raises(ValueError, match="api_version must be a non-blank string, got 7"):
        scripted(api_version=7)


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
    ("call", "argument"),
    [
        pytest.param(lambda c: c.get_role_definition("", NAME), "scope", id="empty-scope"),
        pytest.param(lambda c: c.get_role_definition(None, NAME), "scope", id="no-scope"),
        pytest.param(lambda c: c.get_role_definition("/keys/a?b", NAME), "scope", id="scope-with-query"),
        pytest.param(lambda c: c.get_role_definition("/keys/../a", NAME), "scope", id="scope-with-dots"),
        pytest.param(lambda c: c.get_role_definition("/", " "), "name", id="blank-name"),
        pytest.param(lambda c: c.get_role_definition("/", None), "name", id="no-name"),
        pytest.param(lambda c: c.get_role_definition("/", ".."), "name", id="name-of-dots"),
        pytest.param(lambda c: c.set_role_definition("/keys/a#b"), "scope", id="set-scope"),
        pytest.param(lambda c: c.set_role_definition("/", name=""), "name", id="set-name"),
        pytest.param(
            lambda c: c.set_role_definition("/", permissions=["read"]), "permissions", id="permissions-of-text"
        ),
        pytest.param(
            lambda c: c.set_role_definition("/", assignable_scopes="/"), "assignable_scopes", id="scopes-as-text"
        ),
        pytest.param(
            lambda c: c.set_role_definition("/", assignable_scopes=["a?"]), "scope", id="bad-assignable-scope"
        ),
        pytest.param(lambda c: c.delete_role_definition("", NAME), "scope", id="delete-scope"),
        pytest.param(lambda c: c.delete_role_definition("/", ""), "name", id="delete-name"),
        pytest.param(lambda c: c.create_role_assignment("\x00", ROLE_ID, ALICE), "scope", id="create-scope"),
        pytest.param(lambda c: c.create_role_assignment("/", "", ALICE), "definition_id", id="create-definition"),
        pytest.param(lambda c: c.create_role_assignment("/", ROLE_ID, " "), "principal_id", id="create-principal"),
        pytest.param(lambda c: c.create_role_assignment("/", ROLE_ID, None), "principal_id", id="create-no-principal"),
        pytest.param(lambda c: c.create_role_assignment("/", ROLE_ID, ALICE, name="."), "name", id="create-name"),
        pytest.param(lambda c: c.get_role_assignment("https://a/keys/b", NAME), "scope", id="get-scope"),
        pytest.param(lambda c: c.get_role_assignment("/", 3), "name", id="get-name"),
        pytest.param(lambda c: c.delete_role_assignment("/a b", NAME), "scope", id="delete-assignment-scope"),
        pytest.param(lambda c: c.delete_role_assignment("/", "\t"), "name", id="delete-assignment-name"),
    ],
)
async def test_a_bad_argument_is_named_and_nothing_is_sent(
    hsm: ManagedHsmEmulator, client: Client, call: Call, argument: str
) -> None:
    with pytest.raises(ValueError, match=f"^{argument} must"):
        await call(client)

    assert hsm.journal == []


@pytest.mark.parametrize("scope", ["", None, "/keys/a?b"], ids=["empty", "none", "query"])
async def test_a_list_refuses_a_bad_scope_at_once(hsm: ManagedHsmEmulator, client: Client, scope: Any) -> None:
    with pytest.raises(ValueError, match=r"^scope must"):
        client.list_role_definitions(scope)
    with pytest.raises(ValueError, match=r"^scope must"):
        client.list_role_assignments(scope)

    assert hsm.journal == []


@pytest.mark.parametrize("url", [None, "", "contoso", "http://contoso.managedhsm.azure.net", f"{VAULT}/keys"])
def test_a_client_of_no_vault_is_refused(url: Any) -> None:
    with pytest.raises(ValueError, match="vault_url must"):
        Client(url, FakeCredential())


async def test_a_client_shows_its_vault_url_without_slash() -> None:
    client = Client(f" {VAULT}/ ", FakeCredential(), transport=ScriptedTransport())

    assert client.vault_url == VAULT
    assert repr(client) == f"KeyVaultAccessControlClient(vault_url='{VAULT}')"


async def test_a_key_vault_works_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "azure.keyvault.administration"):
        Client("https://contoso.vault.azure.net", FakeCredential(), transport=ScriptedTransport())

    (record,) = caplog.records
    assert "this API serves Managed HSMs only" in record.getMessage()


# Answers


GARBAGE = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"null", id="null"),
    pytest.param(b"[]", id="list"),
    pytest.param(b'"text"', id="text"),
    pytest.param(b"42", id="number"),
    pytest.param(b"true", id="boolean"),
    pytest.param(b"NaN", id="nan"),
    pytest.param(b"OK", id="no-json"),
    pytest.param(b"<html>proxy</html>", id="html"),
    pytest.param(b'{"value": [', id="truncated"),
    pytest.param(b'{"id": "\xff\xfe"}', id="broken-utf-8"),
    pytest.param(b"\xff\xfe\x00\x01", id="binary"),
    pytest.param(b"{'id': 1}", id="python-repr"),
    pytest.param(b"[" * 200_000, id="nested-too-deep"),
    pytest.param(b'{"properties": []}', id="properties-list"),
    pytest.param(b'{"properties": "x"}', id="properties-text"),
    pytest.param(b'{"id": 5}', id="id-number"),
    pytest.param(b'{"name": {}}', id="name-object"),
    pytest.param(b'{"type": true}', id="type-boolean"),
]


@pytest.mark.parametrize("body", GARBAGE)
@pytest.mark.parametrize("name", [name for name in READING if not name.startswith("list")])
async def test_an_answer_that_is_not_what_was_promised_is_an_azure_core_exception(name: str, body: bytes) -> None:
    status, call = CALLS[name]
    client, _ = scripted(Answer(status, body=body))

    with pytest.raises(DecodeError):
        await call(client)


@pytest.mark.parametrize("item", GARBAGE[1:])
@pytest.mark.parametrize("name", ["list_role_definitions", "list_role_assignments"])
async def test_an_item_that_is_not_what_was_promised_is_an_azure_core_exception(name: str, item: bytes) -> None:
    client, _ = scripted(Answer(200, body=b'{"value": [%s]}' % item))

    with pytest.raises(AzureError):
        await CALLS[name][1](client)


@pytest.mark.parametrize(
    "body",
    [
        *GARBAGE[:14],
        pytest.param(b'{"value": {}}', id="value-object"),
        pytest.param(b'{"value": "abc"}', id="value-text"),
        pytest.param(b'{"value": 1}', id="value-number"),
        pytest.param(b'{"value": [], "nextLink": 5}', id="link-number"),
        pytest.param(b'{"value": [], "nextLink": {"a": 1}}', id="link-object"),
        pytest.param(b'{"value": [], "nextLink": "https://[x"}', id="link-broken"),
    ],
)
@pytest.mark.parametrize("name", ["list_role_definitions", "list_role_assignments"])
async def test_a_page_that_is_not_what_was_promised_is_an_azure_core_exception(name: str, body: bytes) -> None:
    client, _ = scripted(Answer(200, body=body))

    with pytest.raises(AzureError):
        await CALLS[name][1](client)


@pytest.mark.parametrize(
    "permissions",
    [
        {},
        "x",
        [None],
        ["x"],
        [{"dataActions": "x"}],
        [{"actions": [1]}],
        [{"notActions": {}}],
        [{"notDataActions": [[]]}],
    ],
    ids=["object", "text", "null-item", "text-item", "actions-text", "action-number", "actions-object", "action-list"],
)
async def test_permissions_that_are_none_are_an_azure_core_exception(permissions: Any) -> None:
    client, _ = scripted(Answer(200, {"properties": {"permissions": permissions}}))

    with pytest.raises(DecodeError):
        await client.get_role_definition("/", NAME)


async def test_members_that_are_missing_or_null_are_none_or_empty() -> None:
    nulls = {"id": None, "properties": {"permissions": None, "roleName": None, "assignableScopes": None}}
    client, _ = scripted(Answer(200, {}), Answer(200, nulls), Answer(200, {"properties": None}))
    empty = KeyVaultRoleDefinition(permissions=[], assignable_scopes=[])

    assert [await client.get_role_definition("/", NAME) for _ in range(2)] == [empty, empty]
    assert await client.get_role_assignment("/", NAME) == KeyVaultRoleAssignment(
        properties=KeyVaultRoleAssignmentProperties()
    )


async def test_members_that_are_unknown_do_no_harm() -> None:
    client, _ = scripted(Answer(200, {"id": "i", "new": 1, "properties": {"roleName": "r", "createdOn": {}}}))

    role = await client.get_role_definition("/", NAME)

    assert role == KeyVaultRoleDefinition(id="i", role_name="r", permissions=[], assignable_scopes=[])


STATUSES = [
    pytest.param(304, ResourceNotModifiedError, id="304"),
    pytest.param(400, HttpResponseError, id="400"),
    pytest.param(401, ClientAuthenticationError, id="401"),
    pytest.param(403, HttpResponseError, id="403"),
    pytest.param(404, ResourceNotFoundError, id="404"),
    pytest.param(409, ResourceExistsError, id="409"),
    pytest.param(412, HttpResponseError, id="412"),
    pytest.param(501, HttpResponseError, id="501"),
]


@pytest.mark.parametrize(("status", "error_type"), STATUSES)
@pytest.mark.parametrize("name", READING)
async def test_an_error_status_becomes_its_exception_with_code_and_message(
    name: str, status: int, error_type: type[HttpResponseError]
) -> None:
    client, _ = scripted(Answer(status, error("SomeCode", "Some message.")))

    with pytest.raises(error_type, match="Some message") as caught:
        await CALLS[name][1](client)

    assert type(caught.value) is error_type
    assert caught.value.status_code == status
    assert caught.value.error is not None
    assert (caught.value.error.code, caught.value.error.message) == ("SomeCode", "Some message.")


@pytest.mark.parametrize(("status", "error_type"), [case for case in STATUSES if case.id != "404"])
@pytest.mark.parametrize("name", DELETING)
async def test_a_delete_fails_unless_there_was_nothing_to_delete(
    name: str, status: int, error_type: type[HttpResponseError]
) -> None:
    client, _ = scripted(Answer(status, error("SomeCode", "Some message.")))

    with pytest.raises(error_type, match="Some message"):
        await CALLS[name][1](client)


@pytest.mark.parametrize("code", ["RoleAssignmentNotFound", "RoleDefinitionNotFound", "NotFound"])
@pytest.mark.parametrize("name", DELETING)
async def test_deleting_what_the_service_does_not_find_is_no_error(name: str, code: str) -> None:
    client, _ = scripted(Answer(404, error(code, "x")))

    assert await CALLS[name][1](client) is None


NOT_THE_SERVICE = [
    *(case for case in GARBAGE if case.id in {"nothing", "null", "list", "html", "truncated", "id-number"}),
    pytest.param(b'{"code": "NotFound", "message": "x"}', id="code-outside-error"),
    pytest.param(b'{"statusCode": 404, "message": "Resource not found"}', id="api-gateway"),
    pytest.param(b'{"error": "not found"}', id="error-text"),
    pytest.param(b'{"error": null}', id="error-null"),
    pytest.param(b'{"error": {"message": "x"}}', id="error-without-code"),
    pytest.param(b'{"error": {"code": null}}', id="code-null"),
    pytest.param(b'{"error": [{"code": "NotFound"}]}', id="error-list"),
]


@pytest.mark.parametrize("body", NOT_THE_SERVICE)
@pytest.mark.parametrize("name", DELETING)
async def test_a_404_that_is_not_the_service_s_is_no_successful_delete(name: str, body: bytes) -> None:
    client, _ = scripted(Answer(404, body=body, headers={"Content-Type": "text/html"}))

    with pytest.raises(ResourceNotFoundError):
        await CALLS[name][1](client)


@pytest.mark.parametrize("name", DELETING)
async def test_a_404_to_a_request_without_a_token_is_no_successful_delete(name: str) -> None:
    transport = ScriptedTransport(Answer(404, error("RoleAssignmentNotFound", "x")))

    with pytest.raises(ResourceNotFoundError):
        await CALLS[name][1](Client(VAULT, FakeCredential(), transport=transport))


@pytest.mark.parametrize("body", GARBAGE)
async def test_an_error_with_a_garbage_body_is_still_the_error_of_its_status(body: bytes) -> None:
    client, _ = scripted(Answer(404, body=body))

    with pytest.raises(ResourceNotFoundError):
        await client.get_role_definition("/", NAME)


@pytest.mark.parametrize("status", [202, 204, 206], ids=str)
@each_call
async def test_a_success_that_was_not_promised_is_an_error(name: str, status: int) -> None:
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
async def test_cls_is_called_with_response_result_and_headers_and_its_value_is_returned(name: str) -> None:
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
async def test_cls_sees_what_was_deleted(name: str) -> None:
    client, _ = scripted(Answer(200, {"name": NAME}))
    seen: list[Any] = []

    await getattr(client, name)("/", NAME, cls=lambda _, deleted, __: seen.append(deleted.name))

    assert seen == [NAME]


@pytest.mark.parametrize("name", ["list_role_definitions", "list_role_assignments"])
async def test_cls_is_called_for_each_page_and_its_value_are_the_items(name: str) -> None:
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


async def test_parameters_of_a_call_do_not_replace_the_client_s_version() -> None:
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


@pytest.mark.parametrize("link", [None, ""], ids=["null", "empty"])
async def test_a_link_that_is_null_or_empty_ends_the_list(link: str | None) -> None:
    client, transport = scripted(Answer(200, {"value": [wire_assignment()], "nextLink": link}))

    assert len(await list_assignments(client)) == 1
    assert len(sent(transport)) == 1


async def test_an_empty_continuation_token_is_none() -> None:
    client, transport = scripted(Answer(200, {"value": [wire_assignment()]}))

    pages = client.list_role_assignments("/").by_page(continuation_token="")

    assert [len([item async for item in page]) async for page in pages] == [1]
    assert sent(transport)[0].url == f"{VAULT}{ASSIGNMENTS}?{VERSION}"


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


# Tries


async def test_a_throttled_request_waits_as_long_as_it_is_told() -> None:
    client, transport = scripted(Answer(429, headers={"Retry-After": "7"}), Answer(200, {}))

    await client.get_role_definition("/", NAME)

    assert transport.waits == [7]


# What an HSM answers to the second try, and what it answers if the role is assigned under another name.
EXISTS = error("RoleAssignmentExists", "The role assignment already exists. (Activity ID: 00000000)")
MATCHES = error("MatchingRoleAssignmentExists", f"Role assignment '{NAME}' already adds role.")
LOST = [
    pytest.param(ServiceResponseError("connection lost"), id="lost-answer"),
    pytest.param(Answer(500), id="500"),
    pytest.param(Answer(503), id="503"),
]
# Azure's control plane answers so.
CONFLICT = Answer(409, error("Conflict", "x"))


def create(client: Client) -> Awaitable[KeyVaultRoleAssignment]:
    return client.create_role_assignment("/", ROLE_ID, ALICE, name=NAME)


@pytest.mark.parametrize("told", [CONFLICT, Answer(400, EXISTS), Answer(400, MATCHES)], ids=["409", "400", "matching"])
@pytest.mark.parametrize("lost", LOST)
async def test_an_assignment_whose_answer_was_lost_is_read_back(lost: Answer | Exception, told: Answer) -> None:
    client, transport = scripted(lost, told, Answer(200, wire_assignment()))

    created = await create(client)

    assert created.properties == KeyVaultRoleAssignmentProperties(
        principal_id=ALICE, role_definition_id=ROLE_ID, scope="/"
    )
    assert [request.method for request in sent(transport)] == ["PUT", "PUT", "GET"]
    assert sent(transport)[2].url == sent(transport)[1].url


@pytest.mark.parametrize(
    ("before", "told"),
    [
        pytest.param([], CONFLICT, id="first-try"),
        pytest.param([], Answer(400, EXISTS), id="400-first-try"),
        pytest.param([Answer(429)], CONFLICT, id="after-429"),
        pytest.param([ServiceRequestError("refused")], CONFLICT, id="after-a-refused-connection"),
        pytest.param([ServiceRequestError("refused")], Answer(400, EXISTS), id="400-after-a-refused-connection"),
    ],
)
async def test_an_assignment_that_no_earlier_try_can_have_made_stays_an_error(before: list[Any], told: Answer) -> None:
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
async def test_an_assignment_that_is_not_ours_or_cannot_be_read_stays_the_original_error(found: Answer) -> None:
    client, _ = scripted(Answer(500), Answer(400, EXISTS), found)

    with pytest.raises(HttpResponseError) as caught:
        await create(client)

    assert caught.value.error is not None
    assert caught.value.error.code == "RoleAssignmentExists"


async def test_another_error_after_a_lost_answer_stays_as_it_is() -> None:
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
        pytest.param("/settings", f"{VAULT}/settings?{VERSION}", id="relative"),
        pytest.param("settings", f"{VAULT}/settings?{VERSION}", id="relative-without-slash"),
        pytest.param(f"{VAULT}/settings", f"{VAULT}/settings?{VERSION}", id="absolute"),
        pytest.param("/settings?api-version=7.4", f"{VAULT}/settings?api-version=7.4", id="with-version"),
        pytest.param("/settings?a=b", f"{VAULT}/settings?a=b&{VERSION}", id="with-query"),
        pytest.param(f"/go?to={VAULT}", None, id="url-in-the-query"),
    ],
)
async def test_an_own_request_is_resolved_and_gets_an_api_version(url: str, sent_to: str | None) -> None:
    client, transport = scripted(Answer(418, {"a": 1}))

    response = await client.send_request(HttpRequest("GET", url))

    assert (response.status_code, response.json()) == (418, {"a": 1})
    (request,) = sent(transport)
    assert request.url == (sent_to or request.url)
    assert request.url.startswith(f"{VAULT}/")
    assert request.token == "token-1"


async def test_an_own_request_reaches_the_emulated_hsm(hsm: ManagedHsmEmulator, client: Client) -> None:
    response = await client.send_request(HttpRequest("GET", DEFINITIONS))

    assert (response.status_code, len(response.json()["value"])) == (200, 10)
    assert [entry.status for entry in hsm.journal] == [401, 200]


@pytest.mark.parametrize(
    "url",
    [
        "https://fabrikam.managedhsm.azure.net/settings",
        f"{VAULT}:8443/settings",
        "http://contoso.managedhsm.azure.net/settings",
        f"{VAULT}\\@evil.example/settings",
        f"{VAULT}@evil.example/settings",
    ],
    ids=["other-host", "other-port", "http", "backslash", "userinfo"],
)
async def test_an_own_request_to_another_origin_is_refused(url: str) -> None:
    client, transport = scripted()

    with pytest.raises(ValueError, match="https"):
        await client.send_request(HttpRequest("GET", url))

    assert transport.requests == []


async def test_a_client_can_be_closed_twice_and_closes_its_transport() -> None:
    client, transport = scripted(Answer(200, {}))

    async with client:
        await client.get_role_definition("/", NAME)
    await client.close()

    assert transport.closed >= 1


async def test_closing_one_client_of_an_emulated_hsm_leaves_the_others_open(hsm: ManagedHsmEmulator) -> None:
    one = Client(hsm.vault_url, hsm.credential, **hsm.client_kwargs)
    other = Client(hsm.vault_url, hsm.credential, **hsm.client_kwargs)
    await list_definitions(one)

    await one.close()

    assert len(await list_definitions(other)) == 10
    await other.close()
