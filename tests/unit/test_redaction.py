"""A secret is found however it is spelled, and nothing else is changed."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from azure.core.rest import HttpRequest

from azure.keyvault.administration._runtime.redaction import FollowUpRequest, RedactedHead, redact, redacted_response
from azure.keyvault.administration._runtime.spellings import LONGEST_SHOWN, decoded, without_secrets
from fakes import VAULT, Answer, FakeResponse

_SIGNATURE = "kX3+vQ/9aZ=="
_SAS = f"sv=2024-11-04&se=2999-01-01&sp=crdw&sig={quote(_SIGNATURE, safe='')}"
_TOKEN = "eyJhbGciOiJub25lIn0.eyJvaWQiOiIxIn0.c2ln"


def _percent(text: str) -> str:
    return quote(text, safe="")


def _entities(text: str) -> str:
    return html.escape(text).replace("+", "&plus;").replace("/", "&#47;").replace("=", "&#x3D;")


_SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "JSON": lambda text: json.dumps(text)[1:-1],
    ".NET": lambda text: text.replace("+", "\\u002B").replace("&", "\\u0026").replace("/", "\\/"),
    "JSON, every character": lambda text: "".join(f"\\u{ord(character):04x}" for character in text),
    "percent": _percent,
    "percent in lower case": lambda text: _percent(text).replace("%2B", "%2b").replace("%3D", "%3d"),
    "percent, every character": lambda text: "".join(f"%{ord(character):02X}" for character in text),
    "percent twice": lambda text: _percent(_percent(text)),
    "percent three times": lambda text: _percent(_percent(_percent(text))),
    "HTML": _entities,
    "HTML, every character": lambda text: "".join(f"&#{ord(character)};" for character in text),
    "bytes of Python": lambda text: "".join(f"\\x{ord(character):02x}" for character in text),
    "a form": lambda text: text.replace("+", " "),
}


@pytest.mark.parametrize("outer", _SPELLINGS.values(), ids=list(_SPELLINGS))
@pytest.mark.parametrize("secret", [_SIGNATURE, _SAS, _TOKEN], ids=["signature", "SAS", "token"])
def test_secret_is_replaced_in_every_spelling_inside_every_other(secret: str, outer: Callable[[str], str]) -> None:
    for inner in _SPELLINGS.values():
        text = f"before {outer(inner(secret))} after {outer(inner(secret))}"

        assert {redact(text, decoded([secret])), redact(text, decoded([_percent(secret)]))} == {
            "before REDACTED after REDACTED"
        }


@pytest.mark.parametrize("charset", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "latin-1"])
def test_secret_is_replaced_in_every_charset(charset: str) -> None:
    text = '{{"message": "é {0}", "code": "{1}"}}'
    content = text.format(_SIGNATURE.replace("+", "\\u002b"), _TOKEN).encode(charset)

    assert without_secrets(content, decoded([_SIGNATURE, _TOKEN])) == text.format("REDACTED", "REDACTED").encode(
        charset
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://a/b?sv=1&sig=abc%2B&sp=r", "https://a/b?sv=1&sig=REDACTED&sp=r"),
        ("https%3A//a/b?sv%3D1%26sig%3Dabc%252B%26sp%3Dr", "https%3A//a/b?sv%3D1%26sig%3DREDACTED%26sp%3Dr"),
        (r'{"url": "https:\/\/a?sig=abc\u0026sp=r"}', r'{"url": "https:\/\/a?sig=REDACTED\u0026sp=r"}'),
        ("Authorization: Bearer eyJ0eXAi.c2ln", "Authorization: Bearer REDACTED"),
        ('{"token": "a\\"b", "x": 1}', '{"token": "REDACTED", "x": 1}'),
        (r'"{\"token\":\"abc\"}"', r'"{\"token\":\"REDACTED\"}"'),
        ("via http://user:pass@proxy:3128", "via http://REDACTED@proxy:3128"),
    ],
)
def test_unknown_secret_is_recognized_by_what_precedes_it(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        'Bearer authorization="https://login.microsoftonline.com/x", resource="https://managedhsm.azure.net"',
        "the design=big, 100% of C:\\users\\x & more &amp; &unknown; %zz \\u00 \ud800 \0",
        "https://contoso.managedhsm.azure.net/keys/a@b?api-version=2026-04-01",
        "sv=2024-11-04 is not supported, kX3+v is not base64",
        "x" * LONGEST_SHOWN,
    ],
)
def test_text_without_secrets_stays_the_same(text: str) -> None:
    assert redact(text, decoded([_SIGNATURE, _SAS, "short", ""])) is text


def test_beginning_of_a_secret_before_an_ellipsis_is_replaced() -> None:
    assert redact(f"b'x: {_TOKEN[:20]}...'", decoded([_TOKEN])) == "b'x: REDACTED...'"


@pytest.mark.parametrize("cut", range(0, 12, 3))
def test_secret_at_the_end_of_what_is_shown_is_replaced_as_a_whole(cut: int) -> None:
    before = "x" * (LONGEST_SHOWN - cut)

    shown = redact(f"{before}{_percent(_SIGNATURE)}{'y' * 100}", decoded([_SIGNATURE]))

    assert shown.startswith(f"{before}REDACTED... (" if cut else f"{before}... (")
    assert shown.endswith(" more bytes)")


# Quadratic time, for example in the length of a run of backslashes, would be minutes.
@pytest.mark.parametrize(
    "piece", ["\\", "%5C", "%25", "&amp;", "&#38;", "\\u005c", "\0", "sig=", '"token":"', "Bearer ", "://"]
)
def test_huge_text_is_searched_in_linear_time(piece: str) -> None:
    assert len(redact(piece * 2_000_000, decoded([_SIGNATURE, "a" * 10_000]))) < 2 * LONGEST_SHOWN


@pytest.mark.parametrize("body", [{"token": _SAS}, {"sasTokenParameters": {"token": _SAS}}], ids=["token", "nested"])
def test_copy_of_a_response_has_everything_but_the_secrets_of_its_request(body: dict[str, object]) -> None:
    headers = {"Authorization": f"Bearer {_TOKEN}", "x-a": "b"}
    request = HttpRequest("PUT", f"{VAULT}/restore?x={_percent(_SIGNATURE)}", headers=headers, json=body)
    said = f"\ufeffé {_TOKEN}, {_SIGNATURE}"
    headers = {"x-said": _SIGNATURE, "Set-Cookie": "c=d"}
    answer = Answer(400, headers=headers, body=said.encode(), reason=f"Bad {_TOKEN}")

    shown = redacted_response(FakeResponse(request, answer))

    assert (shown.status_code, shown.reason, shown.text(), shown.text("latin-1")[-8:]) == (
        400,
        "Bad REDACTED",
        "é REDACTED, REDACTED",
        "REDACTED",
    )
    assert dict(shown.headers) == {
        "Content-Type": "application/json; charset=utf-8",
        "x-said": "REDACTED",
        "Set-Cookie": "REDACTED",
    }
    copy = shown.request
    assert (copy.method, shown.url) == ("PUT", f"{VAULT}/restore?x=REDACTED")
    assert (copy.headers["Authorization"], copy.headers["x-a"]) == ("REDACTED", "b")
    assert json.loads(copy.content) == json.loads(json.dumps(body).replace(_SAS, "REDACTED"))


@pytest.mark.parametrize(("content", "shown"), [(f"x {_SIGNATURE}".encode(), b"x REDACTED"), (iter([b"x"]), None)])
def test_copy_of_a_request_has_its_bytes_but_no_stream(content: object, shown: bytes | None) -> None:
    request = FollowUpRequest("GET", VAULT, secrets=decoded([_SIGNATURE]), headers={"Accept": "a/b"})
    request.set_bytes_body(content)

    copy = redacted_response(FakeResponse(request, Answer())).request

    assert (copy.content, copy.headers["Accept"]) == (shown, "a/b")


@pytest.mark.parametrize(("body", "shown"), [({"a": 1}, "a body"), (None, None)])
def test_head_says_whether_there_is_a_body(body: object, shown: str | None) -> None:
    request = HttpRequest("PUT", VAULT, json=body)

    assert (RedactedHead(request, request).method, RedactedHead(request, request).body) == ("PUT", shown)
