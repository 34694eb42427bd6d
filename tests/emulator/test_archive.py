"""The files of a backup: what was packed comes back; what was changed in any place does not."""

from __future__ import annotations

import json

import pytest

from azure.keyvault.administration.emulator._domain import archive
from azure.keyvault.administration.emulator._domain.jobs import MAX_BACKUP_SIZE, JobFailure
from azure.keyvault.administration.emulator._domain.records import (
    Key,
    KeyVersion,
    Permission,
    RoleAssignment,
    RoleDefinition,
    Snapshot,
)

DOMAIN = b"d" * 32
VERSION = KeyVersion("v", "EC-HSM", {"crv": "P-256", "x": "1", "y": "2"}, ("sign",), 1, 2, tags={"ä": "\n"})
SNAPSHOT = Snapshot(
    (RoleDefinition("r", "role", "text", is_built_in=False, permissions=(Permission(data_actions=("a",)),)),),
    (RoleAssignment("a", "/keys/k", "r", "alice"),),
    (Key("k", (VERSION, VERSION)), Key("gone", (VERSION,), deleted=7)),
)


@pytest.fixture(name="files")
def _files() -> dict[str, bytes]:
    return archive.pack(SNAPSHOT, security_domain=DOMAIN, hsm_name="hsm", created=1)


def test_what_was_packed_comes_back(files: dict[str, bytes]) -> None:
    assert archive.unpack(files, security_domain=DOMAIN) == SNAPSHOT


def test_nothing_at_all_is_a_backup_too() -> None:
    files = archive.pack(Snapshot(), security_domain=DOMAIN, hsm_name="hsm", created=1)

    assert archive.unpack(files, security_domain=DOMAIN) == Snapshot()


def test_no_byte_can_be_changed(files: dict[str, bytes]) -> None:
    for name, content in files.items():
        for position in range(len(content)):
            for changed in {content[position] ^ 1, content[position] ^ 0x20, 0x20} - {content[position]}:
                tampered = content[:position] + bytes([changed]) + content[position + 1 :]
                with pytest.raises(JobFailure, match=r"^InvalidBackup: Invalid backup provided: "):
                    archive.unpack({**files, name: tampered}, security_domain=DOMAIN)


def test_no_file_can_be_cut_off_at_any_length_or_added_to(files: dict[str, bytes]) -> None:
    for name, content in files.items():
        for other in (*(content[:length] for length in range(len(content))), content + b"\n"):
            with pytest.raises(JobFailure, match=r"^InvalidBackup: Invalid backup provided: "):
                archive.unpack({**files, name: other}, security_domain=DOMAIN)


def test_no_file_can_be_left_out_or_brought_along(files: dict[str, bytes]) -> None:
    for name in files:
        with pytest.raises(JobFailure, match="InvalidBackup"):
            archive.unpack({other: files[other] for other in files if other != name}, security_domain=DOMAIN)
    with pytest.raises(JobFailure, match=r"'keys\.json~' does not belong to it"):
        archive.unpack({**files, "keys.json~": b""}, security_domain=DOMAIN)


def test_no_file_can_stand_in_for_that_of_another_backup(files: dict[str, bytes]) -> None:
    other = archive.pack(Snapshot(), security_domain=DOMAIN, hsm_name="hsm", created=1)

    for name in files:
        with pytest.raises(JobFailure, match="InvalidBackup"):
            archive.unpack({**files, name: other[name]}, security_domain=DOMAIN)


def test_who_has_another_security_domain_cannot_seal_a_manifest(files: dict[str, bytes]) -> None:
    forged = archive.pack(Snapshot(), security_domain=b"e" * 32, hsm_name="hsm", created=1)
    manifest = {
        **json.loads(forged["manifest.json"]),
        "securityDomain": json.loads(files["manifest.json"])["securityDomain"],
    }

    with pytest.raises(JobFailure, match="its manifest was changed"):
        archive.unpack({**forged, "manifest.json": archive._encode(manifest)}, security_domain=DOMAIN)


@pytest.mark.parametrize("depth", [100, 900, 940, 960, 980, 5_000, 100_000])
def test_no_depth_of_a_manifest_does_any_harm(files: dict[str, bytes], depth: int) -> None:
    deep = files["manifest.json"].replace(b'"created": 1', b'"created": ' + b"[" * depth + b"]" * depth)

    with pytest.raises(JobFailure, match=r"its manifest (was changed|is damaged)"):
        archive.unpack({**files, "manifest.json": deep}, security_domain=DOMAIN)


def test_what_could_not_be_restored_is_not_packed() -> None:
    version = KeyVersion("v", "oct-HSM", {}, (), 1, 1, tags={"t": "x" * (MAX_BACKUP_SIZE // 2)})

    with pytest.raises(JobFailure, match="BackupTooLarge: The backup would be larger than 67108864 bytes"):
        archive.pack(Snapshot(keys=(Key("k", (version, version)),)), security_domain=DOMAIN, hsm_name="hsm", created=1)
