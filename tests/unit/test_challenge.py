"""The parser of WWW-Authenticate, and the check of a challenge's resource."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from azure.keyvault.administration._challenge import Challenge, parse_challenge, resource_fits, resource_host

TENANT = "9b1f0c52-3c8e-4f0d-8f6e-51f2f4c7d6aa"
SCOPE = "https://managedhsm.azure.net/.default"
AUTHORITY = f'authorization="https://login.microsoftonline.com/{TENANT}"'
RESOURCE = 'resource="https://managedhsm.azure.net"'
CLAIMS = '{"access_token":{"nbf":{"essential":true,"value":"1603742800"}}}'


def _encoded(claims: str) -> str:
    return base64.b64encode(claims.encode()).decode()


USABLE = f"Bearer {AUTHORITY}, {RESOURCE}"


@pytest.mark.parametrize(
    "header",
    [
        USABLE,
        f'bEARER AUTHORIZATION="https://l/{TENANT}", ReSource="https://managedhsm.azure.net"',
        f"Bearer {AUTHORITY},{RESOURCE}",
        f"  ,Bearer   {AUTHORITY} ,, {RESOURCE} , ",
        # Services send it without commas, without quotes, or with one quote.
        f"Bearer {AUTHORITY} {RESOURCE}",
        f"Bearer authorization=https://l/{TENANT}, resource=https://managedhsm.azure.net",
        f"Bearer {AUTHORITY}, {RESOURCE[:-1]}",
        f'Bearer error_description="no, not = this \\"one\\"", {AUTHORITY}, {RESOURCE}',
        f'Bearer {AUTHORITY}, resource="https://other", {RESOURCE}',
        f'Bearer authorization="https://l/dstsv2/{TENANT}", {RESOURCE}',
        # Other challenges before and after it.
        f'Basic realm="a, b", {USABLE}',
        f"Negotiate, {USABLE}",
        f"NTLM TlRMTVNTUAAC==, {USABLE}",
        f"PoP {AUTHORITY}, {RESOURCE}, {USABLE}",
        f'Bearer realm="x", {USABLE}',
        f"{USABLE}, PoP {AUTHORITY}",
    ],
)
def test_a_bearer_challenge_is_understood(header: str) -> None:
    assert parse_challenge(header) == Challenge(SCOPE, TENANT)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        (f'{AUTHORITY}, scope="https://a.b/x", {RESOURCE}', Challenge("https://a.b/x", TENANT)),
        (rf'{AUTHORITY}, scope="a\"b\\c\d"', Challenge('a"b\\cd', TENANT)),
        (AUTHORITY, Challenge("/.default", TENANT)),
        (f'{AUTHORITY}, resource=""', Challenge("/.default", TENANT)),
        (f"{AUTHORITY}, resource=hsm", Challenge("hsm/.default", TENANT)),
        (f'authorization_uri="https://l/u/oauth2", {AUTHORITY}, {RESOURCE}', Challenge(SCOPE, "u")),
        (f'authorization="https://fs.contoso.com/ADFS/", {RESOURCE}', Challenge(SCOPE, None)),
        (f'authorization="https://login.microsoftonline.com/", {RESOURCE}', Challenge(SCOPE, None)),
        (f'authorization="https://l/common/oauth2/authorize", {RESOURCE}', Challenge(SCOPE, None)),
        (f'authorization="https://l/a b", {RESOURCE}', Challenge(SCOPE, None)),
        (
            f'authorization_uri="https://l/common/oauth2", error="insufficient_claims", claims="{_encoded(CLAIMS)}"',
            Challenge(None, None, CLAIMS),
        ),
        (f"{AUTHORITY}, claims={_encoded(CLAIMS)}", Challenge(None, TENANT, CLAIMS)),
        (f'{AUTHORITY}, {RESOURCE}, claims="{_encoded(CLAIMS)}"', Challenge(SCOPE, TENANT, CLAIMS)),
    ],
)
def test_a_bearer_challenge_says_what_it_asks_for(parameters: str, expected: Challenge) -> None:
    assert parse_challenge(f"Bearer {parameters}") == expected


@pytest.mark.parametrize("size", range(1, 4))
def test_claims_need_neither_padding_nor_the_url_safe_alphabet(size: int) -> None:
    claims = json.dumps({"a": "\u00ff\u00fe?>" * size}, ensure_ascii=False)
    standard = base64.b64encode(claims.encode()).decode()
    url_safe = base64.urlsafe_b64encode(claims.encode()).decode()

    for encoded in (standard, standard.rstrip("="), url_safe, url_safe.rstrip("=")):
        assert parse_challenge(f'Bearer {AUTHORITY}, claims="{encoded}"').claims == claims


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("", "empty"),
        (" , ,", "empty"),
        (f"PoP {AUTHORITY}, {RESOURCE}", "scheme PoP"),
        ("Bearer", "authorization server"),
        ("Bearer abc=", "authorization server"),
        (f"Bearer {RESOURCE}", "authorization server"),
        (f"{AUTHORITY}, {RESOURCE}", "names no scheme"),
        (f'Bearer authorization="https://[l/t", {RESOURCE}', "not a URL"),
        ("\u00fc", "malformed"),
        *(
            (f'Bearer {AUTHORITY}, claims="{claims}"', "claims")
            for claims in ("%%%", "!!!!" + _encoded("{}"), "/////w==", _encoded("nope"), _encoded("[1]"), "\u00e9")
        ),
    ],
)
def test_an_unusable_header_is_refused_with_the_reason(header: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_challenge(header)


def test_claims_that_are_nested_too_deep_are_refused() -> None:
    with pytest.raises(ValueError, match="claims"):
        parse_challenge(f'Bearer {AUTHORITY}, claims="{_encoded("[" * 100_000)}"')


def test_the_refusal_quotes_no_value_of_the_header() -> None:
    with pytest.raises(ValueError, match="Bearer") as caught:
        parse_challenge('Bearer claims="c2VjcmV0", authorization="https://l/secret", Basic realm="secret"')

    assert "secret" not in str(caught.value)


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
def test_quoted_text_changes_nothing_outside_the_quotes(text: str) -> None:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')

    header = f'Bearer error_description="{quoted}", {AUTHORITY}, {RESOURCE}'

    assert parse_challenge(header) == Challenge(SCOPE, TENANT)


@pytest.mark.parametrize("piece", ['"', "\\", ",", "=", 'a="', "Bearer ", "a a", "a" * 10, '\\\\"'])
def test_a_long_header_is_read_in_linear_time(piece: str) -> None:
    # With anything worse than linear time this would outlast the time limit of a test many times over.
    with pytest.raises(ValueError, match=r"."):
        parse_challenge("Bearer " + piece * (300_000 // len(piece)))


HSM = "contoso.managedhsm.azure.net"


@pytest.mark.parametrize(
    ("scope", "authority"),
    [
        ("https://MANAGEDHSM.azure.net/.default", HSM),
        ("https://managedhsm.azure.net:443/.default", HSM),
        ("https://managedhsm.azure.net:8443/.default", f"{HSM}:8443"),
        ("https://localhost:8443/.default", "myhsm.localhost:8443"),
    ],
)
def test_a_resource_fits_the_hosts_below_its_domain(scope: str, authority: str) -> None:
    assert resource_fits(scope, authority)


@pytest.mark.parametrize(
    ("scope", "authority"),
    [
        (SCOPE, f"{HSM}:8443"),
        ("https://managedhsm.azure.net:8443/.default", HSM),
        (SCOPE, "managedhsm.azure.net"),
        (SCOPE, "evilmanagedhsm.azure.net"),
        ("https://edhsm.azure.net/.default", HSM),
        (SCOPE, f"{HSM}.evil.example"),
        (SCOPE, f"{HSM}."),
        ("https://managedhsm.azure.net.evil.example/.default", HSM),
        ("https://vault.azure.net/.default", HSM),
        (f"https://{HSM}/.default", HSM),
        ("managedhsm.azure.net/.default", HSM),
        ("https://evil@managedhsm.azure.net", HSM),
        ("https://evil\\.managedhsm.azure.net", "a.evil\\.managedhsm.azure.net"),
        (f"{SCOPE} https://b.example/.default", HSM),
        (f"{SCOPE}\t", HSM),
        ("https://managedhsm.azure.net:x", HSM),
    ],
)
def test_a_resource_fits_no_other_host(scope: str, authority: str) -> None:
    assert not resource_fits(scope, authority)


def test_a_further_resource_is_accepted_by_its_whole_name() -> None:
    named = ["hsm.azurestack.example", "hsm.azurestack.example:444", "azurestack.example", "x.hsm.azurestack.example"]
    scope = "https://hsm.azurestack.example/.default"

    assert [resource_fits(scope, "any", also_accepted={name}) for name in named] == [True, False, False, False]


def test_a_resource_host_has_one_form() -> None:
    urls = ["https://A.b:443/x", "http://a.b:80", "https://a.b:80", "https://a.b", "a.b", "https://[a"]

    assert [resource_host(url) for url in urls] == ["a.b", "a.b", "a.b:80", "a.b", None, None]
