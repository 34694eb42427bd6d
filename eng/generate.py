"""Write the generated layer from the service contract.

With `--check` nothing is written; the exit status is 1 when a file isn't what would be written.
"""

from __future__ import annotations

import argparse
import difflib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from generator import generate
from generator.document import DocumentError

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "eng" / "openapi" / "managedhsm-administration.yaml"
TARGET = ROOT / "azure" / "keyvault" / "administration" / "_generated"


def generated_files(document: Path = DOCUMENT) -> dict[str, str]:
    """Return the expected content of the generated files, by name."""
    texts = generate(yaml.safe_load(document.read_text(encoding="utf-8")), source=f"eng/openapi/{document.name}")
    return {name: formatted(text) for name, text in texts.items()}


def formatted(text: str) -> str:
    """Format source code with the project's ruff and its settings."""
    command = [sys.executable, "-m", "ruff", "format", "-"]
    return subprocess.run(command, input=text, capture_output=True, check=True, cwd=ROOT, encoding="utf-8").stdout  # noqa: S603


def drift(files: Mapping[str, str], target: Path) -> list[str]:
    """Describe, file by file, the differences of a folder from its expected content."""
    present = {path.name: path.read_text(encoding="utf-8") for path in target.glob("*.py")}
    return [
        _difference(name, present.get(name), files.get(name))
        for name in sorted(present.keys() | files.keys())
        if present.get(name) != files.get(name)
    ]


def write(files: Mapping[str, str], target: Path) -> None:
    """Make a folder hold these files and no other Python file."""
    target.mkdir(parents=True, exist_ok=True)
    for path in target.glob("*.py"):
        if path.name not in files:
            path.unlink()
    for name, text in files.items():
        (target / name).write_text(text, encoding="utf-8")


def main(arguments: Sequence[str] | None = None, *, document: Path = DOCUMENT, target: Path = TARGET) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description="Write the generated layer from the service contract.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file is out of date")
    check = parser.parse_args(arguments).check
    try:
        files = generated_files(document)
    except (DocumentError, yaml.YAMLError) as error:
        print(f"{document.name}: {error}", file=sys.stderr)
        return 2
    differences = drift(files, target)
    for difference in differences:
        print(difference)
    if check:
        return 1 if differences else 0
    write(files, target)
    return 0


def _difference(name: str, present: str | None, expected: str | None) -> str:
    if present is None:
        return f"{name}: missing"
    if expected is None:
        return f"{name}: not generated"
    lines = list(difflib.ndiff(present.splitlines(keepends=True), expected.splitlines(keepends=True)))
    added = sum(line.startswith("+ ") for line in lines)
    removed = sum(line.startswith("- ") for line in lines)
    return f"{name}: +{added} -{removed} lines"


if __name__ == "__main__":
    sys.exit(main())
