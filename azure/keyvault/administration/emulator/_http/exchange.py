"""The state of one request while the server processes it."""

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
    # Version 1, like the service's; with a made-up node instead of the machine's address.
    return str(uuid.uuid1(node=0x010000000000))


@dataclass(slots=True)
class Exchange:
    """The state of one request; each step of the processing adds to it."""

    activity_id: str = field(default_factory=_activity_id)
    started: float = field(default_factory=time.perf_counter)
    principal: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    operation: Operation | None = None
    """None until the request is admitted; before that, only the front end responds."""
    fault_match: FaultMatch = field(default_factory=FaultMatch)
    is_answered: bool = True
    break_connection: Callable[[web.Request, web.StreamResponse], Awaitable[web.StreamResponse]] | None = None
    """Breaks the connection instead of sending the response, or all of it."""

    @property
    def service(self) -> Service:
        return self.operation.service if self.operation else Service.FRONT_END


if TYPE_CHECKING or hasattr(web, "RequestKey"):
    _EXCHANGE = web.RequestKey("exchange", Exchange)
else:  # aiohttp before 3.14 takes any key.
    _EXCHANGE = web.AppKey("exchange", Exchange)


def exchange_of(request: BaseRequest) -> Exchange:
    """Return the state of a request; the first call creates it."""
    exchange = request.get(_EXCHANGE)
    if exchange is None:
        exchange = request[_EXCHANGE] = Exchange()
    return exchange


def normalized_path(request: BaseRequest) -> str:
    """Return the path as it was sent, but with single slashes.

    Clients write the scope in different ways (///providers, //keys//providers) for the same resource.
    """
    return _SLASHES.sub("/", request.rel_url.raw_path)


def base_url(request: web.Request) -> str:
    """Return the HSM's URL as the caller knows it, for URLs in responses."""
    hsm = request.app[HSM]
    authority = request.headers.get("Host", hsm.host)
    return f"https://{authority if _AUTHORITY.fullmatch(authority) else hsm.host}"
