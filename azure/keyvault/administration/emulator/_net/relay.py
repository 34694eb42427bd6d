"""A tunnel to another host: bytes go both ways, unseen."""

from __future__ import annotations

import asyncio


async def relay(near: asyncio.Transport, authority: str, response: bytes, timeout: float) -> None:
    """Connect a client with a host, and return when both have hung up.

    :param near: The connection of the client, which is not being read.
    :param response: The response to the client once the host is connected.
    :raises OSError: if the host cannot be reached.
    :raises asyncio.TimeoutError: if that takes too long.
    """
    loop = asyncio.get_running_loop()
    host, _, port = authority.rpartition(":")
    server = _Side(near, response)
    far, _ = await asyncio.wait_for(loop.create_connection(lambda: server, host, int(port)), timeout)
    client = _Side(far)
    try:
        if near.is_closing():
            return
        near.set_protocol(client)
        near.resume_reading()
        await asyncio.wait([client.lost, server.lost])
    finally:
        near.abort()
        far.abort()


class _Side(asyncio.Protocol):
    """Forwards what one side of a tunnel sends to the other, and reads no faster than that side does."""

    def __init__(self, other: asyncio.Transport, first: bytes = b"") -> None:
        self._other = other
        self._first = first
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: ARG002 - part of asyncio's interface
        self._other.write(self._first)

    def data_received(self, data: bytes) -> None:
        self._other.write(data)

    def pause_writing(self) -> None:
        self._other.pause_reading()

    def resume_writing(self) -> None:
        self._other.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - part of asyncio's interface
        # After everything that is still buffered for it.
        self._other.close()
        self.lost.set_result(None)
