"""Creating, importing, changing, listing and deleting keys."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import uuid4

from ..._domain import base64url, errors, key_material, keys, paging
from ..._domain.faults import PageSize
from ..._domain.records import Key, KeyVersion
from ..._hsm.keygen import generate
from ..operation import Result

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..._domain.key_material import KeyMaterial
    from ..._hsm.hsm import Hsm
    from ..json_body import JsonBody
    from ..operation import Call

_LARGEST_PAGE = 25
_PAGE_SIZES = {str(size): size for size in range(1, _LARGEST_PAGE + 1)}


async def create_key(hsm: Hsm, call: Call) -> Result:
    with call.body as body:
        spec = keys.parse_spec(
            body.required_text("kty"),
            size=body.integer("key_size"),
            exponent=body.integer("public_exponent"),
            curve=body.text("crv"),
        )
        version = _read_version(call, body, spec.kty, body.texts("key_ops"))
    return await add_version(hsm, call, version, partial(generate, spec))


async def import_key(hsm: Hsm, call: Call) -> Result:
    with call.body as body:
        # Ignored: every imported key becomes an HSM key.
        body.flag("Hsm")
        with body.required_object("key") as web_key:
            # Ignored, too.
            web_key.text("kid")
            kty = web_key.required_text("kty")
            operations = web_key.texts("key_ops")
            curve = web_key.text("crv")
            members = _without_none({name: web_key.binary(name) for name in key_material.WEB_KEY_BYTES})
            if web_key.text("key_hsm") is not None:
                raise errors.not_emulated("Importing a key that another HSM has wrapped")
        family = keys.parse_family(kty)
        version = _read_version(call, body, f"{family}-HSM", operations)
    return await add_version(hsm, call, version, partial(key_material.import_web_key, family, curve, members))


async def add_version(
    hsm: Hsm, call: Call, version: KeyVersion, make: Callable[[], KeyMaterial], *, may_create: bool = True
) -> Result:
    """Make the two halves of a new version in a thread, and store it."""
    name = call.parameters["key_name"]
    keys.check_room(name, hsm.store.key(name), hsm.store.key_count())
    material = await asyncio.to_thread(make)
    version = replace(version, public=material.public, secret=material.secret)
    with hsm.store.transaction():
        # The state may have changed while the key was being made.
        call.admit_again()
        existing = hsm.store.key(name) if may_create else find_live(hsm, call)
        keys.check_room(name, existing, hsm.store.key_count())
        hsm.store.save_key(keys.with_version(name, existing, version))
    return Result(bundle(call, name, version))


async def get_key(hsm: Hsm, call: Call) -> Result:
    key, version = find(hsm, call)
    return Result(bundle(call, key.name, version))


async def update_key(hsm: Hsm, call: Call) -> Result:
    with hsm.store.transaction():
        key, version = find(hsm, call)
        with call.body as body:
            tags = _read_tags(body)
            operations = body.texts("key_ops")
            policy = _read_release_policy(body.object("release_policy"))
            changed = replace(
                version,
                operations=version.operations if operations is None else keys.parse_operations(operations, version.kty),
                updated=int(call.now),
                tags=version.tags if tags is None else tags,
                release_policy=policy or version.release_policy,
            )
            changed = _with_attributes(changed, body.object("attributes"), may_export=False)
            if policy:
                keys.check_export(changed)
        hsm.store.save_key(keys.with_changed_version(key, changed))
    return Result(bundle(call, key.name, changed))


async def delete_key(hsm: Hsm, call: Call) -> Result:
    with hsm.store.transaction():
        key = find_live(hsm, call)
        deleted = replace(key, deleted=int(call.now))
        hsm.store.save_key(deleted)
    return Result(_deleted_bundle(call, deleted))


async def list_keys(hsm: Hsm, call: Call) -> Result:
    return _list_by_name(hsm, call, deleted=False)


async def list_key_versions(hsm: Hsm, call: Call) -> Result:
    name = call.parameters["key_name"]
    key = hsm.store.key(name)
    size = _page_size(call)
    # On the service, an absent key has an empty list of versions.
    live = () if key is None or key.deleted is not None else key.versions
    part, following = paging.page([each.version for each in live], call.query.get("$skiptoken", ""), size)
    items = [_item(call, f"{name}/{each.version}", each) for each in live[part]]
    link = f"/keys/{name}/versions"
    return _page(call, link, items, following, size)


async def get_key_attestation(hsm: Hsm, call: Call) -> Result:
    """Return a key with a made-up attestation."""
    key, version = find(hsm, call)
    halves = ("privateKeyAttestation", *(["publicKeyAttestation"] if version.public else []))
    evidence = {half: hashlib.shake_256(f"{half} {version.version}".encode()).digest(512) for half in halves}
    body = bundle(call, key.name, version)
    body["attributes"]["attestation"] = {
        "certificatePemFile": base64url.encode(hsm.certificate),
        **{half: base64url.encode(made_up) for half, made_up in evidence.items()},
        "version": "MRVL-1",
    }
    body["attributes"] = dict(sorted(body["attributes"].items()))
    return Result(body)


async def list_deleted_keys(hsm: Hsm, call: Call) -> Result:
    return _list_by_name(hsm, call, deleted=True)


async def get_deleted_key(hsm: Hsm, call: Call) -> Result:
    return Result(_deleted_bundle(call, _find_deleted(hsm, call)))


async def recover_deleted_key(hsm: Hsm, call: Call) -> Result:
    with hsm.store.transaction():
        key = _find_deleted(hsm, call)
        hsm.store.save_key(replace(key, deleted=None))
    return Result(bundle(call, key.name, key.versions[-1]))


async def purge_deleted_key(hsm: Hsm, call: Call) -> Result:
    with hsm.store.transaction():
        hsm.store.delete_key(_find_deleted(hsm, call).name)
    return Result(None, status=204)


# Reading.


def _read_version(call: Call, body: JsonBody, kty: str, operations: list[str] | None) -> KeyVersion:
    """Read the attributes of a new version; its two halves come later."""
    version = KeyVersion(
        version=uuid4().hex,
        kty=kty,
        public={},
        operations=keys.parse_operations(operations, kty),
        created=int(call.now),
        updated=int(call.now),
        tags=_read_tags(body) or {},
        release_policy=_read_release_policy(body.object("release_policy")),
    )
    version = _with_attributes(version, body.object("attributes"), may_export=True)
    keys.check_export(version)
    return version


def _read_tags(body: JsonBody) -> dict[str, str] | None:
    tags = body.text_map("tags")
    keys.check_tags(tags or {})
    return tags


def _with_attributes(version: KeyVersion, attributes: JsonBody | None, *, may_export: bool) -> KeyVersion:
    if attributes is None:
        return version
    with attributes:
        changes: dict[str, Any] = {
            "enabled": attributes.flag("enabled"),
            "not_before": attributes.integer("nbf"),
            "expires": attributes.integer("exp"),
            # Fixed at the key's creation.
            "exportable": attributes.flag("exportable") if may_export else None,
        }
    changed = replace(version, **_without_none(changes))
    keys.check_validity(changed.not_before, changed.expires)
    return changed


def _read_release_policy(members: JsonBody | None) -> dict[str, Any] | None:
    if members is None:
        return None
    with members:
        return keys.parse_release_policy(members.text("contentType"), members.text("data"), members.flag("immutable"))


# Finding.


def find(hsm: Hsm, call: Call) -> tuple[Key, KeyVersion]:
    key = find_live(hsm, call)
    version = call.parameters.get("version", "")
    return key, keys.find_version(key, version, _url(call, "keys", f"{key.name}/{version}"))


def find_live(hsm: Hsm, call: Call) -> Key:
    name = call.parameters["key_name"]
    key = hsm.store.key(name)
    if key is None or key.deleted is not None:
        raise errors.key_not_found(_url(call, "keys", name))
    return key


def _find_deleted(hsm: Hsm, call: Call) -> Key:
    name = call.parameters["key_name"]
    key = hsm.store.key(name)
    if key is None or key.deleted is None:
        raise errors.key_not_found(_url(call, "deletedkeys", name))
    return key


def _list_by_name(hsm: Hsm, call: Call, *, deleted: bool) -> Result:
    size = _page_size(call)
    after = keys.parse_name_token(call.query.get("$skiptoken"))
    # One more than needed shows whether there is a next page.
    found = hsm.store.keys(deleted=deleted, after=after, limit=size + 1)
    shown = found[:size]
    items = [_item(call, key.name, key.versions[-1]) | _deletion(call, key) for key in shown]
    link = "/deletedkeys" if deleted else "/keys"
    return _page(call, link, items, shown[-1].name if len(found) > size else None, size)


def _page_size(call: Call) -> int:
    size = _PAGE_SIZES.get(call.query.get("maxresults", str(_LARGEST_PAGE)))
    if size is None:
        raise errors.bad_parameter(f"maxresults must be a number from 1 to {_LARGEST_PAGE}")
    fault = call.fault_match.take(PageSize)
    return min(size, fault.items) if fault else size


# Showing.


def _page(call: Call, path: str, items: list[dict[str, Any]], token: str | None, size: int) -> Result:
    if token is None:
        return Result({"value": items})
    query = urlencode({"api-version": call.api_version, "$skiptoken": token, "maxresults": size}, safe="$")
    return Result({"value": items, "nextLink": f"{call.base_url}{path}?{query}"})


def bundle(call: Call, name: str, version: KeyVersion, *, is_deleted: bool = False) -> dict[str, Any]:
    web_key = {
        **version.public,
        "key_ops": version.operations or None,
        "kid": _url(call, "keys", f"{name}/{version.version}"),
        "kty": version.kty,
    }
    return _without_none(
        {
            "attributes": _attributes(version, size=None if is_deleted else keys.symmetric_size(version)),
            "key": dict(sorted(_without_none(web_key).items())),
            "release_policy": version.release_policy,
            "tags": version.tags or None,
        }
    )


def _deleted_bundle(call: Call, key: Key) -> dict[str, Any]:
    shown = bundle(call, key.name, key.versions[-1], is_deleted=True)
    return dict(sorted({**shown, **_deletion(call, key)}.items()))


def _deletion(call: Call, key: Key) -> dict[str, Any]:
    if key.deleted is None:
        return {}
    return {
        "deletedDate": key.deleted,
        "recoveryId": _url(call, "deletedkeys", key.name),
        "scheduledPurgeDate": keys.scheduled_purge(key.deleted),
    }


def _item(call: Call, path: str, version: KeyVersion) -> dict[str, Any]:
    return _without_none(
        {"attributes": _attributes(version), "kid": _url(call, "keys", path), "tags": version.tags or None}
    )


def _attributes(version: KeyVersion, *, size: int | None = None) -> dict[str, Any]:
    return _without_none(
        {
            "created": version.created,
            "enabled": version.enabled,
            "exp": version.expires,
            "exportable": version.exportable,
            "key_size": size,
            "nbf": version.not_before,
            "recoverableDays": keys.RECOVERABLE_DAYS,
            "recoveryLevel": keys.RECOVERY_LEVEL,
            "updated": version.updated,
        }
    )


def _without_none(members: dict[str, Any]) -> dict[str, Any]:
    """Remove unset members: unlike jobs, keys never show null."""
    return {name: value for name, value in members.items() if value is not None}


def _url(call: Call, collection: str, path: str) -> str:
    return f"{call.base_url}/{collection}/{path}"
