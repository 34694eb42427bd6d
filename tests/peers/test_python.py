"""The published Python packages, in their own process, find everything in the env file and notice no difference."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from azure.keyvault.administration.emulator import ManagedHsmEmulator
from peers.emulator_process import run, running

HERE = Path(__file__).parent
BOTH = pytest.mark.parametrize("program", ["administer_async.py", "administer_sync.py"])


@BOTH
def test_the_published_clients_administer_back_up_and_restore(
    emulator: dict[str, str], published_python: Path, program: str
) -> None:
    said = run([published_python, HERE / "python" / program, "administer"], emulator)

    assert said == {
        "package": "4.7.2",
        "built-in roles": 10,
        "role": ["Key keeper", "CustomRole", ["/"], 5],
        "assignment": ["/", True],
        "assignments": 2,
        "backed up to the container": True,
        "missing folder": "refused",
        "key is back": True,
        "roles without mine": 10,
        "role is back": "Key keeper",
        "assignment is back": True,
    }


@BOTH
def test_a_job_is_followed_by_another_process(tmp_path: Path, published_python: Path, program: str) -> None:
    with running(tmp_path, "--job-duration=3") as environment:
        started = run([published_python, HERE / "python" / program, "start"], environment)
        resumed = run([published_python, HERE / "python" / program, "resume", started.pop("token")], environment)

    assert started == {"done": False, "status": "InProgress"}
    assert resumed["status"] == "Succeeded"
    assert resumed["folder"].startswith(environment["BLOB_CONTAINER_URL"])


@BOTH
async def test_a_token_that_is_revoked_while_a_job_runs_is_replaced_and_the_job_followed(
    published_python: Path, program: str
) -> None:
    async with ManagedHsmEmulator(job_duration=60, retry_after=0) as hsm:
        command: list[str | Path] = [published_python, HERE / "python" / program, "back-up"]
        process = await asyncio.create_subprocess_exec(*command, env=hsm.environment(), stdout=asyncio.subprocess.PIPE)
        await polled(hsm, 200, process)
        hsm.revoke_tokens()
        hsm.journal.clear()
        await polled(hsm, 401, process)
        hsm.clock.advance(60)
        output, _ = await process.communicate()

        assert json.loads(output)["folder"].startswith(hsm.container_url)
        assert {entry.method for entry in hsm.journal} == {"GET"}
        assert [entry.status for entry in hsm.journal if entry.status != 200] == [401]


async def polled(hsm: ManagedHsmEmulator, status: int, process: asyncio.subprocess.Process) -> None:
    """Wait until a poll of a running process was answered like this."""
    while not any(entry.path.endswith("/pending") and entry.status == status for entry in hsm.journal):
        assert process.returncode is None
        await asyncio.sleep(0.01)


def test_the_published_client_keeps_keys(emulator: dict[str, str], published_python: Path) -> None:
    said = run([published_python, HERE / "python" / "keep_keys.py"], emulator)

    tags = {"made": "here"}
    assert said == {
        "refused": [
            403,
            "AccessDenied",
            "(AccessDenied) Not authorized to access Microsoft.KeyVault/managedHsm/keys/create on /keys",
        ],
        "rsa": ["RSA-HSM", 6, tags],
        "ec": ["EC-HSM", 3, tags],
        "oct": ["oct-HSM", 7, tags],
        "keys": ["ec", "oct", "rsa"],
        "versions": 2,
        "updated": False,
        "deleted": "rsa",
        "deleted keys": ["rsa"],
        "recovered": "rsa",
        "left": ["ec", "rsa"],
        "purged": "KeyNotFound",
    }
