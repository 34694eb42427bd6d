"""An emulator in its own process. Its first line says how to reach it; each line of input asks what it did since."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from azure.core.rest import HttpRequest

from azure.keyvault.administration.emulator import ManagedHsmEmulator


async def main(ca_file: str, *, rate_limits: bool = False) -> None:
    """Serve until there is no more input."""
    async with ManagedHsmEmulator(rate_limits=rate_limits) as hsm:
        await asyncio.to_thread(Path(ca_file).write_bytes, hsm.ca_certificate)
        token = await hsm.credential.get_token("https://managedhsm.azure.net/.default")
        assignment = await _administrators_assignment(hsm)
        await _make_signing_keys(hsm)
        _tell({"url": hsm.localhost_url, "token": token.token, "assignment": assignment})
        cpu = time.process_time()
        while await asyncio.to_thread(sys.stdin.readline):
            _tell(
                {
                    "requests": len(hsm.journal),
                    "authorized": sum(1 for entry in hsm.journal if entry.principal),
                    "hsm_cpu": time.process_time() - cpu,
                }
            )
            hsm.journal.clear()
            cpu = time.process_time()


async def _administrators_assignment(hsm: ManagedHsmEmulator) -> str:
    from azure.keyvault.administration.aio import KeyVaultAccessControlClient

    async with KeyVaultAccessControlClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as client:
        (assignment,) = [item async for item in client.list_role_assignments("/")]
    hsm.journal.clear()
    return str(assignment.name)


async def _make_signing_keys(hsm: ManagedHsmEmulator) -> None:
    """Create a key for each algorithm, named like it, and let the administrator use them."""
    from azure.keyvault.administration.aio import KeyVaultAccessControlClient

    async with KeyVaultAccessControlClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as client:
        async for role in client.list_role_definitions("/"):
            if role.role_name == "Managed HSM Crypto User" and role.id:
                await client.create_role_assignment("/", role.id, hsm.admin_object_id)
        for algorithm, kty in (("ES256", "EC-HSM"), ("RS256", "RSA-HSM")):
            request = HttpRequest("POST", f"/keys/{algorithm}/create", json={"kty": kty})
            (await client.send_request(request)).raise_for_status()
    hsm.journal.clear()


def _tell(value: object) -> None:
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], rate_limits="--rate-limits" in sys.argv[2:]))
