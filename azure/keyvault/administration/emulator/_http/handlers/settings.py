"""The settings of the HSM; nothing in the emulator depends on them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..._domain import errors
from ..operation import Answer

if TYPE_CHECKING:
    from ..._hsm.hsm import Hsm
    from ..operation import Call

# The only one that the service has ever listed.
_DEFAULTS = {"AllowKeyManagementOperationsThroughARM": "false"}
_VALUES = {"true", "false"}
_FACT = "settings"


async def list_settings(hsm: Hsm, _call: Call) -> Answer:
    return Answer({"settings": [_setting(*each) for each in _values(hsm).items()]})


async def get_setting(hsm: Hsm, call: Call) -> Answer:
    name = _name(call)
    return Answer(_setting(name, _values(hsm)[name]))


async def update_setting(hsm: Hsm, call: Call) -> Answer:
    with call.body as body:
        value = body.text("value")
    name = _name(call)
    if value is None:
        raise errors.no_content()
    if value not in _VALUES:
        raise errors.invalid_setting(f"The value of the setting {name} must be true or false")
    hsm.store.save_fact(_FACT, json.dumps({**_values(hsm), name: value}))
    return Answer(_setting(name, value))


def _name(call: Call) -> str:
    name = call.parameters["setting"]
    if name not in _DEFAULTS:
        raise errors.invalid_setting("Invalid setting name. Please check the spelling of the setting name to update.")
    return name


def _values(hsm: Hsm) -> dict[str, str]:
    return {**_DEFAULTS, **json.loads(hsm.store.fact(_FACT) or "{}")}


def _setting(name: str, value: str) -> dict[str, str]:
    return {"name": name, "type": "boolean", "value": value}
