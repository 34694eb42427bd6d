"""Prints what comes of each behaviour with a package, be it the published one or this.

``python behaviours.py WORD...`` runs only those whose names hold one of the words.
"""

import asyncio
import json
import logging
import sys

from behaviour import auth, clients, errors, jobs, keywords, models, operations, policies, send_request, transports
from behaviour.bench import BEHAVIOURS, outcome_of


async def main():
    words = sys.argv[1:] or [""]
    acts = {name: act for name, act in BEHAVIOURS.items() if any(word in name for word in words)}
    return {name: await outcome_of(act) for name, act in acts.items()}


# Nobody reads the warnings of a behaviour.
logging.getLogger("azure").addHandler(logging.NullHandler())
logging.getLogger("azure").propagate = False
print(json.dumps(asyncio.run(main()), indent=1))
