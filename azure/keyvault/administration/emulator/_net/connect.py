"""The requests that the proxy accepts: CONNECT to one authority (RFC 9110, 9.3.6), and nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .addresses import HOST_NAME, PORTS

if TYPE_CHECKING:
    from collections.abc import Container

MAX_HEAD = 16 * 1024

_END = b"\r\n\r\n"
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rb"(%s) ([!-~]+) HTTP/1\.[01]" % _TOKEN)
_FIELD = re.compile(rb"%s:[\t -~\x80-\xff]*" % _TOKEN)
# Only an authority is ever repeated to the client: a target may also hold a user's password.
_AUTHORITY = re.compile(rf"(?:{HOST_NAME.pattern}|\[[0-9A-Fa-f:.]{{2,45}}\]):[0-9]{{1,5}}")


class Refusal(Exception):  # noqa: N818 - a response, not a fault of the emulator
    """The proxy's response to any other request; the reason is ASCII."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def parse_authority(text: str) -> str:
    """Return a host with or without a port as ``host:port``, the form of CONNECT.

    :raises ValueError: if the host or the port is invalid.
    """
    host, _, port = text.partition(":")
    if not HOST_NAME.fullmatch(host) or not (port or "443").isdecimal() or int(port or 443) not in PORTS[1:]:
        raise ValueError(f"an allowed host must be a host name with or without a port, got {text!r}")
    return f"{host.lower()}:{int(port or 443)}"


def read_target(head: bytes, authority: str, targets: Container[str]) -> str | None:
    """Return the authority that a client wants a tunnel to, or None while the request is incomplete.

    :param head: What the client has sent so far.
    :param authority: Host and port of the HSM.
    :param targets: Hosts and ports that the proxy tunnels to.
    :raises Refusal: if the request is anything else.
    """
    end = head.find(_END)
    if (len(head) if end < 0 else end) > MAX_HEAD:
        raise Refusal(431, f"The head of a request may have {MAX_HEAD} bytes.")
    if end < 0:
        return None
    target = _check(head[:end].split(b"\r\n"), authority, targets)
    if len(head) > end + len(_END):
        raise Refusal(400, "Nothing may be sent before the tunnel is open.")
    return target


def _check(lines: list[bytes], authority: str, targets: Container[str]) -> str:
    request = _REQUEST_LINE.fullmatch(lines[0])
    if not request or not all(map(_FIELD.fullmatch, lines[1:])):
        raise Refusal(400, "This is not an HTTP/1.1 request.")
    method, target = (part.decode("ascii") for part in request.groups())
    if method != "CONNECT":
        raise Refusal(405, f"This proxy only tunnels to {authority}; the method is CONNECT.")
    if not _AUTHORITY.fullmatch(target):
        raise Refusal(400, "The target of CONNECT is a host and a port.")
    if target.lower() not in targets:
        raise Refusal(403, f"This proxy tunnels to {authority} only, not to {target}; --allow-host adds a host.")
    return target.lower()
