"""Back up a whole HSM with progress on one line, check the backup, and restore it.

Run it without arguments to use an emulated HSM. To use a real one, set ``AZURE_MANAGEDHSM_URL``, ``BLOB_CONTAINER_URL``
and ``BLOB_SAS_TOKEN``, and add ``--real-hsm`` with its name: the restore replaces everything in it by what was backed
up.
"""

from __future__ import annotations

import asyncio
from typing import Any

from azure.keyvault.administration.aio import AsyncKeyVaultLROPoller, KeyVaultBackupClient
from sample_hsm import SampleHsm, sample_hsm


async def main() -> None:
    """Run the sample."""
    async with (
        sample_hsm(overwrites=True) as hsm,
        KeyVaultBackupClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as client,
    ):
        folder_url = await back_up(client, hsm)
        await restore(client, hsm, folder_url)


async def back_up(client: KeyVaultBackupClient, hsm: SampleHsm) -> str:
    """Back up the HSM after a check, and return the URL of the backup's folder."""
    check = await client.begin_pre_backup(hsm.container_url, hsm.sas_token, polling_interval=hsm.polling_interval)
    await check.wait()
    print("The check says that a backup would succeed.")

    poller = await client.begin_backup(hsm.container_url, hsm.sas_token)
    # Keep the token: with it, any client of this HSM can follow the job, even in another process.
    print(f"To resume: {poller.continuation_token()}")
    await show_progress(poller, hsm.polling_interval)
    result = await poller.result()
    print(f"The backup is in {result.folder_url}")
    assert result.folder_url
    return result.folder_url


async def restore(client: KeyVaultBackupClient, hsm: SampleHsm, folder_url: str) -> None:
    """Restore the whole HSM."""
    poller = await client.begin_restore(folder_url, hsm.sas_token)
    await show_progress(poller, hsm.polling_interval)
    await poller.wait()
    print("The HSM is as it was when it was backed up.")


async def show_progress(poller: AsyncKeyVaultLROPoller[Any], interval: float) -> None:
    """Rewrite one line until the job has ended. A failed job raises when its result is awaited."""
    seconds = 0.0
    while not poller.done():
        print(f"\r{poller.details.kind}: {poller.status()} for {seconds:.0f} s", end="", flush=True)
        await asyncio.sleep(interval)
        seconds += interval
        await poller.update_status()
    print(f"\r{poller.details.kind}: {poller.status()} after {seconds:.0f} s ")


if __name__ == "__main__":
    asyncio.run(main())
