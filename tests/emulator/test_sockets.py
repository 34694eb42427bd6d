"""The emulator never leaves the machine: everything that it asks of the network is watched from the first import on."""

from __future__ import annotations

import ast
import asyncio
import signal
import sys
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest

from emulator import application
from emulator.blob_server import BlobServer
from emulator.command import NAMES, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

WATCHED = """
import sys

seen = []

def watch(event, arguments):
    if event.startswith("socket."):
        seen.append((event, [argument for argument in arguments if isinstance(argument, (str, bytes, tuple))]))

sys.addaudithook(watch)
from azure.keyvault.administration.emulator._command_line import main
code = main(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    file.writelines(f"{each!r}\\n" for each in seen)
sys.exit(code)
"""

# Where a program that obeys these would go.
ELSEWHERE = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"), "http://192.0.2.1:9")

# What names a host: the first text, or the first part of an address.
_ASKING = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"}
_USING = {"socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"}


def leaving(events: Iterable[tuple[str, list[Any]]]) -> list[tuple[str, list[Any]]]:
    """Return what leads to another machine, or asks one about a name."""
    return [(event, found) for event, found in events if event in _ASKING | _USING and not _stays(found)]


def _stays(found: list[Any]) -> bool:
    if not found:
        return False
    host = found[0][0] if isinstance(found[0], tuple) else found[0]
    text = host.decode() if isinstance(host, bytes) else str(host)
    try:
        return ip_address(text).is_loopback
    except ValueError:
        return text == "localhost"


async def _finish(variables: Mapping[str, str], token: str, method: str, path: str, body: object) -> dict[str, Any]:
    status, job = await application.send(variables, method, f"{path}?api-version=7.6", body, token=token)
    assert status == 202
    kind = path.rpartition("/")[2] if path.startswith("/keys") else path.strip("/")
    while job["status"] == "InProgress":
        _, job = await application.send(variables, "GET", f"/{kind}/{job['jobId']}/pending", token=token)
    assert job["status"] == "Succeeded", job
    return dict(job)


async def test_no_socket_leads_to_another_machine(tmp_path: Path) -> None:
    report = tmp_path / "sockets"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WATCHED, report, "--quiet", "--print-env", "--data", tmp_path / "data"),
        env=application.environment(ELSEWHERE),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    variables = parse("".join([(await process.stdout.readline()).decode() for _ in NAMES]))
    token = await application.get_token(variables)
    sas = variables["BLOB_SAS_TOKEN"]

    async with BlobServer() as blobs:
        for container in ("https://contoso.blob.core.windows.net/backups", f"{blobs.account_url}/backups"):
            storage = {"storageResourceUri": container, "token": sas}
            done = await _finish(variables, token, "POST", "/backup", storage)
            folder = done["azureStorageBlobContainerUri"].rpartition("/")[2]
            restore = {"sasTokenParameters": storage, "folderToRestore": folder}
            await _finish(variables, token, "PUT", "/restore", restore)
        address = blobs.account_url
    process.send_signal(signal.SIGTERM)
    _, errors = await process.communicate()

    events = [ast.literal_eval(line) for line in report.read_text().splitlines()]
    addresses = {
        kind: [found[0] for event, found in events if event == f"socket.{kind}"] for kind in ("bind", "connect")
    }
    assert (process.returncode, errors) == (0, b"")
    assert addresses["bind"].count(("127.0.0.1", 0)) == 3
    assert {f"http://{host}:{port}" for host, port in addresses["connect"]} == {address.rpartition("/")[0]}
    assert leaving(events) == []


@pytest.mark.parametrize(
    "event",
    [
        ("socket.connect", [("192.0.2.1", 443)]),
        ("socket.bind", [("0.0.0.0", 0)]),
        ("socket.sendto", [("fe80::1", 53, 0, 0)]),
        ("socket.getaddrinfo", ["contoso.blob.core.windows.net"]),
        ("socket.getaddrinfo", [b"localhost.contoso.com"]),
        ("socket.gethostbyname", ["host"]),
    ],
    ids=str,
)
def test_watch_notices_addresses_elsewhere(event: tuple[str, list[Any]]) -> None:
    here: list[tuple[str, list[Any]]] = [
        ("socket.connect", [("127.0.0.1", 1)]),
        ("socket.getaddrinfo", ["localhost"]),
        ("socket.__new__", []),
    ]

    assert leaving([*here, event]) == [event]
