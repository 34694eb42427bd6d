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
        (f" {ACCOUNT}/backup/ ", f"{ACCOUNT}/backup"),
        (f"{ACCOUNT}/backup?sig=secret", f"{ACCOUNT}/backup"),
        (f"{AZURITE}/backup", f"{AZURITE}/backup"),
    ],
)
def test_a_container_url_loses_its_query_and_trailing_slash(value: str, expected: str) -> None:
    assert container_url(value) == expected


@pytest.mark.parametrize(
    ("value", "container", "folder"),
    [
        (f"{ACCOUNT}//backup//{FOLDER}/", f"{ACCOUNT}/backup", FOLDER),
        (f"{ACCOUNT}/backup/a/b?sig=s", f"{ACCOUNT}/backup", "a/b"),
        (f"{AZURITE}/backup/{FOLDER}", f"{AZURITE}/backup", FOLDER),
        (f"https://localhost:10000/acc/backup/{FOLDER}", "https://localhost:10000/acc/backup", FOLDER),
        (f"http://[::1]:10000/acc/c/{FOLDER}", "http://[::1]:10000/acc/c", FOLDER),
    ],
)
def test_a_folder_url_is_split_into_container_and_folder(value: str, container: str, folder: str) -> None:
    assert backup_folder(value) == BackupFolder(container, folder)


NO_URL = [
    None,
    "  ",
    3,
    "account/backup/folder",
    "ftp://account/backup/folder",
    "https:///backup/folder",
    "https://user:secret@account/backup/folder",
    "https://account\\evil/backup/folder",
    "https://[::1/backup/folder",
]


@pytest.mark.parametrize("value", [*NO_URL, ACCOUNT, AZURITE])
def test_an_invalid_container_url_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="blob_storage_url must") as caught:
        container_url(value)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("value", [NO_URL[0], f"{ACCOUNT}/backup/?sig=secret", f"{AZURITE}/backup"])
def test_an_invalid_folder_url_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="folder_url must") as caught:
        backup_folder(value)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "token",
    [
        "sv=1&sig=a",
        "se=2026-11-24T11%3A45%3A00Z&sig=a",
        "se=2026-11-25&sig=a",
        "se=2026-11-24T14%3A00%3A00%2B02%3A00&sig=a",
        # What cannot be read is left to the service.
        "se=soon&sig=a",
        "se=99999-01-01&sig=a",
        "se=9999-12-31T23%3A59%3A59Z&sig=a",
        "se=&sig=a",
        "bad_token",
    ],
)
def test_a_sas_token_is_passed_on_without_its_question_mark(token: str) -> None:
    assert sas_token(f" ?{token}\n", now=NOW) == token


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("se=2026-11-24T11%3A44%3A59Z&sig=secret", "2026-11-24T11:44:59"),
        ("se=2026-11-24&sig=secret", "2026-11-24T00:00:00"),
        ("sig=secret&se=2020-01-01T00:00Z", "2020-01-01"),
        ("se=2026-11-24T12%3A30%3A00%2B02%3A00&sig=secret", "2026-11-24T12:30:00"),
    ],
)
def test_an_expired_sas_token_is_refused_with_its_expiry_only(token: str, said: str) -> None:
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
)
def test_an_invalid_sas_token_is_refused(token: object) -> None:
    with pytest.raises(ValueError, match="sas_token must be") as caught:
        sas_token(token, now=NOW)

    assert "secret" not in str(caught.value)
