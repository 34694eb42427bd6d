"""The files of a backup: a few JSON files, and a manifest that shows whether they are complete and whose they are.

The manifest holds the checksum of every file and is itself protected by an HMAC under the security domain, so a file
that was changed, truncated or lost is noticed, and so is a backup of an HSM with another security domain. Private keys
are sealed with the security domain one by one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

from . import documents, sealing
from .jobs import MAX_BACKUP_SIZE, JobFailure, invalid_backup
from .records import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

MANIFEST = "manifest.json"
_FORMAT = 1

_ROLE_DEFINITIONS = "role-definitions.json"
_ROLE_ASSIGNMENTS = "role-assignments.json"
_KEYS = "keys.json"
_FILES = {_ROLE_DEFINITIONS, _ROLE_ASSIGNMENTS, _KEYS}


def pack(snapshot: Snapshot, *, security_domain: bytes, hsm_name: str, created: int) -> dict[str, bytes]:
    """Return the files of a backup by name, the manifest last.

    :raises JobFailure: if there is too much for one backup.
    """
    files = {
        _ROLE_DEFINITIONS: _records(snapshot.role_definitions),
        _ROLE_ASSIGNMENTS: _records(snapshot.role_assignments),
        _KEYS: _encode([_each_secret(sealing.seal, documents.document(key), security_domain) for key in snapshot.keys]),
    }
    manifest = {
        "format": _FORMAT,
        "hsm": hsm_name,
        "created": created,
        "securityDomain": _fingerprint(security_domain),
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    files[MANIFEST] = _sealed(manifest, security_domain)
    if sum(map(len, files.values())) > MAX_BACKUP_SIZE:
        raise JobFailure("BackupTooLarge", f"The backup would be larger than {MAX_BACKUP_SIZE} bytes")
    return files


def unpack(files: Mapping[str, bytes], *, security_domain: bytes) -> Snapshot:
    """Return the content of a backup.

    :raises JobFailure: if it is damaged, incomplete, or of another security domain.
    """
    manifest = _read_manifest(files, security_domain)
    for name, checksum in manifest["files"].items():
        if name not in files:
            raise invalid_backup(f"{name} is missing")
        if hashlib.sha256(files[name]).hexdigest() != checksum:
            raise invalid_backup(f"{name} is damaged")
    if unknown := files.keys() - _FILES - {MANIFEST}:
        raise invalid_backup(f"{min(unknown)!a} does not belong to it")
    return Snapshot(
        role_definitions=tuple(map(documents.role_definition, json.loads(files[_ROLE_DEFINITIONS]))),
        role_assignments=tuple(map(documents.role_assignment, json.loads(files[_ROLE_ASSIGNMENTS]))),
        keys=tuple(
            documents.key(_each_secret(sealing.unseal, key, security_domain)) for key in json.loads(files[_KEYS])
        ),
    )


def _each_secret(
    change: Callable[[str, bytes], str], key: documents.Document, security_domain: bytes
) -> documents.Document:
    """Return the document of a key with its private halves sealed or unsealed. Keys of older emulators have none."""
    versions = [
        {**each, "secret": each.get("secret") and change(each["secret"], security_domain)} for each in key["versions"]
    ]
    return {**key, "versions": versions}


def _read_manifest(files: Mapping[str, bytes], security_domain: bytes) -> dict[str, Any]:
    """Return the manifest, if it is byte for byte what an owner of the security domain wrote."""
    if MANIFEST not in files:
        raise invalid_backup("it has no manifest")
    try:
        members: Any = json.loads(files[MANIFEST])
        manifest: dict[str, Any] = {name: value for name, value in members.items() if name != "hmac"}
        expected = _sealed(manifest, security_domain)
    except (ValueError, AttributeError, RecursionError) as error:
        raise invalid_backup("its manifest is damaged") from error
    if manifest.get("securityDomain") != _fingerprint(security_domain):
        raise invalid_backup("it was made with another security domain")
    if not hmac.compare_digest(expected, files[MANIFEST]):
        raise invalid_backup("its manifest was changed")
    if manifest.get("format") != _FORMAT:
        raise invalid_backup("its format is unknown")
    return manifest


def _records(records: Iterable[documents.Record]) -> bytes:
    return _encode([documents.document(record) for record in records])


def _encode(value: object) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode()


def _fingerprint(security_domain: bytes) -> str:
    return hashlib.sha256(b"security domain " + security_domain).hexdigest()[:32]


def _sealed(manifest: Mapping[str, object], security_domain: bytes) -> bytes:
    seal = hmac.new(security_domain, _encode(manifest), hashlib.sha256).hexdigest()
    return _encode({**manifest, "hmac": seal})
