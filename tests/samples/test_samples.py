"""Every sample runs as a user would run it: with no arguments, on the emulator."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import loopback_only
import pytest
import pytest_asyncio

from azure.keyvault.administration.aio import KeyVaultAccessControlClient
from azure.keyvault.administration.emulator import ManagedHsmEmulator

if TYPE_CHECKING:
    from collections.abc import Mapping

_SAMPLES = Path(__file__).parents[2] / "samples"
_SITE_PAGE = Path(__file__).parents[2] / "eng" / "docs" / "samples.md"


def _start(
    name: str | Path, *arguments: str, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    # Without the developer's own HSM, and with the sample's folder on the path, as it is by default.
    unwanted = {"AZURE_MANAGEDHSM_URL", "PYTHONSAFEPATH"}
    environment = {key: value for key, value in os.environ.items() if key not in unwanted} | {**(variables or {})}
    return subprocess.run(
        [sys.executable, "-W", "error", _SAMPLES / name, *arguments],
        check=False,
        capture_output=True,
        timeout=60,
        env=environment,
    )


def _run(name: str | Path, *arguments: str, variables: Mapping[str, str] | None = None) -> str:
    done = _start(name, *arguments, variables=variables)
    errors = done.stderr.decode()
    assert (done.returncode, errors) == (0, ""), errors
    # Decoded here: text mode would take each carriage return for a new line.
    return done.stdout.decode()


def test_every_sample_is_listed_and_run() -> None:
    names = {path.name for path in _SAMPLES.glob("*_async.py")}
    listed = re.findall(r"^\| \[(\w+\.py)\]\((\w+\.py)\) \|", (_SAMPLES / "README.md").read_text("utf-8"), re.MULTILINE)
    run_here = re.findall(r'_run\("(\w+\.py)"\)', Path(__file__).read_text("utf-8"))

    assert [name for name, target in listed if name != target] == []
    in_the_site = re.findall(
        r"^## (\w+\.py)\n\n```{literalinclude} ../../samples/\1$", _SITE_PAGE.read_text("utf-8"), re.MULTILINE
    )
    assert sorted(name for name, _ in listed) == sorted(names) == sorted(run_here)
    assert in_the_site == [name for name, _ in listed]


def test_the_quickstart_shows_roles_keys_and_a_restore() -> None:
    output = _run("quickstart_async.py")

    assert output.count("AKVBuiltInRole") == 10
    assert "Created the role 'Key reader'" in output
    assert "+ Microsoft.KeyVault/managedHsm/keys/read/action" in output
    assert "at /keys." in output
    assert "Removed both again: the HSM is as it was." in output
    assert "Disaster: the keys are now intruder." in output
    assert "The keys are payments, signing: as before." in output
    assert output.endswith(
        "Number of successful key versions restored: 2, Number of key versions could not overwrite: 0.\n"
        "The keys are payments, signing.\n"
    )


def test_the_access_control_sample_leaves_nothing_behind() -> None:
    assert _run("access_control_operations_async.py").endswith("The role is gone: RoleDefinitionNotFound.\n")


def test_the_backup_sample_shows_progress_on_one_line_and_restores() -> None:
    output = _run("backup_restore_operations_async.py")

    assert "\rbackup: InProgress for 0 s\rbackup:" in output
    assert "\rrestore: Succeeded after" in output
    assert output.endswith("The HSM is as it was when it was backed up.\n")


def test_the_least_privilege_is_proved() -> None:
    output = _run("least_privilege_role_async.py")

    assert "It can back up: https://" in output
    assert "It cannot restore: AccessDenied\nIt cannot list roles: AccessDenied\n" in output
    assert output.endswith("Took both away again.\n")


def test_the_audit_is_a_table_of_every_scope() -> None:
    rows = [re.split(r"\s*│\s*", line)[2:-1] for line in _run("audit_access_async.py").splitlines() if "│" in line]

    assert sorted(rows) == [
        ["Managed HSM Administrator", "/", "yes", "-", "-", "yes"],
        ["Managed HSM Crypto Officer", "/", "yes", "-", "yes", "-"],
        ["Managed HSM Crypto User", "/", "-", "yes", "-", "-"],
        ["Signer", "/keys/payments", "-", "yes", "-", "-"],
    ]


def test_the_progress_bar_ends_with_the_backup() -> None:
    assert re.search(
        r"backup: Succeeded ━+ 0:00:0\d\s+The backup is in https://\S+\s\Z", _run("backup_progress_bar_async.py")
    )


def test_another_process_follows_the_backup() -> None:
    output = _run("resume_backup_async.py")

    told = re.search(r"Process (\d+) started .*\nProcess (\d+) followed it: .* https://", output)
    assert told
    assert told[1] != told[2]


def test_the_drill_brings_everything_back() -> None:
    output = _run("disaster_recovery_drill_async.py")

    assert "Before:   2 keys, 1 custom roles, 4 role assignments\n" in output
    assert "Disaster: 0 keys, 0 custom roles, 3 role assignments\n" in output
    assert "After:    2 keys, 1 custom roles, 4 role assignments\n" in output
    assert "Message:  decrypted with the restored key\n" in output
    assert output.endswith("The drill succeeded: the HSM is as it was.\n")


@pytest_asyncio.fixture(name="variables")
async def _variables(hsm: ManagedHsmEmulator, client: KeyVaultAccessControlClient) -> Mapping[str, str]:
    """Return all that a real HSM takes, and what an earlier version of the drill took for consent."""
    async for role in client.list_role_definitions("/"):
        if role.role_name in {"Managed HSM Crypto User", "Managed HSM Crypto Officer"}:
            await client.create_role_assignment("/", role.id or "", hsm.admin_object_id)
    hsm.journal.clear()
    return {"AZURE_CLIENT_OBJECT_ID": hsm.admin_object_id, "DRILL_HSM": hsm.vault_url, **hsm.environment()}


async def test_a_sample_leaves_the_hsm_of_the_environment_alone(
    hsm: ManagedHsmEmulator, variables: Mapping[str, str]
) -> None:
    emulated = await asyncio.to_thread(_run, "disaster_recovery_drill_async.py", variables=variables)

    assert "using an emulated HSM" in emulated
    assert hsm.journal == []


@pytest.mark.parametrize("path", sorted(_SAMPLES.glob("*_async.py")), ids=lambda path: path.name)
async def test_a_sample_uses_the_hsm_of_the_environment_if_told_to(
    path: Path, hsm: ManagedHsmEmulator, variables: Mapping[str, str]
) -> None:
    real = await asyncio.to_thread(_run, path.name, "--real-hsm", "emulated-hsm", variables=variables)

    assert real
    assert "using an emulated HSM" not in real
    assert "NOT as before" not in real
    assert len(hsm.journal) > 0


_OVERWRITING = ("backup_restore_operations_async.py", "disaster_recovery_drill_async.py", "quickstart_async.py")


_PRECIOUS = "https://precious.managedhsm.azure.net"
_REPLACES = "this sample replaces what is in precious. Say --real-hsm precious if that is what you want."


@pytest.mark.parametrize(
    ("name", "arguments", "url", "reason"),
    [
        *((name, ["--real-hsm"], _PRECIOUS, _REPLACES) for name in _OVERWRITING),
        (
            "audit_access_async.py",
            ["--real-hsm", "drills"],
            _PRECIOUS,
            "AZURE_MANAGEDHSM_URL names the HSM precious, and --real-hsm drills.",
        ),
        (
            "audit_access_async.py",
            ["--real-hsm", "precious"],
            "",
            "--real-hsm needs AZURE_MANAGEDHSM_URL, the URL of the HSM.",
        ),
    ],
)
def test_a_sample_without_clear_consent_leaves_a_real_hsm_alone(
    name: str, arguments: list[str], url: str, reason: str
) -> None:
    done = _start(name, *arguments, variables={"AZURE_MANAGEDHSM_URL": url, **loopback_only.environment()})

    assert (done.returncode, done.stdout.decode()) == (1, "")
    assert done.stderr.decode().strip() == f"Nothing done: {reason}"


def test_every_sample_that_restores_asks_for_the_name_of_a_real_hsm() -> None:
    # The proof of the least privilege is that it cannot restore.
    restoring = {path.name for path in _SAMPLES.glob("*_async.py") if "begin_restore" in path.read_text("utf-8")}

    assert restoring - {"least_privilege_role_async.py"} == set(_OVERWRITING)
