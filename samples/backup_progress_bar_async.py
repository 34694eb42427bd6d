"""A backup with a progress bar. The service sends no percentage, so the bar shows time.

Run it without arguments to use an emulated HSM. To use a real one, set ``AZURE_MANAGEDHSM_URL``, ``BLOB_CONTAINER_URL``
and ``BLOB_SAS_TOKEN``, and add ``--real-hsm``. Needs the package ``rich``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from azure.keyvault.administration.aio import AsyncKeyVaultLROPoller, KeyVaultBackupClient
from sample_hsm import sample_hsm

if TYPE_CHECKING:
    from azure.keyvault.administration import KeyVaultJobDetails


async def main() -> None:
    """Run the sample."""
    async with (
        sample_hsm() as hsm,
        KeyVaultBackupClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as client,
    ):
        poller = await client.begin_backup(hsm.container_url, hsm.sas_token)
        await show_progress(poller, hsm.polling_interval)
        # Raises if the job failed.
        result = await poller.result()
        print(f"The backup is in {result.folder_url}")


async def show_progress(poller: AsyncKeyVaultLROPoller[Any], interval: float) -> None:
    """Move a bar until the job has succeeded or failed."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns) as progress:
        # Without a total, rich moves the bar back and forth.
        bar = progress.add_task(_words(poller.details), total=None)
        while not poller.done():
            await asyncio.sleep(interval)
            await poller.update_status()
            progress.update(bar, description=_words(poller.details))
        progress.update(bar, total=1, completed=1)


def _words(details: KeyVaultJobDetails) -> str:
    return f"{details.kind}: {details.status}"


if __name__ == "__main__":
    asyncio.run(main())
