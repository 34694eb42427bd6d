"""Executes behaviours with a package, be it the published one or this, and prints what came of each.

``python behaviours.py WORD...`` executes only those whose names hold one of the words.
"""

import asyncio
import importlib
import json
import logging
import sys

from behaviour.bench import BEHAVIOURS, outcome_of

for topic in ("models", "clients", "operations", "errors", "keywords", "auth", "policies", "jobs", "send_request", "annotations", "transports"):
    try:
        importlib.import_module(f"behaviour.{topic}")
    except ModuleNotFoundError as error:
        if "behaviour." not in str(error): raise


async def main():
    wanted = sys.argv[1:] or [""]
    chosen = {name: act for name, act in BEHAVIOURS.items() if any(word in name for word in wanted)}
    return {name: await outcome_of(act) for name, act in chosen.items()}


logging.disable(logging.CRITICAL)
print(json.dumps(asyncio.run(main()), indent=1))
