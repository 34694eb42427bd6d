"""What the backup client sends, and what it refuses to send."""

from __future__ import annotations

import base64
import json
from fractions import Fraction
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from azure.keyvault.administration import ApiVersion, KeyVaultPermission
from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient
from fakes import CHALLENGE, VAULT, Answer, FakeCredential, ScriptedTransport

_CONTAINER = "https://account.blob.core.windows.net/backups"
_FOLDER = f"{_CONTAINER}/mhsm-contoso-2026112416000000"
_SIGNATURE = "c2VjcmV0LXNpZ25hdHVyZQ"
_SAS = "sv=2024-11-04&se=2999-01-01T00%3A00%3A00Z&sp=crdw&sig=c2VjcmV0LXNpZ25hdHVyZQ%3D%3D"


def _started(family: str) -> Answer:
    return Answer(
        202, {"status": "InProgress", "jobId": "5f"}, {"azure-asyncoperation": f"{VAULT}/{family}/5f/pending"}
    )


def _client(transport: ScriptedTransport, **kwargs: Any) -> KeyVaultBackupClient:
    return KeyVaultBackupClient(VAULT, FakeCredential(), transport=transport, **kwargs)


def _token(url: str) -> str:
    return base64.b64encode(url.encode()).decode()


_PLACE = {"storageResourceUri": _CONTAINER, "token": _SAS}
_OWN_PLACE = {"storageResourceUri": _CONTAINER, "useManagedIdentity": True}
_NAME = "mhsm-contoso-2026112416000000"


@pytest.mark.parametrize("interval", ["5", -1, Fraction(-1, 2), float("nan"), float("inf")], ids=str)
@pytest.mark.parametrize("name", ["polling_interval", "_polling_interval"])
async def test_a_polling_interval_that_is_no_time_is_refused_before_a_job_starts(name: str, interval: Any) -> None:
    transport = ScriptedTransport()

    with pytest.raises(ValueError, match="polling_interval must be a number of seconds"):
        await _client(transport).begin_backup(_CONTAINER, _SAS, **{name: interval})

    assert transport.requests == []


@pytest.mark.parametrize("name", ["pipeline", "policies", "authentication_policy"])
def test_what_would_replace_authentication_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} would replace"):
        _client(ScriptedTransport(), **{name: []})


@pytest.mark.parametrize(
    ("method", "arguments", "options", "verb", "path", "body"),
    [
        pytest.param("begin_backup", (_CONTAINER, _SAS), {}, "POST", "/backup", _PLACE, id="backup"),
        pytest.param("begin_backup", (f"{_CONTAINER}/", f"?{_SAS}"), {}, "POST", "/backup", _PLACE, id="trimmed"),
        pytest.param(
            "begin_backup", (_CONTAINER,), {"use_managed_identity": True}, "POST", "/backup", _OWN_PLACE, id="identity"
        ),
        pytest.param(
            "begin_backup",
            (_CONTAINER, _SAS),
            {"use_managed_identity": True},
            "POST",
            "/backup",
            {**_PLACE, "useManagedIdentity": True},
            id="both",
        ),
        pytest.param("begin_pre_backup", (_CONTAINER, _SAS), {}, "POST", "/prebackup", _PLACE, id="pre-backup"),
        pytest.param(
            "begin_restore",
            (f"{_FOLDER}?{_SAS}", _SAS),
            {},
            "PUT",
            "/restore",
            {"sasTokenParameters": _PLACE, "folderToRestore": _NAME},
            id="restore, SAS in the URL dropped",
        ),
        pytest.param(
            "begin_restore",
            (_FOLDER, _SAS),
            {"key_name": "a key"},
            "PUT",
            "/keys/a%20key/restore",
            {"sasTokenParameters": _PLACE, "folder": _NAME},
            id="key restore",
        ),
        pytest.param(
            "begin_pre_restore",
            (_FOLDER,),
            {"use_managed_identity": True},
            "PUT",
            "/prerestore",
            {"sasTokenParameters": _OWN_PLACE, "folderToRestore": _NAME},
            id="pre-restore",
        ),
        pytest.param(
            "begin_restore",
            ("http://127.0.0.1:10000/devstoreaccount1/backups/folder", _SAS),
            {},
            "PUT",
            "/restore",
            {
                "sasTokenParameters": {
                    "storageResourceUri": "http://127.0.0.1:10000/devstoreaccount1/backups",
                    "token": _SAS,
                },
                "folderToRestore": "folder",
            },
            id="Azurite",
        ),
    ],
)
async def test_a_start_sends_what_the_contract_asks_for(
    method: str, arguments: tuple[str, ...], options: dict[str, Any], verb: str, path: str, body: Any
) -> None:
    family = "backup" if "backup" in path else "restore"
    transport = ScriptedTransport(CHALLENGE, _started(family))
    async with _client(transport) as client:
        await getattr(client, method)(*arguments, **options)

    probe, start = transport.requests
    assert (probe.method, probe.url, probe.body, probe.token) == (verb, start.url, None, None)
    assert (start.method, start.url) == (verb, f"{VAULT}{path}?api-version=2026-04-01")
    assert json.loads(start.body or "") == body


_QUOTED = [f'"{_SAS}"', f"'{_SAS}'", f"'{_SAS}", f"?{_SAS}'", f"\u201c{_SAS}\u201d"]

_REFUSED = [
    *(pytest.param("begin_backup", (_CONTAINER, sas), {}, "quotation marks", id="SAS in quotes") for sas in _QUOTED),
    pytest.param("begin_restore", (_FOLDER, f"{_CONTAINER}?{_SAS}"), {}, "a whole URL", id="URL as SAS"),
    pytest.param("begin_pre_backup", (_CONTAINER,), {"sas_token": f"'{_SAS}'"}, "quotation marks", id="pre-check"),
    pytest.param("begin_backup", (None, _SAS), {}, "blob_storage_url", id="no container URL"),
    pytest.param("begin_backup", ("  ", _SAS), {}, "blob_storage_url", id="blank container URL"),
    pytest.param("begin_backup", ("backups", _SAS), {}, "blob_storage_url", id="no URL"),
    pytest.param("begin_backup", ("https://account.blob.core.windows.net", _SAS), {}, "container", id="no container"),
    pytest.param("begin_backup", (_CONTAINER,), {}, "use_managed_identity=True", id="no way in"),
    pytest.param("begin_backup", (_CONTAINER, ""), {}, "sas_token", id="blank SAS"),
    pytest.param("begin_backup", (_CONTAINER, "?"), {}, "sas_token", id="SAS of a question mark"),
    pytest.param(
        "begin_backup", (_CONTAINER, "se=2020-01-01&sig=c2VjcmV0"), {}, "expired at 2020-01-01", id="expired day"
    ),
    pytest.param(
        "begin_restore",
        (_FOLDER, "se=2020-01-01T10%3A00%3A00Z&sig=c2VjcmV0"),
        {},
        "expired at 2020-01-01T10",
        id="expired",
    ),
    pytest.param("begin_restore", (_CONTAINER, _SAS), {}, "folder", id="container without folder"),
    pytest.param(
        "begin_restore", ("http://localhost:10000/account/backups", _SAS), {}, "folder", id="Azurite, no folder"
    ),
    pytest.param("begin_pre_restore", (_CONTAINER, _SAS), {}, "folder", id="pre-restore without folder"),
    pytest.param("begin_restore", (_FOLDER, _SAS), {"key_name": " "}, "key_name", id="blank key name"),
    pytest.param("begin_restore", (_FOLDER, _SAS), {"key_name": ".."}, "key_name", id="key name that is a path"),
    pytest.param("begin_backup", ("", ""), {"continuation_token": "%%"}, "continuation_token", id="token, no base64"),
    pytest.param(
        "begin_backup", ("", ""), {"continuation_token": _token("hello")}, "continuation_token", id="token, no URL"
    ),
    pytest.param(
        "begin_backup",
        ("", ""),
        {"continuation_token": _token(f"{VAULT}/restore/5f/pending")},
        "restore job",
        id="token of a restore",
    ),
    pytest.param(
        "begin_pre_restore",
        ("", ""),
        {"continuation_token": _token(f"{VAULT}/backup/5f/pending")},
        "backup job",
        id="token of a backup",
    ),
    pytest.param(
        "begin_backup",
        ("", ""),
        {"continuation_token": _token("https://other.managedhsm.azure.net/backup/5f/pending")},
        "other.managedhsm.azure.net",
        id="token of another vault",
    ),
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
    pytest.param(_SAS, id="SAS"),
    pytest.param(f"?{_SAS}", id="query"),
    pytest.param(f'"{_SAS}"', id="quoted SAS"),
    pytest.param(f"{_CONTAINER}?{_SAS}", id="URL with SAS"),
    pytest.param(f"account.blob.core.windows.net/backups?{_SAS}", id="URL without scheme"),
    pytest.param(f"https://user:{_SIGNATURE}@account.blob.core.windows.net", id="password"),
    pytest.param(f"https://[{_SIGNATURE}/backups", id="broken URL"),
    pytest.param(f"https://user:{_SIGNATURE}@a\u2100b/backups", id="URL that Python quotes"),
    pytest.param((_CONTAINER, _SAS), id="tuple"),
    pytest.param([_SAS], id="list"),
    pytest.param({"token": _SAS}, id="dict"),
    pytest.param(_SAS.encode(), id="bytes"),
    pytest.param(f"eyJ{_SIGNATURE}", id="access token"),
    pytest.param(base64.b64encode(f"\xff{_SAS}".encode("latin-1")).decode(), id="base64"),
    pytest.param(base64.b64encode(f"{VAULT}/backup?{_SAS}".encode()).decode(), id="token with SAS"),
]


async def _client_with(**arguments: Any) -> None:
    KeyVaultBackupClient(**{"vault_url": VAULT, "credential": FakeCredential(), **arguments})


_PLACES: list[Any] = [
    pytest.param(lambda _, __, value: _client_with(vault_url=value), id="vault_url"),
    pytest.param(lambda _, __, value: _client_with(challenge_resource_domains=value), id="domains"),
    pytest.param(lambda _, __, value: _client_with(challenge_resource_domains=[value]), id="domain"),
    pytest.param(lambda backup, _, value: backup.begin_backup(value, _SAS), id="blob_storage_url"),
    pytest.param(lambda backup, _, value: backup.begin_restore(value, _SAS), id="folder_url"),
    pytest.param(lambda backup, _, value: backup.begin_backup(_CONTAINER, value), id="sas_token"),
    pytest.param(lambda backup, _, value: backup.begin_restore(_FOLDER, _SAS, key_name=value), id="key_name"),
    pytest.param(lambda backup, _, value: backup.begin_backup("", continuation_token=value), id="continuation_token"),
    pytest.param(lambda backup, _, value: backup.begin_backup(_CONTAINER, _SAS, polling_interval=value), id="interval"),
    pytest.param(lambda _, access, value: access.set_role_definition(value), id="scope"),
    pytest.param(lambda _, access, value: access.get_role_assignment("/", value), id="name"),
    pytest.param(lambda _, access, value: access.create_role_assignment("/", value, value), id="ids"),
    pytest.param(lambda _, access, value: access.set_role_definition("/", assignable_scopes=value), id="scopes"),
    pytest.param(lambda _, access, value: access.set_role_definition("/", permissions=value), id="permissions"),
    pytest.param(lambda _, __, value: _permission(value), id="data_actions"),
]


async def _permission(value: Any) -> None:
    KeyVaultPermission(data_actions=value)


@pytest.mark.parametrize("value", _MISTAKES)
@pytest.mark.parametrize("call", _PLACES)
async def test_a_secret_in_the_wrong_place_is_not_quoted(call: Any, value: Any) -> None:
    transport = ScriptedTransport(server=lambda _: Answer(400))
    options = {"transport": transport, "retry_total": 0}
    backup = KeyVaultBackupClient(VAULT, FakeCredential(), **options)
    access = KeyVaultAccessControlClient(VAULT, FakeCredential(), **options)

    raised: BaseException | None = None
    try:
        await call(backup, access, value)
    except ValueError as error:
        raised = error
    except HttpResponseError:
        assert transport.requests  # taken: what then is shown is tested with the other secrets of a request
    while raised is not None:
        assert _SIGNATURE not in f"{raised}{raised!r}{vars(raised)}{getattr(raised, 'object', None)!r}"
        raised = raised.__cause__ or raised.__context__


@pytest.mark.parametrize("sas_token", [None, ""])
async def test_a_blank_sas_is_none_where_the_identity_is_used(sas_token: Any) -> None:
    transport = ScriptedTransport(CHALLENGE, _started("backup"))

    await _client(transport).begin_backup(_CONTAINER, sas_token, use_managed_identity=True)

    assert json.loads(transport.requests[-1].body or "") == _OWN_PLACE


@pytest.mark.parametrize(
    ("version", "method", "options", "needed"),
    [
        pytest.param(ApiVersion.V7_4, "begin_backup", {"use_managed_identity": True}, "7.5", id="identity, 7.4"),
        pytest.param("7.2", "begin_backup", {"use_managed_identity": True}, "7.5", id="identity, 7.2 as text"),
        pytest.param(ApiVersion.V7_5, "begin_pre_backup", {"sas_token": _SAS}, "7.6", id="pre-backup, 7.5"),
    ],
)
async def test_a_feature_that_a_version_lacks_is_refused_with_the_version_that_has_it(
    version: str, method: str, options: dict[str, Any], needed: str
) -> None:
    transport = ScriptedTransport()
    async with _client(transport, api_version=version) as client:
        with pytest.raises(ValueError, match=f"api_version {needed} or newer"):
            await getattr(client, method)(_CONTAINER, **options)

    assert transport.requests == []


async def test_a_version_that_the_library_does_not_know_may_have_every_feature() -> None:
    transport = ScriptedTransport(CHALLENGE, _started("backup"))
    async with _client(transport, api_version="2031-01-01") as client:
        await client.begin_pre_backup(_CONTAINER, use_managed_identity=True)

    assert transport.requests[-1].url == f"{VAULT}/prebackup?api-version=2031-01-01"
