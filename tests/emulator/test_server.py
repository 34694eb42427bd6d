"""Starting, reaching and closing an emulator."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from azure.core.pipeline import AsyncPipeline
from azure.core.rest import HttpRequest
from yarl import URL

from azure.keyvault.administration import emulator
from azure.keyvault.administration.emulator import JournalEntry, ManagedHsmEmulator
from emulator.operator_client import ALICE
from emulator.raw import CRYPTO_USER, ROLE_ASSIGNMENTS, ROLE_DEFINITIONS, RawClient

if TYPE_CHECKING:
    from pathlib import Path


def test_the_public_names() -> None:
    names = ["Clock", "EmulatorCredential", "Journal", "JournalEntry", "ManagedHsmEmulator", "RateLimits"]
    assert emulator.__all__ == names


@pytest.mark.parametrize("module", ["jwt", "azure.storage.blob"])
def test_without_the_extra_the_import_says_what_to_install(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    for name in [name for name in sys.modules if name.startswith(emulator.__name__)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(ImportError, match=r'needs its extra: pip install "azure-keyvault-administration\[emulator\]"'):
        import_module(emulator.__name__)


async def test_the_url_looks_real_and_the_certificate_is_for_it(hsm: ManagedHsmEmulator) -> None:
    context = ssl.create_default_context(cadata=hsm.ca_certificate.decode())
    name = "emulated-hsm.managedhsm.azure.net"

    _, writer = await asyncio.open_connection("127.0.0.1", hsm.port, ssl=context, server_hostname=name)
    certificate = writer.get_extra_info("peercert")
    writer.close()
    await writer.wait_closed()

    names = [value for _, value in certificate["subjectAltName"]]
    assert hsm.vault_url == f"https://{name}"
    others = ["management.azure.com", "graph.microsoft.com"]
    assert names == [name, "localhost", "127.0.0.1", "0:0:0:0:0:0:0:1", *others]


async def test_the_transport_reaches_no_other_host(hsm: ManagedHsmEmulator) -> None:
    session: aiohttp.ClientSession = hsm.client_kwargs["transport"].session

    with pytest.raises(aiohttp.ClientConnectorError, match=r"reaches only emulated-hsm\.managedhsm\.azure\.net"):
        await session.get("https://other.managedhsm.azure.net/")


async def test_many_clients_share_the_transport_and_closing_one_closes_nothing(hsm: ManagedHsmEmulator) -> None:
    async def status(client: AsyncPipeline[Any, Any]) -> object:
        response = await client.run(HttpRequest("GET", hsm.vault_url + ROLE_DEFINITIONS))
        return response.http_response.status_code

    one, two, three = (AsyncPipeline[Any, Any](**hsm.client_kwargs) for _ in range(3))
    async with one, two:
        async with one:
            assert await status(one) == 401
        assert await status(two) == 401
    async with three:
        assert await status(three) == 401


async def test_two_emulators_know_nothing_of_each_other() -> None:
    async with ManagedHsmEmulator("first") as first, ManagedHsmEmulator("second") as second:
        await RawClient(first).assign(ALICE, CRYPTO_USER)

        assert [len(await RawClient(hsm).role_assignments()) for hsm in (first, second)] == [2, 1]
        assert [hsm.vault_url for hsm in (first, second)] == [
            f"https://{name}.managedhsm.azure.net" for name in ("first", "second")
        ]


async def test_emulator_can_be_closed_twice_and_started_again() -> None:
    hsm = ManagedHsmEmulator()
    await hsm.close()
    await hsm.start()
    await RawClient(hsm).assign(hsm.admin_object_id, CRYPTO_USER)
    await hsm.close()
    await hsm.close()

    async with hsm:
        assert len(await RawClient(hsm).role_assignments()) == 1


@pytest.mark.parametrize(
    "name", ["port", "localhost_url", "client_kwargs", "credential", "ca_certificate", "sas_token"]
)
def test_property_of_a_stopped_emulator_is_an_error(name: str) -> None:
    with pytest.raises(RuntimeError, match="not running"):
        getattr(ManagedHsmEmulator(), name)


async def test_a_port_that_is_taken_is_an_os_error_and_leaves_nothing_open(hsm: ManagedHsmEmulator) -> None:
    other = ManagedHsmEmulator("other", port=hsm.port)

    with pytest.raises(OSError, match="address already in use"):
        await other.start()
    await other.close()

    assert repr(other) == "<ManagedHsmEmulator other not running>"


async def test_it_listens_on_loopback_only(hsm: ManagedHsmEmulator) -> None:
    assert repr(hsm) == f"<ManagedHsmEmulator emulated-hsm port={hsm.port}>"
    with socket.socket() as other, pytest.raises(ConnectionRefusedError):
        other.connect(("127.0.0.2", hsm.port))


async def test_a_data_directory_keeps_its_security_domain(tmp_path: Path) -> None:
    async with ManagedHsmEmulator(data=tmp_path, security_domain=b"d" * 32) as hsm:
        assert hsm.security_domain == b"d" * 32

    async with ManagedHsmEmulator(data=tmp_path) as hsm:
        assert hsm.security_domain == b"d" * 32
    with pytest.raises(ValueError, match="security_domain differs"):
        await ManagedHsmEmulator(data=tmp_path, security_domain=b"e" * 32).start()

    assert (tmp_path / "security-domain").stat().st_mode & 0o777 == 0o600


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


_NEEDS_IPV6 = pytest.mark.skipif(not _has_ipv6(), reason="This machine has no address ::1")
_IPV6_HOSTS = [pytest.param(host, marks=_NEEDS_IPV6) for host in ("::1", "::")]


@pytest.mark.skipif(sys.platform != "linux", reason="Other systems listen only on loopback addresses that were set up")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2", "0.0.0.0", *_IPV6_HOSTS])
async def test_localhost_and_the_transport_lead_to_it_wherever_it_listens(host: str) -> None:
    async with ManagedHsmEmulator(host=host) as hsm, aiohttp.ClientSession() as session:
        url = URL(hsm.localhost_url)
        context = ssl.create_default_context(cadata=hsm.ca_certificate.decode())
        assert url.host == "localhost"
        assert (url.port == hsm.port) is (host in {"0.0.0.0", "127.0.0.1", "localhost"})

        # Of the addresses of localhost, the one that every machine has.
        async with session.get(url.with_host("127.0.0.1"), ssl=context) as reply:
            assert reply.status == 401
        assert len(await RawClient(hsm).role_assignments()) == 1


async def test_state_in_a_data_directory_outlives_the_emulator(tmp_path: Path) -> None:
    data = tmp_path / "new" / "folder"
    async with ManagedHsmEmulator(data=data, admin_object_id=ALICE) as hsm:
        raw = RawClient(hsm)
        token = await raw.token()
        await raw.assign(hsm.admin_object_id, CRYPTO_USER)
        before = await raw.role_assignments()
    assert {each["properties"]["principalId"] for each in before} == {ALICE}

    async with ManagedHsmEmulator(data=data) as hsm:
        reply = await RawClient(hsm).send("GET", ROLE_ASSIGNMENTS, token=token)

    assert reply.json == {"value": before}


async def test_a_data_directory_belongs_to_one_hsm(tmp_path: Path) -> None:
    async with ManagedHsmEmulator("first", data=tmp_path):
        pass

    with pytest.raises(ValueError, match="holds the HSM 'first', not 'second'"):
        await ManagedHsmEmulator("second", data=tmp_path).start()


async def test_journal_has_request_principal_and_status(raw: RawClient) -> None:
    token = await raw.token()
    await raw.send("GET", "//" + ROLE_DEFINITIONS, token=None)
    await raw.send("GET", "//" + ROLE_DEFINITIONS, query="$filter=secret")
    await raw.send("PUT", ROLE_ASSIGNMENTS, {"secret": token})
    await raw.send("GET", "/x", token="secret")

    journal = raw.hsm.journal
    administrator = raw.hsm.admin_object_id
    assert journal == [
        JournalEntry("GET", "//" + ROLE_DEFINITIONS, None, 401),
        JournalEntry("GET", "//" + ROLE_DEFINITIONS, administrator, 400),
        JournalEntry("PUT", ROLE_ASSIGNMENTS, administrator, 405),
        JournalEntry("GET", "/x", None, 401),
    ]
    assert (len(journal), journal[-1], journal[1:3]) == (4, list(journal)[3], list(journal)[1:3])
    assert "secret" not in repr(journal)

    journal.clear()
    assert journal == []


@pytest.mark.parametrize(
    ("option", "message"),
    [
        *(
            ({"port": port}, f"port must be a number from 0 to 65535, got {port!r}")
            for port in (-1, 65536, 0.5, "http")
        ),
        *(
            ({"admin_object_id": object_id}, f"admin_object_id must be a GUID, got {object_id!r}")
            for object_id in ("me", "", 5)
        ),
        ({"host": ""}, "host"),
        ({"job_duration": -1}, "must be a number of seconds from 0"),
        ({"retry_after": -1}, "must be a number of seconds from 0"),
        *(
            ({"name": name}, "name must be 3 to 24")
            for name in ("", "ab", "1abc", "a--b", "a-", "with space", "a" * 25, "ä-b-c")
        ),
    ],
    ids=str,
)
def test_option_that_cannot_be_is_refused(option: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        ManagedHsmEmulator(**option)


async def test_security_domain_of_another_size_is_refused() -> None:
    for domain in (b"", b"x" * 31):
        with pytest.raises(ValueError, match="security_domain must be 32 bytes"):
            await ManagedHsmEmulator(security_domain=domain).start()


async def test_invalid_object_id_is_refused(hsm: ManagedHsmEmulator) -> None:
    for use in (hsm.credential_for, hsm.revoke_tokens):
        with pytest.raises(ValueError, match="object_id must be a GUID, got 'nobody'"):
            use("nobody")


@pytest.mark.parametrize("kept", ["", "ab", "z" * 64, "ä" * 64], ids=["empty", "cut", "no-digits", "no-ascii"])
async def test_a_damaged_security_domain_is_refused_and_kept(tmp_path: Path, kept: str) -> None:
    (tmp_path / "security-domain").write_text(kept)

    with pytest.raises(ValueError, match="damaged"):
        await ManagedHsmEmulator(data=tmp_path).start()

    assert (tmp_path / "security-domain").read_text() == kept


async def test_two_starts_at_once_make_one_emulator() -> None:
    hsm = ManagedHsmEmulator()

    outcomes = await asyncio.gather(hsm.start(), hsm.start(), return_exceptions=True)

    assert [str(outcome) for outcome in outcomes] == ["None", "The emulator runs already"]
    await hsm.close()
    with pytest.raises(RuntimeError, match="not running"):
        _ = hsm.port


async def test_closing_while_it_starts_leaves_nothing_running() -> None:
    hsm = ManagedHsmEmulator()

    await asyncio.gather(hsm.start(), hsm.close())

    assert repr(hsm) == "<ManagedHsmEmulator emulated-hsm not running>"


async def test_closing_drops_connections_still_in_the_handshake(caplog: pytest.LogCaptureFixture) -> None:
    async with ManagedHsmEmulator() as hsm:
        early = socket.create_connection(("127.0.0.1", hsm.port))
        context = ssl.create_default_context(cadata=hsm.ca_certificate.decode())
        # Others come after it, so it has been let in, as far as it goes.
        assert (await RawClient(hsm).send("GET", "/keys")).status == 403

    def ask() -> bytes:
        early.settimeout(30)
        with early, context.wrap_socket(early, server_hostname="localhost") as tunnel:
            tunnel.sendall(b"GET /keys HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return tunnel.recv(1)

    with contextlib.suppress(OSError):
        assert await asyncio.to_thread(ask) == b""
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_start_that_is_cancelled_leaves_nothing_running() -> None:
    hsm = ManagedHsmEmulator()
    start = asyncio.create_task(hsm.start())
    await asyncio.sleep(0)
    start.cancel()

    with pytest.raises(asyncio.CancelledError):
        await start
    async with hsm:
        assert len(await RawClient(hsm).role_assignments()) == 1
