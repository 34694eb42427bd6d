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


def test_no_byte_can_be_changed(files: dict[str, bytes]) -> None:
    for name, content in files.items():
        for position, byte in enumerate(content):
            # Another character, a letter of the other case, or a space.
            changed = bytes([(byte ^ 1, byte ^ 0x20, 0x20)[position % 3]])
            tampered = content[:position] + changed + content[position + 1 :]
            if tampered != content:
                with pytest.raises(JobFailure, match=r"^InvalidBackup: Invalid backup provided: "):
                    archive.unpack({**files, name: tampered}, security_domain=DOMAIN)


def test_no_file_can_be_cut_off_or_added_to(files: dict[str, bytes]) -> None:
    for name, content in files.items():
        for other in (b"", content[: len(content) // 2], content[:-1], content + b"\n"):
            with pytest.raises(JobFailure, match=r"^InvalidBackup: Invalid backup provided: "):
                archive.unpack({**files, name: other}, security_domain=DOMAIN)


def test_no_file_can_be_left_out_or_brought_along(files: dict[str, bytes]) -> None:
    reasons = {name: f"{name} is missing" for name in files} | {archive.MANIFEST: "it has no manifest"}
    for name, reason in reasons.items():
        with pytest.raises(JobFailure, match=f"^InvalidBackup: Invalid backup provided: {reason}$"):
            archive.unpack({other: files[other] for other in files if other != name}, security_domain=DOMAIN)
    with pytest.raises(JobFailure, match=r"'keys\.json~' does not belong to it"):
        archive.unpack({**files, "keys.json~": b""}, security_domain=DOMAIN)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (b"{", "its manifest is damaged"),
        (b"[]", "its manifest is damaged"),
        (b"{}", r"it.*"),
        ({"format": 2}, r"it.*"),
        ({"securityDomain": "0"}, "it was made with another security domain"),
        ({"created": 0}, "its manifest was changed"),
        ({"hmac": "0" * 64}, "its manifest was changed"),
        ({"hmac": "\u00e4"}, "its manifest was changed"),
        ({"hmac": 1}, "its manifest was changed"),
    ],
)
def test_changed_manifest_is_refused(files: dict[str, bytes], change: bytes | dict[str, object], reason: str) -> None:
    if isinstance(change, dict):
        change = archive._encode({**json.loads(files[archive.MANIFEST]), **change})

    with pytest.raises(JobFailure, match=f"^InvalidBackup: Invalid backup provided: {reason}$"):
        archive.unpack({**files, archive.MANIFEST: change}, security_domain=DOMAIN)


def test_no_file_can_stand_in_for_that_of_another_backup(files: dict[str, bytes]) -> None:
    other = archive.pack(Snapshot(), security_domain=DOMAIN, hsm_name="hsm", created=1)

    for name in files:
        with pytest.raises(JobFailure, match="InvalidBackup"):
            archive.unpack({**files, name: other[name]}, security_domain=DOMAIN)


def test_manifest_sealed_with_another_security_domain_is_refused(files: dict[str, bytes]) -> None:
    forged = archive.pack(Snapshot(), security_domain=b"e" * 32, hsm_name="hsm", created=1)
    manifest = {
        **json.loads(forged["manifest.json"]),
        "securityDomain": json.loads(files["manifest.json"])["securityDomain"],
    }

    with pytest.raises(JobFailure, match="its manifest was changed"):
        archive.unpack({**forged, "manifest.json": archive._encode(manifest)}, security_domain=DOMAIN)


@pytest.mark.parametrize("depth", [100, 900, 940, 960, 980, 100_000])
def test_deep_manifest_is_refused(files: dict[str, bytes], depth: int) -> None:
    deep = files["manifest.json"].replace(b'"created": 1', b'"created": ' + b"[" * depth + b"]" * depth)

    with pytest.raises(JobFailure, match=r"its manifest (was changed|is damaged)"):
        archive.unpack({**files, "manifest.json": deep}, security_domain=DOMAIN)


def test_backup_too_large_to_restore_is_not_packed() -> None:
    version = KeyVersion("v", "oct-HSM", {}, (), 1, 1, tags={"t": "x" * (MAX_BACKUP_SIZE // 2)})

    with pytest.raises(JobFailure, match="BackupTooLarge: The backup would be larger than 67108864 bytes"):
        archive.pack(Snapshot(keys=(Key("k", (version, version)),)), security_domain=DOMAIN, hsm_name="hsm", created=1)
