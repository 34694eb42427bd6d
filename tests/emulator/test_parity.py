"""What the emulator's README says can be looked up: its tables of tests, faults and variables, and its control path."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
import urllib.request
from functools import cache
from pathlib import Path

import pytest

from azure.keyvault.administration.emulator import ManagedHsmEmulator, faults
from emulator import command

_ROOT = Path(__file__).parents[2]
_TEXT = (_ROOT / "azure/keyvault/administration/emulator/README.md").read_text(encoding="utf-8")
_PARITY = _TEXT.partition("\n## Parity\n")[2]
_SHOWN, _, _NOT_COVERED = _PARITY.partition("\n### Not covered\n")
_NODE_ID = re.compile(r"`(tests/\S+?)::(\w+)`")


def _rows(text: str) -> list[list[str]]:
    """Return the cells of the tables of a text, without their heads."""
    rows = re.findall(r"^\| (?!behaviour|kind|variable|what \|)(.+) \|$", text, re.MULTILINE)
    return [re.split(r" \| ", row.replace("| |", "|  |")) for row in rows]


@cache
def _tests(path: str) -> set[str]:
    module = ast.parse((_ROOT / path).read_text(encoding="utf-8"))
    return {
        node.name
        for node in module.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def test_each_test_of_the_parity_table_exists() -> None:
    named = set(_NODE_ID.findall(_PARITY))

    assert len(named) > 80
    assert [f"{path}::{name}" for path, name in sorted(named) if name not in _tests(path)] == []


def test_each_behaviour_has_its_source_and_its_test() -> None:
    rows = _rows(_SHOWN)

    assert len(rows) > 90
    assert [row for row in rows if len(row) != 3 or not row[1].strip() or not _NODE_ID.search(row[2])] == []
    sources = r"REST API|recorded traffic|documentation|issue|reference clients|terraform|vault's|unverified"
    assert [row for row in rows if not re.search(sources, row[1])] == []


def test_uncovered_behaviours_are_listed() -> None:
    rows = _rows(_NOT_COVERED)

    assert len(rows) > 10
    assert {"network rules, private links, regions", "a `Canceled` job, which no source has seen"} < {
        what for what, _ in rows
    }


def test_the_table_of_faults_is_whole() -> None:
    section = _TEXT.partition("\n## Faults\n")[2].partition("\n## ")[0]
    told = {
        (kind.strip("`"), name.strip("`"), tuple(re.findall(r"`(\w+)`", parameters)))
        for kind, name, parameters, _ in _rows(section)
    }

    assert told == {
        (each.kind, name, tuple(field.name for field in dataclasses.fields(each)))
        for name, each in vars(faults).items()
        if dataclasses.is_dataclass(each) and isinstance(each, type) and issubclass(each, faults.Fault)
    }


def test_the_table_of_variables_is_whole() -> None:
    section = _TEXT.partition("\n### The environment variables\n")[2].partition("\n#")[0]
    told = {name for names, _ in _rows(section) for name in re.findall(r"`(\w+)`", names)}

    assert told == {name for name in command.NAMES if name.isupper()}


def test_the_control_path_answers_as_shown() -> None:
    section = _TEXT.partition("\n## The control path\n")[2].partition("\n## ")[0]
    commands = re.findall(r"^curl (?:\\\n|.)+$", section, re.MULTILINE)
    assert len(commands) > 6

    with ManagedHsmEmulator() as hsm:
        for each in commands:
            method = re.search(r"-X (\w+)", each)
            path = re.search(r'"\$EMULATOR_CONTROL_URL(\S+)"', each)
            body = re.search(r"-d '(.+)'", each)
            kind = re.search(r'-H "([^:]+): ([^"]+)"', each)
            assert path
            request = urllib.request.Request(
                hsm.control_url + path[1],
                method=method[1] if method else "GET",
                data=json.dumps(json.loads(body[1])).encode() if body else None,
                headers={kind[1]: kind[2]} if kind else {},
            )
            with urllib.request.urlopen(request) as answer:
                assert answer.status in {200, 201, 204}


@pytest.mark.parametrize("text", ["| a | b |", "| a |  | c |"], ids=["two", "empty"])
def test_the_check_of_rows_notices_what_is_missing(text: str) -> None:
    (row,) = _rows(text)

    assert len(row) != 3 or not row[1].strip()
