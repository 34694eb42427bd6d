"""The settings of the HSM over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

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


@pytest.mark.parametrize("value", ["True", "FALSE", "", "1"])
async def test_setting_is_true_or_false(raw: RawClient, value: str) -> None:
    reply = await raw.send("PATCH", f"/settings/{NAME}", {"value": value})

    assert reply.error[:2] == (400, "InvalidSetting")
    assert (await raw.send("GET", f"/settings/{NAME}")).json == setting("false")


@pytest.mark.parametrize("name", ["other", NAME.lower()])
async def test_unknown_setting_is_refused(raw: RawClient, name: str) -> None:
    read = await raw.send("GET", f"/settings/{name}")
    written = await raw.send("PATCH", f"/settings/{name}", {"value": "true"})

    assert read.error == written.error == UNKNOWN


@pytest.mark.parametrize("body", [None, b"", {}])
async def test_change_without_content_is_refused(raw: RawClient, body: object) -> None:
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
