"""TLS settings of a client and of a call, and how many connections they take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trustme
from azure.core.exceptions import ServiceRequestError
from azure.core.rest import HttpRequest

from azure.keyvault.administration.aio import KeyVaultBackupClient
from fakes import VAULT, FakeCredential, ScriptedTransport
from raw_server import RawServer, challenging, http
from transports import TRANSPORTS

_BEHAVIOUR = challenging(http(404))


def _client(server: RawServer, **options: Any) -> KeyVaultBackupClient:
    return KeyVaultBackupClient(
        server.url, FakeCredential(), challenge_resource_domains=["managedhsm.azure.net"], retry_total=0, **options
    )


def _connections(server: RawServer) -> int:
    return sum(not received.on_reused_connection for received in server.requests)


async def test_a_client_with_its_own_authorities_keeps_its_connection(tmp_path: Path) -> None:
    async with RawServer(tmp_path, _BEHAVIOUR) as server, _client(server, connection_verify=server.ca_file) as client:
        for _ in range(3):
            await client.send_request(HttpRequest("GET", "/x"))

    assert len(server.authorized()) == 3
    assert _connections(server) == 1


async def test_a_client_that_verifies_nothing_trusts_any_server(tmp_path: Path) -> None:
    async with RawServer(tmp_path, _BEHAVIOUR) as server, _client(server, connection_verify=False) as client:
        await client.send_request(HttpRequest("GET", "/x"))

    assert _connections(server) == 1


async def test_a_call_can_trust_other_authorities_than_its_client(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    async with (
        RawServer(tmp_path / "other", _BEHAVIOUR) as other,
        RawServer(tmp_path, _BEHAVIOUR) as server,
        _client(server, connection_verify=other.ca_file) as client,
    ):
        with pytest.raises(ServiceRequestError):
            await client.send_request(HttpRequest("GET", "/x"))
        answer = await client.send_request(HttpRequest("GET", "/x"), connection_verify=server.ca_file)

    assert answer.status_code == 404
    assert other.requests == []


@pytest.mark.parametrize("certificate", ["one file", "two files"])
async def test_a_client_shows_its_certificate(tmp_path: Path, certificate: str) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("client@contoso.example")
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
    given: Any = {
        "one file": str(tmp_path / "both.pem"),
        "two files": (str(tmp_path / "certificate.pem"), str(tmp_path / "key.pem")),
    }
    async with (
        RawServer(tmp_path, _BEHAVIOUR, clients=authority) as server,
        _client(server, connection_verify=server.ca_file, connection_cert=given[certificate]) as client,
    ):
        for _ in range(2):
            await client.send_request(HttpRequest("GET", "/x"))

    assert len(server.authorized()) == 2
    assert _connections(server) == 1


async def test_unusable_files_are_an_error_of_the_constructor(tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "certificate.pem")

    # This one lacks the key.
    with pytest.raises(ValueError, match=r"connection_cert must be .*certificate\.pem"):
        KeyVaultBackupClient(VAULT, FakeCredential(), connection_cert=str(tmp_path / "certificate.pem"))
    # A transport has its own authorities. A folder of authorities may be empty.
    KeyVaultBackupClient(VAULT, FakeCredential(), transport=ScriptedTransport(), connection_verify="/absent.pem")
    KeyVaultBackupClient(VAULT, FakeCredential(), connection_verify=str(tmp_path))
    with pytest.raises(ValueError, match=r"connection_verify must be .*absent\.pem"):
        KeyVaultBackupClient(VAULT, FakeCredential(), connection_verify=str(tmp_path / "absent.pem"))


async def test_a_client_that_shows_a_certificate_always_verifies_the_server(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.issue_cert("client@contoso.example").private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    async with (
        RawServer(tmp_path, _BEHAVIOUR, clients=authority) as server,
        _client(server, connection_verify=False, connection_cert=str(tmp_path / "both.pem")) as client,
    ):
        with pytest.raises(ServiceRequestError):
            await client.send_request(HttpRequest("GET", "/x"))
        assert server.requests == []
        # A call may trust other authorities and still show the certificate of the client.
        answer = await client.send_request(HttpRequest("GET", "/x"), connection_verify=server.ca_file)

    assert answer.status_code == 404


@pytest.mark.parametrize(
    "certificate",
    [
        ("/absent.pem", "/absent.pem", "hunter2"),
        ("/absent.pem", "/absent.pem", "hunter2", "more"),
        "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\\nhunter2\\n-----END PRIVATE KEY-----",
        "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7hunter2AA==",
        ("/absent.pem", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7hunter2AA=="),
        5,
    ],
    ids=["password", "four", "PEM", "PEM in one line", "base64", "base64 as second", "number"],
)
def test_the_error_of_an_invalid_certificate_shows_no_password(certificate: Any) -> None:
    with pytest.raises(ValueError, match="connection_cert must be the path of a file") as caught:
        KeyVaultBackupClient(VAULT, FakeCredential(), connection_cert=certificate)

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("option", [{"sdk_moniker": "mine/1"}, {"instrumentation_config": {}}], ids=str)
def test_keywords_that_the_library_sets_itself_are_accepted(option: dict[str, Any]) -> None:
    KeyVaultBackupClient(VAULT, FakeCredential(), **option)


_WRONG: list[dict[str, Any]] = [
    {"connection_verify": "/missing.pem"},
    {"connection_verify": 5},
    {"connection_cert": "/missing.pem"},
    {"connection_cert": ("/missing.pem", "/key.pem")},
    {"connection_cert": 5},
    {"connection_timeout": "soon"},
]


@pytest.mark.parametrize(
    ("make", "option"),
    [*((None, option) for option in _WRONG), *((make, option) for make in TRANSPORTS for option in _WRONG[::3])],
)
async def test_wrong_keywords_of_a_call_are_value_errors(tmp_path: Path, make: Any, option: dict[str, Any]) -> None:
    async with RawServer(tmp_path, _BEHAVIOUR) as server:
        trust = {"transport": make(server.ca_file)} if make else {"connection_verify": server.ca_file}
        async with _client(server, **trust) as client:
            with pytest.raises(ValueError, match=f"{next(iter(option))} must be"):
                await client.send_request(HttpRequest("GET", "/x"), **option)

    assert server.requests == []
