"""A TLS server on a real socket that answers as no well-behaved server would, and counts what reaches it."""

from __future__ import annotations

import asyncio
import inspect
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import aiohttp
import trustme
from azure.core.pipeline.transport import AioHttpTransport

from fakes import resource_challenge

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from azure.core.pipeline.transport import AsyncHttpTransport
    from azure.core.rest import AsyncHttpResponse, HttpRequest
    from typing_extensions import Self


class Received(NamedTuple):
    """A request as it came over the wire."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    on_reused_connection: bool

    @property
    def token(self) -> str | None:
        return self.headers.get("authorization")


@dataclass(frozen=True)
class Act:
    """What the server does about a request."""

    answer: bytes = b""
    then: str = "keep"
    """``keep`` the connection, ``close`` it, ``reset`` it, or ``stall``: keep it without a word."""


def http(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None, *, close: bool = False) -> Act:
    """Return a well-formed answer."""
    lines = [f"HTTP/1.1 {status} Reason", f"Content-Length: {len(body)}", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    lines += ["Connection: close"] if close else []
    return Act("\r\n".join(lines).encode() + b"\r\n\r\n" + body, "close" if close else "keep")


def challenge(*, close: bool = False) -> Act:
    """Return the challenge of an HSM."""
    return http(401, b"OK", {"WWW-Authenticate": resource_challenge()}, close=close)


def challenging(answer: Act | Callable[[Received], Act], *, close: bool = False) -> Callable[[Received], Act]:
    """Return a behaviour that challenges requests without a token.

    :param answer: The answer to the others.
    :keyword close: Whether to close the connection after a challenge.
    """

    def behave(received: Received) -> Act:
        if received.token is None:
            return challenge(close=close)
        return answer if isinstance(answer, Act) else answer(received)

    return behave


class RawServer:
    """Serves TLS on loopback; a function says what is done about each request.

    :param folder: Where the certificate of its authority is written.
    :param behaviour: Says what to do about a request.
    :keyword clients: The authority whose certificate a client must show.
    """

    def __init__(
        self, folder: Path, behaviour: Callable[[Received], Act | Awaitable[Act]], *, clients: trustme.CA | None = None
    ) -> None:
        authority = trustme.CA()
        self.ca_file = str(folder / "ca.pem")
        authority.cert_pem.write_to_path(self.ca_file)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(self._context)
        if clients:
            self._context.verify_mode = ssl.CERT_REQUIRED
            clients.configure_trust(self._context)
        self._behaviour = behaviour
        self._connections: set[asyncio.Task[None]] = set()
        self.requests: list[Received] = []

    @property
    def url(self) -> str:
        return f"https://localhost:{self._port}"

    def authorized(self) -> list[Received]:
        """Return the requests that carried a token."""
        return [request for request in self.requests if request.token]

    def transport(self, **options: Any) -> AsyncHttpTransport[HttpRequest, AsyncHttpResponse]:
        """Return a transport that trusts the server and keeps connections, as the default one does.

        :param options: Options of azure-core's transport.
        """
        connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=self.ca_file))
        session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False)
        # azure-core declares the transport for its older request type only; it sends both.
        return cast("AsyncHttpTransport[HttpRequest, AsyncHttpResponse]", AioHttpTransport(session=session, **options))

    def client_options(self, **options: Any) -> dict[str, Any]:
        """Return the options of a client with its own session that trusts the challenge.

        :param options: Options of the transport.
        """
        return {"transport": self.transport(**options), "challenge_resource_domains": ["managedhsm.azure.net"]}

    async def stop_listening(self) -> None:
        """Refuse new connections from now on."""
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0, ssl=self._context)
        self._port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.stop_listening()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
                await self._serve(reader, writer)
        finally:
            self._connections.discard(connection)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reused = False
        while True:
            received = await _read(reader, reused=reused)
            reused = True
            self.requests.append(received)
            acted = self._behaviour(received)
            act = await acted if inspect.isawaitable(acted) else acted
            writer.write(act.answer)
            await writer.drain()
            if act.then == "stall":
                await asyncio.sleep(3600)
            if act.then == "reset":
                writer.transport.abort()
            if act.then != "keep":
                writer.close()
                with suppress(ConnectionError, ssl.SSLError):
                    await writer.wait_closed()
                return


async def _read(reader: asyncio.StreamReader, *, reused: bool) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    request_line, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = request_line.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Received(method, target, headers, body, reused)
