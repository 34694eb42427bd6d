"""What the published async clients and this library do: the migration guide has each difference, with its reason."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from peers.emulator_process import run

_PROGRAM = Path(__file__).parent / "python" / "behaviours.py"
_MIGRATION = (Path(__file__).parents[2] / "eng" / "docs" / "migrating.md").read_text(encoding="utf-8")
# Differences that only a type checker sees; tests/typing shows them.
_NOT_AT_RUN_TIME = "mypy, pyright"


class Row(NamedTuple):
    """A row of the guide's table."""

    different: str
    because: str
    codes: list[str]


def _rows() -> list[Row]:
    cells = re.findall(r"^\| (.+) \| (.+) \| (.+) \|$", _MIGRATION, re.MULTILINE)[1:]
    return [
        Row(different, because, re.findall("`(.+?)`", codes))
        for different, because, codes in cells
        if codes != _NOT_AT_RUN_TIME
    ]


def _covers(code: str, name: str) -> bool:
    return name == code or name.startswith(f"{code}/")


def _is_same(published: Any, ours: Any) -> bool:
    """Compare two outcomes. An error is the same if what catches it in 4.x catches it here, too."""
    kind = type(published).__name__
    if kind != type(ours).__name__:
        return False
    if kind == "list":
        return len(published) == len(ours) and all(map(_is_same, published, ours))
    if kind != "dict":
        return bool(published == ours)
    if "raised" in published and "raised" in ours:
        # A more specific class may tell more, such as a status.
        told = published.keys() - {"raised"}
        return set(published["raised"]) <= set(ours["raised"]) and all(
            _is_same(published[key], ours.get(key)) for key in told
        )
    return published.keys() == ours.keys() and all(_is_same(published[key], ours[key]) for key in published)


@pytest.fixture(scope="module", name="outcomes")
def _outcomes(published_python: Path) -> dict[str, tuple[Any, Any]]:
    """Return the outcome of each behaviour with the published package, and with this one."""
    published, ours = run([published_python, _PROGRAM], {}), run([sys.executable, _PROGRAM], {})
    assert published.keys() == ours.keys()
    return {name: (published[name], ours[name]) for name in published}


@pytest.fixture(scope="module", name="differing")
def _differing(outcomes: dict[str, tuple[Any, Any]]) -> dict[str, tuple[Any, Any]]:
    return {name: both for name, both in outcomes.items() if not _is_same(*both)}


def test_each_difference_stands_in_the_migration_guide(differing: dict[str, tuple[Any, Any]]) -> None:
    codes = [code for row in _rows() for code in row.codes]

    unnamed = [
        f"{name}\n  4.x:  {json.dumps(published)}\n  here: {json.dumps(ours)}"
        for name, (published, ours) in differing.items()
        if not any(_covers(code, name) for code in codes)
    ]
    assert unnamed == [], "\n".join(unnamed)


def test_each_row_of_the_migration_guide_names_behaviours_that_differ(
    outcomes: dict[str, tuple[Any, Any]], differing: dict[str, tuple[Any, Any]]
) -> None:
    rows = _rows()
    codes = [code for row in rows for code in row.codes]

    assert len(rows) >= 40
    assert [row.different for row in rows if not row.codes or not row.because.strip()] == []
    assert sorted(codes) == sorted(set(codes))
    assert [code for code in codes if not any(_covers(code, name) for name in outcomes)] == []
    named = [name for name in outcomes if any(_covers(code, name) for code in codes)]
    assert [name for name in named if name not in differing] == []
