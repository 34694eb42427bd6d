"""Does what a script says while the emulator misbehaves as the script says, and prints what came of each case.

Runs with the published async clients and with this library; knows the environment, the script and nothing else.
"""

import asyncio
import json
import os
import sys
import uuid
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
from azure.core.exceptions import AzureError, ResourceExistsError
from azure.identity.aio import ManagedIdentityCredential

from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient

URL = os.environ["AZURE_MANAGEDHSM_URL"]
CONTROL = os.environ["EMULATOR_CONTROL_URL"]
CONTAINER = os.environ["BLOB_CONTAINER_URL"]
SAS = os.environ["BLOB_SAS_TOKEN"]
SCRIPT = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
AUDITOR = "Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/2c18b078-7c48-4d3a-af88-5a3a1b3f82b3"
# Retries as by default, but nobody waits long for them. A request that is always refused would wait for its turn
# without end, so this library retries as the published one does, which ignores the keyword.
OPTIONS = {"retry_backoff_factor": 0.01, "throttling_policy": None}
OFTEN = {"_polling_interval": 0.05}


class Session:
    """The clients, a backup to restore, and the emulator's control path."""

    def __init__(self, stack, http):
        self._stack = stack
        self._http = http
        self.folder = ""

    async def open(self):
        self.access, self.backup = await self.clients()
        await count_roles(self.access)
        self.folder = (await (await self.backup.begin_backup(CONTAINER, SAS, **OFTEN)).result()).folder_url

    async def clients(self):
        credential = await self._stack.enter_async_context(ManagedIdentityCredential())
        kinds = (KeyVaultAccessControlClient, KeyVaultBackupClient)
        return [await self._stack.enter_async_context(kind(URL, credential, **OPTIONS)) for kind in kinds]

    async def control(self, method, path, body=None):
        async with self._http.request(method, CONTROL + path, json=body) as answer:
            answer.raise_for_status()
            return await answer.json() if answer.status != 204 else None

    async def settle(self):
        """Wait until no job runs: the last case may have left one behind."""
        await self.control("POST", "/clock", {"advance": 60})
        while await self.is_busy():  # noqa: ASYNC110 - nobody tells when a job has ended
            await asyncio.sleep(0.02)

    async def is_busy(self):
        try:
            await (await self.backup.begin_pre_backup(CONTAINER, sas_token=SAS, **OFTEN)).wait()
        except ResourceExistsError:
            return True
        return False


# What can be done. Each prepares, yields, is told to go on, and yields what came of it.


async def list_cold(session):
    access, _ = await session.clients()
    yield
    lists = await asyncio.gather(*(count_roles(access) for _ in range(20)))
    yield f"{len(lists)} lists of {lists[0]} roles"


async def list_roles(session):
    yield
    yield f"{await count_roles(session.access)} roles"


async def count_roles(access):
    return len([role async for role in access.list_role_definitions("/")])


async def assign(session):
    yield
    made = await session.access.create_role_assignment("/", AUDITOR, str(uuid.uuid4()))
    yield f"assigned at {made.properties.scope}"


async def take_away(session):
    made = await session.access.create_role_assignment("/", AUDITOR, str(uuid.uuid4()))
    yield
    await session.access.delete_role_assignment("/", made.name)
    yield "deleted"


async def back_up(session):
    yield
    made = await (await session.backup.begin_backup(CONTAINER, SAS, **OFTEN)).result()
    yield "backed up" if made.folder_url.startswith(CONTAINER) else made.folder_url


async def restore(session):
    yield
    await (await session.backup.begin_restore(session.folder, SAS, **OFTEN)).wait()
    yield "restored"


async def restore_key(session):
    yield
    await (await session.backup.begin_restore(session.folder, SAS, key_name="any", **OFTEN)).wait()
    yield "restored"


DEEDS = {
    "20 cold lists of roles": list_cold,
    "list roles": list_roles,
    "assign": assign,
    "take away": take_away,
    "back up": back_up,
    "restore": restore,
    "restore a key": restore_key,
}


async def run(session, case):
    if session.folder:
        await session.settle()
    deed = DEEDS[case["do"]](session)
    await anext(deed)
    for fault in case.get("faults", []):
        await session.control("POST", "/faults", fault)
    await session.control("DELETE", "/journal")
    try:
        result, error = await anext(deed), None
    except Exception as raised:  # noqa: BLE001 - whatever comes is what is shown
        result, error = str(raised), raised
    await deed.aclose()
    journal = (await session.control("GET", "/journal"))["value"]
    await session.control("DELETE", "/faults")
    return {
        "case": case["case"],
        "requests": [[entry["method"], entry["path"], entry["status"], entry["fault"]] for entry in journal],
        "error": error and type(error).__name__,
        "is azure-core's": isinstance(error, AzureError) if error else None,
        "result": result,
    }


async def main():
    async with AsyncExitStack() as stack:
        session = Session(stack, await stack.enter_async_context(aiohttp.ClientSession()))
        # The first case starts cold, so it comes before there are clients that know the HSM.
        outcomes = [await run(session, SCRIPT[0])]
        await session.open()
        outcomes += [await run(session, case) for case in SCRIPT[1:]]
    print(json.dumps(outcomes))


asyncio.run(main())
