"""The code blocks of README, the emulator's page and the site. As a command, write them to files for type checkers.

A block of a reference page may be a fragment: statements that continue the previous fragment of the page, in the body
of an async function whose parameters are :data:`NAMES`.
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
DOCUMENTS = (
    ROOT / "README.md",
    ROOT / "azure" / "keyvault" / "administration" / "emulator" / "README.md",
    *sorted((ROOT / "eng" / "docs").glob("*.md")),
)
# Names that fragments of the reference may use without defining them.
NAMES = {
    "access": "KeyVaultAccessControlClient",
    "backup": "KeyVaultBackupClient",
    "hsm": "ManagedHsmEmulator",
    "container_url": "str",
    "sas_token": "str",
    "principal_id": "str",
}
_IMPORTS = """from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient
from azure.keyvault.administration.emulator import ManagedHsmEmulator
"""


class Block(NamedTuple):
    """A fenced block and its place."""

    document: Path
    heading: str
    file: str | None
    """The file name from the text above it."""
    code: str
    output: str | None
    """Its output, if a block of text follows immediately."""

    @property
    def is_fragment(self) -> bool:
        """Whether it defines nothing, and is thus part of something longer."""
        return not re.search(r"^(async def|def|class|if __name__)\b", self.code, re.MULTILINE)


def blocks(language: str = "python") -> list[Block]:
    """Return the blocks of all documents.

    :param language: The word after the fence.
    :returns: The blocks, in order.
    """
    found: list[Block] = []
    for document in DOCUMENTS:
        heading, before = "", 0
        text = document.read_text(encoding="utf-8")
        for match in re.finditer(
            r"^#+ (?P<heading>.+)$|^```(?P<word>\S*).*\n(?P<code>(?s:.*?))^```$", text, re.MULTILINE
        ):
            if match["heading"]:
                heading = match["heading"]
            elif match["word"] == language:
                named = re.search(r"[Ss]ave this\s+as\s+`(\w+\.py)`:\n\n\Z", text[before : match.start()])
                printed = re.match(r"\n\n```text\n((?s:.*?))^```$", text[match.end() :], re.MULTILINE)
                file, output = named and named[1], printed and printed[1]
                found.append(Block(document, heading, file, match["code"], output))
            before = match.end()
    return found


def main(folder: Path) -> None:
    """Write the blocks to files, each on its own, and the fragments of a page together.

    :param folder: Where the files go, with the settings of pyright. It holds no other Python files afterwards.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.py"):
        old.unlink()
    every = blocks()
    for number, block in enumerate(every, start=1):
        if not block.is_fragment:
            (folder / (block.file or f"readme_block_{number}.py")).write_text(block.code, encoding="utf-8")
    parameters = ", ".join(f"{name}: {type_}" for name, type_ in NAMES.items())
    for document in DOCUMENTS:
        fragments = [block.code for block in every if block.document == document and block.is_fragment]
        if fragments:
            body = textwrap.indent("\n".join(fragments), "    ")
            name = document.stem.replace("-", "_")
            (folder / f"fragments_of_{name}.py").write_text(
                f"{_IMPORTS}\n\nasync def examples({parameters}) -> None:\n{body}", encoding="utf-8"
            )
    (folder / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict", "pythonVersion": "3.10"}')
    print(f"{len(every)} blocks")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
