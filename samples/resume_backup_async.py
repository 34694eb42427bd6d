"""Start a backup, and let another process follow it until it ends, as after a crash.

Run it without arguments to use an emulated HSM. To use a real one, set ``AZURE_MANAGEDHSM_URL``, ``BLOB_CONTAINER_URL``
and ``BLOB_SAS_TOKEN``, and add ``--real-hsm``. With ``--follow TOKEN`` as well, it only follows that backup.
"""

from __future__ import annotations

import asyncio
import os
import sys

from azure.keyvault.administration.aio import KeyVaultBackupClient
from sample_hsm import SampleHsm, sample_hsm, sample_parser


async def main() -> None:
    """Run the sample."""
    parser = sample_parser()
    parser.add_argument("--follow", metavar="TOKEN", help="the continuation token of a backup that runs")
    options = parser.parse_args()
    async with sample_hsm(options) as hsm:
        if options.follow:
            await follow(hsm, options.follow)
        else:
            await start(hsm)


async def start(hsm: SampleHsm) -> None:
    """Start a backup in this process, and another process that follows it."""
    async with KeyVaultBackupClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as client:
        poller = await client.begin_backup(hsm.container_url, hsm.sas_token)
        # It holds no secret: it may be stored in a file, a database or a log.
        token = poller.continuation_token()
        print(f"Process {os.getpid()} started a backup, and forgets it.", flush=True)
        # For an emulated HSM, its environment points there.
        follower = await asyncio.create_subprocess_exec(
            *(sys.executable, __file__, "--real-hsm", "--follow", token), env={**os.environ, **hsm.environment}
        )
        if await follower.wait():
            raise RuntimeError("the other process could not follow the backup")


async def follow(hsm: SampleHsm, token: str) -> None:
    """Follow a backup that another process started."""
    async with KeyVaultBackupClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as client:
        # When resuming, the container URL is ignored and no SAS token is needed.
        poller = await client.begin_backup("", continuation_token=token, polling_interval=0.5)
        result = await poller.result()
        print(f"Process {os.getpid()} followed it: the backup is in {result.folder_url}")


if __name__ == "__main__":
    asyncio.run(main())
