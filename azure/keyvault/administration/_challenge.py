"""The ``WWW-Authenticate`` header of a 401, and whether its resource fits the host that sent it. Pure.

RFC 9110, section 11.6.1: a header holds one or more challenges, each a scheme and either a token68 or a comma-separated
list of parameters. The same comma separates challenges, so a name that is not followed by ``=`` starts the next one.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

# The grammar's "token".
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# A quoted string, which the end of the header closes too, or a bare value: wider than the grammar's token, because
# services send bare URLs and base64.
_VALUE = re.compile(r'[ \t]*=[ \t]*(?:"(?P<quoted>(?:[^"\\]|\\.)*)(?:"|\Z)|(?P<bare>[^\s,"]+))', re.DOTALL)
_TOKEN68 = re.compile(r"[ \t]+[A-Za-z0-9._~+/-]+=*[ \t]*(?=,|\Z)")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)

# First segments of an authority's path that name no tenant: AD FS, and the multi-tenant endpoints.
_NO_TENANT = frozenset({"adfs", "common", "organizations", "consumers"})
_TENANT = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]*")


class Challenge(NamedTuple):
    """A challenge: it asks for a token for this scope from this tenant, with these claims."""

    scope: str | None
    """None in a claims challenge, which has only the claims."""
    tenant_id: str | None
    """None lets the credential choose."""
    claims: str | None = None
    """Claims as JSON text, or None if the challenge is about the resource."""


def parse_challenge(header: str) -> Challenge:
    """Return the first usable Bearer challenge of a header.

    :param header: The value of ``WWW-Authenticate``.
    :raises ValueError: If there is none. The message gives the reason, and quotes only names from the header.
    """
    reasons: list[str] = []
    for scheme, parameters in _challenges(header):
        if scheme.lower() != "bearer":
            reasons.append(f"the scheme {scheme[:32]} is not supported")
            continue
        try:
            return _bearer(parameters)
        except ValueError as error:
            reasons.append(str(error))
    raise ValueError("; ".join(reasons) or "the header is empty")


def resource_fits(scope: str, authority: str, *, also_accepted: Collection[str] = ()) -> bool:
    """Return whether a token for a scope may be sent to a host.

    The host must lie below the scope's host, at a dot: ``contoso.managedhsm.azure.net`` below
    ``managedhsm.azure.net``. The bare domain does not fit itself, and ports count. An ambiguous
    scope never fits.

    :param scope: The scope that a challenge asks for.
    :param authority: ``host[:port]`` of the request, lower case, without the default port.
    :param also_accepted: Further ``host[:port]`` of resources to accept for any host.
    """
    resource = resource_host(scope)
    return resource is not None and (authority.endswith(f".{resource}") or resource in also_accepted)


def resource_host(scope: str) -> str | None:
    """Return ``host[:port]`` of the resource that a scope names, lower case and without the default port, or None.

    :param scope: The scope that a challenge asks for.
    """
    if not scope.isprintable() or " " in scope:
        return None
    try:
        parts = urlsplit(scope)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or "@" in parts.netloc or "\\" in parts.netloc:
        return None
    default = {"https": 443, "http": 80}.get(parts.scheme)
    return host if port is None or port == default else f"{host}:{port}"


def _challenges(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Split a header into schemes and their parameters, in one pass from left to right."""
    scheme: str | None = None
    parameters: dict[str, str] = {}
    position = _skip_separators(header, 0)
    while position < len(header):
        name = _NAME.match(header, position)
        if name is None:
            raise ValueError("the header is malformed")
        value = _VALUE.match(header, name.end())
        if value is None:
            if scheme is not None:
                yield scheme, parameters
            scheme, parameters = name[0], {}
            token68 = _TOKEN68.match(header, name.end())
            position = token68.end() if token68 else name.end()
        else:
            if scheme is None:
                raise ValueError("the header names no scheme")
            quoted = value["quoted"]
            parameters[name[0].lower()] = value["bare"] if quoted is None else _ESCAPED.sub(r"\1", quoted)
            position = value.end()
        position = _skip_separators(header, position)
    if scheme is not None:
        yield scheme, parameters


def _skip_separators(header: str, position: int) -> int:
    while position < len(header) and header[position] in " \t,":
        position += 1
    return position


def _bearer(parameters: dict[str, str]) -> Challenge:
    authority = parameters.get("authorization_uri") or parameters.get("authorization")
    if not authority:
        raise ValueError("the Bearer challenge names no authorization server")
    claims = _decode_claims(parameters["claims"]) if "claims" in parameters else None
    scope, resource = parameters.get("scope") or None, parameters.get("resource", "")
    if scope is None and (resource or claims is None):
        scope = f"{resource}/.default"
    return Challenge(scope, _tenant(authority), claims)


def _tenant(authority: str) -> str | None:
    """Return the tenant that an authority's URL names; None if the URL has an unknown form."""
    try:
        segments = [segment for segment in urlsplit(authority).path.split("/") if segment]
    except ValueError:
        raise ValueError("the authorization server of the Bearer challenge is not a URL") from None
    if segments and segments[0].lower() == "dstsv2":
        del segments[0]
    if not segments or segments[0].lower() in _NO_TENANT or not _TENANT.fullmatch(segments[0]):
        return None
    return segments[0]


def _decode_claims(value: str) -> str:
    """Return claims as JSON text. On the wire they are base64 or base64url, often without padding."""
    try:
        encoded = value.rstrip("=").translate(str.maketrans("-_", "+/")).encode("ascii")
        text = base64.b64decode(encoded + b"=" * (-len(encoded) % 4), validate=True).decode("utf-8")
        if not isinstance(json.loads(text), dict):
            raise ValueError("the claims are not a JSON object")  # noqa: TRY004, TRY301 - rejected like every other form
    except (binascii.Error, ValueError, RecursionError) as error:
        raise ValueError("the claims of the Bearer challenge cannot be decoded") from error
    return text
