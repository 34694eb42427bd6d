"""The HSM that the samples work on: one emulated for the run, unless the command line says ``--real-hsm``.

Environment variables alone never select a real HSM.
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
    """The HSM of a sample: addresses, credentials and settings."""

    vault_url: str
    credential: AsyncTokenCredential
    principal_id: str
    """Object id of the credential's principal."""
    container_url: str
    sas_token: str
    polling_interval: float
    """Seconds between two polls of a job."""
    client_kwargs: dict[str, Any]
    other_principal_id: str
    """Object id of another principal, to give roles to."""
    other_credential: AsyncTokenCredential | None
    """The other principal's credential, if available."""
    environment: dict[str, str]
    """Environment variables with which another process reaches this HSM."""


def sample_parser() -> argparse.ArgumentParser:
    """Return a parser for the options of all samples."""
    parser = argparse.ArgumentParser(
        description=sys.modules["__main__"].__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--real-hsm",
        nargs="?",
        const="",
        metavar="NAME",
        help="use the HSM of AZURE_MANAGEDHSM_URL, whose name is NAME; a sample that restores requires NAME",
    )
    return parser


def real_hsm_url(name: str, *, overwrites: bool) -> str:
    """Return the URL of the HSM, or end the program unless the environment and the command line agree about it.

    :param name: The name in the command line, or an empty string.
    :keyword overwrites: Whether the sample replaces the content of the HSM.
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
    """Open an emulated HSM, or the real one of ``--real-hsm``.

    :param options: The result of :func:`sample_parser`; by default the command line is parsed here.
    :keyword overwrites: Whether the sample replaces the content of the HSM, so that a real one must be named.
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
            print("No --real-hsm: using an emulated HSM that exists as long as this run.\n")
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
