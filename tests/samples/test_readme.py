"""The README's commands and snippets are what it says they are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient
from azure.keyvault.administration.emulator import ManagedHsmEmulator

_ROOT = Path(__file__).parents[2]
_TEXT = (_ROOT / "README.md").read_text(encoding="utf-8")


def _snippet(function: str) -> Any:
    """Execute the one fenced Python block that defines a function, and return the function."""
    blocks = [block for block in re.findall(r"```python\n(.*?)```", _TEXT, re.DOTALL) if f"def {function}(" in block]
    assert len(blocks) == 1
    namespace: dict[str, Any] = {}
    exec(compile(blocks[0], "README.md", "exec"), namespace)
    return namespace[function]


def test_the_first_screen_holds_two_commands_that_do_all_their_own_set_up() -> None:
    commands = [line for line in _TEXT.splitlines()[:30] if line.startswith("python3 -m venv")]

    assert len(commands) == 2
    assert "samples/quickstart_async.py" in commands[0]
    assert commands[1].endswith("bin/tox")


def test_links_into_the_repository_resolve() -> None:
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", _TEXT)

    assert [target for target in targets if not (_ROOT / target).exists()] == []


def test_every_python_block_defines_a_function_that_is_run_here() -> None:
    functions = re.findall(r"^async def (\w+)\(", _TEXT, re.MULTILINE)

    assert functions == [
        "print_roles",
        "let_read_one_key",
        "back_up",
        "restore",
        "test_a_new_hsm_has_one_assignment",
    ]
    assert _TEXT.count("```python") == len(functions)


async def test_print_roles_is_defined_by_its_block() -> None:
    # It makes its own credential from the environment of a real HSM, so it is only compiled and imported here.
    assert callable(_snippet("print_roles"))


async def test_let_read_one_key_assigns_at_the_key(hsm: ManagedHsmEmulator) -> None:
    async with KeyVaultAccessControlClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as client:
        name = await _snippet("let_read_one_key")(client, "5f0a2f3c-3b8e-4f3e-9d43-0b9b5c2b6d11", "payments")

        assignment = await client.get_role_assignment("/keys/payments", name)

    assert assignment.properties is not None
    assert assignment.properties.scope == "/keys/payments"


async def test_back_up_and_restore_bring_back_what_was_there(hsm: ManagedHsmEmulator) -> None:
    async with (
        KeyVaultAccessControlClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as access,
        KeyVaultBackupClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as client,
    ):
        folder_url = await _snippet("back_up")(client, hsm.container_url, hsm.sas_token)
        before = [role async for role in access.list_role_definitions("/")]
        await access.set_role_definition("/", role_name="New")

        assert await _snippet("restore")(client, folder_url, hsm.sas_token, None) is None
        assert [role async for role in access.list_role_definitions("/")] == before


async def test_the_emulator_test_passes() -> None:
    await _snippet("test_a_new_hsm_has_one_assignment")()
