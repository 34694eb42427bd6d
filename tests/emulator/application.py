"""An application that knows the emulator only from the environment."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Mapping

RESOURCE = "https://managedhsm.azure.net"

_OURS = (
    "AZURE_",
    "IDENTITY_",
    "IMDS_",
    "MSI_",
    "SSL_CERT_",
    "REQUESTS_CA_",
    "CURL_CA_",
    "NODE_",
    "BLOB_",
    "EMULATOR_",
    "JAVA_",
)


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process without any other proxy, credential or certificate."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().endswith("_PROXY") and not name.startswith(_OURS)
    }
    return {**kept, **variables}


def run(code: str, variables: Mapping[str, str]) -> str:
    """Run a program that needs to succeed, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", code],
        env=environment(variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


async def get_token(variables: Mapping[str, str], **changes: str) -> str:
    """Return a token from the managed identity endpoint."""
    query = {"api-version": "2019-08-01", "resource": RESOURCE, **changes}
    headers = {"X-IDENTITY-HEADER": variables["IDENTITY_HEADER"]}
    async with (
        aiohttp.ClientSession() as session,
        session.get(variables["IDENTITY_ENDPOINT"], params=query, headers=headers) as reply,
    ):
        assert reply.status == 200
        return str((await reply.json())["access_token"])


async def send(
    variables: Mapping[str, str], method: str, path: str, body: object = None, *, token: str | None = None
) -> tuple[int, Any]:
    """Send one request through the proxy, with strict verification, and return status and body of the response."""
    context = ssl.create_default_context(cafile=variables["SSL_CERT_FILE"])
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.request(
            method,
            variables["AZURE_MANAGEDHSM_URL"] + path,
            json=body,
            proxy=variables["HTTPS_PROXY"],
            ssl=context,
        ) as reply,
    ):
        return reply.status, await reply.json() if token else await reply.text()
