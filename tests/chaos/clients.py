"""The clients of a run, for each of its processes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient
from chaos.attempts import AttemptsPolicy
from hsm_process import ProcessCredential

if TYPE_CHECKING:
    from hsm_process import HsmProcess


@asynccontextmanager
async def open_all(
    hsm: HsmProcess,
) -> AsyncIterator[tuple[KeyVaultAccessControlClient, KeyVaultBackupClient, AttemptsPolicy]]:
    """Open the clients of a process, and the policy that counts their requests.

    :param hsm: The emulator.
    """
    attempts, credential = AttemptsPolicy(), ProcessCredential(hsm)
    common = {"retry_backoff_factor": 0.02, "per_retry_policies": [attempts]}
    # The emulator refuses requests at random, which says nothing about a rate: most callers retry by themselves.
    unthrottled = {"throttling_policy": None, **common}
    async with (
        KeyVaultAccessControlClient(
            hsm.url, credential, **hsm.client_options(read_timeout=10), **unthrottled
        ) as access,
        KeyVaultBackupClient(hsm.url, credential, **hsm.client_options(read_timeout=10), **common) as backup,
    ):
        yield access, backup, attempts


def backup_place(hsm: HsmProcess) -> tuple[str, str]:
    """Return the URL of the container for backups, and a SAS token.

    :param hsm: The emulator.
    """
    return hsm.variables["BLOB_CONTAINER_URL"], hsm.variables["BLOB_SAS_TOKEN"]
