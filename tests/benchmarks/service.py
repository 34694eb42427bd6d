"""A Managed HSM without a network: its responses are ready-made bytes, so that only the client is measured."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from azure.core.credentials import AccessTokenInfo, TokenRequestOptions
from azure.core.utils import CaseInsensitiveDict

from fakes import (
    CHALLENGE,
    FAR_FUTURE,
    VAULT,
    Answer,
    FakeCredential,
    FakeResponse,
    ScriptedTransport,
    yield_to_loop,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from azure.core.rest import AsyncHttpResponse, HttpRequest

PRINCIPAL = "9e2a8e8c-28a5-4f39-8b4b-8cbf2c8ee6a2"
# The Crypto User, the Crypto Officer and three more of the built-in roles.
ROLES = (
    "21dbd100-6940-42c2-9190-5d6cb909625b",
    "515eb02d-2335-4d2d-92f2-b1cbdf9c3778",
    "33413926-3206-4cdd-b39a-83574fe37a17",
    "2c18b078-7c48-4d3a-af88-5a3a1b3f82b3",
    "4bd23610-cdcf-4971-bdee-bdc562cc28e4",
)
DEFINITION = f"Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/{ROLES[0]}"
JOB = "6d2f8f4d4c0c4b0f9c4d8f6e51f2f4c7"

_ASSIGNMENTS = "/providers/Microsoft.Authorization/roleAssignments"
_DEFINITIONS = "/providers/Microsoft.Authorization/roleDefinitions"
# The Crypto User's, as an example of the service's definitions.
_DATA_ACTIONS = [
    f"Microsoft.KeyVault/managedHsm/keys/{action}"
    for action in (
        "read/action",
        "write/action",
        "rotate/action",
        "create",
        "delete",
        "import/action",
        "release/action",
    )
]


def name(number: int) -> str:
    """Return the name of one of the service's resources."""
    return f"00000000-0000-4000-8000-{number:012d}"


def assignment(number: int) -> dict[str, Any]:
    """Return a role assignment as the service writes it, one of many that let each principal use ten keys."""
    principal, key = divmod(number, 10)
    return {
        "id": f"{_ASSIGNMENTS}/{name(number)}",
        "name": name(number),
        "properties": {
            "principalId": f"9e2a8e8c-28a5-4f39-8b4b-{principal:012d}",
            "roleDefinitionId": f"Microsoft.KeyVault{_DEFINITIONS}/{ROLES[number % len(ROLES)]}",
            "scope": f"/keys/key-{(principal + key) % 1000:03d}",
        },
        "type": "Microsoft.Authorization/roleAssignments",
    }


def definition(number: int) -> dict[str, Any]:
    """Return a role definition as the service writes it."""
    return {
        "id": f"Microsoft.KeyVault{_DEFINITIONS}/{name(number)}",
        "name": name(number),
        "properties": {
            "assignableScopes": ["/"],
            "description": "",
            "permissions": [
                {"actions": [], "dataActions": _DATA_ACTIONS, "notActions": [], "notDataActions": []},
            ],
            "roleName": f"Role {number}",
            "type": "CustomRole",
        },
        "type": "Microsoft.Authorization/roleDefinitions",
    }


class Service(ScriptedTransport):
    """An HSM with a number of assignments and definitions, in one page or several, and one job.

    :keyword items: How many assignments and definitions there are.
    :keyword pages: In how many pages they come.
    :keyword polls: How often the job is in progress when it is asked for.
    """

    def __init__(self, *, items: int = 1, pages: int = 1, polls: int = 0) -> None:
        super().__init__()
        self.count = 0
        self._polls = polls
        self._headers = CaseInsensitiveDict({"Content-Type": "application/json; charset=utf-8"})
        self._ok = Answer(200, body=json.dumps(assignment(0)).encode())
        self._created = Answer(201, body=self._ok.body)
        self._pages = {
            collection: [Answer(200, body=body) for body in page_bodies(collection, items, pages)]
            for collection in (_ASSIGNMENTS, _DEFINITIONS)
        }

    async def send(self, request: HttpRequest, **kwargs: Any) -> AsyncHttpResponse:
        del kwargs
        self.count += 1
        if "Authorization" not in request.headers:
            # Calls that start together all come before the first response, as with a real HSM.
            await yield_to_loop()
            return FakeResponse(request, CHALLENGE)
        return _Response(request, *self._answer(request))

    async def sleep(self, duration: float) -> None:
        """Take no time."""

    def _answer(self, request: HttpRequest) -> tuple[Answer, CaseInsensitiveDict]:
        path, _, query = request.url.removeprefix(VAULT).partition("?")
        if request.method == "PUT":
            return self._created, self._headers
        if request.method == "POST":
            url = f"{VAULT}/backup/{JOB}/pending"
            return self._job(202), CaseInsensitiveDict({**self._headers, "azure-asyncoperation": url})
        if path.endswith("/pending"):
            self._polls -= 1
            return self._job(200), self._headers
        if pages := self._pages.get(path):
            return pages[int(query.partition("page=")[2].partition("&")[0] or 0)], self._headers
        return self._ok, self._headers

    def _job(self, status: int) -> Answer:
        done = self._polls <= 0
        body = {
            "azureStorageBlobContainerUri": "https://a.blob.core.windows.net/b/folder" if done else None,
            "endTime": 1_764_000_060 if done else None,
            "error": None,
            "jobId": JOB,
            "startTime": 1_764_000_000,
            "status": "Succeeded" if done else "InProgress",
            "statusDetails": None,
        }
        return Answer(status, body=json.dumps(body).encode())


def page_bodies(collection: str, items: int, pages: int) -> list[bytes]:
    """Return the pages of a collection, each with the link to the next one."""
    make = assignment if collection.endswith("roleAssignments") else definition
    size = items // pages
    links = [f"{VAULT}{collection}?page={page}" for page in range(1, pages)]
    return [
        _page(link, (make(page * size + number) for number in range(size))) for page, link in enumerate([*links, None])
    ]


def _page(link: str | None, values: Iterable[object]) -> bytes:
    # Written piece by piece, so that a long page leaves no memory behind that is measured later.
    body = bytearray(f'{{"nextLink": {json.dumps(link)}, "value": ['.encode())
    for value in values:
        body += json.dumps(value).encode() + b","
    body[-1:] = b"]}"
    return bytes(body)


class _Response(FakeResponse):
    """A response that costs as little as possible."""

    def __init__(self, request: HttpRequest, answer: Answer, headers: CaseInsensitiveDict) -> None:
        self.request, self.url, self.status_code, self.headers = request, request.url, answer.status, headers
        self._answer = answer
        self._unread = False


class GivenToken(FakeCredential):
    """A credential with a given token.

    :param token: The token.
    """

    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token

    async def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        await super().get_token_info(*scopes, options=options)
        return AccessTokenInfo(self._token, FAR_FUTURE)
