"""Vault URLs, origins, scopes, names and job URLs: check the given ones, build those that are sent. Pure.

Everything here errs on the side of refusing. A URL decides where a token goes, so one that two parsers could read
differently (a backslash, userinfo, a host in another alphabet) never gets past this module.
"""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import unquote_plus, urlencode
from uuid import UUID

if TYPE_CHECKING:
    from typing import TypeGuard

# RFC 3986: scheme "://" host [":" port], where the host is a plain ASCII name, an IPv4 address or a bracketed IPv6
# address. No userinfo. Only a path, a query, a fragment or nothing can follow the authority.
_HTTPS_AUTHORITY = re.compile(
    r"https://(?P<host>[a-z0-9_-][a-z0-9._-]*|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?(?=[/?#]|\Z)",
    re.IGNORECASE | re.ASCII,
)

# RFC 3986 pchar without percent-encoding: the service reads the scope unencoded.
_SCOPE = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]+)*\Z")

# Does not match a signature or an access token that the service may echo: they have other characters, or are longer.
_STATUS_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]{1,64})+/?(?=[?#]|\Z)")
_JOB_PATH = re.compile(r"/(?P<family>backup|restore)/(?P<job_id>[A-Za-z0-9-]{1,64})/pending/?\Z")
_VERSION_PARAMETER = re.compile(r"[?&](api-version=[A-Za-z0-9.-]{1,32})(?=[&#]|\Z)")

_PLAIN_WORD = re.compile(r"[A-Za-z0-9-]{1,64}\Z")

# The parts of an argument that an error may show: a name, a UUID, a scope, a URL's origin. Tokens begin with "eyJ".
_SHOWN_TEXT = re.compile(r"(?!eyJ)[A-Za-z0-9._/-]{1,36}\Z")
_SHOWN_ORIGIN = re.compile(
    r"[a-z]{1,8}://(?!eyJ)(?:[a-z0-9-]{1,63}\.)*[a-z0-9-]{1,63}(?::[0-9]{1,5})?(?=[/?#]|\Z)", re.IGNORECASE | re.ASCII
)


def origin(url: str) -> str:
    """Return the origin of an https URL in one canonical form: lower case, the default port left out.

    :param url: An absolute URL.
    :raises ValueError: If the URL has no unambiguous https origin.
    """
    match = _authority(url)
    port = match["port"]
    suffix = "" if port is None or int(port) == 443 else f":{int(port)}"  # noqa: PLR2004 - the https port
    return f"https://{match['host'].lower()}{suffix}"


def absolute(url: str, endpoint: str) -> str:
    """Return a URL that may be relative to an endpoint as an absolute one.

    :param url: A URL.
    :param endpoint: URL of the vault.
    """
    return url if "://" in url.partition("?")[0] else f"{endpoint}/{url.lstrip('/')}"


def has_query_parameter(url: str, name: str) -> bool:
    """Return whether a URL has a query parameter.

    :param url: A URL.
    :param name: The parameter's name.
    """
    query = url.partition("#")[0].partition("?")[2]
    return any(part.partition("=")[0] == name for part in query.split("&"))


def with_query(url: str, params: Mapping[str, Any]) -> str:
    """Return a URL with query parameters added; those that it already has are replaced.

    :param url: A URL.
    :param params: The parameters.
    :raises ValueError: If a parameter is None.
    """
    if None in params.values():
        unset = [name for name, value in params.items() if value is None]
        raise ValueError(f"params must not be None, got None for {', '.join(map(described, unset))}")
    # The other parameters stay as they are, byte for byte: a link's own are up to the service.
    base, _, query = url.partition("#")[0].partition("?")
    kept = [part for part in query.split("&") if part and unquote_plus(part.partition("=")[0]) not in params]
    return f"{base}?{'&'.join([*kept, urlencode(params, doseq=True)])}"


def hostname(url: str) -> str:
    """Return the host name of an https URL in lower case, without the port.

    :param url: An absolute URL.
    :raises ValueError: If the URL has no unambiguous https origin.
    """
    return _authority(url)["host"].lower()


def vault_url(value: object) -> str:
    """Return a vault URL without surrounding whitespace and trailing slash.

    :param value: The user's argument.
    :raises ValueError: If it is not the https URL of a vault.
    """
    wanted = "vault_url must be the https URL of a Managed HSM, for example 'https://<name>.managedhsm.azure.net'"
    match = _HTTPS_AUTHORITY.match(value.strip().rstrip("/")) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{wanted}, got {described(value)}")
    if match.end() != len(match.string):
        raise ValueError(f"{wanted}, without a path, query or fragment, got {described(value)}")
    return match.string


def is_key_vault(url: str) -> bool:
    """Return whether a URL belongs to a Key Vault, which does not have this API.

    :param url: A checked vault URL.
    """
    return hostname(url).endswith(".vault.azure.net")


def resource_domains(values: object) -> list[str]:
    """Return the hosts of resources that a user trusts, in lower case and without the default port.

    :param values: The user's argument; None means no hosts.
    :raises ValueError: If it is not an iterable of ``host[:port]``.
    """
    wanted = "challenge_resource_domains must be several hosts such as 'managedhsm.azure.net'"
    if values is None:
        return []
    # A string is an iterable of its letters.
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ValueError(f"{wanted}, got {described(values)}")  # noqa: TRY004 - the error of every bad argument
    domains: list[str] = []
    for value in cast("Iterable[object]", values):
        if not isinstance(value, str) or not _HTTPS_AUTHORITY.fullmatch(f"https://{value}"):
            raise ValueError(f"{wanted}, got {described(value)}")
        domains.append(origin(f"https://{value}").removeprefix("https://"))
    return domains


def role_scope(value: object) -> str:
    """Return a scope in its canonical form: a leading slash, single slashes, none at the end.

    :param value: A scope as a string or :class:`KeyVaultRoleScope`.
    :raises ValueError: If it is blank, a URL, or has characters that a scope cannot have.
    """
    wanted = "scope must be '/', '/keys' or '/keys/<key name>'"
    text = _text(value)
    if text is None or not text.strip():
        raise ValueError(f"{wanted}, got {described(value)}")
    if text == "/":
        return text
    if "://" in text:
        raise ValueError(f"{wanted}, not a URL, got {described(text)}")
    segments = [segment for segment in text.split("/") if segment]
    scope = "".join(f"/{segment}" for segment in segments)
    if not _SCOPE.match(scope) or "." in segments or ".." in segments:
        raise ValueError(f"{wanted}, got {described(value)}")
    return scope or "/"


def path_name(value: object, parameter: str) -> str:
    """Return a name that becomes one segment of a URL path.

    :param value: A string or UUID.
    :param parameter: The parameter's name, for the error.
    :raises ValueError: If it is blank, or only dots.
    """
    text = _text(value)
    # Dots alone would be resolved as a relative path: the request would address another resource.
    if text is None or not text.strip() or text.strip() in (".", ".."):
        raise ValueError(f"{parameter} must be a non-blank name, got {described(value)}")
    return text


def required_text(value: object, parameter: str) -> str:
    """Return an argument that must not be blank.

    :param value: A string, a UUID or a member of an enum.
    :param parameter: The parameter's name, for the error.
    :raises ValueError: If it is blank.
    """
    text = _text(value)
    if text is None or not text.strip():
        raise ValueError(f"{parameter} must be a non-blank string, got {described(value)}")
    return text


class JobUrl(NamedTuple):
    """The parts of a job's status URL."""

    url: str
    family: str
    """``backup`` or ``restore``: the collection in which the service keeps the job. Pre-checks share it."""
    job_id: str


def status_url(url: str) -> str:
    """Return a status URL with only what it needs: origin, path and version. The service may echo secrets in the query.

    :param url: The URL from the service.
    :raises ValueError: If it isn't an https URL with a plain path.
    """
    path = _STATUS_PATH.match(url, _authority(url).end())
    if path is None:
        raise ValueError(f"expected a URL with a plain path, got {described(url)}")
    version = _VERSION_PARAMETER.search(url, path.end())
    return f"{url[: path.end()]}?{version[1]}" if version else url[: path.end()]


def job_url(url: str) -> JobUrl:
    """Parse a job's status URL.

    :param url: ``https://<hsm>/backup/<job id>/pending`` or the same with ``restore``.
    :raises ValueError: If it isn't the status URL of a job.
    """
    status = status_url(url)
    match = _job_path(status)
    if match is None:
        raise ValueError(
            f"expected a URL such as 'https://<hsm>/<backup or restore>/<job id>/pending', got {described(url)}"
        )
    return JobUrl(status, match["family"], match["job_id"])


def job_id(url: str) -> str | None:
    """Return the id in a job's status URL, or None if the URL has another form.

    :param url: A URL from :func:`status_url`.
    """
    match = _job_path(url)
    return match["job_id"] if match else None


def is_plain_word(value: object) -> TypeGuard[str]:
    """Return whether a value is a short word, as job ids and statuses are.

    :param value: A value from the service.
    """
    return isinstance(value, str) and _PLAIN_WORD.match(value) is not None


def continuation_token(status_url: str) -> str:
    """Return the token that resumes a job: the status URL in base64. It holds no secret.

    :param status_url: The job's status URL.
    """
    return base64.b64encode(status_url.encode()).decode("ascii")


def job_url_from_token(token: object, *, family: str, endpoint: str) -> JobUrl:
    """Read a continuation token.

    :param token: A token from :func:`continuation_token` or the published package.
    :param family: The collection in which the job must be: ``backup`` or ``restore``.
    :param endpoint: URL of the vault that must run it.
    :raises ValueError: If the token is malformed, of the other family or of another vault.
    """
    if not isinstance(token, str):
        raise ValueError(f"continuation_token must be a string, got {described(token)}")  # noqa: TRY004
    job = None
    with contextlib.suppress(ValueError):
        # A token that was stored in a file may end in a line break.
        job = job_url(base64.b64decode(token.strip(), validate=True).decode("ascii"))
    if job is None:
        # Raised outside the handler: Python's own error holds the argument, which may be a secret.
        raise ValueError("continuation_token is malformed: expected one that a poller of this client gave")
    if origin(job.url) != origin(endpoint):
        raise ValueError(
            f"continuation_token belongs to {origin(job.url)}, but this client's vault is {origin(endpoint)}"
        )
    if job.family != family:
        raise ValueError(f"continuation_token belongs to a {job.family} job, but a {family} job is wanted")
    return job


def described(value: object) -> str:
    """Return a description of an argument for an error, in place of its value.

    Any argument can be a secret by mistake: a SAS instead of a URL, a token instead of a name. So a value is shown only
    if it is short and plain. A URL is described by its origin, and anything else by its kind.

    :param value: The user's argument.
    """
    if value is None or type(value) in (bool, int, float):
        return repr(value)
    if not isinstance(value, str):
        return f"a value of type {type(value).__name__}"
    text = value.strip()
    if not text:
        return "a blank string"
    if _SHOWN_TEXT.match(text):
        return repr(text)
    if shown := _SHOWN_ORIGIN.match(text):
        return f"a URL of {shown[0]!r}"
    return "what looks like a SAS token" if "sig=" in text.lower() else f"a string of {len(text)} characters"


def _job_path(status: str) -> re.Match[str] | None:
    return _JOB_PATH.match(status.partition("?")[0], _authority(status).end())


def _authority(url: str) -> re.Match[str]:
    match = _HTTPS_AUTHORITY.match(url)
    if match is None:
        raise ValueError(f"expected an https URL with a plain host name, got {described(url)}")
    return match


def _text(value: object) -> str | None:
    """Return the text of a string, UUID or enum member, or None for anything else."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, UUID):
        return str(value)
    return value if isinstance(value, str) else None
