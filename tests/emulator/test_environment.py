"""What an emulator tells other programs, and whom they trust then."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.x509.oid import NameOID

from azure.keyvault.administration.emulator import ManagedHsmEmulator
from emulator import application

_NAMES = {NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME}

SYNC_APPLICATION = """
import os, urllib.request
try:
    urllib.request.urlopen(os.environ["AZURE_MANAGEDHSM_URL"])
except urllib.error.HTTPError as error:
    print(error.code, error.headers["WWW-Authenticate"].partition(" ")[0])
"""


def _authorities(file: str) -> set[str]:
    certificates = x509.load_pem_x509_certificates(Path(file).read_bytes())
    return {str(attribute.value) for each in certificates for attribute in each.subject if attribute.oid in _NAMES}


async def test_a_program_that_knows_nothing_but_its_environment_reaches_the_emulator(hsm: ManagedHsmEmulator) -> None:
    assert await asyncio.to_thread(application.run, SYNC_APPLICATION, hsm.environment()) == "401 Bearer"


@pytest.fixture(name="company")
def _company(tmp_path: Path) -> Path:
    """An authority that the machine trusts already."""
    file = tmp_path / "company.pem"
    trustme.CA(organization_name="A company").cert_pem.write_to_path(str(file))
    return file


async def test_whom_the_machine_trusts_is_still_trusted(
    hsm: ManagedHsmEmulator, company: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(company))

    variables = hsm.environment()

    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        assert _authorities(variables[name]) == {"A company", "Managed HSM emulator CA"}
    assert _authorities(variables["NODE_EXTRA_CA_CERTS"]) == {"Managed HSM emulator CA"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps whom it trusts in a store of its own")
async def test_a_directory_of_authorities_will_do(
    hsm: ManagedHsmEmulator, company: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "0a1b2c3d.0").symlink_to(company)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))

    assert _authorities(hsm.environment()["SSL_CERT_FILE"]) == {"A company", "Managed HSM emulator CA"}


async def test_where_nobody_is_trusted_the_emulator_is(
    hsm: ManagedHsmEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))

    assert _authorities(hsm.environment()["SSL_CERT_FILE"]) == {"Managed HSM emulator CA"}


async def test_the_certificates_are_kept_with_the_data_and_the_key_of_the_authority_nowhere(tmp_path: Path) -> None:
    async with ManagedHsmEmulator(data=tmp_path) as hsm:
        first = hsm.ca_certificate
        hsm.environment()
    async with ManagedHsmEmulator(data=tmp_path) as hsm:
        assert hsm.ca_certificate == first
        assert await application.send(hsm.environment(), "GET", "/") == (401, "OK")

    kept = tmp_path / "certificates.pem"
    assert kept.read_bytes().count(b"PRIVATE KEY-----\n") == 2
    assert kept.stat().st_mode & 0o777 == 0o600


async def test_what_other_programs_read_is_named_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async with ManagedHsmEmulator(data="data") as hsm:
        assert hsm.environment()["NODE_EXTRA_CA_CERTS"] == str(tmp_path / "data" / "ca.pem")


@pytest.mark.parametrize("content", ["", "damaged", "-----BEGIN X-----\nAAAA\n-----END X-----\n" * 3])
async def test_certificates_that_cannot_be_read_are_made_anew(tmp_path: Path, content: str) -> None:
    (tmp_path / "certificates.pem").write_text(content)

    async with ManagedHsmEmulator(data=tmp_path) as hsm:
        assert await application.send(hsm.environment(), "GET", "/") == (401, "OK")


@pytest.mark.parametrize(("days", "is_kept"), [(31, True), (29, False)])
async def test_certificates_that_soon_expire_are_made_anew(tmp_path: Path, days: int, *, is_kept: bool) -> None:
    authority = trustme.CA()
    expiry = datetime.now(timezone.utc) + timedelta(days=days)
    leaf = authority.issue_cert("emulated-hsm.managedhsm.azure.net", not_after=expiry)
    pems = [authority.cert_pem, leaf.cert_chain_pems[0], leaf.private_key_pem]
    (tmp_path / "certificates.pem").write_bytes(b"".join(pem.bytes() for pem in pems))

    async with ManagedHsmEmulator(data=tmp_path) as hsm:
        assert (hsm.ca_certificate == authority.cert_pem.bytes()) is is_kept
        assert await application.send(hsm.environment(), "GET", "/") == (401, "OK")
