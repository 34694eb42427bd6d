"""What behaviours are made of: a service that is one object, a credential, and words for what came of it."""

import asyncio
import base64
import itertools
import json
import time
import uuid
from collections import namedtuple
from enum import Enum
from urllib.parse import parse_qsl, urlsplit

from azure.core.credentials import AccessToken, AccessTokenInfo
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.polling import AsyncLROPoller
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.core.utils import CaseInsensitiveDict

from azure.keyvault.administration import ApiVersion
from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient

NAME = "5f0a2f3c-3b8e-4f3e-9d43-0b9b5c2b6d11"
JOB = "719de6e18cc54d4f87be8645906d07f0"
CONTAINER = "https://account.blob.core.windows.net/container"
FOLDER = f"{CONTAINER}/mhsm-contoso-2026042916082769"
SAS = "sv=2026-01-01&sig=c2VjcmV0"
DEFINITION_ID = f"Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/{NAME}"

ROLE = {
    "id": DEFINITION_ID,
    "name": NAME,
    "type": "Microsoft.Authorization/roleDefinitions",
    "properties": {
        "roleName": "Keeper",
        "description": "Keeps keys",
        "type": "CustomRole",
        "assignableScopes": ["/"],
        "permissions": [
            {
                "actions": [],
                "notActions": [],
                "dataActions": ["Microsoft.KeyVault/managedHsm/keys/create"],
                "notDataActions": ["Microsoft.KeyVault/managedHsm/keys/read/action"],
            }
        ],
    },
}
ASSIGNMENT = {
    "id": f"/providers/Microsoft.Authorization/roleAssignments/{NAME}",
    "name": NAME,
    "type": "Microsoft.Authorization/roleAssignments",
    "properties": {"principalId": "p", "roleDefinitionId": DEFINITION_ID, "scope": "/"},
}
FAILURE = {"error": {"code": "Forbidden", "message": "the service's reason", "innererror": {"code": "Inner"}}}

_numbers = itertools.count()


def job(status="InProgress", **members):
    """Return the JSON of a job."""
    return {
        "status": status,
        "statusDetails": None,
        "error": None,
        "startTime": 1652132780,
        "endTime": None if status == "InProgress" else 1652132788,
        "jobId": JOB,
        "azureStorageBlobContainerUri": FOLDER if status == "Succeeded" else None,
        **members,
    }


class Reply(AsyncHttpResponse):
    """A response that needs no connection."""

    status_code = reason = url = request = headers = content_type = None
    is_closed = is_stream_consumed = False
    encoding = None

    def __init__(self, request, status, body, headers):
        self.request, self.url = request, request.url
        self.status_code, self.reason = status, f"Reason {status}"
        self._body = body.encode() if isinstance(body, str) else body
        if not isinstance(self._body, bytes):
            self._body = json.dumps(body).encode()
            headers = {"Content-Type": "application/json", **headers}
        self.headers = CaseInsensitiveDict(headers)
        self.content_type = self.headers.get("Content-Type")
        self.is_read = False

    @property
    def content(self):
        if not self.is_read:
            raise RuntimeError("not read")
        return self._body

    def text(self, encoding=None):
        return self.content.decode(encoding or self.encoding or "utf-8-sig", errors="replace")

    def json(self):
        return json.loads(self.text())

    def raise_for_status(self):
        if self.status_code >= 400:
            raise HttpResponseError(response=self)

    async def read(self):
        self.is_read = self.is_stream_consumed = True
        return self._body

    async def iter_bytes(self, **_):
        yield await self.read()

    iter_raw = iter_bytes

    async def close(self):
        self.is_closed = True

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.close()


Sent = namedtuple("Sent", "method url headers content")


class Hsm(AsyncHttpTransport):
    """A service, and the transport that leads to it: no two have the same host.

    It challenges what has no token. Anything else gets the next reply of the script, and what a service would say when
    the script has ended. A reply is a status, or (status, body), or (status, body, headers), or an exception.
    """

    def __init__(self, *script, challenge=None, authorized=True):
        self.host = f"hsm{next(_numbers)}.managedhsm.azure.net"
        self.url = f"https://{self.host}"
        self.script = list(script)
        self.authorized = authorized
        self.challenge = challenge or (
            'Bearer authorization="https://login.microsoftonline.com/tenant", resource="https://managedhsm.azure.net"'
        )
        self.requests, self.seen, self.waits, self.options, self.closed = [], [], [], [], 0
        self.credential = Credential()

    def access(self, **options):
        return KeyVaultAccessControlClient(**self.arguments(options))

    def backup(self, **options):
        return KeyVaultBackupClient(**self.arguments(options))

    def arguments(self, options):
        return {"vault_url": self.url, "credential": self.credential, "transport": self, **options}

    @property
    def status_url(self):
        return f"{self.url}/backup/{JOB}/pending"

    @property
    def restore_url(self):
        return f"{self.url}/restore/{JOB}/pending"

    def token(self, url=None):
        return base64.b64encode((url or self.status_url).encode()).decode()

    async def send(self, request, **options):
        # A copy: a client may send the same request again, with a token.
        body = request.content if isinstance(request.content, (bytes, str)) else None
        text = body.decode() if isinstance(body, bytes) else body
        self.requests.append(Sent(request.method, request.url, CaseInsensitiveDict(request.headers), text))
        self.options.append(options)
        token = request.headers.get("Authorization")
        path, _, query = request.url.partition("?")
        entry = plain(f"{request.method} {path.replace(self.url, '')}")
        # Two spellings of the same parameters are no difference.
        query = "&".join(sorted(f"{name}={value}" for name, value in parse_qsl(query, True) if name != "api-version"))
        self.seen.append(entry + (f"?{query}" if query else "") + ("" if token else " (no token)"))
        if self.authorized and not token:
            reply = (401, "", {"WWW-Authenticate": self.challenge})
        else:
            reply = self.script.pop(0) if self.script else self.usual(request)
        if callable(reply):
            reply = reply(request)
        if isinstance(reply, BaseException):
            raise reply
        status, body, headers = (*reply, *("", {})[len(reply) - 1 :]) if isinstance(reply, tuple) else (reply, "", {})
        headers = headers or {}
        response = Reply(request, status, body, headers)
        if not options.get("stream"):
            await response.read()
        return response

    def usual(self, request):
        """Return what a service would say."""
        path = urlsplit(request.url).path
        kind = "restore" if "restore" in path else "backup"
        started = {"azure-asyncoperation": f"{self.url}/{kind}/{JOB}/pending", "Retry-After": "10"}
        if path.endswith("/pending"):
            return 200, job("Succeeded")
        if path in {"/backup", "/prebackup", "/restore", "/prerestore"} or path.endswith("/restore"):
            return 202, job(), started
        one = ROLE if "roleDefinitions" in path else ASSIGNMENT
        if path.endswith(("roleDefinitions", "roleAssignments")):
            return 200, {"value": [one]}
        return (201 if request.method == "PUT" else 200), one

    async def sleep(self, duration):
        self.waits.append(duration)
        await asyncio.sleep(0)

    async def open(self):
        pass

    async def close(self):
        self.closed += 1

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.close()

    @property
    def bodies(self):
        """The JSON of the requests that had a body."""
        return [json.loads(request.content) for request in self.requests if request.content]

    @property
    def authorized_requests(self):
        return [request for request in self.requests if request.headers.get("Authorization")]


class Credential:
    """Gives tokens and remembers what it was asked."""

    def __init__(self, lifetime=3600, error=None):
        self.asked, self.lifetime, self.error, self.closed = [], lifetime, error, 0

    async def get_token(self, *scopes, **options):
        self.asked.append([list(scopes), {name: value for name, value in options.items() if value is not None}])
        if self.error:
            raise self.error
        return AccessToken(f"token{len(self.asked)}", int(time.time()) + self.lifetime)

    async def close(self):
        self.closed += 1

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.close()


class InfoCredential(Credential):
    async def get_token_info(self, *scopes, options=None):
        token = await self.get_token(*scopes, **(options or {}))
        self.asked[-1].append("info")
        return AccessTokenInfo(token.token, token.expires_on)


# What came of it.

_FAMILIES = ("azure.core.exceptions", "builtins")


def classes(error):
    """Return the classes by which a program may catch an error."""
    names = {base.__name__ for base in type(error).__mro__ if base.__module__ in _FAMILIES}
    return sorted(names - {"object", "BaseException", "Exception"})


def raised(error):
    """Describe an error: what catches it, and what the service said."""
    outcome = {"raised": classes(error)}
    if isinstance(error, HttpResponseError):
        said = error.error
        outcome["status"] = error.status_code
        outcome["code"] = None if said is None else plain(said.code)
        outcome["tells the reason"] = "the service's reason" in str(error)
    return outcome


def plain(value):
    """Make JSON of a result: models by their attributes, members of enums by class and name."""
    if isinstance(value, Enum):
        # What is a member is told where it matters, by `member`.
        return str(value.value)
    if isinstance(value, str):
        return value.replace("/providers/Microsoft.Authorization/", "/:").replace(NAME, "NAME").replace(JOB, "JOB")
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    if isinstance(value, BaseException):
        return raised(value)
    if isinstance(value, (uuid.UUID, bytes)):
        return str(value)
    names = ATTRIBUTES.get(type(value).__name__)
    if names:
        return {"is": type(value).__name__, **{name: plain(getattr(value, name)) for name in names}}
    return f"<{type(value).__name__}>"


ATTRIBUTES = {
    "KeyVaultPermission": ("actions", "not_actions", "data_actions", "not_data_actions"),
    "KeyVaultRoleDefinition": (
        *("id", "name", "role_name", "description", "role_type", "type", "permissions", "assignable_scopes"),
    ),
    "KeyVaultRoleAssignment": ("name", "role_assignment_id", "type", "properties"),
    "KeyVaultRoleAssignmentProperties": ("principal_id", "role_definition_id", "scope"),
    "KeyVaultBackupResult": ("folder_url",),
}

def member(value):
    """Tell the class of a string, where being a member of an enum matters."""
    return [member(each) for each in value] if isinstance(value, list) else f"{type(value).__name__} {plain(value)}"


BEHAVIOURS = {}


def behaviour(name, *arguments, **options):
    """Add a function as a behaviour, or a table of them: ``behaviour(name, {case: arguments})``."""

    def add(function):
        cases = arguments[0] if arguments else {None: ()}
        for case, values in cases.items():
            full = name if case is None else f"{name}/{case}"
            assert full not in BEHAVIOURS, full
            given = values if isinstance(values, tuple) else (values,)
            BEHAVIOURS[full] = lambda function=function, given=given: function(*given)
        return function

    return add


async def outcome_of(act):
    """Return what came of a behaviour: its value, or its error."""
    try:
        value = act()
        if asyncio.iscoroutine(value):
            value = await value
        return plain(value)
    except Exception as error:  # noqa: BLE001 - whatever comes is what is shown
        return raised(error)


async def attempt(awaitable):
    """Await something, and return its result or its error."""
    try:
        return await awaitable
    except Exception as error:  # noqa: BLE001
        return error


async def collect(paged):
    return [item async for item in paged]
