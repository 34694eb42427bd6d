"""Errors of transports as they are shown; test_secrets and test_proxies show them in whole calls."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import ClientConnectorError, ClientResponseError, InvalidURL, RequestInfo
from aiohttp.client_reqrep import ConnectionKey
from azure.core.exceptions import ServiceRequestError
from azure.core.rest import HttpRequest
from yarl import URL

from azure.keyvault.administration._runtime.transport_errors import safe_error
from fakes import VAULT

# aiohttp takes the password out of the URL.
_PASSWORD: Any = "canary"
_HEADERS: Any = {"Proxy-Authorization": "canary"}
_URL = URL("http://user:canary@proxy:1")
_KEY = ConnectionKey("host", 443, True, True, URL("http://proxy:1"), _PASSWORD, None)


def test_an_error_without_secrets_stays_as_it_is() -> None:
    class OwnError(ServiceRequestError):
        pass

    error = OwnError("no")

    assert safe_error(error, HttpRequest("GET", VAULT)) is error


@pytest.mark.parametrize(
    "cause",
    [
        ClientConnectorError(_KEY, OSError(1, "no")),
        InvalidURL("user:canary@proxy:1"),
        ClientResponseError(RequestInfo(_URL, "CONNECT", _HEADERS, _URL), (), status=407, message="not user:canary"),
    ],
    ids=lambda cause: type(cause).__name__,
)
def test_an_error_of_a_proxy_that_the_transport_knows_shows_no_password(cause: Any) -> None:
    safe = safe_error(ServiceRequestError(str(cause), error=cause), HttpRequest("GET", VAULT))
    inner: Any = safe.inner_exception

    assert type(inner) is type(cause)
    assert "canary" not in f"{safe}{inner}{inner!r}{inner.args!r}"
