"""The tests are kept on this machine, and so are the processes that they start."""

from __future__ import annotations

import asyncio
import os
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
        "loop.create_connection(protocol_factory=asyncio.Protocol, host='example.invalid', port=443)",
        "loop.getaddrinfo('example.invalid', 443)",
        f"loop.getnameinfo(('{ELSEWHERE}', 443))",
        f"loop.getnameinfo(sockaddr=('{ELSEWHERE}', 443), flags=0)",
        f"loop.sock_connect(sock, ('{ELSEWHERE}', 443))",
        f"loop.sock_sendto(sock, b'x', ('{ELSEWHERE}', 53))",
        f"loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=('{ELSEWHERE}', 53))",
        "loop.create_datagram_endpoint(asyncio.DatagramProtocol, ('127.0.0.1', 0))",
        "loop.create_datagram_endpoint(protocol_factory=asyncio.DatagramProtocol, local_addr=('127.0.0.1', 0))",
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

    @pytest.mark.parametrize(
        "call",
        [
            "asyncio.create_subprocess_exec(sys.executable, '-c', '', env={})",
            "asyncio.create_subprocess_exec(sys.executable, '-Is', '-c', '')",
            "asyncio.create_subprocess_shell('true', env={})",
        ],
    )
    def test_a_child_that_would_not_be_guarded_is_not_started(self, call: str) -> None:
        import uvloop

        async def start() -> None:
            process = await eval(call, {"asyncio": asyncio, "sys": sys})
            await process.wait()

        with pytest.raises(NetworkAccessError, match="without the guard"):
            uvloop.run(start())

    def test_a_child_that_is_guarded_is_started(self) -> None:
        import uvloop

        async def start() -> int:
            code = "import sys; sys.exit('loopback_only' not in sys.modules)"
            process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
            return await process.wait()

        assert uvloop.run(start()) == 0

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
        pytest.param([sys.executable, "-Is", "-c", ""], None, id="two options in one word"),
        pytest.param([sys.executable, "-sE", "-c", ""], None, id="without its environment"),
        pytest.param([sys.executable, "-Sc", ""], None, id="without its site, and the program in one word"),
        pytest.param([sys.executable, "-W", "error", "-Xdev", "-S", "-c", ""], None, id="after options with values"),
    ],
)
def test_a_child_that_would_not_be_guarded_is_not_started(command: list[str], variables: dict[str, str] | None) -> None:
    with pytest.raises(NetworkAccessError, match="without the guard"):
        subprocess.run(command, env=variables, check=True, timeout=30)


@pytest.mark.parametrize(
    "command",
    [
        pytest.param([sys.executable, "-c", "", "-S", "-I"], id="arguments of the program"),
        pytest.param([sys.executable, "-W", "ignore::ImportWarning", "-c", ""], id="a value with such letters"),
        pytest.param(["/bin/sh", "-c", "exit 0", "-S"], id="no Python"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no /bin/sh")
def test_a_child_that_is_guarded_is_started(command: list[str]) -> None:
    subprocess.run(command, check=True, timeout=30)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no posix_spawn")
def test_a_child_that_would_not_be_guarded_is_not_spawned() -> None:
    with pytest.raises(NetworkAccessError, match="without the guard"):
        os.posix_spawn(sys.executable, [sys.executable, "-c", ""], {})


def test_no_process_becomes_one_that_would_not_be_guarded() -> None:
    become = "os.execve(sys.executable, [sys.executable, '-c', ''], {'PATH': '/bin'})"
    code = f"import loopback_only, os, sys; loopback_only.guard_children(); {become}"

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30)

    assert result.returncode == 1
    assert "without the guard" in result.stderr


def test_an_address_of_this_machine_may_be_in_the_form_of_ipv6() -> None:
    assert socket.getaddrinfo("::ffff:127.0.0.1", 443)
    with pytest.raises(NetworkAccessError, match=ELSEWHERE):
        socket.getaddrinfo(f"::ffff:{ELSEWHERE}", 443)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost"])
def test_this_machine_may_be_reached(host: str) -> None:
    with socket.create_server(("127.0.0.1" if host == "localhost" else host, 0)) as server:
        socket.create_connection((host, server.getsockname()[1])).close()
