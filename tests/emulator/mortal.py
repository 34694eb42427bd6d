"""Serve one emulator after another; each is a process that can be killed by itself.

A fork of a process that has imported everything serves after a few milliseconds; a new interpreter takes a second.
The commands on standard input are ``start DURATION DIRECTORY`` and ``kill``; each is answered by a line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys

from azure.keyvault.administration.emulator import ManagedHsmEmulator


async def serve(data: str, duration: float) -> None:
    async with ManagedHsmEmulator(data=data, job_duration=duration) as hsm:
        token = (await hsm.credential.get_token("https://managedhsm.azure.net/.default")).token
        answer(
            port=hsm.port,
            authority=hsm.ca_certificate.decode(),
            administrator=hsm.admin_object_id,
            token=token,
            container=hsm.container_url,
            sas=hsm.sas_token,
        )
        await asyncio.Event().wait()


def answer(**members: object) -> None:
    sys.stdout.write(json.dumps(members) + "\n")
    sys.stdout.flush()


def start(data: str, duration: float) -> int:
    child = os.fork()
    if not child:
        try:
            asyncio.run(serve(data, duration))
        except BaseException as error:  # noqa: BLE001 - the test waits for an answer
            answer(error=repr(error))
        finally:
            os._exit(1)
    return child


def main() -> None:
    child = 0
    # Ends with the test, which closes the input.
    while line := sys.stdin.readline():
        command, *options = line.rstrip("\n").split(" ", 2)
        if command == "start":
            child = start(options[1], float(options[0]))
        else:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            child = 0
            answer()
    if child:
        os.kill(child, signal.SIGKILL)


if __name__ == "__main__":
    main()
