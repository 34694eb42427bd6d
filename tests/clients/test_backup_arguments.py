"""Requests that start jobs, and arguments that are refused."""

from __future__ import annotations

import base64
import json
from fractions import Fraction
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from azure.keyvault.administration import KeyVaultPermission
from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient
from fakes import CHALLENGE, CONTAINER, FOLDER, SAS, VAULT, Answer, FakeCredential, ScriptedTransport

_SIGNATURE = "c2VjcmV0LXNpZ25hdHVyZQ"


def _started(family: str) -> Answer:
    return Answer(
        202, {"status": "InProgress", "jobId": "5f"}, {"azure-asyncoperation": f"{VAULT}/{family}/5f/pending"}
    )


def _client(transport: ScriptedTransport, **kwargs: Any) -> KeyVaultBackupClient:
    return KeyVaultBackupClient(VAULT, FakeCredential(), transport=transport, **kwargs)


def _token(url: str) -> str:
    return base64.b64encode(url.encode()).decode()


_PLACE = {"storageResourceUri": CONTAINER, "token": SAS}
_OWN_PLACE = {"storageResourceUri": CONTAINER, "useManagedIdentity": True}
_NAME = "mhsm-contoso-2026112416000000"


@pytest.mark.parametrize(
    ("name", "interval"),
    [
        *(("polling_interval", interval) for interval in ("5", Fraction(-1, 2), float("nan"))),
        ("_polling_interval", float("inf")),
    ],
)
async def test_an_invalid_polling_interval_is_refused_before_a_job_starts(name: str, interval: Any) -> None:
    transport = ScriptedTransport()

    with pytest.raises(ValueError, match="polling_interval must be a number of seconds"):
        await _client(transport).begin_backup(CONTAINER, SAS, **{name: interval})

    assert transport.requests == []


@pytest.mark.parametrize("name", ["pipeline", "policies", "authentication_policy"])
def test_replacing_authentication_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} would replace"):
        _client(ScriptedTransport(), **{name: []})


_IDENTITY = {"use_managed_identity": True}
_RESTORE = {"sasTokenParameters": _PLACE, "folderToRestore": _NAME}
_KEY_RESTORE = {"sasTokenParameters": _PLACE, "folder": _NAME}
_PRE_RESTORE = {"sasTokenParameters": _OWN_PLACE, "folderToRestore": _NAME}


@pytest.mark.parametrize(
    ("method", "arguments", "options", "sent", "body"),
    [
        ("begin_backup", (f"{CONTAINER}/", f"?{SAS}"), {}, "POST /backup", _PLACE),
        ("begin_backup", (CONTAINER, ""), _IDENTITY, "POST /backup", _OWN_PLACE),
        ("begin_backup", (CONTAINER, SAS), _IDENTITY, "POST /backup", {**_PLACE, "useManagedIdentity": True}),
        ("begin_pre_backup", (CONTAINER, SAS), {}, "POST /prebackup", _PLACE),
        ("begin_restore", (f"{FOLDER}?{SAS}", SAS), {}, "PUT /restore", _RESTORE),
        ("begin_restore", (FOLDER, SAS), {"key_name": "a key"}, "PUT /keys/a%20key/restore", _KEY_RESTORE),
        ("begin_pre_restore", (FOLDER,), _IDENTITY, "PUT /prerestore", _PRE_RESTORE),
    ],
)
async def test_a_start_sends_what_the_contract_asks_for(
    method: str, arguments: tuple[str, ...], options: dict[str, Any], sent: str, body: Any
) -> None:
    verb, path = sent.split()
    transport = ScriptedTransport(CHALLENGE, _started("backup" if "backup" in path else "restore"))

    await getattr(_client(transport), method)(*arguments, **options)

    probe, start = transport.requests
    assert (probe.method, probe.url, probe.body, probe.token) == (verb, start.url, None, None)
    assert (start.method, start.url) == (verb, f"{VAULT}{path}?api-version=2026-04-01")
    assert json.loads(start.body or "") == body


_REFUSED = [
    ("begin_backup", (None, SAS), {}, "blob_storage_url"),
    ("begin_backup", (CONTAINER,), {}, "use_managed_identity=True"),
    ("begin_backup", (CONTAINER, f'"{SAS}"'), {}, "quotation marks"),
    ("begin_pre_backup", (CONTAINER,), {"sas_token": f"'{SAS}'"}, "quotation marks"),
    ("begin_restore", (FOLDER, "se=2020-01-01T10%3A00%3A00Z&sig=c2VjcmV0"), {}, "expired at 2020-01-01T10"),
    ("begin_restore", (CONTAINER, SAS), {}, "folder"),
    ("begin_restore", (FOLDER, SAS), {"key_name": ".."}, "key_name"),
    ("begin_pre_restore", (CONTAINER, SAS), {}, "folder"),
    ("begin_backup", ("", ""), {"continuation_token": _token(f"{VAULT}/restore/5f/pending")}, "restore job"),
    ("begin_pre_restore", ("", ""), {"continuation_token": _token(f"{VAULT}/backup/5f/pending")}, "backup job"),
]


@pytest.mark.parametrize(("method", "arguments", "options", "message"), _REFUSED)
async def test_a_bad_argument_is_refused_before_anything_is_sent(
    method: str, arguments: tuple[Any, ...], options: dict[str, Any], message: str
) -> None:
    transport = ScriptedTransport()
    async with _client(transport) as client:
        with pytest.raises(ValueError, match=message) as caught:
            await getattr(client, method)(*arguments, **options)

    assert transport.requests == []
    assert "c2VjcmV0" not in str(caught.value)


_MISTAKES: list[Any] = [
    SAS,
    f"?{SAS}",
    f"{CONTAINER}?{SAS}",
    f"https://user:{_SIGNATURE}@account.blob.core.windows.net",
    f"https://[{_SIGNATURE}/backups",
    # Python quotes this one in its own error.
    f"https://user:{_SIGNATURE}@a\u2100b/backups",
    (CONTAINER, SAS),
    {"token": SAS},
    SAS.encode(),
    f"eyJ{_SIGNATURE}",
    base64.b64encode(f"\xff{SAS}".encode("latin-1")).decode(),
    base64.b64encode(f"{VAULT}/backup?{SAS}".encode()).decode(),
]


async def _client_with(**arguments: Any) -> None:
    KeyVaultBackupClient(**{"vault_url": VAULT, "credential": FakeCredential(), **arguments})


_PLACES: list[Any] = [
    lambda _, __, value: _client_with(vault_url=value),
    lambda _, __, value: _client_with(challenge_resource_domains=value),
    lambda _, __, value: _client_with(challenge_resource_domains=[value]),
    lambda backup, _, value: backup.begin_backup(value, SAS),
    lambda backup, _, value: backup.begin_restore(value, SAS),
    lambda backup, _, value: backup.begin_backup(CONTAINER, value),
    lambda backup, _, value: backup.begin_restore(FOLDER, SAS, key_name=value),
    lambda backup, _, value: backup.begin_backup("", continuation_token=value),
    lambda backup, _, value: backup.begin_backup(CONTAINER, SAS, polling_interval=value),
    lambda _, access, value: access.set_role_definition(value),
    lambda _, access, value: access.get_role_assignment("/", value),
    lambda _, access, value: access.create_role_assignment("/", value, value),
    lambda _, access, value: access.set_role_definition("/", assignable_scopes=value),
    lambda _, access, value: access.set_role_definition("/", permissions=value),
    lambda _, __, value: _permission(value),
]


async def _permission(value: Any) -> None:
    KeyVaultPermission(data_actions=value)


@pytest.mark.parametrize("call", _PLACES)
async def test_a_secret_in_the_wrong_place_is_not_quoted(call: Any) -> None:
    transport = ScriptedTransport(server=lambda _: Answer(400))
    options = {"transport": transport, "retry_total": 0}
    backup = KeyVaultBackupClient(VAULT, FakeCredential(), **options)
    access = KeyVaultAccessControlClient(VAULT, FakeCredential(), **options)

    for value in _MISTAKES:
        raised: BaseException | None = None
        try:
            await call(backup, access, value)
        except ValueError as error:
            raised = error
        except HttpResponseError:
            assert transport.requests  # sent: test_secrets looks at the errors of requests
        while raised is not None:
            assert _SIGNATURE not in f"{raised}{raised!r}{vars(raised)}{getattr(raised, 'object', None)!r}"
            raised = raised.__cause__ or raised.__context__


async def test_an_unknown_version_may_have_every_feature() -> None:
    transport = ScriptedTransport(CHALLENGE, _started("backup"))
    async with _client(transport, api_version="2031-01-01") as client:
        await client.begin_pre_backup(CONTAINER, use_managed_identity=True)

    assert transport.requests[-1].url == f"{VAULT}/prebackup?api-version=2031-01-01"
