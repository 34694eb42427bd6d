"""Container and folder URLs, and SAS tokens."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from azure.keyvault.administration._storage import BackupFolder, backup_folder, container_url, sas_token

ACCOUNT = "https://account.blob.core.windows.net"
AZURITE = "http://127.0.0.1:10000/devstoreaccount1"
FOLDER = "mhsm-contoso-2022050921462014"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(f"{ACCOUNT}/backup", f"{ACCOUNT}/backup", id="plain"),
        pytest.param(f" {ACCOUNT}/backup/ ", f"{ACCOUNT}/backup", id="slash-and-whitespace"),
        pytest.param(f"{ACCOUNT}/backup?sig=secret", f"{ACCOUNT}/backup", id="query"),
        pytest.param(f"{AZURITE}/backup", f"{AZURITE}/backup", id="azurite"),
    ],
)
def test_a_container_url_loses_its_query_and_trailing_slash(value: str, expected: str) -> None:
    assert container_url(value) == expected


@pytest.mark.parametrize(
    ("value", "container", "folder"),
    [
        pytest.param(f"{ACCOUNT}/backup/{FOLDER}", f"{ACCOUNT}/backup", FOLDER, id="azure"),
        pytest.param(f"{ACCOUNT}//backup//{FOLDER}/", f"{ACCOUNT}/backup", FOLDER, id="slashes"),
        pytest.param(f"{ACCOUNT}/backup/a/b", f"{ACCOUNT}/backup", "a/b", id="nested"),
        pytest.param(f"{ACCOUNT}/backup/{FOLDER}?sig=s", f"{ACCOUNT}/backup", FOLDER, id="sas-in-the-url"),
        pytest.param(f"{AZURITE}/backup/{FOLDER}", f"{AZURITE}/backup", FOLDER, id="azurite-address"),
        pytest.param(
            f"https://localhost:10000/acc/backup/{FOLDER}",
            "https://localhost:10000/acc/backup",
            FOLDER,
            id="azurite-localhost",
        ),
        pytest.param(f"http://[::1]:10000/acc/c/{FOLDER}", "http://[::1]:10000/acc/c", FOLDER, id="azurite-ipv6"),
    ],
)
def test_a_folder_url_is_split_into_container_and_folder(value: str, container: str, folder: str) -> None:
    assert backup_folder(value) == BackupFolder(container, folder)


NO_URL = [
    pytest.param(None, id="none"),
    pytest.param("", id="empty"),
    pytest.param("  ", id="blank"),
    pytest.param(3, id="number"),
    pytest.param("account/backup/folder", id="no-scheme"),
    pytest.param("ftp://account/backup/folder", id="other-scheme"),
    pytest.param("https:///backup/folder", id="no-host"),
    pytest.param("https://user:secret@account/backup/folder", id="userinfo"),
    pytest.param("https://account\\evil/backup/folder", id="backslash"),
    pytest.param("https://[::1/backup/folder", id="broken-ipv6"),
]


@pytest.mark.parametrize(
    "value", [*NO_URL, pytest.param(ACCOUNT, id="no-container"), pytest.param(AZURITE, id="azurite")]
)
def test_what_is_no_container_url_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="blob_storage_url must") as caught:
        container_url(value)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        *NO_URL,
        pytest.param(f"{ACCOUNT}/backup", id="no-folder"),
        pytest.param(f"{ACCOUNT}/backup/?sig=secret", id="no-folder-but-a-query"),
        pytest.param(f"{AZURITE}/backup", id="azurite-no-folder"),
    ],
)
def test_what_is_no_folder_url_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="folder_url must") as caught:
        backup_folder(value)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("sv=1&sig=a", id="no-expiry"),
        pytest.param("se=2026-11-24T13%3A00%3A00Z&sig=a", id="valid"),
        pytest.param("se=2026-11-24T11%3A45%3A00Z&sig=a", id="within-the-leeway"),
        pytest.param("se=2026-11-25&sig=a", id="date"),
        pytest.param("se=2026-11-24T14%3A00%3A00%2B02%3A00&sig=a", id="offset"),
        pytest.param("se=soon&sig=a", id="unreadable-expiry-is-left-to-the-service"),
        pytest.param("se=99999-01-01&sig=a", id="impossible-expiry-is-left-to-the-service"),
        pytest.param("se=9999-12-31T23%3A59%3A59Z&sig=a", id="never"),
        pytest.param("se=&sig=a", id="empty-expiry"),
        pytest.param("bad_token", id="no-sas-at-all-is-left-to-the-service"),
    ],
)
def test_a_sas_token_is_passed_on_without_its_question_mark(token: str) -> None:
    assert sas_token(token, now=NOW) == token
    assert sas_token(f" ?{token}\n", now=NOW) == token


@pytest.mark.parametrize(
    ("token", "said"),
    [
        pytest.param("se=2026-11-24T11%3A44%3A59Z&sig=secret", "2026-11-24T11:44:59", id="just-past-the-leeway"),
        pytest.param("se=2026-11-24&sig=secret", "2026-11-24T00:00:00", id="date-means-its-start-in-utc"),
        pytest.param("sig=secret&se=2020-01-01T00:00Z", "2020-01-01", id="minutes"),
    ],
)
def test_an_expired_sas_token_is_refused_with_its_expiry_and_nothing_else(token: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"sas_token expired at {said}") as caught:
        sas_token(token, now=NOW)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "token",
    [
        *(None, "", "  ", "?", " ? ", 5, b"se=1"),
        *("'sig=secret'", '"sig=secret', '?"sig=secret"', "sig=secret'", "\u2018sig=secret\u2019"),
        *("https://a.blob.core.windows.net/c?sig=secret", "BlobEndpoint=https://a;SharedAccessSignature=sig=secret"),
    ],
    ids=ascii,
)
def test_what_is_no_sas_token_is_refused(token: object) -> None:
    with pytest.raises(ValueError, match="sas_token must be") as caught:
        sas_token(token, now=NOW)

    assert "secret" not in str(caught.value)
