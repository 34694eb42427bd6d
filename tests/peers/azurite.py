"""A storage service in its own process, and the means to use it."""

from __future__ import annotations

import re
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from azure.storage.blob import ContainerClient, ContainerSasPermissions, generate_container_sas

from peers.installations import node

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_LISTENING = re.compile(r"successfully listens on (\S+)")


@dataclass(frozen=True)
class Azurite:
    """A running Azurite; account and key are those that it always has."""

    address: str
    account: str = "devstoreaccount1"
    key: str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

    @property
    def endpoint(self) -> str:
        """URL of the blob service; the account stands in its path."""
        return f"{self.address}/{self.account}"

    def container_url(self, name: str) -> str:
        return f"{self.endpoint}/{name}"

    def create_container(self, name: str) -> str:
        """Create a container, and return its URL."""
        url = self.container_url(name)
        with ContainerClient.from_container_url(url, credential=self.key) as client:
            client.create_container()
        return url

    def blobs(self, container: str) -> dict[str, bytes]:
        """Return everything in a container by name."""
        with ContainerClient.from_container_url(self.container_url(container), credential=self.key) as client:
            return {name: client.download_blob(name).readall() for name in client.list_blob_names()}

    def sas(self, container: str, permission: str = "racwdl", expires_in: timedelta = timedelta(hours=1)) -> str:
        """Return a SAS token for a container.

        :param container: Name of the container, which need not exist.
        :param permission: What may be done with it, in the letters of the storage service.
        :param expires_in: How long it is good; negative for one that has expired.
        """
        expiry = datetime.now(timezone.utc) + expires_in
        return generate_container_sas(
            self.account,
            container,
            account_key=self.key,
            permission=ContainerSasPermissions.from_string(permission),
            start=expiry - timedelta(days=1),
            expiry=expiry,
        )


@contextmanager
def running(packages: Path) -> Generator[Azurite]:
    """Run Azurite on a free port.

    :param packages: The folder that holds the Node packages.
    """
    command: list[str | Path] = [
        node(),
        packages / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js",
        "--blobPort=0",
        "--inMemoryPersistence",
        "--skipApiVersionCheck",
        "--disableTelemetry",
        "--silent",  # nobody reads on after the start
    ]
    with subprocess.Popen(
        command, cwd=packages, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield Azurite(_address(process))
        finally:
            process.terminate()


def _address(process: subprocess.Popen[str]) -> str:
    """Wait until Azurite says where it listens."""
    said = []
    for line in process.stdout or ():
        said.append(line)
        if match := _LISTENING.search(line):
            return match[1]
    raise RuntimeError(f"Azurite did not start:\n{''.join(said)}")
