"""The command: what it writes, how it notices drift, and that the committed files are what it writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from generate import TARGET, drift, generated_files, main


@pytest.fixture(name="document")
def _document(tmp_path: Path, small: dict[str, Any]) -> Path:
    path = tmp_path / "pets.yaml"
    path.write_text(yaml.safe_dump(small), encoding="utf-8")
    return path


@pytest.fixture(name="target")
def _target(tmp_path: Path) -> Path:
    return tmp_path / "_generated"


def test_the_committed_files_are_what_the_generator_writes() -> None:
    assert drift(generated_files(), TARGET) == [], "run: python eng/generate.py"


def test_a_folder_is_stale_until_written(document: Path, target: Path) -> None:
    before = main(["--check"], document=document, target=target)
    written = main([], document=document, target=target)
    after = main(["--check"], document=document, target=target)

    assert (before, written, after) == (1, 0, 0)


def test_a_check_writes_nothing(document: Path, target: Path) -> None:
    main(["--check"], document=document, target=target)

    assert not target.exists()


def test_a_changed_document_makes_the_folder_stale(document: Path, target: Path, small: dict[str, Any]) -> None:
    main([], document=document, target=target)
    small["components"]["schemas"]["Soap"]["properties"]["size"] = {"type": "integer", "x-added-in": "1"}
    document.write_text(yaml.safe_dump(small), encoding="utf-8")

    assert drift(generated_files(document), target) == ["types.py: +1 -0 lines"]


@pytest.mark.parametrize(
    ("end", "difference"),
    [
        ("# more\n", "operations.py: +0 -1 lines"),
        (" ", "operations.py: +0 -1 lines"),
        ("", "operations.py: +1 -1 lines"),
    ],
    ids=["line-more", "space-more", "newline-less"],
)
def test_a_hand_edit_is_noticed_to_the_last_character(document: Path, target: Path, end: str, difference: str) -> None:
    main([], document=document, target=target)
    edited = target / "operations.py"
    text = edited.read_text(encoding="utf-8")
    edited.write_text(text + end if end else text[:-1], encoding="utf-8")

    assert drift(generated_files(document), target) == [difference]


def test_files_that_are_missing_or_too_many_are_noticed(document: Path, target: Path) -> None:
    main([], document=document, target=target)
    (target / "types.py").rename(target / "models.py")

    assert drift(generated_files(document), target) == ["models.py: not generated", "types.py: missing"]


def test_writing_removes_what_is_no_longer_generated(document: Path, target: Path) -> None:
    target.mkdir()
    (target / "models.py").touch()

    main([], document=document, target=target)

    assert sorted(path.name for path in target.iterdir()) == ["__init__.py", "operations.py", "types.py"]


def test_command_lists_the_differences(document: Path, target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--check"], document=document, target=target)

    assert capsys.readouterr().out.splitlines() == [
        "__init__.py: missing",
        "operations.py: missing",
        "types.py: missing",
    ]


def test_refused_document_is_one_line_on_stderr_and_changes_nothing(
    document: Path, target: Path, small: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    small["openapi"] = "3.0.3"
    document.write_text(yaml.safe_dump(small), encoding="utf-8")

    assert main([], document=document, target=target) == 2
    assert capsys.readouterr().err == "pets.yaml: document: is OpenAPI 3.0.3, not 3.1\n"
    assert not target.exists()
