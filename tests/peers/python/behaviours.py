"""Prints what comes of each behaviour with a package, be it the published one or this.

``python behaviours.py WORD...`` runs only those whose names hold one of the words.
"""

import asyncio
import importlib
import json
import logging
import pkgutil
import sys

import behaviour
from behaviour.bench import BEHAVIOURS, outcome_of

for module in pkgutil.iter_modules(behaviour.__path__):
    importlib.import_module(f"behaviour.{module.name}")


async def main():
    words = sys.argv[1:] or [""]
    acts = {name: act for name, act in BEHAVIOURS.items() if any(word in name for word in words)}
    return {name: await outcome_of(act) for name, act in acts.items()}


# Nobody reads the warnings of a behaviour.
logging.getLogger("azure").addHandler(logging.NullHandler())
logging.getLogger("azure").propagate = False
print(json.dumps(asyncio.run(main()), indent=1))
