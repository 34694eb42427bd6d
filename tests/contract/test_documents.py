"""The documents of the repository: links that lead somewhere, and a changelog of the version that is released next."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from azure.keyvault.administration import KeyVaultDataAction, __version__

_ROOT = Path(__file__).parents[2]
_FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_DOCUMENTS = [
    path
    for folder in ("", "samples", "eng", "azure", "tests")
    for path in (_ROOT.glob("*.md") if not folder else (_ROOT / folder).rglob("*.md"))
    if "node_modules" not in path.parts
]


def _anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _FENCED.sub("", document.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", _DOCUMENTS, ids=lambda path: str(path.relative_to(_ROOT)))
def test_links_into_the_repository_resolve(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?://)([^)]+)\)", _FENCED.sub("", document.read_text("utf-8")))

    broken = []
    for target in targets:
        path, _, anchor = target.partition("#")
        leads_to = document.parent / path if path else document
        if not leads_to.exists() or (anchor and anchor not in _anchors(leads_to)):
            broken.append(target)
    assert broken == []


def test_there_are_documents() -> None:
    assert {path.name for path in _DOCUMENTS} >= {"README.md", "CHANGELOG.md", "how-a-call-travels.md"}


def test_the_newest_entry_of_the_changelog_is_the_version() -> None:
    text = (_ROOT / "CHANGELOG.md").read_text("utf-8")

    assert text.startswith("# Release History\n")
    entries = re.findall(r"^## (\S+) \((Unreleased|\d{4}-\d{2}-\d{2})\)$", text, re.MULTILINE)
    assert entries[0][0] == __version__
    assert len(entries) == len(re.findall(r"^## ", text, re.MULTILINE))


def test_the_changelog_groups_changes_by_kind() -> None:
    text = (_ROOT / "CHANGELOG.md").read_text("utf-8")

    kinds = re.findall(r"^### (.+)$", text, re.MULTILINE)
    assert set(kinds) <= {"Features Added", "Breaking Changes", "Bugs Fixed", "Other Changes"}


def test_the_page_of_data_actions_lists_all_of_them() -> None:
    text = (_ROOT / "eng" / "docs" / "data-actions.md").read_text("utf-8")

    rows = re.findall(r"^\| `(\w+)` \| .+ \| `(\S+)` \|$", text, re.MULTILINE)
    assert rows == [
        (name, action.value.removeprefix("Microsoft.KeyVault/managedHsm/"))
        for name, action in KeyVaultDataAction.__members__.items()
    ]
