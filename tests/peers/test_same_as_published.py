"""The published async clients and this library, side by side: the same names, and the same program with both."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from peers.emulator_process import run, running

_PROGRAMS = Path(__file__).parent / "python"
_MIGRATION = (Path(__file__).parents[2] / "eng" / "docs" / "migrating.md").read_text(encoding="utf-8")


@pytest.fixture(name="surfaces")
def _surfaces(published_python: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the published package offers, and what this one does."""
    program = _PROGRAMS / "public_surface.py"
    return run([published_python, program], {}), run([sys.executable, program], {})


def test_a_program_that_uses_all_that_is_documented_prints_the_same(tmp_path: Path, published_python: Path) -> None:
    with running(tmp_path, "--job-duration=0.5") as environment:
        published = run([published_python, _PROGRAMS / "documented_usage.py"], environment)

    # What it prints with this library is held to the same file, by a test that needs no peers.
    assert published == json.loads((_PROGRAMS / "documented_usage.json").read_text("utf-8"))


def test_the_names_that_are_missing_stand_in_the_migration_guide(surfaces: Any) -> None:
    published, ours = surfaces
    missing = sorted(set(published["names"]) - set(ours["names"]))
    missing_async = sorted(set(published["async names"]) - set(ours["async names"]))

    assert missing == [
        # The sync ones.
        "KeyVaultAccessControlClient",
        "KeyVaultBackupClient",
        "KeyVaultSetting",
        "KeyVaultSettingType",
        "KeyVaultSettingsClient",
    ]
    assert missing_async == ["KeyVaultSettingsClient"]
    assert [name for name in missing if f"`{name}`" not in _MIGRATION] == []


def test_every_member_of_the_clients_is_here(surfaces: Any) -> None:
    published, ours = surfaces

    for client, members in published["clients"].items():
        assert members.keys() == ours["clients"][client].keys()
    assert published["constructors"] == ours["constructors"]


def test_every_parameter_is_here_at_its_place(surfaces: Any) -> None:
    published, ours = surfaces

    methods = [
        (parameters, ours["clients"][client][method])
        for client, members in published["clients"].items()
        for method, parameters in members.items()
        if parameters != "property"
    ]
    assert len(methods) == 16
    for theirs, own in methods:
        places = [name for name, (kind, _) in theirs.items() if kind == "POSITIONAL_OR_KEYWORD"]
        assert list(own)[: len(places)] == places
        assert {name: own[name] for name in theirs} == theirs


def test_every_member_of_the_enums_and_attribute_of_the_models_is_here(surfaces: Any) -> None:
    published, ours = surfaces
    enums = {name: members for name, members in published["enums"].items() if name in ours["enums"]}

    assert set(published["enums"]) - set(enums) == {"KeyVaultSettingType"}
    assert {name: members.items() <= ours["enums"][name].items() for name, members in enums.items()} == {
        "ApiVersion": True,
        "KeyVaultDataAction": True,
        "KeyVaultRoleScope": True,
    }
    assert published["models"] == ours["models"]
