"""Rotation: new versions of a key of the same kind, and the policy that determines how long they are valid."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ..._domain import errors, keys, rotation
from ..._domain.errors import ServiceError
from ..._hsm.keygen import generate
from ..json_body import JsonBody
from ..operation import Result
from .keys import add_version, find_live

if TYPE_CHECKING:
    from ..._domain.records import Key
    from ..._hsm.hsm import Hsm
    from ..operation import Call

_ROTATE = "rotate"


async def rotate_key(hsm: Hsm, call: Call) -> Result:
    try:
        key = find_live(hsm, call)
    except ServiceError as error:
        # The service repeats the text.
        raise errors.key_not_found(error.message) from error
    if key.rotation_policy is None:
        raise errors.bad_parameter("The key has no rotation policy; set one first")
    version = rotation.next_version(key.versions[-1], key.rotation_policy, uuid4().hex, int(call.now))
    return await add_version(hsm, call, version, partial(generate, keys.same_spec(version)), may_create=False)


async def get_rotation_policy(hsm: Hsm, call: Call) -> Result:
    return Result(_policy(find_live(hsm, call)))


async def set_rotation_policy(hsm: Hsm, call: Call) -> Result:
    with call.body as body:
        triggers = [_read_trigger(each) for each in body.objects("lifetimeActions") or []]
        with body.object("attributes") or JsonBody({}) as attributes:
            expiry_time = attributes.text("expiryTime")
    with hsm.store.transaction():
        key = find_live(hsm, call)
        policy = rotation.parse(expiry_time, triggers, int(call.now), key.rotation_policy)
        key = replace(key, rotation_policy=policy)
        hsm.store.save_key(key)
    return Result(_policy(key))


def _read_trigger(lifetime_action: JsonBody) -> tuple[str, str]:
    with lifetime_action, lifetime_action.required_object("action") as action:
        if action.required_text("type").casefold() != _ROTATE:
            raise errors.bad_parameter("The only action of a lifetimeAction is rotate")
        with lifetime_action.required_object("trigger") as trigger:
            given = [(name, after) for name in rotation.TRIGGERS if (after := trigger.text(name)) is not None]
    if len(given) != 1:
        raise errors.bad_parameter(f"A trigger must have one of {' and '.join(rotation.TRIGGERS)}")
    return given[0]


def _policy(key: Key) -> dict[str, Any]:
    policy = key.rotation_policy
    if policy is None:
        return {"attributes": {"created": 0, "expiryTime": "", "updated": 0}, "id": ""}
    return {
        "attributes": {"created": policy.created, "expiryTime": policy.expiry_time, "updated": policy.updated},
        "id": f"keys/{key.name}/rotationpolicy",
        "lifetimeActions": [
            {"action": {"type": _ROTATE}, "trigger": {name: duration}} for name, duration in policy.triggers
        ],
    }
