"""Which proxy a request goes through, and its URL; test_proxies shows them in whole calls."""

from __future__ import annotations

from typing import Any

import pytest

from azure.keyvault.administration._runtime.proxies import environment_proxies, proxy_of, usable_proxies
from fakes import VAULT

PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("proxy", "exceptions", "expected"),
    [(PROXY, "", {"https": PROXY}), (PROXY, "managedhsm.azure.net", None), ("", "", None)],
)
def test_the_environment_names_the_proxy_of_a_host(
    monkeypatch: pytest.MonkeyPatch, proxy: str, exceptions: str, expected: Any
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    monkeypatch.setenv("NO_PROXY", exceptions)

    assert environment_proxies(VAULT) == expected


def test_usable_proxies_keep_a_url_without_user_and_a_missing_one() -> None:
    assert usable_proxies({"https": PROXY, "http": None}, "proxies", schemes=("http",)) == {
        "https": PROXY,
        "http": None,
    }
    with pytest.raises(ValueError, match="proxies must be a dict of proxies by protocol, got str"):
        usable_proxies(PROXY, "proxies", schemes=None)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, None),
        ({"proxy": PROXY, "proxies": {"https": "http://other"}}, PROXY),
        ({"proxies": {"http": "http://other", "https": PROXY}}, PROXY),
        ({"proxies": {"http": "http://other", "https": None}}, None),
    ],
)
def test_a_request_names_its_proxy(options: dict[str, Any], expected: str | None) -> None:
    assert proxy_of(VAULT, options) == expected
