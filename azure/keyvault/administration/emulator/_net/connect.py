"""What a client may ask the proxy for: a tunnel to one authority (RFC 9110, 9.3.6), and nothing else."""

from __future__ import annotations

import re

MAX_HEAD = 16 * 1024

_END = b"\r\n\r\n"
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rb"(%s) ([!-~]+) HTTP/1\.[01]" % _TOKEN)
_FIELD = re.compile(rb"%s:[\t -~\x80-\xff]*" % _TOKEN)
# Authorities only: what else a target may hold, such as a user's password, is not repeated.
_AUTHORITY = re.compile(r"[A-Za-z0-9._-]+:[0-9]+|\[[0-9A-Fa-f:.]+\]:[0-9]+")


class Refusal(Exception):  # noqa: N818 - an answer, not a fault of the emulator
    """The proxy's answer to anything that is not for it.

    :param status: The status of the answer.
    :param reason: The sentence for people; ASCII.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def is_whole(head: bytes, authority: str) -> bool:
    """Return whether a request for a tunnel is there in full.

    :param head: What the client has sent so far.
    :param authority: Host and port that the proxy leads to.
    :raises Refusal: if it asks for anything else.
    """
    end = head.find(_END)
    if (len(head) if end < 0 else end) > MAX_HEAD:
        raise Refusal(431, f"The head of a request may have {MAX_HEAD} bytes.")
    if end < 0:
        return False
    _check(head[:end].split(b"\r\n"), authority)
    if len(head) > end + len(_END):
        raise Refusal(400, "Nothing may be sent before the tunnel is open.")
    return True


def _check(lines: list[bytes], authority: str) -> None:
    request = _REQUEST_LINE.fullmatch(lines[0])
    if not request or not all(map(_FIELD.fullmatch, lines[1:])):
        raise Refusal(400, "This is no HTTP/1.1 request.")
    method, target = (part.decode("ascii") for part in request.groups())
    if method != "CONNECT":
        raise Refusal(405, f"This proxy only tunnels to {authority}; the method is CONNECT.")
    if not _AUTHORITY.fullmatch(target):
        raise Refusal(400, "The target of CONNECT is a host and a port.")
    if target.lower() != authority:
        raise Refusal(403, f"This proxy leads to {authority} only, not to {target}.")
