"""The tests are kept on this machine, and so are the processes that they start."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys

import aiohttp
import pytest
from loopback_only import NetworkAccessError

# A documentation address (RFC 5737), which no machine has.
ELSEWHERE = "192.0.2.1"


def test_a_connection_to_another_machine_is_refused() -> None:
    with socket.socket() as sock, pytest.raises(NetworkAccessError, match=ELSEWHERE):
        sock.connect((ELSEWHERE, 443))


def test_a_datagram_to_another_machine_is_refused() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock, pytest.raises(NetworkAccessError, match=ELSEWHERE):
        sock.sendto(b"x", (ELSEWHERE, 53))


@pytest.mark.parametrize("url", [f"https://{ELSEWHERE}/", "https://contoso.managedhsm.azure.net/"])
async def test_a_request_to_another_machine_is_refused(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(NetworkAccessError):
            await session.get(url)


async def test_a_name_is_not_looked_up() -> None:
    with pytest.raises(NetworkAccessError, match="example"):
        await asyncio.get_running_loop().getaddrinfo("example.invalid", 443)


def test_a_child_is_kept_on_this_machine() -> None:
    code = f"import urllib.request; urllib.request.urlopen('http://{ELSEWHERE}/')"

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30)

    assert result.returncode == 1
    assert f"NetworkAccessError: a test connected to '{ELSEWHERE}'" in result.stderr


def test_a_child_without_the_guard_is_not_started() -> None:
    with pytest.raises(NetworkAccessError, match="without the guard"):
        subprocess.run([sys.executable, "-c", ""], env={"PATH": "/bin"}, check=True, timeout=30)
