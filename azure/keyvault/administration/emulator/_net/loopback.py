"""The transport with which a client in the same process reaches the emulator under its real-looking name."""

from __future__ import annotations

import errno
import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING

from aiohttp import ClientSession, DummyCookieJar, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from azure.core.pipeline.transport import AioHttpTransport

from .addresses import LOOPBACK, LOOPBACK_IPV6

if TYPE_CHECKING:
    import ssl

    from azure.core.pipeline.transport import AsyncHttpTransport
    from azure.core.rest import AsyncHttpResponse, HttpRequest


_IPV4 = 4
_LOOPBACK = {_IPV4: LOOPBACK, 6: LOOPBACK_IPV6}


class LoopbackResolver(AbstractResolver):
    """Resolves one host name, to the address and port of one emulator."""

    def __init__(self, host: str, address: str, port: int) -> None:
        ip = ip_address(address)
        self._host = host
        self._port = port
        self._family = socket.AF_INET if ip.version == _IPV4 else socket.AF_INET6
        # A server that listens on every address can be reached on loopback.
        self._address = str(_LOOPBACK[ip.version] if ip.is_unspecified else ip)

    async def resolve(
        self,
        host: str,
        port: int = 0,  # noqa: ARG002 - part of aiohttp's interface
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002
    ) -> list[ResolveResult]:
        if host != self._host:
            raise OSError(errno.EHOSTUNREACH, f"This transport reaches only {self._host}, not {host}")
        return [
            ResolveResult(
                hostname=host,
                host=self._address,
                # aiohttp connects to this port, whatever the URL says.
                port=self._port,
                family=self._family,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
        ]

    async def close(self) -> None:
        """Do nothing."""


def loopback_session(resolver: LoopbackResolver, context: ssl.SSLContext) -> ClientSession:
    """Return a session with the settings of azure-core's own."""
    return ClientSession(
        connector=TCPConnector(resolver=resolver, ssl=context),
        cookie_jar=DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )


def shared_transport(session: ClientSession) -> AsyncHttpTransport[HttpRequest, AsyncHttpResponse]:
    """Return a transport that many clients can use: closing it leaves the session open."""
    transport: AsyncHttpTransport[HttpRequest, AsyncHttpResponse]
    transport = AioHttpTransport(session=session, session_owner=False)
    return transport
