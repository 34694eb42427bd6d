"""Turn the service contract into source code: a document goes in, texts by file name come out.

The generator understands the part of OpenAPI that the document uses. Every node is checked against its known keys, so
that nothing is overlooked: unknown constructs are refused until they are added here. The package reads only its
templates, and writes nothing; that is left to `eng/generate.py`.
"""

from __future__ import annotations

from .contract import Contract
from .document import Document, DocumentError, Node
from .operations import read_operations
from .rendering import render
from .schemas import reachable, read_wire_types

__all__ = ["DocumentError", "generate", "read"]


def generate(document: Node, source: str) -> dict[str, str]:
    """Return the generated files for a document; *source* is what their first line names as origin.

    :raises DocumentError: if the document holds something that the generator doesn't know.
    """
    return render(read(document), source)


def read(document: Node) -> Contract:
    """Read a document into what the templates need.

    :raises DocumentError: if the document holds something that the generator doesn't know.
    """
    checked = Document(document)
    operations = tuple(read_operations(checked))
    used = {name for operation in operations for name in operation.types}
    types = reachable(used, list(read_wire_types(checked)))
    return Contract(first_version=checked.versions[0], types=tuple(types), operations=operations)
