"""The container of a backup and the permission to use it, as callers write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from . import errors
from .hosts import is_loopback

if TYPE_CHECKING:
    from .sas import Sas

# The characters of a container's URL: no space, escape, query or user.
_URL = re.compile(r"[A-Za-z0-9:/.\[\]-]+")
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_CONTAINER = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*")
# Any cloud's blob endpoint, with or without a DNS zone.
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]{3,24}(\.z[0-9]{1,2})?\.blob(\.[a-z0-9-]+)+")
_HTTPS_PORTS = {None, 443}


@dataclass(frozen=True, slots=True)
class Container:
    """A blob container."""

    url: str
    host: str
    account: str
    name: str
    is_loopback: bool
    """Whether the container is served on this machine; any other is kept in the data folder."""


@dataclass(frozen=True, slots=True)
class Target:
    """A container with its SAS token; without a token, the HSM's managed identity is used."""

    container: Container
    sas: Sas | None


def locate(resource: str, folder: str = "") -> tuple[Container, str]:
    """Return the container and the folder of a request.

    On loopback, the account comes first in the path. Clients that do not know that take it for the container, and put
    the container in front of the folder; both forms work.
    """
    parts, port = _split(resource)
    host = parts.hostname or ""
    segments = [segment for segment in parts.path.split("/") if segment]
    is_local = is_loopback(host)
    if is_local:
        account, *segments = segments or [""]
        if not segments and "/" in folder:
            name, _, folder = folder.partition("/")
            segments = [name]
        base = f"{parts.scheme}://{_authority(host, port)}/{account}"
    else:
        if parts.scheme != "https" or port not in _HTTPS_PORTS or not _HOST.fullmatch(host):
            raise _invalid_container()
        account = host.partition(".")[0]
        base = f"https://{host}"
    if len(segments) != 1 or not _ACCOUNT.fullmatch(account) or not _CONTAINER.fullmatch(segments[0]):
        raise _invalid_container()
    return Container(f"{base}/{segments[0]}", host, account, segments[0], is_local), folder


def _split(resource: str) -> tuple[SplitResult, int | None]:
    # urlsplit would ignore line breaks, and parse the port only on access.
    if not _URL.fullmatch(resource):
        raise _invalid_container()
    try:
        parts = urlsplit(resource)
        port = parts.port
    except ValueError as error:
        raise _invalid_container() from error
    if parts.scheme not in {"https", "http"}:
        raise _invalid_container()
    return parts, port


def _authority(host: str, port: int | None) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port is None else f"{name}:{port}"


def _invalid_container() -> errors.ServiceError:
    return errors.bad_request("storageResourceUri must be the https URL of a blob container")
