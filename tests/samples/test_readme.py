"""The commands and snippets of README and guides are what they say they are: every Python block is executed here.

What a block is decides how it is run. One with a ``test_`` function is a file for pytest. One with a ``__main__`` is a
program: it runs in a process of its own, with nothing but the emulator's environment, and its output is looked at. Any
other one defines functions: they get what their parameters name (clients by their type), and a check looks at what came
of it.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import re
import subprocess
import sys
import types
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import loopback_only
import pytest
import pytest_asyncio
from azure.core.rest import HttpRequest

from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient
from azure.keyvault.administration.emulator import ManagedHsmEmulator

_ROOT = Path(__file__).parents[2]
_TEXT = (_ROOT / "README.md").read_text(encoding="utf-8")
_EMULATOR_TEXT = (_ROOT / "azure/keyvault/administration/emulator/README.md").read_text(encoding="utf-8")
_GUIDES = (_ROOT / "eng/docs/test-least-privilege.md",)
_DOCUMENTS = "\n".join((_TEXT, _EMULATOR_TEXT, *(guide.read_text(encoding="utf-8") for guide in _GUIDES)))
_PRINCIPAL = "5f0a2f3c-3b8e-4f3e-9d43-0b9b5c2b6d11"
_KEY = "payments"


class Block(NamedTuple):
    """A fenced Python block, and the heading above it."""

    heading: str
    code: str


def _blocks() -> list[Block]:
    found = []
    for section in re.split(r"^#+ ", _DOCUMENTS, flags=re.MULTILINE)[1:]:
        codes = re.findall(r"^```python\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
        found += [Block(section.partition("\n")[0], code) for code in codes]
    return found


@dataclass
class World:
    """What the functions of the README may ask for, and what their checks look at."""

    hsm: ManagedHsmEmulator
    access: KeyVaultAccessControlClient
    backup: KeyVaultBackupClient
    folder_url: str
    token: str
    """Continuation token of the backup in the folder."""

    def argument(self, parameter: inspect.Parameter) -> Any:
        clients = {KeyVaultAccessControlClient: self.access, KeyVaultBackupClient: self.backup}
        values = {
            "vault_url": self.hsm.vault_url,
            "credential": self.hsm.credential,
            "container_url": self.hsm.container_url,
            "sas_token": self.hsm.sas_token,
            "folder_url": self.folder_url,
            "token": self.token,
            "principal_id": _PRINCIPAL,
            "key_name": _KEY,
            "key_names": [_KEY],
            "scope": f"/keys/{_KEY}",
        }
        return clients.get(parameter.annotation) or values[parameter.name]

    async def call(self, function: Callable[..., Any]) -> Any:
        parameters = inspect.signature(function).parameters.values()
        given = {
            item.name: self.argument(item) for item in parameters if item.kind is not inspect.Parameter.VAR_KEYWORD
        }
        options = self.hsm.client_kwargs if len(given) < len(parameters) else {}
        result = function(**given, **options)
        return await result if inspect.isawaitable(result) else result

    async def send(self, method: str, path: str, body: Any = None) -> Any:
        response = await self.access.send_request(HttpRequest(method, path, json=body))
        response.raise_for_status()
        return response.json() if response.content else None


@pytest_asyncio.fixture(name="world")
async def _world() -> AsyncIterator[World]:
    """Yield an HSM whose administrator may do everything, with a key that somebody uses, and a backup of it all."""
    async with (
        ManagedHsmEmulator() as hsm,
        KeyVaultAccessControlClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as access,
        KeyVaultBackupClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as backup,
    ):
        async for role in access.list_role_definitions("/"):
            if role.role_name in {"Managed HSM Crypto User", "Managed HSM Crypto Officer"}:
                await access.create_role_assignment("/", role.id or "", hsm.admin_object_id)
            if role.role_name == "Managed HSM Crypto User":
                await access.create_role_assignment(f"/keys/{_KEY}", role.id or "", _PRINCIPAL)
        world = World(hsm, access, backup, "", "")
        await world.send("POST", f"/keys/{_KEY}/create", {"kty": "EC-HSM"})
        poller = await backup.begin_backup(hsm.container_url, hsm.sas_token, polling_interval=0.05)
        world.token = poller.continuation_token()
        world.folder_url = (await poller.result()).folder_url or ""
        yield world


def _functions(block: Block) -> dict[str, Callable[..., Any]]:
    """Execute a block and return the functions that it defines."""
    module = types.ModuleType("readme")
    exec(compile(block.code, "README.md", "exec", dont_inherit=True), module.__dict__)
    return {name: value for name, value in vars(module).items() if getattr(value, "__module__", "") == "readme"}


# What each function of the README must bring about.


async def _role_is_assigned_at_the_key(world: World, name: str, _: str) -> None:
    assignment = await world.access.get_role_assignment(f"/keys/{_KEY}", name)

    assert assignment.properties is not None
    assert assignment.properties.scope == f"/keys/{_KEY}"
    role_id = assignment.properties.role_definition_id or ""
    role = await world.access.get_role_definition("/", role_id.rpartition("/")[2])
    assert [permission.data_actions for permission in role.permissions or []] == [
        ["Microsoft.KeyVault/managedHsm/keys/sign/action", "Microsoft.KeyVault/managedHsm/keys/read/action"]
    ]


async def _access_is_printed(world: World, _: None, output: str) -> None:
    me = world.hsm.admin_object_id
    assert sorted(output.splitlines()) == [
        f"{me} is Managed HSM Administrator at /",
        f"{me} is Managed HSM Crypto Officer at /",
        f"{me} is Managed HSM Crypto User at /",
        f"{_PRINCIPAL} is Managed HSM Crypto User at /keys/{_KEY}",
    ]


async def _the_principal_has_no_role(world: World, taken: int, _: str) -> None:
    assert taken == 1
    assert [item async for item in world.access.list_role_assignments(f"/keys/{_KEY}")] == []
    assert len([item async for item in world.access.list_role_assignments("/")]) == 3


async def _the_folder_is_that_of_the_backup(world: World, folder_url: str, _: str) -> None:
    assert folder_url == world.folder_url


async def _nothing_speaks_against_it(_: World, reason: str | None, __: str) -> None:
    assert reason is None


async def _the_restore_is_done(world: World, _: None, __: str) -> None:
    assert [entry.status for entry in world.hsm.journal if entry.path == "/restore"] == [202]
    assert [item["kid"].rpartition("/")[2] for item in (await world.send("GET", "/keys"))["value"]] == [_KEY]


async def _the_key_existed(_: World, details: str, __: str) -> None:
    assert "Number of successful key versions restored: 0," in details


async def _both_clients_worked(world: World, result: tuple[str, int], _: str) -> None:
    assert result[0].startswith(f"{world.hsm.container_url}/mhsm-")
    assert result[1] == 10


async def _the_application_lists_roles(_: World, app: Any, __: str) -> None:
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://application") as http,
    ):
        answer = await http.get("/roles")

    assert answer.status_code == 200
    assert "Managed HSM Administrator" in answer.json()


_Check = Callable[[World, Any, str], Awaitable[None]]

_CHECKS: dict[str, _Check] = {
    "let_sign_with_one_key": _role_is_assigned_at_the_key,
    "print_access": _access_is_printed,
    "take_all_roles": _the_principal_has_no_role,
    "follow_backup": _the_folder_is_that_of_the_backup,
    "why_not": _nothing_speaks_against_it,
    "restore_everything": _the_restore_is_done,
    "restore_key": _the_key_existed,
    "back_up_and_count_roles": _both_clients_worked,
    "create_app": _the_application_lists_roles,
}

# What each program prints.
_JOB = r"the backup job [0-9a-f]{32}"
_OUTPUTS = {
    "Create a client": r"(.+ Microsoft\.KeyVault/providers/Microsoft\.Authorization/roleDefinitions/\S+\n){10}",
    # The spans of azure-identity come in between.
    "Logging and tracing": (
        rf"SPAN POST 401\n(?:.+\n)*?SPAN POST 202\nINFO Started {_JOB}\.\nSPAN KeyVaultBackupClient\.begin_backup \n"
        rf"(SPAN GET 200\n)+INFO T{_JOB[1:]} succeeded after \d+ s\.\n"
    ),
    "In a program": r"https://contoso-hsm\.managedhsm\.azure\.net has 10 roles\n",
    "Back up, and watch progress": (
        r"To resume: \S+\n(\w+ since 20.+\n)*Succeeded since 20.+\nBacked up to https://\S+/backups/mhsm-\S+\n"
    ),
}

_TESTS = [block for block in _blocks() if "def test_" in block.code]
_PROGRAMS = [block for block in _blocks() if "__main__" in block.code]
_RECIPES = [block for block in _blocks() if block not in _TESTS + _PROGRAMS]


def _name(block: Block) -> str:
    return block.heading


def test_every_python_block_is_executed_here() -> None:
    fence = r"^\s*(?:```|~~~)\s*(?:py|python|pycon|python3)\b.*$"
    fences = re.findall(fence, _DOCUMENTS, re.MULTILINE | re.IGNORECASE)

    assert len(fences) == len(_TESTS) + len(_PROGRAMS) + len(_RECIPES) > 10


async def _run(code: str, hsm: ManagedHsmEmulator, folder: Path) -> tuple[int | None, str, str]:
    """Run a program with the emulator's environment and the network guard; return its status and what it prints."""
    (folder / "program.py").write_text(code, encoding="utf-8")
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "program.py"),
        cwd=folder,
        env={"PATH": os.defpath, **loopback_only.environment(), **hsm.environment()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(program.communicate(), timeout=60)
    return program.returncode, output.decode(), errors.decode()


@pytest.mark.parametrize("block", _PROGRAMS, ids=_name)
async def test_a_program_runs_with_the_emulators_environment_alone(
    block: Block, hsm: ManagedHsmEmulator, tmp_path: Path
) -> None:
    status, output, errors = await _run(block.code, hsm, tmp_path)

    assert (status, errors) == (0, "")
    assert re.fullmatch(_OUTPUTS[block.heading], output)


async def test_a_program_is_kept_on_this_machine(hsm: ManagedHsmEmulator, tmp_path: Path) -> None:
    status, _, errors = await _run("import socket; socket.create_connection(('192.0.2.1', 443))", hsm, tmp_path)

    assert status == 1
    assert "NetworkAccessError: a test connected to '192.0.2.1'" in errors


@pytest.mark.parametrize("block", _RECIPES, ids=_name)
async def test_a_recipe_does_what_it_says(block: Block, world: World, capsys: pytest.CaptureFixture[str]) -> None:
    functions = _functions(block)
    assert functions
    for name, function in functions.items():
        capsys.readouterr()
        result = await world.call(function)
        await _CHECKS[name](world, result, capsys.readouterr().out)


@pytest.mark.parametrize("block", _TESTS, ids=_name)
def test_a_test_passes_in_a_project_of_its_own(block: Block, tmp_path: Path) -> None:
    (tmp_path / "test_readme_block.py").write_text(block.code, encoding="utf-8")
    # A project without settings; pytest-asyncio warns of a default that it is about to change.
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n", encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "--strict-markers", tmp_path],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert re.search(r"^\d+ passed in", done.stdout, re.MULTILINE), done.stdout + done.stderr
    assert done.returncode == 0


async def test_a_purged_key_comes_back_alone(world: World) -> None:
    (block,) = (block for block in _RECIPES if "def restore_key" in block.code)
    await world.send("DELETE", f"/keys/{_KEY}")
    await world.send("DELETE", f"/deletedkeys/{_KEY}")

    details = await world.call(_functions(block)["restore_key"])

    assert "Number of successful key versions restored: 2" in details
    await world.send("GET", f"/keys/{_KEY}")


async def test_a_check_that_fails_says_why(world: World) -> None:
    (block,) = (block for block in _RECIPES if "def why_not" in block.code)
    missing = world.hsm.container_url.replace("/backups", "/missing")

    reason = await _functions(block)["why_not"](world.backup, missing, world.hsm.sas_token)

    assert "This was the pre-backup job" in reason


def test_the_first_screen_holds_two_commands_that_do_all_their_own_set_up() -> None:
    commands = [line for line in _TEXT.splitlines()[:30] if line.startswith("python3 -m venv")]

    assert len(commands) == 2
    assert "samples/quickstart_async.py" in commands[0]
    assert commands[1].endswith("bin/tox")


def test_no_document_shows_secrets_to_every_user_of_the_machine() -> None:
    # The arguments of a process are no secret, and a command such as env has the file's lines as arguments.
    documents = [*(_ROOT / "azure").rglob("*.py"), *(_ROOT / "azure").rglob("*.md"), *(_ROOT / "samples").iterdir()]

    assert [path.name for path in documents if path.is_file() and "env $(" in path.read_text("utf-8")] == []


def test_what_troubleshooting_quotes_is_what_the_library_says() -> None:
    section = _TEXT.partition("\n## Troubleshooting\n")[2].partition("\n## ")[0]
    symptoms = [row.split("|")[1] for row in section.splitlines() if row.startswith("| ")]
    quoted = [quote.strip(". ") for symptom in symptoms for quote in re.findall(r'"(.+?)"', symptom)]
    sources = [path.read_text("utf-8") for path in (_ROOT / "azure" / "keyvault" / "administration").rglob("*.py")]
    said = re.sub(r'"\s+f?"', "", " ".join(sources))

    assert len(quoted) >= 5
    # One is put together of parts, one is aiohttp's.
    assert [quote for quote in quoted if quote not in said] == ["This was the backup job", "Unclosed client session"]
