"""Node programs, in their own process, find everything in the env file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from peers.emulator_process import run
from peers.installations import node

if TYPE_CHECKING:
    from pathlib import Path


def test_the_published_client_keeps_keys(emulator: dict[str, str], node_packages: Path) -> None:
    said = run([node(), node_packages / "keep_keys.mjs"], emulator)

    assert said == {
        "refused": [
            403,
            "AccessDenied",
            "Not authorized to access Microsoft.KeyVault/managedHsm/keys/create on /keys",
        ],
        "kinds": ["RSA-HSM", "EC-HSM", "oct-HSM"],
        "got": "rsa",
        "keys": ["ec", "oct", "rsa"],
        "versions": 2,
        "deleted": ["rsa"],
        "recovered": "rsa",
        "left": ["ec", "rsa"],
        "purged": "KeyNotFound",
    }


def test_published_client_signs_encrypts_and_wraps(emulator: dict[str, str], node_packages: Path) -> None:
    said = run([node(), node_packages / "use_keys.mjs"], emulator)

    assert said == {
        "ES256": [64, True, False],
        "PS256": [256, True, False],
        "rsa": "a text",
        "aes": [12, 16, "a text"],
        "A256KW": [40, True],
        "RSA-OAEP": [256, True],
    }


@pytest.mark.parametrize("url", ["EMULATOR_LOCALHOST_URL", "AZURE_MANAGEDHSM_URL"])
def test_plain_fetch_sends_scopes_in_the_forms_of_javascript(
    emulator: dict[str, str], node_packages: Path, url: str
) -> None:
    said = run([node(), node_packages / "plain_fetch.mjs", url], emulator)

    assert said == {
        "challenge": [401, "OK", "Bearer authorization"],
        "roles": [200, 10],
        "created": [
            201,
            "/providers/Microsoft.Authorization/roleAssignments/ff388517-2e5c-4d0f-8a0b-0d6f5c3b7a01",
            "/keys/k",
        ],
        "again": [[200, True], [200, True], [200, True]],
        "deleted": [200, 404, "RoleAssignmentNotFound"],
        "atRoot": [200, 1],
    }
