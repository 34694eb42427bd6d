"""The emulator keeps the contract under all requests of schemathesis."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from azure.keyvault.administration.emulator import ManagedHsmEmulator

HERE = Path(__file__).parent
CONTRACT = HERE.parents[1] / "eng" / "openapi" / "managedhsm-administration.yaml"


async def test_no_answer_to_an_administrator_is_outside_the_contract(tmp_path: Path) -> None:
    authority = tmp_path / "authority.pem"
    # The name is the one in the contract's examples, so that their container exists.
    async with ManagedHsmEmulator("contoso") as hsm:
        token = await hsm.credential.get_token("https://managedhsm.azure.net/.default")
        authority.write_bytes(hsm.ca_certificate)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "schemathesis.cli",
            f"--config-file={HERE / 'schemathesis.toml'}",
            "run",
            CONTRACT,
            f"--url={hsm.localhost_url}",
            f"--tls-verify={authority}",
            f"--header=Authorization: Bearer {token.token}",
            "--no-color",
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()

    statuses = {entry.status for entry in hsm.journal}
    assert process.returncode == 0, output.decode()
    assert len(hsm.journal) > 1000
    # Nothing went wrong, and jobs, roles, refusals of every kind were among it.
    assert statuses - {403} == {200, 201, 202, 400, 401, 404, 405, 409, 415}
