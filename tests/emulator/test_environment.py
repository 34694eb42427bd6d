"""The environment for other programs, and the authorities that they trust."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import trustme
from cryptography import x509
from cryptography.x509.oid import NameOID

from azure.keyvault.administration.emulator import ManagedHsmEmulator
from emulator import application

_NAMES = {NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME}


def _authorities(file: str) -> set[str]:
    certificates = x509.load_pem_x509_certificates(Path(file).read_bytes())
    return {str(attribute.value) for each in certificates for attribute in each.subject if attribute.oid in _NAMES}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps trusted authorities in its own store")
@pytest.mark.parametrize("kept_in", ["file", "directory", "nothing"])
async def test_trusted_authorities_of_the_machine_are_kept(
    hsm: ManagedHsmEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept_in: str
) -> None:
    company = tmp_path / "0a1b2c3d.0"
    if kept_in != "nothing":
        trustme.CA(organization_name="A company").cert_pem.write_to_path(str(company))
    monkeypatch.setenv("SSL_CERT_FILE", str(company if kept_in == "file" else tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))

    variables = hsm.environment()

    trusted = {"Managed HSM emulator CA"} | ({"A company"} if kept_in != "nothing" else set())
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        assert _authorities(variables[name]) == trusted
    assert _authorities(variables["NODE_EXTRA_CA_CERTS"]) == {"Managed HSM emulator CA"}


async def test_certificates_are_kept_with_the_data_without_the_key_of_the_ca(tmp_path: Path) -> None:
    async with ManagedHsmEmulator(data=tmp_path) as hsm:
        first = hsm.ca_certificate
        hsm.environment()
    async with ManagedHsmEmulator(data=tmp_path) as hsm:
        assert hsm.ca_certificate == first
        assert await application.send(hsm.environment(), "GET", "/") == (401, "OK")

    kept = tmp_path / "certificates.pem"
    assert kept.read_bytes().count(b"PRIVATE KEY-----\n") == 2
    assert kept.stat().st_mode & 0o777 == 0o600


async def test_paths_for_other_programs_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async with ManagedHsmEmulator(data="data") as hsm:
        assert hsm.environment()["NODE_EXTRA_CA_CERTS"] == str(tmp_path / "data" / "ca.pem")


@pytest.mark.parametrize("content", ["", "damaged", "-----BEGIN X-----\nAAAA\n-----END X-----\n" * 3])
async def test_unreadable_certificates_are_replaced(tmp_path: Path, content: str) -> None:
    (tmp_path / "certificates.pem").write_text(content)

    async with ManagedHsmEmulator(data=tmp_path) as hsm:
        assert await application.send(hsm.environment(), "GET", "/") == (401, "OK")


@pytest.mark.parametrize("is_kept", [True, False], ids=["data", "memory"])
async def test_certificates_are_for_everybody_and_nothing_else_is(tmp_path: Path, *, is_kept: bool) -> None:
    async with ManagedHsmEmulator(data=tmp_path / "data" if is_kept else None) as hsm:
        variables = hsm.environment()
        bundle = Path(variables["SSL_CERT_FILE"])
        files = {path.name: path.stat().st_mode & 0o777 for path in bundle.parent.iterdir()}
        directory = bundle.parent.stat().st_mode & 0o777

    assert directory == 0o711
    public = {"ca.pem": 0o644, "ca-bundle.pem": 0o644, "truststore.p12": 0o644}
    assert files.items() >= public.items()
    assert [name for name, mode in files.items() if mode & 0o077 and name not in public] == []


async def test_java_options_of_the_parent_stay(hsm: ManagedHsmEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Xmx64m")

    options = hsm.environment()["JAVA_TOOL_OPTIONS"].split()

    assert [option.partition("=")[0] for option in options] == [
        "-Xmx64m",
        "-Dhttps.proxyHost",
        "-Dhttps.proxyPort",
        "-Djavax.net.ssl.trustStore",
        "-Djavax.net.ssl.trustStoreType",
    ]


async def test_the_managed_identity_can_be_another_principal() -> None:
    principal = "5f0a2f3c-3b8e-4f3e-9d43-0b9b5c2b6d11"
    async with ManagedHsmEmulator(identity_object_id=principal.upper()) as hsm:
        variables = hsm.environment()
        token = await application.get_token(variables)
        path = "/providers/Microsoft.Authorization/roleAssignments?api-version=7.6"
        status, _ = await application.send(variables, "GET", path, token=token)

    assert status == 403
    assert hsm.journal[-1].principal == principal


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"identity_object_id": "me"}, "identity_object_id must be a GUID"),
        ({"allow_hosts": ["exa mple.com"]}, "an allowed host must be a host name"),
        ({"allow_hosts": ["https://example.com"]}, "an allowed host must be a host name"),
        ({"allow_hosts": ["example.com:0"]}, "an allowed host must be a host name"),
        ({"allow_hosts": ["example.com:https"]}, "an allowed host must be a host name"),
        ({"advertise": "http://hsm", "host": "0.0.0.0"}, "advertise must be a host name"),
        ({"advertise": "hsm"}, "advertise needs a host that other machines can reach"),
    ],
    ids=str,
)
def test_invalid_options_are_refused_before_the_start(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ManagedHsmEmulator(**options)


async def test_others_reach_everything_under_the_name_that_is_advertised() -> None:
    # Any address but the loopback of servers stands for one that other machines reach.
    async with ManagedHsmEmulator(host="0.0.0.0", advertise="127.0.0.2") as hsm:
        variables = hsm.environment()
        token = await application.get_token(variables)
        path = "/providers/Microsoft.Authorization/roleAssignments?api-version=7.6"
        status, _ = await application.send(variables, "GET", path, token=token)
        async with aiohttp.ClientSession() as session, session.get(f"{hsm.control_url}/clock") as reply:
            controlled = reply.status
        async with aiohttp.ClientSession() as session, session.get(hsm.control_url[:-1] + "x/clock") as reply:
            without_key = reply.status

    named = {name: urlsplit(variables[name]).hostname for name in variables if variables[name].startswith("http")}
    assert (status, controlled, without_key) == (200, 200, 403)
    assert variables["NO_PROXY"] == variables["no_proxy"] == "localhost,127.0.0.1,::1,127.0.0.2"
    assert "-Dhttps.proxyHost=127.0.0.2 " in variables["JAVA_TOOL_OPTIONS"]
    assert {name for name, host in named.items() if host == "127.0.0.2"} == {
        "EMULATOR_CONTROL_URL",
        "IDENTITY_ENDPOINT",
        "HTTPS_PROXY",
        "https_proxy",
    }


def test_advertised_name_is_used_from_another_thread() -> None:
    with ManagedHsmEmulator(host="0.0.0.0", advertise="127.0.0.2") as hsm:
        assert hsm.client_kwargs["proxies"]["https"] == hsm.environment()["HTTPS_PROXY"]
