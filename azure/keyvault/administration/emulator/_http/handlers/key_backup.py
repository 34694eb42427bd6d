"""Backup and restore of single keys as blobs, which only an HSM with the same security domain can read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..._domain import base64url, documents, errors, keys, sealing
from ..operation import Result
from .keys import bundle, find_live

if TYPE_CHECKING:
    from ..._domain.records import Key
    from ..._hsm.hsm import Hsm
    from ..operation import Call


async def backup_key(hsm: Hsm, call: Call) -> Result:
    content = json.dumps(documents.document(find_live(hsm, call)))
    return Result({"value": base64url.encode(sealing.seal(content, hsm.security_domain).encode())})


async def restore_key(hsm: Hsm, call: Call) -> Result:
    with call.body as body:
        key = _read_blob(body.required_text("value"), hsm.security_domain)
    with hsm.store.transaction():
        existing = hsm.store.key(key.name)
        if existing is not None and existing.deleted is None:
            raise errors.key_exists(key.name)
        keys.check_room(key.name, existing, hsm.store.key_count())
        hsm.store.save_key(key)
    return Result(bundle(call, key.name, key.versions[-1]))


def _read_blob(blob: str, security_domain: bytes) -> Key:
    try:
        content = sealing.unseal(base64url.decode(blob).decode(), security_domain)
    except ValueError as error:
        raise errors.malformed_blob() from error
    return documents.key(json.loads(content))
