"""The commands and snippets of README and guides are what they say they are: every Python block is executed here.

What a block is decides how it is run. One with a ``test_`` function is a file for pytest. One with a ``__main__`` is a
program: it runs in its own process, with nothing but the emulator's environment, and its output is checked. One that
defines nothing is a fragment: those of a page run one after the other, and what they print is in the text block below.
Any other one defines functions: they get what their parameters name (clients by their type), and a check looks at the
outcome.
"""

from __future__ import annotations

import ast
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
from typing import Any

import httpx
import loopback_only
import pytest
import pytest_asyncio
from azure.core.rest import HttpRequest

import readme_blocks
from azure.keyvault.administration import KeyVaultRoleAssignment
from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient
from azure.keyvault.administration.emulator import ManagedHsmEmulator
from readme_blocks import Block

_ROOT = Path(__file__).parents[2]
_README = (_ROOT / "README.md").read_text(encoding="utf-8")
_PRINCIPAL = "5f0a2f3c-3b8e-4f3e-9d43-0b9b5c2b6d11"
_KEY = "payments"
_AUDITOR = "Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/2c18b078-7c48-4d3a-af88-5a3a1b3f82b3"


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
            "principal_ids": [_PRINCIPAL, self.hsm.admin_object_id],
            "role_id": _AUDITOR,
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
    """Yield an HSM whose administrator may do everything, with a key in use, and a backup of it all."""
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
    exec(compile(block.code, block.document, "exec", dont_inherit=True), module.__dict__)
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


async def _there_is_an_application(_: World, app: Any, __: str) -> None:
    assert "/roles" in {route.path for route in app.routes}


async def _both_have_the_role(world: World, count: int, _: str) -> None:
    assert count == 2
    assert len([item async for item in world.access.list_role_assignments("/keys")]) == 2


async def _the_key_has_one_assignment(_: World, counts: dict[str, int], __: str) -> None:
    assert counts == {_KEY: 1}


async def _the_keys_assignment_is_among_all(_: World, found: list[KeyVaultRoleAssignment], __: str) -> None:
    scopes = [item.properties.scope for item in found if item.properties]
    assert sorted(map(str, scopes)) == ["/", "/", "/", f"/keys/{_KEY}"]


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
    "create_real_app": _there_is_an_application,
    "assign_to_all": _both_have_the_role,
    "count_assignments": _the_key_has_one_assignment,
    "read_all_assignments": _the_keys_assignment_is_among_all,
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
    "Managed HSM administration": r"(Managed HSM .+\n){10}",
    "In a program": r"https://contoso-hsm\.managedhsm\.azure\.net has 10 roles\n",
    "Back up": (
        r"To resume: \S+\n(\w+ since 20.+\n)*Succeeded since 20.+\nBacked up to https://\S+/backups/mhsm-\S+\n"
    ),
}

_BLOCKS = readme_blocks.blocks()
_FRAGMENTS = [block for block in _BLOCKS if block.is_fragment]
_TESTS = [block for block in _BLOCKS if "def test_" in block.code]
_PROGRAMS = [block for block in _BLOCKS if "__main__" in block.code]
_RECIPES = [block for block in _BLOCKS if block not in _TESTS + _PROGRAMS + _FRAGMENTS]
_PAGES = [document for document in readme_blocks.DOCUMENTS if any(block.document == document for block in _FRAGMENTS)]


def _name(block: Block) -> str:
    return f"{block.document.stem}: {block.heading}"


def test_every_python_block_is_executed_here() -> None:
    fence = r"^\s*(?:```|~~~)\s*(?:py|python|pycon|python3)\b.*$"
    texts = "\n".join(document.read_text(encoding="utf-8") for document in readme_blocks.DOCUMENTS)
    fences = re.findall(fence, texts, re.MULTILINE | re.IGNORECASE)

    assert len(fences) == len(_TESTS) + len(_PROGRAMS) + len(_RECIPES) + len(_FRAGMENTS) > 50


# What runs each of them, or does the same.
_SHELL = {
    "python3 -m venv .venv-quickstart": "tests/samples/test_samples.py",
    "python3 -m venv .venv-test": ".ci/run",
    'pip install ".[emulator]"': "tests/contract/conftest.py",
    "managed-hsm-emulator -- python first_client.py": "tests/contract/test_new_user.py",
    "managed-hsm-emulator --job-duration 2 -- python back_up.py": "tests/contract/test_new_user.py",
    "managed-hsm-emulator -- uvicorn --factory application:create_real_app": "tests/samples/test_readme.py",
    'pip install "tox>=4.23"': ".ci/run",
}


def test_every_shell_block_is_run_somewhere() -> None:
    own = [block for block in readme_blocks.blocks("sh") if block.document.parent.name != "emulator"]

    assert [block.code for block in own if not any(map(block.code.startswith, _SHELL))] == []
    for command, where in _SHELL.items():
        if where.endswith(".py") and command.startswith("managed"):
            assert command in (_ROOT / where).read_text(encoding="utf-8"), command


def test_the_readme_is_short_and_its_code_fits_the_column_of_the_site() -> None:
    lines = [line for block in _BLOCKS if block.document == _ROOT / "README.md" for line in block.code.splitlines()]

    assert len(_README.encode()) <= 12 * 1024
    assert [line for line in lines if len(line) > 88] == []


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


@pytest.mark.parametrize("block", _RECIPES, ids=_name)
async def test_a_recipe_does_what_it_says(
    block: Block, world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_MANAGEDHSM_URL", world.hsm.vault_url)
    functions = _functions(block)
    assert functions
    for name, function in functions.items():
        capsys.readouterr()
        result = await world.call(function)
        await _CHECKS[name](world, result, capsys.readouterr().out)


@pytest.mark.parametrize("document", sorted({block.document for block in _TESTS}), ids=lambda path: path.stem)
def test_the_tests_of_a_document_pass_in_a_project_of_their_own(document: Path, tmp_path: Path) -> None:
    tests = [block for block in _TESTS if block.document == document]
    files = {f"test_block_{number}.py": block.code for number, block in enumerate(tests)}
    files |= {block.file: block.code for block in _BLOCKS if block.file and block.document == document}
    # A project without settings; pytest-asyncio warns of a default that it is about to change.
    files["pytest.ini"] = "[pytest]\nasyncio_default_fixture_loop_scope = function\n"
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")

    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "--strict-markers"]
    done = subprocess.run([*command, tmp_path], cwd=tmp_path, check=False, capture_output=True, text=True, timeout=60)

    passed = re.search(r"^(\d+) passed in", done.stdout, re.MULTILINE)
    assert passed, done.stdout + done.stderr
    assert int(passed[1]) >= len(tests)
    assert done.returncode == 0


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.stem)
async def test_the_fragments_of_a_page_run_one_after_the_other(
    page: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {"hsm": world.hsm, "access": world.access, "backup": world.backup, "principal_id": _PRINCIPAL}
    values |= {"container_url": world.hsm.container_url, "sas_token": world.hsm.sas_token}
    assert values.keys() == readme_blocks.NAMES.keys()
    for block in _FRAGMENTS:
        if block.document == page:
            code = compile(block.code, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
            capsys.readouterr()
            if pending := eval(code, values):
                await pending
            assert block.output in {None, capsys.readouterr().out}


def test_the_web_application_serves_roles(tmp_path: Path) -> None:
    (block,) = (block for block in _BLOCKS if block.file == "application.py")
    (tmp_path / "application.py").write_text(block.code, encoding="utf-8")
    command = ["managed-hsm-emulator", "--", "uvicorn", "--factory", "application:create_real_app"]
    program = Path(sys.executable).parent / command[0]
    path = os.pathsep.join([str(program.parent), os.defpath])
    environment = {"PATH": path, "PYTHONPATH": str(tmp_path), "PYTHONUNBUFFERED": "1", **loopback_only.environment()}

    with subprocess.Popen(
        [program, *command[1:], "--port", "0"], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr
        try:
            said = iter(server.stderr)
            url = next(match[1] for line in said if (match := re.search(r"running on (\S+)", line)))
            assert "Managed HSM Administrator" in httpx.get(f"{url}/roles", trust_env=False).json()
        finally:
            server.terminate()


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
    commands = [line for line in _README.splitlines()[:30] if line.startswith("python3 -m venv")]

    assert len(commands) == 2
    assert "samples/quickstart_async.py" in commands[0]
    assert commands[1].endswith("bin/tox")


def test_troubleshooting_quotes_the_messages_of_the_library() -> None:
    section = _README.partition("\n## Troubleshooting\n")[2].partition("\n## ")[0]
    section += (_ROOT / "eng" / "docs" / "errors.md").read_text(encoding="utf-8")
    symptoms = [row.split("|")[1] for row in section.splitlines() if row.startswith("| ")]
    quoted = [quote.strip(". ") for symptom in symptoms for quote in re.findall(r'"(.+?)"', symptom)]
    sources = [path.read_text("utf-8") for path in (_ROOT / "azure" / "keyvault" / "administration").rglob("*.py")]
    said = re.sub(r'"\s+f?"', "", " ".join(sources))

    assert len(quoted) >= 5
    # One is put together of parts, one is aiohttp's.
    assert {quote for quote in quoted if quote not in said} == {"This was the backup job", "Unclosed client session"}
