"""The settings of the HSM over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azure.keyvault.administration.emulator import ManagedHsmEmulator
from emulator.raw import RawClient

if TYPE_CHECKING:
    from pathlib import Path

NAME = "AllowKeyManagementOperationsThroughARM"
UNKNOWN = (400, "InvalidSetting", "Invalid setting name. Please check the spelling of the setting name to update.")


def setting(value: str) -> dict[str, str]:
    return {"name": NAME, "type": "boolean", "value": value}


async def test_setting_is_listed_read_and_changed(raw: RawClient) -> None:
    assert (await raw.send("GET", "/settings")).json == {"settings": [setting("false")]}
    assert (await raw.send("GET", f"/settings/{NAME}")).json == setting("false")

    changed = await raw.send("PATCH", f"/settings/{NAME}", {"value": "true"})

    assert (changed.status, changed.json) == (200, setting("true"))
    assert (await raw.send("GET", f"/settings/{NAME}")).json == setting("true")
    assert (await raw.send("GET", "/settings")).json == {"settings": [setting("true")]}


async def test_setting_is_true_or_false(raw: RawClient) -> None:
    for value in ("True", "FALSE", "", "1"):
        reply = await raw.send("PATCH", f"/settings/{NAME}", {"value": value})

        assert reply.error[:2] == (400, "InvalidSetting")
        assert (await raw.send("GET", f"/settings/{NAME}")).json == setting("false")


async def test_unknown_setting_is_refused(raw: RawClient) -> None:
    for name in ("other", NAME.lower()):
        read = await raw.send("GET", f"/settings/{name}")
        written = await raw.send("PATCH", f"/settings/{name}", {"value": "true"})

        assert read.error == written.error == UNKNOWN


async def test_change_without_content_is_refused(raw: RawClient) -> None:
    bodies: tuple[object, ...] = (None, b"", {})
    for body in bodies:
        reply = await raw.send("PATCH", f"/settings/{NAME}", body)

        assert reply.error == (400, "Nocontentprovided", "No content provided")


async def test_settings_came_with_7_4(raw: RawClient) -> None:
    assert (await raw.send("GET", "/settings", version="7.3")).status == 400
    assert (await raw.send("GET", "/settings", version="7.4")).status == 200


async def test_setting_outlives_the_emulator(tmp_path: Path) -> None:
    async with ManagedHsmEmulator(data=tmp_path) as hsm:
        await RawClient(hsm).send("PATCH", f"/settings/{NAME}", {"value": "true"})

    async with ManagedHsmEmulator(data=tmp_path) as hsm:
        assert (await RawClient(hsm).send("GET", f"/settings/{NAME}")).json == setting("true")
