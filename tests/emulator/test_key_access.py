"""Which data action each operation on keys needs, and at which scope."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest

from emulator.raw import ACTION, ROLE_DEFINITIONS, RawClient

# What each principal asks for: the action it needs, and the widest scope that must be covered; {k} is a key.
REQUESTS: tuple[tuple[str, str, str, str, Any], ...] = (
    ("/keys/create", "/keys", "POST", "/keys/{k}/create", {"kty": "oct"}),
    ("/keys/import/action", "/keys", "PUT", "/keys/{k}", {"key": {"kty": "oct", "k": "AAAA"}}),
    ("/keys/restore/action", "/keys", "POST", "/keys/restore", {"value": "AAAA"}),
    ("/keys/read/action", "{k}", "GET", "/keys/{k}//attestation", None),
    ("/keys/read/action", "{k}", "GET", "/keys/{k}/rotationpolicy", None),
    ("/keys/write/action", "{k}", "PUT", "/keys/{k}/rotationpolicy", {}),
    ("/keys/rotate/action", "{k}", "POST", "/keys/{k}/rotate", None),
    ("/keys/backup/action", "{k}", "POST", "/keys/{k}/backup", None),
    ("/keys/encrypt/action", "{k}", "POST", "/keys/{k}/encrypt", {"alg": "A256GCM", "value": ""}),
    ("/keys/decrypt/action", "{k}", "POST", "/keys/{k}//decrypt", {"alg": "A256GCM", "value": ""}),
    ("/keys/wrap/action", "{k}", "POST", "/keys/{k}/wrapKey", {"alg": "A256KW", "value": ""}),
    ("/keys/unwrap/action", "{k}", "POST", "/keys/{k}//unwrapkey", {"alg": "A256KW", "value": ""}),
    ("/keys/sign/action", "{k}", "POST", "/keys/{k}/v/sign", {"alg": "HS256", "value": ""}),
    ("/keys/verify/action", "{k}", "POST", "/keys/{k}/verify", {"alg": "HS256", "value": "", "digest": ""}),
    ("/keys/release/action", "{k}", "POST", "/keys/{k}//release", {}),
    ("/rng/action", "/", "POST", "/rng", {"count": 1}),
    ("/settings/read/action", "/", "GET", "/settings", None),
    ("/settings/write/action", "/", "PATCH", "/settings/AllowKeyManagementOperationsThroughARM", {"value": "true"}),
)
SCOPES = {"/": "", "/keys": "/keys", "/keys/mine": "/keys/mine"}
# The scopes at which an assignment grants what is checked at another one.
COVERING = {"/": {"/"}, "/keys": {"/", "/keys"}, "mine": set(SCOPES), "other": {"/", "/keys"}}


@pytest.mark.parametrize("action", sorted({request[0] for request in REQUESTS}))
async def test_custom_role_of_one_action_grants_it_where_it_is_assigned(user: RawClient, action: str) -> None:
    for name in ("mine", "other"):
        await user.send("POST", f"/keys/{name}/create", {"kty": "oct"})
    role = str(uuid5(NAMESPACE_URL, action))
    permissions = [{"dataActions": [ACTION + action]}]
    await user.send("PUT", f"{ROLE_DEFINITIONS}/{role}", {"properties": {"permissions": permissions}})

    for scope, prefix in SCOPES.items():
        principal = str(uuid5(NAMESPACE_URL, scope))
        await user.assign(principal, role, prefix)
        for needed, checked_at, method, path, body in REQUESTS:
            for name in ("mine", "other"):
                reply = await user.as_(principal).send(method, path.format(k=name), body)
                is_granted = needed == action and scope in COVERING[checked_at.format(k=name)]
                assert (reply.status != 403) is is_granted, (scope, method, path, name, reply.body)
                if not is_granted:
                    where = "/keys/" + name if checked_at == "{k}" else checked_at
                    assert reply.error[2] == f"Not authorized to access {ACTION}{needed} on {where}"
