"""Keys, as far as backups and restores make no sense without them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import uuid4

from ..._domain import errors, keys, paging
from ..._domain.faults import PageSize
from ..._domain.records import Key, KeyVersion
from ..._hsm.keygen import generate
from ..operation import Result

if TYPE_CHECKING:
    from ..._hsm.hsm import Hsm
    from ..json_body import JsonBody
    from ..operation import Call

_LARGEST_PAGE = 25
_PAGE_SIZES = {str(size): size for size in range(1, _LARGEST_PAGE + 1)}


async def create_key(hsm: Hsm, call: Call) -> Result:
    name = call.parameters["key_name"]
    with call.body as body:
        spec = keys.parse_spec(
            body.required_text("kty"),
            size=body.integer("key_size"),
            exponent=body.integer("public_exponent"),
            curve=body.text("crv"),
        )
        version = KeyVersion(
            version=uuid4().hex,
            kty=spec.kty,
            public={},
            operations=keys.parse_operations(body.texts("key_ops"), spec.kty),
            created=int(call.now),
            updated=int(call.now),
            tags=body.text_map("tags") or {},
            release_policy=_read_release_policy(body.object("release_policy")),
        )
        version = _with_attributes(version, body.object("attributes"), may_export=True)
    keys.check_room(name, hsm.store.key(name), hsm.store.key_count())
    version = replace(version, public=await asyncio.to_thread(generate, spec))
    with hsm.store.transaction():
        # The world may have changed while the key was being made.
        call.admit_again()
        existing = hsm.store.key(name)
        keys.check_room(name, existing, hsm.store.key_count())
        hsm.store.save_key(keys.with_version(name, existing, version))
    return Result(_bundle(call, name, version))


async def get_key(hsm: Hsm, call: Call) -> Result:
    key, version = _find(hsm, call)
    return Result(_bundle(call, key.name, version))


async def update_key(hsm: Hsm, call: Call) -> Result:
    with hsm.store.transaction():
        key, version = _find(hsm, call)
        with call.body as body:
            tags = body.text_map("tags")
            operations = body.texts("key_ops")
            changed = replace(
                version,
                operations=version.operations if operations is None else keys.parse_operations(operations, version.kty),
                updated=int(call.now),
                tags=version.tags if tags is None else tags,
                release_policy=_read_release_policy(body.object("release_policy")) or version.release_policy,
            )
            changed = _with_attributes(changed, body.object("attributes"), may_export=False)
        hsm.store.save_key(keys.with_changed_version(key, changed))
    return Result(_bundle(call, key.name, changed))


async def delete_key(hsm: Hsm, call: Call) -> Result:
    with hsm.store.transaction():
        key = _find_live(hsm, call)
        deleted = replace(key, deleted=int(call.now))
        hsm.store.save_key(deleted)
    return Result(_deleted_bundle(call, deleted))


async def list_keys(hsm: Hsm, call: Call) -> Result:
    return _list_by_name(hsm, call, deleted=False)


async def list_key_versions(hsm: Hsm, call: Call) -> Result:
    key = _find_live(hsm, call)
    size = _page_size(call)
    names = [each.version for each in key.versions]
    part, following = paging.page(names, call.query.get("$skiptoken", ""), size)
    items = [_item(call, f"{key.name}/{each.version}", each) for each in key.versions[part]]
    link = f"/keys/{key.name}/versions"
    return _page(call, link, items, following, size)


async def list_deleted_keys(hsm: Hsm, call: Call) -> Result:
    return _list_by_name(hsm, call, deleted=True)


async def get_deleted_key(hsm: Hsm, call: Call) -> Result:
    return Result(_deleted_bundle(call, _find_deleted(hsm, call)))


async def recover_deleted_key(hsm: Hsm, call: Call) -> Result:
    with hsm.store.transaction():
        key = _find_deleted(hsm, call)
        hsm.store.save_key(replace(key, deleted=None))
    return Result(_bundle(call, key.name, key.versions[-1]))


async def purge_deleted_key(hsm: Hsm, call: Call) -> Result:
    with hsm.store.transaction():
        hsm.store.delete_key(_find_deleted(hsm, call).name)
    return Result(None, status=204)


# Reading.


def _with_attributes(version: KeyVersion, attributes: JsonBody | None, *, may_export: bool) -> KeyVersion:
    if attributes is None:
        return version
    with attributes:
        changes: dict[str, Any] = {
            "enabled": attributes.flag("enabled"),
            "not_before": attributes.integer("nbf"),
            "expires": attributes.integer("exp"),
            # Whether a key may leave the HSM is settled when it is made.
            "exportable": attributes.flag("exportable") if may_export else None,
        }
    changed = replace(version, **_present(changes))
    keys.check_validity(changed.not_before, changed.expires)
    return changed


def _read_release_policy(members: JsonBody | None) -> dict[str, Any] | None:
    if members is None:
        return None
    with members:
        policy = {
            "contentType": members.text("contentType"),
            "data": members.text("data"),
            "immutable": members.flag("immutable"),
        }
    return _present(policy)


# Finding.


def _find(hsm: Hsm, call: Call) -> tuple[Key, KeyVersion]:
    key = _find_live(hsm, call)
    version = call.parameters.get("version", "")
    return key, keys.find_version(key, version, _url(call, "keys", f"{key.name}/{version}"))


def _find_live(hsm: Hsm, call: Call) -> Key:
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
    after = keys.parse_last_listed(call.query.get("$skiptoken"))
    # One more than asked for tells whether there is a next page.
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


def _bundle(call: Call, name: str, version: KeyVersion) -> dict[str, Any]:
    web_key = {
        **version.public,
        "key_ops": version.operations,
        "kid": _url(call, "keys", f"{name}/{version.version}"),
        "kty": version.kty,
    }
    return _present(
        {
            "attributes": _attributes(version),
            "key": dict(sorted(web_key.items())),
            "release_policy": version.release_policy,
            "tags": version.tags or None,
        }
    )


def _deleted_bundle(call: Call, key: Key) -> dict[str, Any]:
    bundle = _bundle(call, key.name, key.versions[-1])
    return dict(sorted({**bundle, **_deletion(call, key)}.items()))


def _deletion(call: Call, key: Key) -> dict[str, Any]:
    if key.deleted is None:
        return {}
    return {
        "deletedDate": key.deleted,
        "recoveryId": _url(call, "deletedkeys", key.name),
        "scheduledPurgeDate": keys.scheduled_purge(key.deleted),
    }


def _item(call: Call, path: str, version: KeyVersion) -> dict[str, Any]:
    return _present({"attributes": _attributes(version), "kid": _url(call, "keys", path), "tags": version.tags or None})


def _attributes(version: KeyVersion) -> dict[str, Any]:
    return _present(
        {
            "created": version.created,
            "enabled": version.enabled,
            "exp": version.expires,
            "exportable": version.exportable,
            "nbf": version.not_before,
            "recoverableDays": keys.RECOVERABLE_DAYS,
            "recoveryLevel": keys.RECOVERY_LEVEL,
            "updated": version.updated,
        }
    )


def _present(members: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is unset: unlike jobs, keys never show a null."""
    return {name: value for name, value in members.items() if value is not None}


def _url(call: Call, collection: str, path: str) -> str:
    return f"{call.base_url}/{collection}/{path}"
