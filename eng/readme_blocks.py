"""Write the Python blocks of README and guides to files, to be type-checked as a strict user's files would be."""

from __future__ import annotations

import re
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]
DOCUMENTS = (_ROOT / "README.md", _ROOT / "eng" / "docs" / "test-least-privilege.md")


def main(folder: Path) -> None:
    """Write each block to a file of its own.

    :param folder: Where the files go, with the settings of pyright. It holds no other Python files afterwards.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.py"):
        old.unlink()
    text = "\n".join(document.read_text(encoding="utf-8") for document in DOCUMENTS)
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    for number, block in enumerate(blocks, start=1):
        (folder / f"readme_block_{number}.py").write_text(block, encoding="utf-8")
    (folder / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict", "pythonVersion": "3.10"}')
    print(f"{len(blocks)} blocks")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
