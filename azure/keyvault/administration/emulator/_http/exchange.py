"""What is known of one request while it travels through the server."""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

from .._domain.faults import FaultMatch
from .._hsm.hsm import Hsm
from .operation import Operation, Service

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiohttp.web import BaseRequest

HSM = web.AppKey("hsm", Hsm)

_SLASHES = re.compile("//+")
_AUTHORITY = re.compile(r"[A-Za-z0-9.-]+(:\d+)?|\[[0-9A-Fa-f:]+\](:\d+)?")


def _activity_id() -> str:
    # Version 1, as the service's are; with a made-up node, so that it does not reveal the machine's address.
    return str(uuid.uuid1(node=0x010000000000))


@dataclass(slots=True)
class Exchange:
    """One request and its response; each step on the way adds what it found out."""

    activity_id: str = field(default_factory=_activity_id)
    started: float = field(default_factory=time.perf_counter)
    principal: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    operation: Operation | None = None
    """What the request asks for; None until it is admitted, since only the front end answers before that."""
    fault_match: FaultMatch = field(default_factory=FaultMatch)
    """The fault that happens to the request; none in most cases."""
    is_answered: bool = True
    break_off: Callable[[web.Request, web.StreamResponse], Awaitable[web.StreamResponse]] | None = None
    """What a fault does to the connection instead of sending the answer, or all of it."""

    @property
    def service(self) -> Service:
        return self.operation.service if self.operation else Service.FRONT_END


if TYPE_CHECKING or hasattr(web, "RequestKey"):
    _EXCHANGE = web.RequestKey("exchange", Exchange)
else:  # aiohttp before 3.14 takes any key.
    _EXCHANGE = web.AppKey("exchange", Exchange)


def exchange_of(request: BaseRequest) -> Exchange:
    """Return what is known of a request; the first call creates it."""
    exchange = request.get(_EXCHANGE)
    if exchange is None:
        exchange = request[_EXCHANGE] = Exchange()
    return exchange


def folded_path(request: BaseRequest) -> str:
    """Return the path as it was sent, with single slashes.

    Clients write the scope in many ways (///providers, //keys//providers); all mean the same resource.
    """
    return _SLASHES.sub("/", request.rel_url.raw_path)


def base_url(request: web.Request) -> str:
    """Return how the caller addresses the HSM, so that the URLs in an answer lead back here."""
    hsm = request.app[HSM]
    authority = request.headers.get("Host", hsm.host)
    return f"https://{authority if _AUTHORITY.fullmatch(authority) else hsm.host}"
