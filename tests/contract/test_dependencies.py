"""What users get with the package, and from which versions on it works."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

_ROOT = Path(__file__).parents[2]
_PROJECT: dict[str, Any] = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
_FLOOR = re.compile(r"(?P<name>[A-Za-z0-9-]+)(?:\[[a-z]+\])?>=(?P<version>[0-9.]+)")


def _floors() -> dict[str, str]:
    wanted = [*_PROJECT["dependencies"], *_PROJECT["optional-dependencies"]["emulator"]]
    matches = [_FLOOR.fullmatch(requirement) for requirement in wanted]
    assert all(matches), wanted
    return {match["name"]: match["version"] for match in matches if match}


def test_the_client_needs_four_packages() -> None:
    names = [requirement.partition(">=")[0] for requirement in _PROJECT["dependencies"]]

    assert names == ["azure-core", "aiohttp", "isodate", "typing-extensions"]


def test_the_oldest_versions_that_are_allowed_are_the_ones_that_are_tested() -> None:
    lines = (_ROOT / "eng" / "lowest.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if line and not line.startswith("#"))

    assert pinned == _floors()
