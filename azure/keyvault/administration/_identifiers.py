"""Vault URLs, origins, scopes, names and job URLs: check what came in, build what goes out. Pure.

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
# address. No userinfo. What follows the authority can only be a path, a query, a fragment or nothing.
_HTTPS_AUTHORITY = re.compile(
    r"https://(?P<host>[a-z0-9_-][a-z0-9._-]*|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?(?=[/?#]|\Z)",
    re.IGNORECASE | re.ASCII,
)

# RFC 3986 pchar without percent-encoding: the service takes the scope unencoded, so no encoded character can be meant.
_SCOPE = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]+)*\Z")

# Neither a signature nor an access token fits, which the service may echo: it needs other characters, or is longer.
_STATUS_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]{1,64})+/?(?=[?#]|\Z)")
_JOB_PATH = re.compile(r"/(?P<family>backup|restore)/(?P<job_id>[A-Za-z0-9-]{1,64})/pending/?\Z")
_VERSION_PARAMETER = re.compile(r"[?&](api-version=[A-Za-z0-9.-]{1,32})(?=[&#]|\Z)")

_PLAIN_WORD = re.compile(r"[A-Za-z0-9-]{1,64}\Z")

# What an error may show of an argument: a name, a UUID, a scope; of a URL its origin. Access tokens begin with "eyJ".
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
    """Tell whether a URL has a query parameter.

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
    # What is not replaced stays as it is, byte for byte: a link's own parameters are up to the service.
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

    :param value: What the user gave.
    :raises ValueError: If it is not the https URL of a vault.
    """
    wanted = "vault_url must be the https URL of a Managed HSM, for example 'https://<name>.managedhsm.azure.net'"
    if not isinstance(value, str):
        raise ValueError(f"{wanted}, got {described(value)}")  # noqa: TRY004 - the error of every bad argument
    url = value.strip().rstrip("/")
    match = _HTTPS_AUTHORITY.match(url)
    if match is None:
        raise ValueError(f"{wanted}, got {described(value)}")
    if match.end() != len(url):
        raise ValueError(f"{wanted}, without a path, query or fragment, got {described(value)}")
    return url


def is_key_vault(url: str) -> bool:
    """Tell whether a URL belongs to a Key Vault, which this API does not serve.

    :param url: A checked vault URL.
    """
    return hostname(url).endswith(".vault.azure.net")


def resource_domains(values: object) -> list[str]:
    """Return the hosts of resources that a user trusts, in lower case and without the default port.

    :param values: What the user gave; None is none.
    :raises ValueError: If it is not several of ``host[:port]``.
    """
    wanted = "challenge_resource_domains must be several hosts such as 'managedhsm.azure.net'"
    if values is None:
        return []
    # A single string is several of one letter.
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
    :raises ValueError: If it is blank, a URL, or holds what cannot stand in a scope.
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
    """Return a name that is to become one segment of a URL path.

    :param value: A string or UUID.
    :param parameter: What the caller calls it, for the error.
    :raises ValueError: If it is blank or would be read as a path of its own.
    """
    text = _text(value)
    # Dots alone would be resolved as a relative path before the request is sent: another resource would be meant.
    if text is None or not text.strip() or text.strip() in (".", ".."):
        raise ValueError(f"{parameter} must be a non-blank name, got {described(value)}")
    return text


def required_text(value: object, parameter: str) -> str:
    """Return an argument that must not be blank.

    :param value: A string, or an object such as a UUID whose text is meant.
    :param parameter: What the caller calls it, for the error.
    :raises ValueError: If it is blank.
    """
    text = _text(value)
    if text is None or not text.strip():
        raise ValueError(f"{parameter} must be a non-blank string, got {described(value)}")
    return text


class JobUrl(NamedTuple):
    """A job's status URL, taken apart."""

    url: str
    family: str
    """``backup`` or ``restore``: the collection in which the service keeps the job. Pre-checks share it."""
    job_id: str


def status_url(url: str) -> str:
    """Return a status URL with only what it needs: origin, path and version. The service may echo secrets in the query.

    :param url: What the service named.
    :raises ValueError: If it isn't an https URL with a plain path.
    """
    path = _STATUS_PATH.match(url, _authority(url).end())
    if path is None:
        raise ValueError(f"expected a URL with a plain path, got {described(url)}")
    version = _VERSION_PARAMETER.search(url, path.end())
    return f"{url[: path.end()]}?{version[1]}" if version else url[: path.end()]


def job_url(url: str) -> JobUrl:
    """Take a job's status URL apart.

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

    :param url: What :func:`status_url` returned.
    """
    match = _job_path(url)
    return match["job_id"] if match else None


def is_plain_word(value: object) -> TypeGuard[str]:
    """Return whether a value is a short word, as job ids and statuses are.

    :param value: What the service sent.
    """
    return isinstance(value, str) and _PLAIN_WORD.match(value) is not None


def continuation_token(status_url: str) -> str:
    """Return the token that resumes a job: the status URL in base64. It holds no secret.

    :param status_url: The job's status URL.
    """
    return base64.b64encode(status_url.encode()).decode("ascii")


def job_url_from_token(token: object, *, family: str, endpoint: str) -> JobUrl:
    """Read a continuation token.

    :param token: What :func:`continuation_token` or the published package made.
    :param family: The collection in which the job must be: ``backup`` or ``restore``.
    :param endpoint: URL of the vault that must run it.
    :raises ValueError: If the token is malformed, of the other family or of another vault.
    """
    if not isinstance(token, str):
        raise ValueError(f"continuation_token must be a string, got {described(token)}")  # noqa: TRY004
    job = None
    with contextlib.suppress(ValueError):
        # A token that was kept in a file comes back with the end of a line.
        job = job_url(base64.b64decode(token.strip(), validate=True).decode("ascii"))
    if job is None:
        # Raised out here, without a cause: Python's own error would hold what was given, which may be a secret.
        raise ValueError("continuation_token is malformed: expected one that a poller of this client gave")
    if origin(job.url) != origin(endpoint):
        raise ValueError(
            f"continuation_token belongs to {origin(job.url)}, but this client's vault is {origin(endpoint)}"
        )
    if job.family != family:
        raise ValueError(f"continuation_token belongs to a {job.family} job, but a {family} job is wanted")
    return job


def described(value: object) -> str:
    """Return what an error may say of an argument, in place of its value.

    Any argument can be a secret by mistake: a SAS in place of a URL, a token in place of a name. So a value is shown
    only if it is short and plain, of a URL only the origin, and of anything else only what kind of thing it is.

    :param value: What the user gave.
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
    """Return the text that an argument stands for, or None if it stands for none."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, UUID):
        return str(value)
    return value if isinstance(value, str) else None
