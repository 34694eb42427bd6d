"""Where a backup lies: the container and the right to use it, as callers write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from . import errors
from .hosts import is_loopback

if TYPE_CHECKING:
    from .sas import Sas

# All that the URL of a container is made of: no space, no escape, no query, no user.
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
    """A container, and the SAS token to use it with; without one the HSM's managed identity is used."""

    container: Container
    sas: Sas | None


def locate(resource: str, folder: str = "") -> tuple[Container, str]:
    """Return the container and the folder that a caller means.

    On loopback the account comes first in the path. Clients that do not know that take it for the container, and write
    the container in front of the folder; both ways are understood.

    :param resource: What the caller calls the storage resource.
    :param folder: What the caller calls the folder.
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
            raise _no_container()
        account = host.partition(".")[0]
        base = f"https://{host}"
    if len(segments) != 1 or not _ACCOUNT.fullmatch(account) or not _CONTAINER.fullmatch(segments[0]):
        raise _no_container()
    return Container(f"{base}/{segments[0]}", host, account, segments[0], is_local), folder


def _split(resource: str) -> tuple[SplitResult, int | None]:
    # urlsplit would leave out line breaks, and look at the port only when it is asked for.
    if not _URL.fullmatch(resource):
        raise _no_container()
    try:
        parts = urlsplit(resource)
        port = parts.port
    except ValueError as error:
        raise _no_container() from error
    if parts.scheme not in {"https", "http"}:
        raise _no_container()
    return parts, port


def _authority(host: str, port: int | None) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port is None else f"{name}:{port}"


def _no_container() -> errors.ServiceError:
    return errors.bad_request("storageResourceUri must be the https URL of a blob container")
