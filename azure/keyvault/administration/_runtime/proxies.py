"""Proxies: which one a request goes through, and its URL in a form that transports can use and errors can show."""

from __future__ import annotations

import urllib.request
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import quote, unquote

from .._identifiers import hostname

PROXY_SCHEMES = ("http", "https")
"""What aiohttp supports. Other transports may support more."""

_EXAMPLE = "a URL such as http://proxy.example:3128"


def environment_proxies(endpoint: str) -> dict[str, str] | None:
    """Return the proxy that the environment names for a host. A client talks to one host: one look is enough.

    :param endpoint: URL of the HSM.
    """
    proxy = urllib.request.getproxies().get("https")
    if not proxy or urllib.request.proxy_bypass(hostname(endpoint)):
        return None
    return {"https": proxy}


def usable_proxies(proxies: Any, source: str, *, schemes: tuple[str, ...] | None) -> dict[str, Any]:
    """Return proxies by protocol, with user and password as transports can send them.

    :param proxies: The proxies by protocol.
    :param source: Where they come from, for errors.
    :keyword schemes: The schemes that the transport supports, or None if only it knows.
    :raises ValueError: If they cannot be used. The text holds neither user nor password.
    """
    if not isinstance(proxies, Mapping):
        raise ValueError(f"{source} must be a dict of proxies by protocol, got {type(proxies).__name__}")  # noqa: TRY004
    given = cast("Mapping[str, Any]", proxies)
    return {
        protocol: usable_proxy(proxy, source, schemes=schemes) if proxy else proxy for protocol, proxy in given.items()
    }


def usable_proxy(proxy: Any, source: str, *, schemes: tuple[str, ...] | None) -> str:
    """Return the URL of a proxy, with user and password as transports can send them.

    :param proxy: The URL.
    :param source: Where it comes from, for errors.
    :keyword schemes: The schemes that the transport supports, or None if only it knows.
    :raises ValueError: If it cannot be used. The text holds neither user nor password.
    """
    url = str(proxy)
    scheme, separator, rest = url.partition("://")
    if schemes is not None and scheme.lower() not in schemes:
        shown = f"a proxy of scheme {scheme!r}" if separator else f"{url.rpartition('@')[2]!r}, which has no scheme"
        if isinstance(proxy, (bytes, Mapping)):
            shown = type(cast("object", proxy)).__name__
        raise ValueError(
            f"{source} must be {_EXAMPLE}: only {' and '.join(schemes)} proxies are supported, got {shown}"
        )
    # A password may hold a slash, which would end the authority.
    user_info, at_sign, place = rest.rpartition("@")
    if not at_sign:
        return url
    user, colon, password = user_info.partition(":")
    return f"{scheme}://{_encoded(user)}{colon}{_encoded(password)}@{place}"


def _encoded(text: str) -> str:
    """Return a part of a URL's user info that reaches the proxy in UTF-8 if Latin-1 cannot represent it.

    aiohttp and requests encode it in Latin-1, so each of its bytes becomes the character that Latin-1 has for it.
    """
    plain = unquote(text)
    try:
        plain.encode("latin-1")
    except UnicodeEncodeError:
        plain = plain.encode().decode("latin-1")
    return quote(plain, safe="")


def proxy_of(url: str, options: Mapping[str, Any]) -> str | None:
    """Return the proxy that a request's options name, as azure-core's transports choose it.

    :param url: URL of the request.
    :param options: The options of the request.
    """
    if proxy := options.get("proxy"):
        return str(proxy)
    proxies: Mapping[str, Any] = options.get("proxies") or {}
    for protocol in sorted(proxies, reverse=True):
        if url.startswith(protocol):
            return str(proxies[protocol]) if proxies[protocol] else None
    return None


def shown_proxy(proxy: str) -> str:
    """Return host and port of a proxy, without its user and password.

    :param proxy: URL of the proxy.
    """
    return proxy.rpartition("@")[2].rpartition("://")[2].partition("/")[0]


def user_info_of(proxy: str) -> str:
    """Return user and password of a proxy as they stand in its URL, or an empty string.

    :param proxy: URL of the proxy.
    """
    return proxy.rpartition("://")[2].rpartition("@")[0]


def secrets_of_proxy(proxy: str | None) -> list[str]:
    """Return what an error must not show of a proxy's URL: the password, and what stands before the host.

    :param proxy: The URL, or None if there is no proxy.
    """
    user_info = user_info_of(proxy or "")
    return [secret for secret in (user_info, user_info.partition(":")[2]) if secret]
