"""The Azure CLI, unmodified: it logs in as the managed identity, and administers the HSM."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

# Where tox -e azure-cli has installed it; it is too large for the other peers' environment.
_HOME = os.environ.get("AZURE_CLI")

pytestmark = pytest.mark.skipif(not _HOME, reason="tox -e azure-cli runs this")

PRINCIPAL = "5f0a2f3c-3b8e-4f3e-9d43-0b9b5c2b6d11"
OTHER = "5f0a2f3c-3b8e-4f3e-9d43-0b9b5c2b6d12"
ROLE = {
    "roleName": "Reader of keys",
    "description": "May look",
    "actions": [],
    "notActions": [],
    "dataActions": ["Microsoft.KeyVault/managedHsm/keys/read/action"],
    "notDataActions": [],
}


class AzureCli:
    """The CLI with its own profile, in the environment that the emulator gives."""

    def __init__(self, emulator: dict[str, str], folder: Path) -> None:
        assert _HOME
        self._az = Path(_HOME) / "bin" / "az"
        self._folder = folder
        self._hsm = emulator["AZURE_MANAGEDHSM_URL"].removeprefix("https://").partition(".")[0]
        own = {"AZURE_CONFIG_DIR": str(folder / "azure"), "AZURE_CORE_COLLECT_TELEMETRY": "false"}
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **emulator, **own}

    def run(self, *arguments: str) -> Any:
        """Run a command that has to succeed without a warning, and return what it says."""
        done = subprocess.run(
            [self._az, *arguments, "--only-show-errors", "--output=json"],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), f"az {arguments}: {done.stdout}{done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    def keyvault(self, *arguments: str) -> Any:
        return self.run("keyvault", *arguments, f"--hsm-name={self._hsm}")


@pytest.fixture(name="az")
def _az(emulator: dict[str, str], tmp_path: Path) -> AzureCli:
    az = AzureCli(emulator, tmp_path)
    (account,) = az.run("login", "--identity", "--allow-no-subscriptions")
    assert account["user"]["assignedIdentityInfo"] == "MSI"
    return az


def test_role_definitions(az: AzureCli) -> None:
    definition = ("role", "definition")

    built_in = az.keyvault(*definition, "list")
    created = az.keyvault(*definition, "create", f"--role-definition={json.dumps(ROLE)}")
    shown = az.keyvault(*definition, "show", f"--name={created['name']}")
    changed = {**ROLE, "name": created["name"], "description": "May look closely"}
    updated = az.keyvault(*definition, "update", f"--role-definition={json.dumps(changed)}")
    custom = az.keyvault(*definition, "list", "--custom-role-only")
    az.keyvault(*definition, "delete", f"--name={created['name']}")
    left = az.keyvault(*definition, "list", "--custom-role-only")

    assert len(built_in) == 10
    assert shown == created
    assert shown["permissions"][0]["dataActions"] == ROLE["dataActions"]
    assert updated == {**created, "description": "May look closely"}
    assert (custom, left) == ([updated], [])


def test_role_assignments(az: AzureCli, emulator: dict[str, str]) -> None:
    assignment = ("role", "assignment")
    user, officer = "--role=Managed HSM Crypto User", "--role=Managed HSM Crypto Officer"

    (initial,) = az.keyvault(*assignment, "list")
    by_id = az.keyvault(
        *(*assignment, "create", user, "--scope=/keys"),
        *(f"--assignee-object-id={PRINCIPAL}", "--assignee-principal-type=User"),
    )
    # A name that would have to be looked up, which is forbidden.
    by_name = az.keyvault(*assignment, "create", officer, "--scope=/", f"--assignee={OTHER}")
    of_one = az.keyvault(*assignment, "list", "--scope=/keys", f"--assignee-object-id={PRINCIPAL}")
    az.keyvault(*assignment, "delete", user, "--scope=/keys", f"--assignee-object-id={PRINCIPAL}")
    az.keyvault(*assignment, "delete", f"--ids={by_name['id']}")
    left = az.keyvault(*assignment, "list")

    assert initial["principalId"] == emulator["EMULATOR_ADMIN_OBJECT_ID"]
    assert (by_id["principalId"], by_id["scope"], by_id["roleName"]) == (PRINCIPAL, "/keys", "Managed HSM Crypto User")
    assert (by_name["principalId"], by_name["scope"]) == (OTHER, "/")
    assert [each["id"] for each in of_one] == [by_id["id"]]
    assert left == [initial]


def test_backup_and_restore(az: AzureCli, emulator: dict[str, str]) -> None:
    for role in ("User", "Officer"):
        administrator = f"--assignee-object-id={emulator['EMULATOR_ADMIN_OBJECT_ID']}"
        az.keyvault("role", "assignment", "create", f"--role=Managed HSM Crypto {role}", "--scope=/", administrator)
    container = emulator["BLOB_CONTAINER_URL"]
    storage = (f"--storage-resource-uri={container}", f"--storage-container-SAS-token={emulator['BLOB_SAS_TOKEN']}")
    kid = az.keyvault("key", "create", "--name=k", "--kty=EC-HSM")["key"]["kid"]

    backup = az.keyvault("backup", "start", *storage)
    az.keyvault("key", "delete", "--name=k")
    folder = f"--backup-folder={backup['folderUrl'].rpartition('/')[2]}"
    az.keyvault("restore", "start", *storage, folder)
    restored = az.keyvault("key", "show", "--name=k")["key"]["kid"]
    az.keyvault("key", "delete", "--name=k")
    az.keyvault("key", "purge", "--name=k")
    az.keyvault("restore", "start", *storage, folder, "--key-name=k")
    restored_alone = az.keyvault("key", "show", "--name=k")["key"]["kid"]

    assert backup["status"] == "Succeeded"
    assert backup["folderUrl"].startswith(f"{container}/mhsm-")
    assert (restored, restored_alone) == (kid, kid)
