"""An unruly network and front end before an emulator: one in so many requests meets a fault. It keeps the journal.

It stands outside of the emulator so that its journal outlives a kill, and so that it knows what the emulator answered
also when the client never hears of it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import aiohttp

from chaos.history import Seen
from fakes import claims_challenge, resource_challenge
from raw_server import Act, RawServer, Received, http

if TYPE_CHECKING:
    from pathlib import Path

    from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

    from hsm_process import HsmProcess

_TRANSPORT_HEADERS = frozenset({"connection", "content-length", "transfer-encoding", "accept-encoding"})
_LOST = Act(b"", "reset")

INSTEAD: dict[str, Callable[[], Act]] = {
    "drop before": lambda: Act(b"", "close"),
    "reset before": lambda: _LOST,
    "throttle": lambda: http(429, headers={"retry-after-ms": "20"}),
    "status before": lambda: http(503, b"<html>unavailable</html>"),
    "challenge": lambda: http(401, b"OK", {"WWW-Authenticate": resource_challenge()}),
    "claims": lambda: http(401, b"{}", {"WWW-Authenticate": claims_challenge('{"access_token":{"nbf":{}}}')}),
}
"""What is answered instead of doing the work."""

AFTER: dict[str, Callable[[Act], Act]] = {
    "drop after": lambda _: Act(b"", "close"),
    "reset after": lambda _: _LOST,
    "truncate": lambda answer: Act(answer.answer[: len(answer.answer) * 9 // 10], "close"),
    "malform": lambda answer: Act(answer.answer[:-1] + b"?"),
    "status after": lambda _: http(500, b'{"error":{"code":"InternalError","message":"Oops"}}'),
    "bad gateway after": lambda _: http(502),
    "delay": lambda answer: answer,
}
"""What becomes of the answer, once the work is done."""

FAULTS = (*INSTEAD, *AFTER)


class _UpstreamLostError(Exception):
    """The emulator went away. No error of aiohttp's, which would send the request again."""


class Gateway:
    """Leads to one emulator, on a URL of its own.

    :param folder: Where the certificate of its authority is written.
    :param hsm: The emulator.
    :param seed: What the faults are drawn from.
    """

    def __init__(self, folder: Path, hsm: HsmProcess, *, seed: int) -> None:
        self._hsm = hsm
        self._random = random.Random(seed)
        self._deck: list[str] = []
        self._drawn = 0
        self.unruly = False
        self.journal: list[Seen] = []
        self.server = RawServer(folder, self._serve)
        self._session = hsm.session(limit=0)

    async def close(self) -> None:
        await self._session.close()

    def _draw(self) -> str | None:
        """Return the fault of one request. All kinds come equally often: they are dealt like cards."""
        self._drawn += 1
        # Calm weather, in which a retry helps, and storms, in which all tries of a call may fail.
        storm = self._drawn % 200 > 150
        if self._random.randrange(100) >= (85 if storm else 15):
            return None
        if not self._deck:
            self._deck = self._random.sample(FAULTS, len(FAULTS))
        return self._deck.pop()

    async def _serve(self, received: Received) -> Act:
        # A request without a token is a probe: the service does nothing for it anyhow.
        fault = self._draw() if self.unruly and received.token else None
        began = time.monotonic()
        if fault in INSTEAD:
            act, status = INSTEAD[fault](), 0
        else:
            act, status = await self._forward(received)
            if fault == "delay":
                await asyncio.sleep(self._random.uniform(0.01, 0.1))
            if fault and status:
                act = AFTER[fault](act)
        self.journal.append(Seen(received.method, received.target.partition("?")[0], status, fault, began))
        return act

    async def _forward(self, received: Received) -> tuple[Act, int]:
        headers = {name: value for name, value in received.headers.items() if name not in _TRANSPORT_HEADERS}
        try:
            async with self._session.request(
                received.method,
                self._hsm.url + received.target,
                headers=headers,
                data=received.body or None,
                allow_redirects=False,
                skip_auto_headers=("Content-Type", "Accept", "User-Agent"),
                middlewares=(_send_once,),
            ) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, _UpstreamLostError):
            return _LOST, 0
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in _TRANSPORT_HEADERS}
        kept.pop("Content-Type", None)
        return http(answer.status, body, kept), answer.status


async def _send_once(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    try:
        return await handler(request)
    except aiohttp.ClientConnectionError as error:
        raise _UpstreamLostError from error
