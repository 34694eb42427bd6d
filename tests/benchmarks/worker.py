"""Runs works with one package: reads a line of JSON that names a work, and writes its results as another."""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from typing import Any

from azure.keyvault import administration
from benchmarks import works


def main() -> None:
    """Work until the input ends."""
    for line in sys.stdin:
        work, arguments = json.loads(line)
        result = administration.__version__ if work == "version" else _run(getattr(works, work), arguments)
        print(json.dumps(result), flush=True)


def _run(work: Any, arguments: dict[str, Any]) -> works.Result:
    result: works.Result
    result = asyncio.run(work(**arguments)) if inspect.iscoroutinefunction(work) else work(**arguments)
    return result


if __name__ == "__main__":
    main()
