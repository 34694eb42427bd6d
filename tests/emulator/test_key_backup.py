"""Keys come back from blobs of single keys, full backups, and databases of earlier emulators."""

from __future__ import annotations

import json
import sqlite3
from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from azure.keyvault.administration.emulator import ManagedHsmEmulator
from emulator.operator_client import Operator
from emulator.raw import CRYPTO_USER, RawClient

if TYPE_CHECKING:
    from pathlib import Path

FOREIGN = (
    400,
    "MalformedBackupBlob",
    "Backup blob belongs to a different crypto domain and cannot be used with this instance.",
)
KINDS: tuple[dict[str, Any], ...] = ({"kty": "RSA"}, {"kty": "EC", "crv": "P-384"}, {"kty": "oct"}, {"kty": "OKP"})
SIGNATURES = {"RSA-HSM": ("RS256", 32), "EC-HSM": ("ES384", 48), "oct-HSM": ("HS256", 32), "OKP-HSM": ("EdDSA", 9)}


async def sign(user: RawClient, key: dict[str, Any]) -> dict[str, str]:
    """Sign with a version of a key, and return what verifies that."""
    algorithm, size = SIGNATURES[key["kty"]]
    digest = urlsafe_b64encode(bytes(size)).rstrip(b"=").decode()
    path = key["kid"].removeprefix(user.hsm.vault_url)
    value = (await user.send("POST", f"{path}/sign", {"alg": algorithm, "value": digest})).json["value"]
    return {"path": path, "alg": algorithm, "digest": digest, "value": value}


async def is_verified(user: RawClient, signed: dict[str, str]) -> bool:
    body = {name: signed[name] for name in ("alg", "digest", "value")}
    reply = await user.send("POST", f"{signed['path']}/verify", body)
    return reply.status == 200 and bool(reply.json["value"])


async def lose(user: RawClient, name: str) -> None:
    await user.send("DELETE", f"/keys/{name}")
    await user.send("DELETE", f"/deletedkeys/{name}")


async def test_blob_brings_back_all_versions_that_still_work(user: RawClient) -> None:
    created = [(await user.send("POST", "/keys/k/create", {**kind, "tags": {"a": "1"}})).json for kind in KINDS]
    signed = [await sign(user, each["key"]) for each in created]
    await user.send("PUT", "/keys/k/rotationpolicy", {"attributes": {"expiryTime": "P90D"}})
    versions = (await user.send("GET", "/keys/k/versions")).body
    policy = (await user.send("GET", "/keys/k/rotationpolicy")).body

    blob = (await user.send("POST", "/keys/k/backup")).json
    await lose(user, "k")
    user.hsm.clock.advance(1000)
    restored = await user.send("POST", "/keys/restore", blob)

    assert list(blob) == ["value"]
    assert (restored.status, restored.json) == (200, created[-1])
    assert (await user.send("GET", "/keys/k/versions")).body == versions
    assert (await user.send("GET", "/keys/k/rotationpolicy")).body == policy
    assert [await is_verified(user, each) for each in signed] == [True] * len(KINDS)


async def test_blob_is_a_web_encryption_that_shows_nothing(user: RawClient) -> None:
    await user.send("POST", "/keys/k/create", {"kty": "oct", "tags": {"tag": "visible"}})

    blob = (await user.send("POST", "/keys/k/backup")).json["value"]

    token = urlsafe_b64decode(blob + "=" * (-len(blob) % 4)).decode("ascii")
    header, key, *parts = [urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".")]
    assert json.loads(header) == {"alg": "dir", "enc": "A256CBC-HS512", "kid": "backup-protection-key"}
    assert (key, len(parts)) == (b"", 3)
    assert b"visible" not in b"".join(parts)


async def test_blob_needs_the_same_security_domain(user: RawClient) -> None:
    await user.send("POST", "/keys/k/create", {"kty": "EC"})
    blob = (await user.send("POST", "/keys/k/backup")).json

    statuses = []
    for domain in (user.hsm.security_domain, b"d" * 32):
        async with ManagedHsmEmulator(security_domain=domain) as other:
            stranger = RawClient(other)
            await stranger.assign(stranger.principal, CRYPTO_USER)
            reply = await stranger.send("POST", "/keys/restore", blob)
            statuses.append(reply.error if reply.status >= 400 else reply.status)

    assert statuses == [200, FOREIGN]


async def test_changed_blob_is_refused(user: RawClient) -> None:
    await user.send("POST", "/keys/k/create", {"kty": "oct"})
    blob = (await user.send("POST", "/keys/k/backup")).json["value"]
    await lose(user, "k")

    places = range(0, len(blob), len(blob) // 12)
    changed = [blob[:at] + ("A" if blob[at] != "A" else "B") + blob[at + 1 :] for at in places]
    for value in (*changed, "", "A", "AAAA", "ä", blob[:-2], blob[4:], blob + blob, "=" * 40):
        assert (await user.send("POST", "/keys/restore", {"value": value})).error == FOREIGN


async def test_blob_does_not_replace_a_key(user: RawClient) -> None:
    await user.send("POST", "/keys/k/create", {"kty": "oct"})
    blob = (await user.send("POST", "/keys/k/backup")).json

    over_live = await user.send("POST", "/keys/restore", blob)
    await user.send("DELETE", "/keys/k")
    over_deleted = await user.send("POST", "/keys/restore", blob)

    assert over_live.error[:2] == over_deleted.error[:2] == (409, "Conflict")


async def test_absent_key_is_not_backed_up(user: RawClient) -> None:
    reply = await user.send("POST", "/keys/none/backup")

    assert reply.error == (404, "KeyNotFound", f"Key not found: {user.hsm.vault_url}/keys/none")


async def test_key_with_a_hundred_large_versions_comes_back(user: RawClient) -> None:
    await user.send("POST", "/keys/k/create", {"kty": "RSA"})
    store = user.hsm._run.hsm.store
    (key,) = store.keys(deleted=False)
    # As large as RSA keys of 4096 bits, a hundred of which take too long to make.
    large = replace(key.versions[0], secret=2 * str(key.versions[0].secret), tags={"n": "x" * 350})
    versions = tuple(replace(large, version=f"{number:032x}") for number in range(100))
    store.save_key(replace(key, versions=versions))

    blob = (await user.send("POST", "/keys/k/backup")).json
    await lose(user, "k")

    assert (await user.send("POST", "/keys/restore", blob)).status == 200


@pytest.mark.parametrize("path", ["/restore", "/keys/k/restore"])
async def test_full_backup_brings_back_keys_that_work_and_holds_none_in_the_clear(tmp_path: Path, path: str) -> None:
    async with ManagedHsmEmulator(data=tmp_path) as hsm:
        user = Operator(hsm)
        await user.grant_key_roles()
        created = [(await user.send("POST", "/keys/k/create", kind)).json for kind in KINDS]
        signed = [await sign(user, each["key"]) for each in created]
        secrets = [version.secret or "" for key in hsm._run.hsm.store.keys(deleted=False) for version in key.versions]
        folder = await user.folder()
        await lose(user, "k")
        lost = [await is_verified(user, each) for each in signed]

        await user.finish(await user.restore(folder, path))

        assert lost == [False] * len(KINDS)
        assert [await is_verified(user, each) for each in signed] == [True] * len(KINDS)
        files = [file.read_text() for file in (tmp_path / "storage").rglob("*") if file.is_file()]
    assert len(files) == 4
    assert [secret for secret in secrets if any(secret in file for file in files)] == []


async def test_keys_of_an_earlier_emulator_are_kept_but_cannot_be_used(tmp_path: Path) -> None:
    async with ManagedHsmEmulator(data=tmp_path) as hsm:
        user = RawClient(hsm)
        await user.grant_key_roles()
        for number, kind in enumerate(KINDS):
            await user.send("POST", f"/keys/k{number}/create", kind)
        keys = (await user.send("GET", "/keys")).body
    with closing(sqlite3.connect(tmp_path / "hsm.sqlite")) as database, database:
        for name, text in database.execute("SELECT name, document FROM keys").fetchall():
            document = json.loads(text)
            del document["rotation_policy"]
            for version in document["versions"]:
                del version["secret"]
            database.execute("UPDATE keys SET document = ? WHERE name = ?", (json.dumps(document), name))
        database.execute("PRAGMA user_version = 1")

    async with ManagedHsmEmulator(data=tmp_path) as hsm:
        user = RawClient(hsm)
        assert (await user.send("GET", "/keys")).body == keys
        for number in range(len(KINDS)):
            path = f"/keys/k{number}"
            assert "key_size" not in (await user.send("GET", path)).json["attributes"]
            refused = await user.send("POST", f"{path}/sign", {"alg": "RS256", "value": ""})
            message = "The private half of a key that an older emulator made is not part of this emulator"
            assert refused.error == (501, "NotImplemented", message)
            await user.send("PUT", f"{path}/rotationpolicy", {"attributes": {"expiryTime": "P90D"}})
            rotated = (await user.send("POST", f"{path}/rotate")).json["key"]
            assert await is_verified(user, await sign(user, rotated))
            blob = (await user.send("POST", f"{path}/backup")).json
            await lose(user, f"k{number}")
            assert (await user.send("POST", "/keys/restore", blob)).status == 200
        folder = await (operator := Operator(hsm)).folder()
        assert (await operator.finish(await operator.restore(folder))).json["status"] == "Succeeded"
    with closing(sqlite3.connect(tmp_path / "hsm.sqlite")) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (2,)
