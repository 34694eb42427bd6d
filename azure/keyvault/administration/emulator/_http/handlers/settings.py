"""The settings of the HSM, which change nothing in the emulator."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..._domain import errors
from ..operation import Result

if TYPE_CHECKING:
    from ..._hsm.hsm import Hsm
    from ..operation import Call

# The only setting that the service is known to have.
_DEFAULTS = {"AllowKeyManagementOperationsThroughARM": "false"}
_FACT = "settings"


async def list_settings(hsm: Hsm, _call: Call) -> Result:
    return Result({"settings": [_setting(hsm, name) for name in _DEFAULTS]})


async def get_setting(hsm: Hsm, call: Call) -> Result:
    return Result(_setting(hsm, call.parameters["setting"]))


async def update_setting(hsm: Hsm, call: Call) -> Result:
    with call.body as body:
        value = body.text("value")
    if value is None:
        raise errors.no_content()
    changed = {**_setting(hsm, call.parameters["setting"]), "value": value}
    if value not in {"true", "false"}:
        raise errors.invalid_setting(f"The value of the setting {changed['name']} must be true or false")
    hsm.store.save_fact(_FACT, json.dumps({changed["name"]: value}))
    return Result(changed)


def _setting(hsm: Hsm, name: str) -> dict[str, str]:
    values: dict[str, str] = {**_DEFAULTS, **json.loads(hsm.store.fact(_FACT) or "{}")}
    if name not in values:
        raise errors.invalid_setting("Invalid setting name. Please check the spelling of the setting name to update.")
    return {"name": name, "type": "boolean", "value": values[name]}
