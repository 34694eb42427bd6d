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

from azure.keyvault.administration.aio import KeyVaultAccessControlClient
from azure.keyvault.administration.emulator import ManagedHsmEmulator

if TYPE_CHECKING:
    from collections.abc import Mapping

_SAMPLES = Path(__file__).parents[2] / "samples"
_SITE_PAGE = Path(__file__).parents[2] / "eng" / "docs" / "samples.md"


def _start(
    name: str | Path, *arguments: str, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    # Without the HSM of whoever runs the tests, and with the sample's folder on the path, as it is by default.
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


def test_a_sample_is_kept_on_this_machine(tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    sample.write_text("import socket; socket.create_connection(('192.0.2.1', 443))", encoding="utf-8")

    with pytest.raises(AssertionError, match="NetworkAccessError: a test connected to"):
        _run(sample)


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


def test_the_quickstart_shows_the_whole_life() -> None:
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


@pytest.mark.parametrize("path", sorted(_SAMPLES.glob("*_async.py")), ids=lambda path: path.name)
async def test_sample_uses_the_hsm_of_the_environment_only_if_it_is_told_to(
    path: Path, hsm: ManagedHsmEmulator, client: KeyVaultAccessControlClient
) -> None:
    async for role in client.list_role_definitions("/"):
        if role.role_name in {"Managed HSM Crypto User", "Managed HSM Crypto Officer"}:
            await client.create_role_assignment("/", role.id or "", hsm.admin_object_id)
    hsm.journal.clear()
    # All that a real HSM takes, and what an earlier version of the drill took for consent.
    variables = {"AZURE_CLIENT_OBJECT_ID": hsm.admin_object_id, "DRILL_HSM": hsm.vault_url, **hsm.environment()}

    emulated = await asyncio.to_thread(_run, path.name, variables=variables)
    assert "using an emulated HSM" in emulated
    assert hsm.journal == []

    real = await asyncio.to_thread(_run, path.name, "--real-hsm", "emulated-hsm", variables=variables)
    assert real
    assert "using an emulated HSM" not in real
    assert "NOT as before" not in real
    assert len(hsm.journal) > 0


_OVERWRITING = ("backup_restore_operations_async.py", "disaster_recovery_drill_async.py", "quickstart_async.py")


@pytest.mark.parametrize(
    ("name", "arguments", "url", "reason"),
    [
        *(
            pytest.param(
                name,
                ["--real-hsm"],
                "https://precious.managedhsm.azure.net",
                "Nothing done: this sample replaces what is in precious. "
                "Say --real-hsm precious if that is what you want.",
                id=f"{name}-unnamed",
            )
            for name in _OVERWRITING
        ),
        pytest.param(
            "audit_access_async.py",
            ["--real-hsm", "drills"],
            "https://precious.managedhsm.azure.net",
            "Nothing done: AZURE_MANAGEDHSM_URL names the HSM precious, and --real-hsm drills.",
            id="another-name",
        ),
        pytest.param(
            "audit_access_async.py",
            ["--real-hsm", "precious"],
            "",
            "Nothing done: --real-hsm needs AZURE_MANAGEDHSM_URL, the URL of the HSM.",
            id="no-url",
        ),
    ],
)
def test_sample_without_clear_consent_leaves_a_real_hsm_alone(
    name: str, arguments: list[str], url: str, reason: str
) -> None:
    done = _start(name, *arguments, variables={"AZURE_MANAGEDHSM_URL": url, **loopback_only.environment()})

    assert (done.returncode, done.stdout.decode(), done.stderr.decode().strip()) == (1, "", reason)


def test_every_sample_that_restores_wants_the_name_of_a_real_hsm() -> None:
    # The proof of the least privilege is that it cannot restore.
    restoring = {path.name for path in _SAMPLES.glob("*_async.py") if "begin_restore" in path.read_text("utf-8")}

    assert restoring - {"least_privilege_role_async.py"} == set(_OVERWRITING)
