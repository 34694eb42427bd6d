"""Start a backup, and let another process follow it to its end, as after a crash.

Run it with no arguments to use an emulated HSM. To use a real one, set ``AZURE_MANAGEDHSM_URL``, ``BLOB_CONTAINER_URL``
and ``BLOB_SAS_TOKEN``. With a token as its argument it follows that backup, on the HSM that the environment names.
"""

from __future__ import annotations

import asyncio
import os
import sys

from azure.keyvault.administration.aio import KeyVaultBackupClient
from sample_hsm import sample_hsm


async def start() -> None:
    """Start a backup here, and another process that follows it."""
    async with (
        sample_hsm() as hsm,
        KeyVaultBackupClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as client,
    ):
        poller = await client.begin_backup(hsm.container_url, hsm.sas_token)
        # It holds no secret: a file, a database or a log is a good place for it.
        token = poller.continuation_token()
        print(f"Process {os.getpid()} started a backup, and forgets it.", flush=True)
        follower = await asyncio.create_subprocess_exec(
            sys.executable, __file__, token, env={**os.environ, **hsm.environment}
        )
        if await follower.wait():
            raise RuntimeError("the other process could not follow the backup")


async def follow(token: str) -> None:
    """Follow a backup that another process started."""
    async with (
        sample_hsm() as hsm,
        KeyVaultBackupClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as client,
    ):
        # The first argument, a container's URL, is not looked at when a backup is resumed, and no SAS is needed.
        poller = await client.begin_backup("", continuation_token=token, polling_interval=0.5)
        result = await poller.result()
        print(f"Process {os.getpid()} followed it: the backup is in {result.folder_url}")


if __name__ == "__main__":
    asyncio.run(follow(sys.argv[1]) if sys.argv[1:] else start())
