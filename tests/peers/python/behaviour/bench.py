"""The parts of a behaviour: a service in the place of a transport, a credential, and words for the outcome."""

import asyncio
import base64
import itertools
import json
import time
from enum import Enum
from functools import partial
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlsplit

from azure.core.credentials import AccessToken, AccessTokenInfo
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest import AsyncHttpResponse
from azure.core.utils import CaseInsensitiveDict

from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient

NAME = "5f0a2f3c-3b8e-4f3e-9d43-0b9b5c2b6d11"
JOB = "719de6e18cc54d4f87be8645906d07f0"
CONTAINER = "https://account.blob.core.windows.net/container"
FOLDER = f"{CONTAINER}/mhsm-contoso-2026042916082769"
SAS = "sv=2026-01-01&sig=c2VjcmV0"
AUTHORIZATION = "/providers/Microsoft.Authorization"
DEFINITION_ID = f"Microsoft.KeyVault{AUTHORIZATION}/roleDefinitions/{NAME}"
LOGIN = "https://login.microsoftonline.com/tenant"
RESOURCE = "https://managedhsm.azure.net"
ROLE = {
    "id": DEFINITION_ID,
    "name": NAME,
    "type": "Microsoft.Authorization/roleDefinitions",
    "properties": {
        "roleName": "Keeper",
        "description": "Keeps keys",
        "type": "CustomRole",
        "assignableScopes": ["/"],
        "permissions": [{"actions": [], "notActions": [], "dataActions": ["a"], "notDataActions": ["b"]}],
    },
}
ASSIGNMENT = {
    "id": f"{AUTHORIZATION}/roleAssignments/{NAME}",
    "name": NAME,
    "type": "Microsoft.Authorization/roleAssignments",
    "properties": {"principalId": "p", "roleDefinitionId": DEFINITION_ID, "scope": "/"},
}
REASON = "the service's reason"
FAILURE = {"error": {"code": "Refused", "message": REASON, "innererror": {"code": "Inner"}}}

BEHAVIOURS = {}
_NUMBERS = itertools.count()
_ATTRIBUTES = {
    "KeyVaultPermission": ("actions", "not_actions", "data_actions", "not_data_actions"),
    "KeyVaultRoleDefinition": (
        *("id", "name", "role_name", "description", "role_type", "type", "permissions", "assignable_scopes"),
    ),
    "KeyVaultRoleAssignment": ("name", "role_assignment_id", "type", "properties"),
    "KeyVaultRoleAssignmentProperties": ("principal_id", "role_definition_id", "scope"),
    "KeyVaultBackupResult": ("folder_url",),
}


def behaviour(code, *tables):
    """Add a function to the behaviours, with each case of a table, or of several tables crossed.

    The migration guide names a code where the two packages differ: it stands for all cases of its tables.

        :param code: What is done.
    :param tables: ``{case: argument, or a tuple of arguments}``, or values that are their own cases.
    """
    rows = [_table(table).items() for table in tables]

    def add(function):
        for cells in itertools.product(*rows):
            name = "/".join([code, "-".join(case for case, _ in cells if case)]).rstrip("/")
            assert name not in BEHAVIOURS, name
            arguments = [given if isinstance(given, tuple) else (given,) for _, given in cells]
            BEHAVIOURS[name] = partial(function, *itertools.chain(*arguments))
        return function

    return add


def _table(given):
    if isinstance(given, dict):
        return given
    return {str(value): value for value in (given.split() if isinstance(given, str) else given)}


def chosen(table, names):
    """Return some rows of a table."""
    return {name: table[name] for name in names.split()}


async def attempt(awaitable):
    """Return the result of something, or its error."""
    try:
        return await awaitable
    except Exception as error:  # noqa: BLE001 - any error is an outcome
        return error


async def outcome_of(act):
    """Return what came of a behaviour, as JSON."""
    try:
        value = act()
        return plain(await value if asyncio.iscoroutine(value) else value)
    except Exception as error:  # noqa: BLE001
        return plain(error)


async def collect(paged):
    """Return all items of a paged list."""
    return [item async for item in paged]


def plain(value):  # noqa: PLR0911 - one for each kind
    """Return JSON for a result: a model by its attributes, an error by what catches it."""
    if isinstance(value, BaseException):
        return _error(value)
    if isinstance(value, Enum):
        # That it is a member is a behaviour of its own, and not one of everything that holds it.
        value = value.value
    if isinstance(value, str):
        return value.replace(AUTHORIZATION + "/", "/:").replace(NAME, "NAME").replace(JOB, "JOB")
    if isinstance(value, float):
        return int(value) if value.is_integer() else str(value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    names = _ATTRIBUTES.get(type(value).__name__)
    if names:
        return {"is": type(value).__name__, **{name: plain(getattr(value, name)) for name in names}}
    return f"<{type(value).__name__.replace('AsyncKeyVaultLROPoller', 'AsyncLROPoller')}>"


def _error(error):
    bases = [base for base in type(error).__mro__ if base.__module__ in {"azure.core.exceptions", "builtins"}]
    names = {base.__name__ for base in bases} - {"object", "BaseException", "Exception"}
    described = {"raised": sorted(names)}
    if isinstance(error, HttpResponseError):
        described["status"] = error.status_code
        described["code"] = plain(error.error.code) if error.error else None
        described["tells the reason"] = REASON in str(error)
    return described


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


def changed(wire, **members):
    """Return the JSON of a role or an assignment with other properties."""
    return {**wire, "properties": {**wire["properties"], **members}}


class Reply(AsyncHttpResponse):
    """A response that needs no connection."""

    request = url = status_code = reason = headers = content_type = encoding = None
    is_closed = is_stream_consumed = False

    def __init__(self, request, status, body="", headers=()):
        self.request, self.url = request, request.url
        self.status_code, self.reason = status, f"Reason {status}"
        self.headers = CaseInsensitiveDict(headers or ())
        if isinstance(body, (str, bytes)):
            self._body = body.encode() if isinstance(body, str) else body
        else:
            self._body = json.dumps(body).encode()
            self.headers.setdefault("Content-Type", "application/json")
        self.content_type = self.headers.get("Content-Type")

    @property
    def content(self):
        assert self.is_stream_consumed, "not read"
        return self._body

    def text(self, encoding=None):
        return self.content.decode(encoding or self.encoding or "utf-8-sig", errors="replace")

    def json(self):
        return json.loads(self.text())

    def raise_for_status(self):
        if self.status_code >= 400:
            raise HttpResponseError(response=self)

    async def read(self):
        self.is_stream_consumed = True
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


class Hsm(AsyncHttpTransport):
    """An HSM, and the transport that leads to it. No two have the same host, since clients may share what they learn.

    It challenges a request without a token. Any other request gets the next reply of a script: a status, ``(status,
    body, headers)`` or an exception. When the script has ended, it gets what the service would send.
    """

    def __init__(self, *script, challenge=f'Bearer authorization="{LOGIN}", resource="{RESOURCE}"'):
        self.host = f"hsm{next(_NUMBERS)}.managedhsm.azure.net"
        self.url = f"https://{self.host}"
        self.script = list(script)
        self.challenge = challenge
        self.credential = Credential()
        self.requests, self.seen, self.waits, self.options, self.closed = [], [], [], [], 0

    def access(self, **options):
        return KeyVaultAccessControlClient(**self._arguments(options))

    def backup(self, **options):
        return KeyVaultBackupClient(**self._arguments(options))

    def _arguments(self, options):
        return {"vault_url": self.url, "credential": self.credential, "transport": self, **options}

    def status_url(self, kind="backup"):
        """Return the URL of the status of a backup, a restore, or a check of one."""
        return f"{self.url}/{'backup' if 'backup' in kind else 'restore'}/{JOB}/pending"

    def token(self, kind="backup"):
        """Return the token that continues a job."""
        return base64.b64encode(self.status_url(kind).encode()).decode()

    async def send(self, request, **options):
        # A copy: a client may send the same request again, with a token.
        body = request.content.decode() if isinstance(request.content, bytes) else request.content
        headers = CaseInsensitiveDict(request.headers)
        self.requests.append(SimpleNamespace(method=request.method, url=request.url, headers=headers, content=body))
        self.options.append(options)
        self.seen.append(self._entry(self.requests[-1]))
        await asyncio.sleep(0)
        reply = self.reply(request)
        if isinstance(reply, Exception):
            raise reply
        response = Reply(request, *(reply if isinstance(reply, tuple) else (reply,)))
        if not options.get("stream"):
            await response.read()
        return response

    def _entry(self, request):
        url, _, query = request.url.partition("?")
        # Two spellings of the same parameters are the same; the version is a behaviour of its own.
        query = "&".join(sorted(f"{name}={value}" for name, value in parse_qsl(query, True) if name != "api-version"))
        entry = f"{request.method} {url.replace(self.url, '')}{query and f'?{query}'}"
        return plain(entry) + ("" if request.headers.get("Authorization") else " (no token)")

    def reply(self, request):
        if self.challenge is not None and not request.headers.get("Authorization"):
            return 401, "", {"WWW-Authenticate": self.challenge}
        return self.script.pop(0) if self.script else self.usual(request)

    def usual(self, request):
        """Return what the service would send."""
        path = urlsplit(request.url).path
        if path.endswith("/pending"):
            return 200, job("Succeeded")
        if path.endswith(("backup", "restore")):
            return self.started(path)
        one = ROLE if "roleDefinitions" in path else ASSIGNMENT
        if path.endswith(("roleDefinitions", "roleAssignments")):
            return 200, {"value": [one]}
        return (201 if request.method == "PUT" else 200), one

    def started(self, kind="backup", **headers):
        """Return what the service sends when it starts a job."""
        return 202, job(), {"azure-asyncoperation": self.status_url(kind), **headers}

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
    def authorized(self):
        """The requests that had a token."""
        return [request for request in self.requests if request.headers.get("Authorization")]

    @property
    def bodies(self):
        """The JSON of the requests that had any."""
        bodies = [json.loads(request.content) for request in self.requests if request.content]
        for body in bodies:
            # Whether it is said that there is no identity is a behaviour of its own.
            for place in (body, body.get("sasTokenParameters", {})):
                if place.get("useManagedIdentity") is False:
                    del place["useManagedIdentity"]
        return bodies


class Credential:
    """Gives tokens, and remembers what it was asked for."""

    def __init__(self, lifetime=3600, error=None):
        self.asked, self.lifetime, self.error, self.closed = [], lifetime, error, 0

    def give(self, kind, scopes, options):
        # An option that is None is as good as none.
        self.asked.append([list(scopes), {name: value for name, value in options.items() if value is not None}])
        if self.error:
            raise self.error
        return kind(f"token{len(self.asked)}", int(time.time()) + self.lifetime)

    async def get_token(self, *scopes, **options):
        return self.give(AccessToken, scopes, options)

    async def close(self):
        self.closed += 1

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.close()


class InfoCredential(Credential):
    async def get_token_info(self, *scopes, options=None):
        return self.give(AccessTokenInfo, scopes, {"info": True, **(options or {})})


class SyncCredential(Credential):
    def get_token(self, *scopes, **options):
        return self.give(AccessToken, scopes, options)
