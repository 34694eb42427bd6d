"""The HSM that the samples work on: yours if ``AZURE_MANAGEDHSM_URL`` names one, else one emulated for the run."""

from __future__ import annotations

import os
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from azure.core.credentials_async import AsyncTokenCredential


@dataclass
class SampleHsm:
    """What a sample needs to know of its HSM."""

    vault_url: str
    credential: AsyncTokenCredential
    principal_id: str
    """Object id of the principal that the credential stands for."""
    container_url: str
    sas_token: str
    polling_interval: float
    """Seconds between two looks at a job."""
    client_kwargs: dict[str, Any]
    other_principal_id: str
    """Object id of somebody else, to give roles to."""
    other_credential: AsyncTokenCredential | None
    """The other one's credential, where the sample can have it."""
    environment: dict[str, str]
    """What another process needs to reach this HSM, beside the environment of this one."""


@asynccontextmanager
async def sample_hsm() -> AsyncGenerator[SampleHsm, None]:
    """Open the HSM that the environment names, or an emulator."""
    vault_url = os.environ.get("AZURE_MANAGEDHSM_URL")
    if vault_url:
        from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415 - not needed with the emulator

        async with DefaultAzureCredential() as credential:
            yield SampleHsm(
                vault_url,
                credential,
                principal_id=os.environ.get("AZURE_CLIENT_OBJECT_ID", ""),
                container_url=os.environ.get("BLOB_CONTAINER_URL", ""),
                sas_token=os.environ.get("BLOB_SAS_TOKEN", ""),
                polling_interval=5,
                client_kwargs={},
                other_principal_id=os.environ.get("OTHER_OBJECT_ID", str(uuid.uuid4())),
                other_credential=None,
                environment={},
            )
    else:
        from azure.keyvault.administration.emulator import ManagedHsmEmulator  # noqa: PLC0415 - not needed with an HSM

        async with ManagedHsmEmulator(job_duration=1) as hsm:
            print("AZURE_MANAGEDHSM_URL is not set: using an emulated HSM that lives as long as this run.\n")
            yield SampleHsm(
                hsm.vault_url,
                hsm.credential,
                principal_id=hsm.admin_object_id,
                container_url=hsm.container_url,
                sas_token=hsm.sas_token,
                polling_interval=0.2,
                client_kwargs=hsm.client_kwargs,
                other_principal_id=(other := str(uuid.uuid4())),
                other_credential=hsm.credential_for(other),
                environment=hsm.environment(),
            )
