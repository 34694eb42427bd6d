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
    absolute,
    continuation_token,
    described,
    has_query_parameter,
    hostname,
    is_key_vault,
    job_url,
    job_url_from_token,
    origin,
    path_name,
    required_text,
    resource_domains,
    role_scope,
    vault_url,
)

VAULT = "https://contoso.managedhsm.azure.net"
JOB = f"{VAULT}/backup/719de6e18cc54d4f87be8645906d07f0/pending"

AMBIGUOUS_URLS = [
    "",
    "contoso.managedhsm.azure.net",
    "http://contoso.managedhsm.azure.net",
    "https://",
    "https://:443",
    "https://contoso.managedhsm.azure.net:port",
    "https://contoso.managedhsm.azure.net\\@evil.example",
    "https://evil.example\\.managedhsm.azure.net",
    "https://user:secret@contoso.managedhsm.azure.net",
    "https://contoso.managedhsm.azure.net@evil.example",
    "https://cont\u043eso.managedhsm.azure.net",
    "https://contoso\uff0emanagedhsm.azure.net",
    # Letters that fold to ASCII.
    "https://\u212aeys.managedhsm.azure.net",
    "https://conto\u017fo.managedhsm.azure.net",
    "https://con toso.managedhsm.azure.net",
    "https://con\ntoso.managedhsm.azure.net",
    "https://contoso%2emanagedhsm.azure.net",
]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTPS://Contoso.ManagedHSM.azure.net/a?b#c", VAULT),
        (f"{VAULT}:0443/a", VAULT),
        (f"{VAULT}:8443", f"{VAULT}:8443"),
        (f"{VAULT}?a", VAULT),
        ("https://[::1]:8443/a", "https://[::1]:8443"),
        # A trailing dot makes another host.
        ("https://contoso.managedhsm.azure.net./", f"{VAULT}."),
    ],
)
def test_an_origin_has_one_form(url: str, expected: str) -> None:
    assert origin(url) == expected


@pytest.mark.parametrize("url", AMBIGUOUS_URLS)
def test_an_ambiguous_url_has_no_origin(url: str) -> None:
    with pytest.raises(ValueError, match="https URL"):
        origin(url)


def test_a_host_name_is_lower_case_and_has_no_port() -> None:
    assert hostname("https://Contoso.managedhsm.azure.net:8443/x") == "contoso.managedhsm.azure.net"


def test_a_vault_url_loses_whitespace_and_trailing_slashes() -> None:
    assert vault_url(f"  {VAULT}//\n") == VAULT


@pytest.mark.parametrize(
    "value", [AMBIGUOUS_URLS[0], None, "   ", 42, VAULT.encode(), f"{VAULT}/keys", f"{VAULT}?a=b", f"{VAULT}#a"]
)
def test_an_invalid_vault_url_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="vault_url must be"):
        vault_url(value)


def test_resource_domains_have_one_form() -> None:
    assert resource_domains(["A.example:443", "b.example:444"]) == ["a.example", "b.example:444"]
    assert resource_domains(None) == []


@pytest.mark.parametrize(
    "domains",
    ["localhost", "managedhsm.azure.net", 7, [""], [None], ["https://a.example"], ["a.example/"], [".a.example"]],
    ids=str,
)
def test_an_invalid_resource_domain_is_refused(domains: object) -> None:
    with pytest.raises(ValueError, match="challenge_resource_domains must be several hosts"):
        resource_domains(domains)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (7, "7"),
        (" ", "a blank string"),
        (" /keys/a.b_c ", "'/keys/a.b_c'"),
        ("ff388517-2e5c-4d0f-8a0b-0d6f5c3b7a01", "'ff388517-2e5c-4d0f-8a0b-0d6f5c3b7a01'"),
        ("a" * 37, "a string of 37 characters"),
        ("a b", "a string of 3 characters"),
        ("pass%2Bword", "a string of 11 characters"),
        ("sv=1&SIG=secret", "what looks like a SAS token"),
        ("eyJh.eyJz.c2ln", "a string of 14 characters"),
        (f"{VAULT}/a?sig=secret", f"a URL of '{VAULT}'"),
        ("http://localhost:8080", "a URL of 'http://localhost:8080'"),
        ("https://user:secret@host", "a string of 24 characters"),
        ("https://12:34567@host/", "a string of 22 characters"),
        ("https://eyJh.eyJz.c2ln/", "a string of 23 characters"),
        (b"secret", "a value of type bytes"),
    ],
)
def test_a_description_of_an_argument_holds_no_secret(value: object, text: str) -> None:
    assert described(value) == text


def test_a_key_vault_is_known_by_its_host() -> None:
    urls = ["https://Contoso.Vault.Azure.net:443", VAULT, "https://vault.azure.net.example"]

    assert [is_key_vault(url) for url in urls] == [True, False, False]


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("/", "/"),
        ("//", "/"),
        (KeyVaultRoleScope.GLOBAL, "/"),
        (KeyVaultRoleScope.KEYS, "/keys"),
        ("keys", "/keys"),
        ("//keys//my-key/", "/keys/my-key"),
        ("/keys/a.b_c~d(e)", "/keys/a.b_c~d(e)"),
    ],
)
def test_a_scope_has_one_form(scope: str, expected: str) -> None:
    assert role_scope(scope) == expected


@pytest.mark.parametrize("scope", [None, "", " \t", 1, "/keys/a\n", "/keys/..", "/keys/./a", f"{VAULT}/keys/a"])
def test_an_invalid_scope_is_refused(scope: object) -> None:
    with pytest.raises(ValueError, match="scope must be"):
        role_scope(scope)


@pytest.mark.parametrize("character", ["?", "#", "\n", "\x00", " ", "%2e", "\u00e9", "\\"])
def test_a_scope_with_a_character_that_is_not_plain_is_refused(character: str) -> None:
    with pytest.raises(ValueError, match="scope must be"):
        role_scope(f"/keys/a{character}b")


@given(st.text())
def test_any_scope_is_refused_or_normalized_once(text: str) -> None:
    try:
        scope = role_scope(text)
    except ValueError:
        return

    assert scope == role_scope(scope)
    assert scope.startswith("/")
    assert not set(scope) & set("?#\\% \n")


def test_a_name_may_be_any_text_or_a_uuid() -> None:
    text = "ff388517-2e5c-4d0f-8a0b-0d6f5c3b7a01"

    assert [path_name(name, "name") for name in ("a/b", "..a", " a")] == ["a/b", "..a", " a"]
    assert path_name(UUID(text), "name") == required_text(UUID(text), "principal_id") == text


BLANK = [None, "", " \t\n", 7, b"abc"]


@pytest.mark.parametrize("name", [*BLANK, ".", "..", " .. "])
def test_an_invalid_name_is_refused_by_the_name_of_its_argument(name: object) -> None:
    with pytest.raises(ValueError, match="job_name must be a non-blank name"):
        path_name(name, "job_name")


@pytest.mark.parametrize("text", BLANK)
def test_a_blank_argument_is_refused_by_its_name(text: object) -> None:
    with pytest.raises(ValueError, match="principal_id must be a non-blank string"):
        required_text(text, "principal_id")


@pytest.mark.parametrize(
    ("url", "status", "family", "job_id"),
    [
        (f"{VAULT}/restore/a-1/pending", f"{VAULT}/restore/a-1/pending", "restore", "a-1"),
        (
            f"{VAULT}/backup/a/pending/?sig=s&api-version=7.6#x",
            f"{VAULT}/backup/a/pending/?api-version=7.6",
            "backup",
            "a",
        ),
        (f"{VAULT}/backup/a/pending?api-version=a&sig=s", f"{VAULT}/backup/a/pending?api-version=a", "backup", "a"),
    ],
)
def test_a_job_url_names_family_and_job(url: str, status: str, family: str, job_id: str) -> None:
    assert job_url(url) == JobUrl(status, family, job_id)


@pytest.mark.parametrize(
    "url",
    [
        f"{VAULT}/backup/a",
        f"{VAULT}/keys/a/pending",
        f"{VAULT}/backup/../pending",
        f"{VAULT}/backup/a/b/pending",
        "http://contoso.managedhsm.azure.net/backup/a/pending",
        "/backup/a/pending",
        "https://a@contoso.managedhsm.azure.net/backup/a/pending",
        f"{VAULT}/backup/{'a' * 65}/pending",
    ],
)
def test_an_invalid_job_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="expected a"):
        job_url(url)


def test_a_continuation_token_is_the_status_url_in_base64() -> None:
    token = continuation_token(JOB)

    assert base64.b64decode(token) == JOB.encode()
    assert job_url_from_token(token, family="backup", endpoint=VAULT) == job_url(JOB)


def test_a_continuation_token_may_have_whitespace_around_it() -> None:
    assert job_url_from_token(f" {continuation_token(JOB)}\r\n", family="backup", endpoint=VAULT) == job_url(JOB)


def _token(url: str) -> str:
    return base64.b64encode(url.encode()).decode()


@pytest.mark.parametrize(
    ("token", "message"),
    [
        (None, "must be a string"),
        ("", "malformed"),
        ("not base64!", "malformed"),
        (f"!{_token(JOB)}", "malformed"),
        (_token(JOB)[:-3], "malformed"),
        # Not text, and a pickle.
        (base64.b64encode(b"\xff\xfe").decode(), "malformed"),
        (base64.b64encode(b"\x80\x04\x95.").decode(), "malformed"),
        ("\u00e9\u00e9\u00e9\u00e9", "malformed"),
        (_token(f"{VAULT}/keys"), "malformed"),
        (_token(JOB.replace("contoso", "fabrikam")), "belongs to https://fabrikam"),
        (_token(JOB.replace(".net/", ".net:444/")), "belongs to https://contoso"),
        (_token(JOB.replace("backup", "restore")), "belongs to a restore job"),
    ],
)
def test_a_continuation_token_that_cannot_be_resumed_here_is_refused(token: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        job_url_from_token(token, family="backup", endpoint=VAULT)


@given(
    st.text()
    | st.binary().map(lambda raw: base64.b64encode(raw).decode())
    | st.text(st.characters(codec="utf-8")).map(lambda end: _token(JOB + end))
)
def test_any_continuation_token_is_a_job_of_this_vault_or_refused(token: str) -> None:
    try:
        job = job_url_from_token(token, family="backup", endpoint=VAULT)
    except ValueError:
        return

    assert job.url.startswith(JOB)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/roles", f"{VAULT}/roles"),
        ("roles?next=https://a", f"{VAULT}/roles?next=https://a"),
        ("https://a/roles?b", "https://a/roles?b"),
    ],
)
def test_a_relative_url_belongs_to_the_vault(url: str, expected: str) -> None:
    assert absolute(url, VAULT) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?x", True),
        ("?x=1=2", True),
        ("?y z&x=1#f", True),
        ("?y=?&x=", True),
        ("", False),
        ("#?x=1", False),
        ("?x?x=1", False),
        ("?y=x&xx=1", False),
    ],
)
def test_a_query_parameter_is_found_by_its_name(query: str, expected: bool) -> None:
    assert has_query_parameter(f"{VAULT}{query}", "x") is expected
