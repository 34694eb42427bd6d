"""The parser of WWW-Authenticate, and the check of a challenge's resource."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from azure.keyvault.administration._challenge import Challenge, parse_challenge, resource_fits, resource_host

TENANT = "9b1f0c52-3c8e-4f0d-8f6e-51f2f4c7d6aa"
SCOPE = "https://managedhsm.azure.net/.default"
AUTHORITY = f'authorization="https://login.microsoftonline.com/{TENANT}"'
RESOURCE = 'resource="https://managedhsm.azure.net"'
CLAIMS = '{"access_token":{"nbf":{"essential":true,"value":"1603742800"}}}'


def _encoded(claims: str) -> str:
    return base64.b64encode(claims.encode()).decode()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param(f"Bearer {AUTHORITY}, {RESOURCE}", Challenge(SCOPE, TENANT), id="managed-hsm"),
        pytest.param(
            'Bearer authorization="https://login.windows.net/t", scope="https://managedhsm.azure.net/.default"',
            Challenge(SCOPE, "t"),
            id="scope",
        ),
        pytest.param(
            f'Bearer {AUTHORITY}, scope="https://a.b/x", {RESOURCE}',
            Challenge("https://a.b/x", TENANT),
            id="scope-first",
        ),
        pytest.param(
            f'bEARER AUTHORIZATION="https://l/{TENANT}", ReSource="https://managedhsm.azure.net"',
            Challenge(SCOPE, TENANT),
            id="case",
        ),
        pytest.param(f"Bearer {AUTHORITY},{RESOURCE}", Challenge(SCOPE, TENANT), id="no-space"),
        pytest.param(f"Bearer {AUTHORITY} {RESOURCE}", Challenge(SCOPE, TENANT), id="no-comma"),
        pytest.param(f"  ,Bearer   {AUTHORITY} ,, {RESOURCE} , ", Challenge(SCOPE, TENANT), id="stray-separators"),
        pytest.param(
            f"Bearer authorization=https://l/{TENANT}, resource=https://managedhsm.azure.net",
            Challenge(SCOPE, TENANT),
            id="bare-values",
        ),
        pytest.param(
            f'Bearer error_description="no, not = this \\"one\\"", {AUTHORITY}, {RESOURCE}',
            Challenge(SCOPE, TENANT),
            id="quoted-commas",
        ),
        pytest.param(
            f'Bearer authorization_uri="https://l/u/oauth2", {AUTHORITY}, {RESOURCE}',
            Challenge(SCOPE, "u"),
            id="authorization-uri-first",
        ),
        pytest.param(
            f'Bearer authorization="https://fs.contoso.com/adfs", {RESOURCE}', Challenge(SCOPE, None), id="ad-fs"
        ),
        pytest.param(
            f'Bearer authorization="https://fs.contoso.com/ADFS/", {RESOURCE}', Challenge(SCOPE, None), id="ad-fs-case"
        ),
        pytest.param(
            f'Bearer authorization="https://login.microsoftonline.com/", {RESOURCE}',
            Challenge(SCOPE, None),
            id="no-tenant",
        ),
        pytest.param(
            f'Bearer authorization="https://l/common/oauth2/authorize", {RESOURCE}', Challenge(SCOPE, None), id="common"
        ),
        pytest.param(
            f'Bearer authorization="https://l/organizations", {RESOURCE}', Challenge(SCOPE, None), id="organizations"
        ),
        pytest.param(
            f'Bearer authorization="https://l/dstsv2/{TENANT}", {RESOURCE}', Challenge(SCOPE, TENANT), id="dsts"
        ),
        pytest.param(f'Bearer authorization="https://l/a b", {RESOURCE}', Challenge(SCOPE, None), id="strange-tenant"),
        pytest.param(f"Bearer {AUTHORITY}", Challenge("/.default", TENANT), id="no-resource"),
        pytest.param(f'Bearer {AUTHORITY}, resource=""', Challenge("/.default", TENANT), id="empty-resource"),
        pytest.param(f"Bearer {AUTHORITY}, resource=hsm", Challenge("hsm/.default", TENANT), id="relative-resource"),
        pytest.param(
            f'Bearer {AUTHORITY}, resource="https://other", {RESOURCE}', Challenge(SCOPE, TENANT), id="the-last-of-two"
        ),
        pytest.param(f"Bearer {AUTHORITY}, {RESOURCE[:-1]}", Challenge(SCOPE, TENANT), id="quote-left-open"),
        pytest.param(f'Basic realm="a, b", Bearer {AUTHORITY}, {RESOURCE}', Challenge(SCOPE, TENANT), id="after-basic"),
        pytest.param(f"Negotiate, Bearer {AUTHORITY}, {RESOURCE}", Challenge(SCOPE, TENANT), id="after-a-bare-scheme"),
        pytest.param(
            f"NTLM TlRMTVNTUAAC==, Bearer {AUTHORITY}, {RESOURCE}", Challenge(SCOPE, TENANT), id="after-token68"
        ),
        pytest.param(
            f"PoP {AUTHORITY}, {RESOURCE}, Bearer {AUTHORITY}, {RESOURCE}", Challenge(SCOPE, TENANT), id="after-pop"
        ),
        pytest.param(f'Bearer realm="x", Bearer {AUTHORITY}, {RESOURCE}', Challenge(SCOPE, TENANT), id="first-usable"),
        pytest.param(f"Bearer {AUTHORITY}, {RESOURCE}, PoP {AUTHORITY}", Challenge(SCOPE, TENANT), id="before-pop"),
        pytest.param(
            f'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize",'
            f' client_id="00000003-0000-0000-c000-000000000000", error="insufficient_claims",'
            f' claims="{_encoded(CLAIMS)}"',
            Challenge(None, None, CLAIMS),
            id="claims",
        ),
        pytest.param(
            f'Bearer authorization="https://login.windows-ppe.net/", error="invalid_token",'
            f' error_description="User session has been revoked", claims="{_encoded(CLAIMS)}"',
            Challenge(None, None, CLAIMS),
            id="claims-of-a-revoked-session",
        ),
        pytest.param(
            f'Bearer {AUTHORITY}, {RESOURCE}, claims="{_encoded(CLAIMS)}"',
            Challenge(SCOPE, TENANT, CLAIMS),
            id="claims-and-resource",
        ),
        pytest.param(
            f"Bearer {AUTHORITY}, claims={_encoded(CLAIMS)}", Challenge(None, TENANT, CLAIMS), id="bare-claims"
        ),
    ],
)
def test_a_bearer_challenge_is_understood(header: str, expected: Challenge) -> None:
    assert parse_challenge(header) == expected


@pytest.mark.parametrize("size", range(1, 5))
def test_claims_need_neither_padding_nor_the_url_safe_alphabet(size: int) -> None:
    claims = json.dumps({"a": "\u00ff\u00fe?>" * size}, ensure_ascii=False)
    standard = base64.b64encode(claims.encode()).decode()
    url_safe = base64.urlsafe_b64encode(claims.encode()).decode()

    for encoded in (standard, standard.rstrip("="), url_safe, url_safe.rstrip("=")):
        assert parse_challenge(f'Bearer {AUTHORITY}, claims="{encoded}"').claims == claims


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        pytest.param("", "empty", id="empty"),
        pytest.param(" , ,", "empty", id="separators"),
        pytest.param('Basic realm="x"', "scheme Basic", id="basic"),
        pytest.param(f"PoP {AUTHORITY}, {RESOURCE}", "scheme PoP", id="pop"),
        pytest.param("Bearer", "authorization server", id="bare-scheme"),
        pytest.param("Bearer abc=", "authorization server", id="token68"),
        pytest.param(f"Bearer {RESOURCE}", "authorization server", id="no-authority"),
        pytest.param(f"{AUTHORITY}, {RESOURCE}", "names no scheme", id="no-scheme"),
        pytest.param(f'Bearer authorization="https://[l/t", {RESOURCE}', "not a URL", id="broken-authority"),
        pytest.param("\u00fc", "malformed", id="no-token"),
        pytest.param(f'Bearer {AUTHORITY}, claims="%%%"', "claims", id="claims-not-base64"),
        pytest.param(f'Bearer {AUTHORITY}, claims="/////w=="', "claims", id="claims-not-utf8"),
        pytest.param(f'Bearer {AUTHORITY}, claims="{_encoded("nope")}"', "claims", id="claims-not-json"),
        pytest.param(f'Bearer {AUTHORITY}, claims="{_encoded("[1]")}"', "claims", id="claims-not-an-object"),
        pytest.param(f'Bearer {AUTHORITY}, claims="\u00e9"', "claims", id="claims-not-ascii"),
        pytest.param(f'Bearer {AUTHORITY}, claims="{_encoded("[" * 100_000)}"', "claims", id="claims-nested-too-deep"),
    ],
)
def test_a_header_without_usable_bearer_challenge_is_refused_with_the_reason(header: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_challenge(header)


def test_the_refusal_quotes_no_value_of_the_header() -> None:
    with pytest.raises(ValueError, match="Bearer") as caught:
        parse_challenge('Bearer claims="c2VjcmV0", authorization="https://l/secret", Basic realm="secret"')

    assert "secret" not in str(caught.value)


@settings(max_examples=300)
@given(st.text(st.sampled_from('Bearer authorization=resource="https://a.b",\\ \t\u00e9claims')) | st.text())
@example('a="' + "\\" * 99)
def test_any_header_gives_a_challenge_or_a_clear_rejection(header: str) -> None:
    try:
        challenge = parse_challenge(header)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - either outcome is right, so there is no raises block to stand in
        return

    assert challenge.scope or challenge.claims


@given(st.dictionaries(st.text(), st.text()))
def test_claims_arrive_as_they_were_sent(claims: dict[str, str]) -> None:
    text = json.dumps(claims)

    assert parse_challenge(f'Bearer {AUTHORITY}, claims="{_encoded(text).rstrip("=")}"').claims == text


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_what_stands_in_quotes_changes_nothing_outside_them(text: str) -> None:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')

    header = f'Bearer error_description="{quoted}", {AUTHORITY}, {RESOURCE}'

    assert parse_challenge(header) == Challenge(SCOPE, TENANT)


@pytest.mark.parametrize(
    "piece",
    ['"', "\\", ",", " ", "=", "a=", 'a="', "Bearer ", "a a", "a" * 10, "/", '\\\\"'],
    ids=repr,
)
def test_a_header_of_a_million_characters_is_read_in_one_go(piece: str) -> None:
    # With anything worse than linear time this would outlast the time limit of a test many times over.
    with pytest.raises(ValueError, match=r"."):
        parse_challenge("Bearer " + piece * (1_000_000 // len(piece)))


@pytest.mark.parametrize(
    ("scope", "authority", "fits"),
    [
        pytest.param(SCOPE, "contoso.managedhsm.azure.net", True, id="below"),
        pytest.param("https://MANAGEDHSM.azure.net/.default", "contoso.managedhsm.azure.net", True, id="case"),
        pytest.param(
            "https://managedhsm.azure.net:443/.default", "contoso.managedhsm.azure.net", True, id="default-port"
        ),
        pytest.param(SCOPE, "contoso.managedhsm.azure.net:8443", False, id="other-port"),
        pytest.param(
            "https://managedhsm.azure.net:8443/.default", "contoso.managedhsm.azure.net:8443", True, id="same-port"
        ),
        pytest.param("https://localhost:8443/.default", "myhsm.localhost:8443", True, id="below-localhost"),
        pytest.param(
            "https://managedhsm.azure.net:8443/.default", "contoso.managedhsm.azure.net", False, id="port-of-resource"
        ),
        pytest.param(SCOPE, "managedhsm.azure.net", False, id="bare-domain"),
        pytest.param(SCOPE, "evilmanagedhsm.azure.net", False, id="no-dot"),
        pytest.param(SCOPE, "contoso.managedhsm.azure.net.evil.example", False, id="look-alike-host"),
        pytest.param(SCOPE, "contoso.managedhsm.azure.net.", False, id="trailing-dot"),
        pytest.param(
            "https://managedhsm.azure.net.evil.example/.default",
            "contoso.managedhsm.azure.net",
            False,
            id="look-alike-resource",
        ),
        pytest.param("https://vault.azure.net/.default", "contoso.managedhsm.azure.net", False, id="other-service"),
        pytest.param(
            "https://contoso.managedhsm.azure.net/.default", "contoso.managedhsm.azure.net", False, id="itself"
        ),
        pytest.param("not-absolute/.default", "contoso.managedhsm.azure.net", False, id="no-host"),
        pytest.param("https://evil@managedhsm.azure.net", "contoso.managedhsm.azure.net", False, id="userinfo"),
        pytest.param("https://evil\\.managedhsm.azure.net", "a.evil\\.managedhsm.azure.net", False, id="backslash"),
        pytest.param(f"{SCOPE} https://b.example/.default", "contoso.managedhsm.azure.net", False, id="two-scopes"),
        pytest.param(f"{SCOPE}\t", "contoso.managedhsm.azure.net", False, id="unprintable"),
        pytest.param("https://managedhsm.azure.net:x", "contoso.managedhsm.azure.net", False, id="broken-port"),
    ],
)
def test_a_token_goes_only_below_the_domain_it_is_meant_for(scope: str, authority: str, fits: bool) -> None:
    assert resource_fits(scope, authority) is fits


@pytest.mark.parametrize(
    ("accepted", "fits"),
    [
        pytest.param({"hsm.azurestack.example"}, True, id="named"),
        pytest.param({"hsm.azurestack.example:444"}, False, id="other-port"),
        pytest.param({"azurestack.example"}, False, id="parent"),
        pytest.param({"x.hsm.azurestack.example"}, False, id="child"),
    ],
)
def test_a_further_resource_is_accepted_by_its_whole_name(accepted: set[str], fits: bool) -> None:
    assert resource_fits("https://hsm.azurestack.example/.default", "anything", also_accepted=accepted) is fits


def test_a_resource_host_has_one_form() -> None:
    urls = ["https://A.b:443/x", "http://a.b:80", "https://a.b:80", "https://a.b", "a.b", "https://[a"]

    assert [resource_host(url) for url in urls] == ["a.b", "a.b", "a.b:80", "a.b", None, None]
