"""Vault URLs, origins, scopes, names, job URLs and continuation tokens."""

from __future__ import annotations

import base64
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azure.keyvault.administration import KeyVaultRoleScope
from azure.keyvault.administration._identifiers import (
    JobUrl,
    continuation_token,
    described,
    hostname,
    is_key_vault,
    job_url,
    job_url_from_token,
    origin,
    path_name,
    required_text,
    role_scope,
    vault_url,
)

VAULT = "https://contoso.managedhsm.azure.net"
JOB = f"{VAULT}/backup/719de6e18cc54d4f87be8645906d07f0/pending"

AMBIGUOUS_URLS = [
    pytest.param("", id="empty"),
    pytest.param("contoso.managedhsm.azure.net", id="no-scheme"),
    pytest.param("http://contoso.managedhsm.azure.net", id="http"),
    pytest.param("ftp://contoso.managedhsm.azure.net", id="ftp"),
    pytest.param("https://", id="no-host"),
    pytest.param("https://:443", id="port-only"),
    pytest.param("https://contoso.managedhsm.azure.net:port", id="port-no-number"),
    pytest.param("https://contoso.managedhsm.azure.net\\@evil.example", id="backslash"),
    pytest.param("https://evil.example\\.managedhsm.azure.net", id="backslash-in-host"),
    pytest.param("https://user:secret@contoso.managedhsm.azure.net", id="userinfo"),
    pytest.param("https://contoso.managedhsm.azure.net@evil.example", id="host-as-userinfo"),
    pytest.param("https://cont\u043eso.managedhsm.azure.net", id="cyrillic-letter"),
    pytest.param("https://contoso\uff0emanagedhsm.azure.net", id="full-width-dot"),
    pytest.param("https://con toso.managedhsm.azure.net", id="space"),
    pytest.param("https://con\ntoso.managedhsm.azure.net", id="newline"),
    pytest.param("https://contoso%2emanagedhsm.azure.net", id="percent-encoded"),
]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param(VAULT, VAULT, id="plain"),
        pytest.param("HTTPS://Contoso.ManagedHSM.azure.net/a?b#c", VAULT, id="any-case"),
        pytest.param(f"{VAULT}:443/a", VAULT, id="default-port"),
        pytest.param(f"{VAULT}:0443", VAULT, id="default-port-with-zero"),
        pytest.param(f"{VAULT}:8443", f"{VAULT}:8443", id="other-port"),
        pytest.param(f"{VAULT}?a", VAULT, id="query-without-path"),
        pytest.param("https://[::1]:8443/a", "https://[::1]:8443", id="ipv6"),
        pytest.param("https://contoso.managedhsm.azure.net./", f"{VAULT}.", id="trailing-dot-is-another-host"),
    ],
)
def test_an_origin_has_one_form(url: str, expected: str) -> None:
    assert origin(url) == expected


@pytest.mark.parametrize("url", AMBIGUOUS_URLS)
def test_a_url_that_two_parsers_could_read_differently_has_no_origin(url: str) -> None:
    with pytest.raises(ValueError, match="https URL"):
        origin(url)


def test_a_host_name_is_lower_case_and_has_no_port() -> None:
    assert hostname("https://Contoso.managedhsm.azure.net:8443/x") == "contoso.managedhsm.azure.net"


@pytest.mark.parametrize(
    "given_url",
    [
        pytest.param(VAULT, id="plain"),
        pytest.param(f"{VAULT}/", id="slash"),
        pytest.param(f"{VAULT}//", id="slashes"),
        pytest.param(f"  {VAULT}/\n", id="whitespace"),
    ],
)
def test_a_vault_url_loses_whitespace_and_trailing_slashes(given_url: str) -> None:
    assert vault_url(given_url) == VAULT


@pytest.mark.parametrize(
    "value",
    [
        *AMBIGUOUS_URLS,
        pytest.param(None, id="none"),
        pytest.param("   ", id="blank"),
        pytest.param(42, id="number"),
        pytest.param(VAULT.encode(), id="bytes"),
        pytest.param(f"{VAULT}/keys", id="path"),
        pytest.param(f"{VAULT}?a=b", id="query"),
        pytest.param(f"{VAULT}#a", id="fragment"),
    ],
)
def test_what_is_no_vault_url_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="vault_url must be"):
        vault_url(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(None, "None", id="none"),
        pytest.param(7, "7", id="number"),
        pytest.param(" ", "a blank string", id="blank"),
        pytest.param("my-key", "'my-key'", id="name"),
        pytest.param(" /keys/a.b_c ", "'/keys/a.b_c'", id="scope"),
        pytest.param("ff388517-2e5c-4d0f-8a0b-0d6f5c3b7a01", "'ff388517-2e5c-4d0f-8a0b-0d6f5c3b7a01'", id="uuid"),
        pytest.param("a" * 37, "a string of 37 characters", id="long"),
        pytest.param("a b", "a string of 3 characters", id="space"),
        pytest.param("pass%2Bword", "a string of 11 characters", id="encoded"),
        pytest.param("sv=1&SIG=secret", "what looks like a SAS token", id="sas"),
        pytest.param("eyJh.eyJz.c2ln", "a string of 14 characters", id="access-token"),
        pytest.param(f"{VAULT}/a?sig=secret", f"a URL of '{VAULT}'", id="url"),
        pytest.param("http://localhost:8080", "a URL of 'http://localhost:8080'", id="url-with-port"),
        pytest.param("https://user:secret@host", "a string of 24 characters", id="password"),
        pytest.param("https://12:34567@host/", "a string of 22 characters", id="password-like-a-port"),
        pytest.param("https://eyJh.eyJz.c2ln/", "a string of 23 characters", id="access-token-as-host"),
        pytest.param(b"secret", "a value of type bytes", id="bytes"),
        pytest.param(("secret",), "a value of type tuple", id="tuple"),
    ],
)
def test_an_argument_is_described_without_what_could_be_a_secret(value: object, text: str) -> None:
    assert described(value) == text


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("https://contoso.vault.azure.net", True, id="key-vault"),
        pytest.param("https://Contoso.Vault.Azure.net:443", True, id="any-case"),
        pytest.param(VAULT, False, id="managed-hsm"),
        pytest.param("https://vault.azure.net.example", False, id="look-alike"),
    ],
)
def test_a_key_vault_is_known_by_its_host(url: str, expected: bool) -> None:
    assert is_key_vault(url) is expected


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        pytest.param("/", "/", id="global"),
        pytest.param(KeyVaultRoleScope.GLOBAL, "/", id="global-enum"),
        pytest.param(KeyVaultRoleScope.KEYS, "/keys", id="keys-enum"),
        pytest.param("keys", "/keys", id="no-leading-slash"),
        pytest.param("/keys/", "/keys", id="trailing-slash"),
        pytest.param("//keys//my-key/", "/keys/my-key", id="doubled-slashes"),
        pytest.param("/keys/a.b_c~d(e)", "/keys/a.b_c~d(e)", id="all-that-a-path-may-hold"),
    ],
)
def test_a_scope_has_one_form(scope: str, expected: str) -> None:
    assert role_scope(scope) == expected


@pytest.mark.parametrize(
    "scope",
    [
        pytest.param(None, id="none"),
        pytest.param("", id="empty"),
        pytest.param(" \t", id="blank"),
        pytest.param(1, id="number"),
        pytest.param("/keys/a?b", id="question-mark"),
        pytest.param("/keys/a#b", id="hash"),
        pytest.param("/keys/a\nb", id="newline"),
        pytest.param("/keys/a\n", id="newline-at-the-end"),
        pytest.param("/keys/a\x00b", id="nul"),
        pytest.param("/keys/a b", id="space"),
        pytest.param("/keys/%2e%2e", id="percent"),
        pytest.param("/keys/\u00e9", id="other-letters"),
        pytest.param("/keys/..", id="dots"),
        pytest.param("/keys/./a", id="dot"),
        pytest.param("/keys\\a", id="backslash"),
        pytest.param(f"{VAULT}/keys/a", id="url"),
    ],
)
def test_what_is_no_scope_is_refused(scope: object) -> None:
    with pytest.raises(ValueError, match="scope must be"):
        role_scope(scope)


@given(st.text())
def test_any_scope_is_refused_or_stands_still_once_it_has_its_form(text: str) -> None:
    try:
        scope = role_scope(text)
    except ValueError:
        return

    assert scope == role_scope(scope)
    assert scope.startswith("/")
    assert not set(scope) & set("?#\\% \n")


@pytest.mark.parametrize("name", ["a", "a/b", "..a", " a"], ids=["plain", "slash", "dots-and-more", "space"])
def test_a_name_may_be_any_text(name: str) -> None:
    assert path_name(name, "name") == name


def test_a_name_may_be_a_uuid() -> None:
    text = "ff388517-2e5c-4d0f-8a0b-0d6f5c3b7a01"

    assert path_name(UUID(text), "name") == text
    assert required_text(UUID(text), "principal_id") == text


BLANK = [
    pytest.param(None, id="none"),
    pytest.param("", id="empty"),
    pytest.param(" \t\n", id="blank"),
    pytest.param(7, id="number"),
    pytest.param(b"abc", id="bytes"),
]


@pytest.mark.parametrize(
    "name", [*BLANK, pytest.param(".", id="dot"), pytest.param("..", id="dots"), pytest.param(" .. ", id="dots-spaced")]
)
def test_what_is_no_name_is_refused_by_the_name_of_its_argument(name: object) -> None:
    with pytest.raises(ValueError, match="job_name must be a non-blank name"):
        path_name(name, "job_name")


@pytest.mark.parametrize("text", BLANK)
def test_a_blank_argument_is_refused_by_its_name(text: object) -> None:
    with pytest.raises(ValueError, match="principal_id must be a non-blank string"):
        required_text(text, "principal_id")


@pytest.mark.parametrize(
    ("url", "family", "job_id"),
    [
        pytest.param(JOB, "backup", "719de6e18cc54d4f87be8645906d07f0", id="backup"),
        pytest.param(f"{VAULT}/restore/a-1/pending", "restore", "a-1", id="restore"),
        pytest.param(f"{VAULT}/backup/a/pending/?api-version=7.6", "backup", "a", id="slash-and-query"),
    ],
)
def test_a_job_url_names_family_and_job(url: str, family: str, job_id: str) -> None:
    assert job_url(url) == JobUrl(url, family, job_id)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(f"{VAULT}/backup/a", id="no-pending"),
        pytest.param(f"{VAULT}/keys/a/pending", id="other-collection"),
        pytest.param(f"{VAULT}/backup/../pending", id="dots"),
        pytest.param(f"{VAULT}/backup/a/b/pending", id="too-deep"),
        pytest.param("http://contoso.managedhsm.azure.net/backup/a/pending", id="http"),
        pytest.param("/backup/a/pending", id="relative"),
        pytest.param("https://a@contoso.managedhsm.azure.net/backup/a/pending", id="userinfo"),
        pytest.param(f"{VAULT}/backup/{'a' * 65}/pending", id="long-id"),
    ],
)
def test_what_is_no_job_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="expected a"):
        job_url(url)


def test_a_continuation_token_is_the_status_url_in_base64() -> None:
    token = continuation_token(JOB)

    assert base64.b64decode(token) == JOB.encode()
    assert job_url_from_token(token, family="backup", endpoint=VAULT) == job_url(JOB)


@pytest.mark.parametrize("kept", ["{}\n", "{}\r\n", " {} "], ids=["line", "windows-line", "spaces"])
def test_a_continuation_token_may_come_back_from_a_file(kept: str) -> None:
    token = kept.format(continuation_token(JOB))

    assert job_url_from_token(token, family="backup", endpoint=VAULT) == job_url(JOB)


def _token(url: str) -> str:
    return base64.b64encode(url.encode()).decode()


@pytest.mark.parametrize(
    ("token", "message"),
    [
        pytest.param(None, "must be a string", id="none"),
        pytest.param(JOB.encode(), "must be a string", id="bytes"),
        pytest.param("", "malformed", id="empty"),
        pytest.param("not base64!", "malformed", id="not-base64"),
        pytest.param(_token(JOB)[:-3], "malformed", id="truncated"),
        pytest.param(base64.b64encode(b"\xff\xfe").decode(), "malformed", id="not-text"),
        pytest.param(base64.b64encode(b"\x80\x04\x95.").decode(), "malformed", id="a-pickle"),
        pytest.param("\u00e9\u00e9\u00e9\u00e9", "malformed", id="not-ascii"),
        pytest.param(_token(f"{VAULT}/keys"), "malformed", id="no-job"),
        pytest.param(_token(JOB.replace("contoso", "fabrikam")), "belongs to https://fabrikam", id="other-vault"),
        pytest.param(_token(JOB.replace(".net/", ".net:444/")), "belongs to https://contoso", id="other-port"),
        pytest.param(_token(JOB.replace("backup", "restore")), "belongs to a restore job", id="other-family"),
    ],
)
def test_a_continuation_token_that_cannot_be_resumed_here_is_refused(token: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        job_url_from_token(token, family="backup", endpoint=VAULT)


@pytest.mark.parametrize("host", ["\u212aeys.managedhsm.azure.net", "conto\u017fo.managedhsm.azure.net"])
def test_a_host_with_letters_that_only_fold_to_ascii_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="plain host name"):
        origin(f"https://{host}/")
