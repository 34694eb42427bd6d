"""Turn the service contract into source code: a document goes in, texts by file name come out.

Pure: nothing is read or written but the templates. `eng/generate.py` does the rest.
"""

from .contract import Contract, DocumentError, Member, Operation, WireType
from .reading import read
from .rendering import render

__all__ = ["Contract", "DocumentError", "Member", "Operation", "WireType", "read", "render"]
