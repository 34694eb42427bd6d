"""Rotation: new versions of a key that are like its newest, and the policy that says how long they are valid."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ..._domain import errors, keys, rotation
from ..._domain.errors import ServiceError
from ..._hsm.keygen import generate
from ..operation import Answer
from .keys import add_version, find_live

if TYPE_CHECKING:
    from ..._domain.records import Key
    from ..._hsm.hsm import Hsm
    from ..json_body import Members
    from ..operation import Call

_ROTATE = "rotate"
_TRIGGERS = (rotation.AFTER_CREATE, rotation.BEFORE_EXPIRY)


async def rotate_key(hsm: Hsm, call: Call) -> Answer:
    try:
        key = find_live(hsm, call)
    except ServiceError as error:
        # The service says it twice.
        raise errors.key_not_found(error.message) from error
    if key.rotation_policy is None:
        raise errors.bad_parameter("The key has no rotation policy; set one first")
    newest = key.versions[-1]
    now = int(call.now)
    version = replace(
        newest,
        version=uuid4().hex,
        created=now,
        updated=now,
        enabled=True,
        not_before=None,
        expires=rotation.expiry(key.rotation_policy, now),
    )
    return await add_version(hsm, call, version, partial(generate, keys.same_spec(newest)))


async def get_rotation_policy(hsm: Hsm, call: Call) -> Answer:
    return Answer(_policy(find_live(hsm, call)))


async def set_rotation_policy(hsm: Hsm, call: Call) -> Answer:
    with call.body as body:
        triggers = [_read_trigger(each) for each in body.list_of_members("lifetimeActions") or []]
        attributes = body.members("attributes")
        expiry_time = None
        if attributes is not None:
            with attributes:
                expiry_time = attributes.text("expiryTime")
    with hsm.store.transaction():
        key = find_live(hsm, call)
        policy = rotation.parse(expiry_time, triggers, int(call.now), key.rotation_policy)
        key = replace(key, rotation_policy=policy)
        hsm.store.save_key(key)
    return Answer(_policy(key))


def _read_trigger(lifetime_action: Members) -> tuple[str, str]:
    with lifetime_action:
        with lifetime_action.required_members("action") as action:
            if action.required_text("type").casefold() != _ROTATE:
                raise errors.bad_parameter("The only action of a lifetimeAction is rotate")
        with lifetime_action.required_members("trigger") as trigger:
            given = [(name, after) for name in _TRIGGERS if (after := trigger.text(name)) is not None]
    if len(given) != 1:
        raise errors.bad_parameter(f"A trigger must have one of {' and '.join(_TRIGGERS)}")
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
