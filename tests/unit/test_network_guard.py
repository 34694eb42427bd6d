"""The tests are kept on this machine, and so are the processes that they start."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys

import aiohttp
import pytest
from loopback_only import NetworkAccessError

# A documentation address (RFC 5737): were the guard to fail, nobody would be bothered.
ELSEWHERE = "192.0.2.1"


def test_a_connection_to_another_machine_is_refused() -> None:
    with socket.socket() as sock, pytest.raises(NetworkAccessError, match=ELSEWHERE):
        sock.connect((ELSEWHERE, 443))


def test_a_datagram_to_another_machine_is_refused() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock, pytest.raises(NetworkAccessError, match=ELSEWHERE):
        sock.sendto(b"x", (ELSEWHERE, 53))


@pytest.mark.parametrize("url", [f"https://{ELSEWHERE}/", "https://contoso.managedhsm.azure.net/"])
async def test_a_request_that_would_leave_the_machine_is_refused(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(NetworkAccessError):
            await session.get(url)


async def test_a_name_is_not_looked_up() -> None:
    with pytest.raises(NetworkAccessError, match="example"):
        await asyncio.get_running_loop().getaddrinfo("example.invalid", 443)


def test_a_child_is_kept_on_the_machine_too() -> None:
    code = f"import urllib.request; urllib.request.urlopen('http://{ELSEWHERE}/')"

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30)

    assert result.returncode == 1
    assert f"NetworkAccessError: a test connected to '{ELSEWHERE}'" in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop is not for Windows")
class TestUvloop:
    """Its connections and look-ups are made in C, where no audit hook sees them."""

    CALLS = (
        f"loop.create_connection(asyncio.Protocol, '{ELSEWHERE}', 443)",
        "loop.create_connection(asyncio.Protocol, host='example.invalid', port=443)",
        "loop.getaddrinfo('example.invalid', 443)",
        f"loop.getnameinfo(('{ELSEWHERE}', 443))",
        f"loop.sock_connect(sock, ('{ELSEWHERE}', 443))",
        f"loop.sock_sendto(sock, b'x', ('{ELSEWHERE}', 53))",
        f"loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=('{ELSEWHERE}', 53))",
        "loop.create_datagram_endpoint(asyncio.DatagramProtocol, ('127.0.0.1', 0))",
    )

    @pytest.mark.parametrize("call", CALLS)
    def test_a_call_that_would_leave_the_machine_is_refused(self, call: str) -> None:
        import uvloop

        loop = uvloop.new_event_loop()
        with socket.socket() as sock, pytest.raises(NetworkAccessError):
            loop.run_until_complete(eval(call, {"asyncio": asyncio, "loop": loop, "sock": sock}))
        loop.close()

    @pytest.mark.parametrize("url", [f"https://{ELSEWHERE}/", "https://contoso.managedhsm.azure.net/"])
    def test_a_request_that_would_leave_the_machine_is_refused(self, url: str) -> None:
        import uvloop

        async def get() -> None:
            async with aiohttp.ClientSession() as session:
                await session.get(url)

        with pytest.raises(NetworkAccessError):
            uvloop.run(get())

    def test_this_machine_may_be_reached(self) -> None:
        import uvloop

        async def reach() -> None:
            loop = asyncio.get_running_loop()
            with socket.create_server(("127.0.0.1", 0)) as server:
                transport, _ = await loop.create_connection(asyncio.Protocol, "localhost", server.getsockname()[1])
                transport.abort()
                with socket.socket() as sock:
                    sock.setblocking(False)
                    await loop.sock_connect(sock, server.getsockname())
            assert await loop.getaddrinfo("127.0.0.1", 443)

        uvloop.run(reach())


def test_a_child_is_guarded_on_uvloop_too() -> None:
    code = f"import asyncio, uvloop; uvloop.run(asyncio.open_connection('{ELSEWHERE}', 443))"

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30)

    assert f"NetworkAccessError: a test connected to '{ELSEWHERE}'" in result.stderr


@pytest.mark.parametrize(
    ("command", "variables"),
    [
        pytest.param([sys.executable, "-c", ""], {"PATH": "/bin"}, id="an environment without the guard"),
        pytest.param([sys.executable, "-I", "-c", ""], None, id="an isolated Python"),
    ],
)
def test_a_child_that_would_not_be_guarded_is_not_started(command: list[str], variables: dict[str, str] | None) -> None:
    with pytest.raises(NetworkAccessError, match="without the guard"):
        subprocess.run(command, env=variables, check=True, timeout=30)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost"])
def test_this_machine_may_be_reached(host: str) -> None:
    with socket.create_server(("127.0.0.1" if host == "localhost" else host, 0)) as server:
        socket.create_connection((host, server.getsockname()[1])).close()
