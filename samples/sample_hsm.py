"""The HSM that the samples work on: one emulated for the run, unless the command line says ``--real-hsm``.

What the environment happens to hold never leads a sample to a real HSM.
"""

from __future__ import annotations

import argparse
import os
import sys
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

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


def sample_parser() -> argparse.ArgumentParser:
    """Return a parser for the options that all samples have."""
    parser = argparse.ArgumentParser(
        description=sys.modules["__main__"].__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--real-hsm",
        nargs="?",
        const="",
        metavar="NAME",
        help="use the HSM that AZURE_MANAGEDHSM_URL names, if NAME is its name; a sample that restores wants the name",
    )
    return parser


def real_hsm_url(name: str, *, overwrites: bool) -> str:
    """Return the URL of the HSM that the environment and the command line agree upon; end the program if they don't.

    :param name: The name that the command line gives; empty if none.
    :keyword overwrites: Whether the sample replaces what is in the HSM.
    """
    url = os.environ.get("AZURE_MANAGEDHSM_URL", "")
    actual = (urlsplit(url).hostname or "").partition(".")[0]
    if not actual:
        raise SystemExit("Nothing done: --real-hsm needs AZURE_MANAGEDHSM_URL, the URL of the HSM.")
    if name and name.lower() != actual:
        raise SystemExit(f"Nothing done: AZURE_MANAGEDHSM_URL names the HSM {actual}, and --real-hsm {name}.")
    if overwrites and not name:
        raise SystemExit(
            f"Nothing done: this sample replaces what is in {actual}. Say --real-hsm {actual} if that is what you want."
        )
    return url


@asynccontextmanager
async def sample_hsm(
    options: argparse.Namespace | None = None, *, overwrites: bool = False
) -> AsyncGenerator[SampleHsm, None]:
    """Open an emulated HSM, or the real one if the command line says so.

    :param options: What the parser of :func:`sample_parser` returned; by default the command line is parsed here.
    :keyword overwrites: Whether the sample replaces what is in the HSM, so that a real one has to be named.
    """
    options = options or sample_parser().parse_args()
    if options.real_hsm is not None:
        vault_url = real_hsm_url(options.real_hsm, overwrites=overwrites)
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
            print("No --real-hsm: using an emulated HSM that lives as long as this run.\n")
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
