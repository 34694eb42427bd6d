"""The command line with a command after ``--``: an emulator for as long as one program runs."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

import jwt
import pytest

from azure.keyvault.administration.emulator._child import Child
from azure.keyvault.administration.emulator._command_line import main
from emulator import application
from emulator.command import start

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from pathlib import Path

READY = "managed-hsm-emulator: https://emulated-hsm.managedhsm.azure.net is ready, data in memory\n"

LIST_ROLES = """
import asyncio, os
from azure.identity.aio import DefaultAzureCredential
from azure.keyvault.administration.aio import KeyVaultAccessControlClient

async def main():
    async with (
        DefaultAzureCredential() as credential,
        KeyVaultAccessControlClient(os.environ["AZURE_MANAGEDHSM_URL"], credential) as client,
    ):
        print(len([role async for role in client.list_role_definitions("/")]))

asyncio.run(main())
"""
PRINT_TOKEN = """
import json, os, urllib.request
url = os.environ["IDENTITY_ENDPOINT"] + "?api-version=2019-08-01&resource=https://managedhsm.azure.net"
headers = {"X-IDENTITY-HEADER": os.environ["IDENTITY_HEADER"]}
print(json.load(urllib.request.urlopen(urllib.request.Request(url, headers=headers)))["access_token"])
"""
# Ends on signals only, and asks the HSM once more before it does.
ON_SIGNAL = """
import os, signal, sys, time, urllib.error, urllib.request

def end(number, frame):
    try:
        urllib.request.urlopen(os.environ["AZURE_MANAGEDHSM_URL"])
    except urllib.error.HTTPError as error:
        print(signal.Signals(number).name, error.code)
    sys.exit(9)

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, end)
print("runs", flush=True)
while True:
    time.sleep(60)
"""
OTHER_IDENTITIES = {
    "AZURE_CLIENT_ID": "5f0a2f3c-3b8e-4f3e-9d43-0b9b5c2b6d11",
    "AZURE_TENANT_ID": "5f0a2f3c-3b8e-4f3e-9d43-0b9b5c2b6d12",
    "AZURE_CLIENT_SECRET": "secret",
    "AZURE_CLIENT_CERTIFICATE_PATH": "/nowhere/certificate.pem",
    "AZURE_USERNAME": "somebody",
    "AZURE_PASSWORD": "secret",
    "AZURE_FEDERATED_TOKEN_FILE": "/nowhere/token",
    "AZURE_TOKEN_CREDENTIALS": "dev",
    "IDENTITY_SERVER_THUMBPRINT": "ab" * 20,
    "MSI_ENDPOINT": "http://192.0.2.1/",
}
OTHER_PROXIES = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY"), "http://192.0.2.1:9")


class Shell:
    """Runs the command line in this process, on a machine on which nothing is set."""

    def __init__(self, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capfd = capfd
        self.setenv = monkeypatch.setenv

    def run(self, *arguments: str | Path) -> tuple[int, str, str]:
        """Return exit status, stdout and stderr."""
        code = main([str(argument) for argument in arguments])
        return code, *self._capfd.readouterr()


@pytest.fixture(name="shell")
def _shell(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    for name in os.environ.keys() - application.environment({}).keys():
        monkeypatch.delenv(name)
    return Shell(capfd, monkeypatch)


def _python(code: str) -> list[str]:
    return ["--", sys.executable, "-c", code]


def test_a_program_with_the_default_credential_needs_nothing_else(shell: Shell) -> None:
    assert shell.run(*_python(LIST_ROLES)) == (0, "10\n", READY)


def test_variables_of_other_identities_and_proxies_are_removed(shell: Shell) -> None:
    for name, value in (OTHER_IDENTITIES | OTHER_PROXIES).items():
        shell.setenv(name, value)

    assert shell.run("--quiet", *_python(LIST_ROLES)) == (0, "10\n", "")


async def test_the_rest_of_the_environment_stays_and_streams_are_the_commands() -> None:
    script = 'read -r line; echo "$line $WORD $1"; echo error >&2'

    process = await start("--quiet", "--", "sh", "-c", script, "sh", "three", variables={"WORD": "two"})

    assert await process.communicate(b"one\n") == (b"one two three\n", b"error\n")
    assert process.returncode == 0


def test_another_principal_than_the_administrator(shell: Shell) -> None:
    principal = "5F0A2F3C-3B8E-4F3E-9D43-0B9B5C2B6D11"

    status, token, _ = shell.run("--as", principal, *_python(PRINT_TOKEN))

    claims = jwt.decode(token.strip(), options={"verify_signature": False})
    assert (status, claims["oid"]) == (0, principal.lower())


def test_command_leaves_no_files_behind(shell: Shell, tmp_path: Path) -> None:
    env_file = tmp_path / "hsm.env"

    status, output, _ = shell.run(
        "--quiet", "--env-file", env_file, "--", "sh", "-c", f'ls "$SSL_CERT_FILE" {env_file}; exit 5'
    )

    bundle, *_ = sorted(output.split(), key=lambda path: path == str(env_file))
    assert (status, len(output.split())) == (5, 2)
    assert [path for path in (bundle, env_file) if os.access(path, os.F_OK)] == []


@pytest.mark.parametrize(
    ("command", "status", "output", "errors"),
    [
        (["echo", "--quiet", "--", "--version"], 0, "--quiet -- --version\n", ""),
        (["sh", "-c", "exit 3"], 3, "", ""),
        (["sh", "-c", "kill -TERM $$"], 128 + signal.SIGTERM, "", ""),
        (["sh", "-c", "kill -KILL $$"], 128 + signal.SIGKILL, "", ""),
        (["no-such-command"], 127, "", "managed-hsm-emulator: error: no-such-command: No such file or directory\n"),
        (["/"], 126, "", "managed-hsm-emulator: error: /: Permission denied\n"),
        ([__file__], 126, "", f"managed-hsm-emulator: error: {__file__}: Permission denied\n"),
    ],
)
def test_the_exit_status_is_the_commands(
    shell: Shell, command: list[str], status: int, output: str, errors: str
) -> None:
    assert shell.run("--quiet", "--", *command) == (status, output, errors)


@pytest.mark.parametrize(
    "arguments",
    [["--name", "a--b"], ["--host", "0.0.0.0"], ["--data", "/dev/null/data"], ["--security-domain", "/nowhere/x"]],
    ids=" ".join,
)
def test_an_emulator_that_cannot_start_is_125(shell: Shell, arguments: list[str]) -> None:
    status, output, errors = shell.run(*arguments, "--", "echo", "runs")

    assert (status, output) == (125, "")
    assert errors.startswith("managed-hsm-emulator: error: ")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--port", "http", "--", "echo", "runs"], 125, "argument --port"),
        (["--unknown", "--", "echo", "runs"], 125, "unrecognized arguments"),
        (["--print-env", "--", "echo", "runs"], 125, "--print-env cannot be used with a command"),
        (["python", "--", "echo", "runs"], 125, "unrecognized arguments"),
        (["--"], 2, "a command must follow --\n"),
    ],
)
def test_options_that_are_not_understood_are_125_too(
    capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, said: str
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)

    errors = capsys.readouterr().err
    assert (exit_.value.code, said in errors) == (status, True)
    assert errors.startswith("usage: managed-hsm-emulator ")


async def _started(*arguments: str, **options: bool) -> Process:
    """Start an emulator, and wait until its command says that it runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "azure.keyvault.administration.emulator", "--quiet", *arguments),
        env=application.environment({}),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=options.get("has_its_own_terminal", False),
    )
    assert process.stdout
    assert await process.stdout.readline() == b"runs\n"
    return process


async def test_a_signal_is_passed_on_and_the_emulator_outlives_the_command() -> None:
    process = await _started(*_python(ON_SIGNAL))

    process.send_signal(signal.SIGTERM)

    assert await process.communicate() == (b"SIGTERM 401\n", b"")
    assert process.returncode == 9


async def test_interrupted_command_ends_before_the_emulator() -> None:
    process = await _started(*_python(ON_SIGNAL), has_its_own_terminal=True)

    # As a terminal does: the whole group.
    os.killpg(process.pid, signal.SIGINT)

    assert await process.communicate() == (b"SIGINT 401\n", b"")
    assert process.returncode == 9


async def test_signal_of_the_terminal_is_not_sent_twice() -> None:
    process = await _started("--", "sh", "-c", "echo runs; read -r line; echo $line")

    for number in (signal.SIGINT, signal.SIGQUIT):
        process.send_signal(number)

    assert await process.communicate(b"goes on\n") == (b"goes on\n", b"")
    assert process.returncode == 0


async def test_under_nohup_the_end_of_the_terminal_changes_nothing() -> None:
    program = f'trap "" HUP; exec {sys.executable} -m azure.keyvault.administration.emulator --print-env --quiet'
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", program), env=application.environment({}), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    await process.stdout.readline()

    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    await process.communicate()

    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=str)
async def test_signal_to_the_emulator_alone_is_passed_on(tmp_path: Path, number: signal.Signals) -> None:
    child, begun = Child(), tmp_path / "begun"

    running = asyncio.create_task(child.run(["sh", "-c", f"touch {begun}; exec sleep 60"], os.environ))
    while not begun.exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.001)
    child.receive(number)

    assert await running == 128 + number


async def test_a_signal_that_comes_before_the_command_keeps_it_from_starting() -> None:
    child = Child()
    child.receive(signal.SIGINT)

    assert await child.run(["no-such-command"], {}) == 128 + signal.SIGINT


async def test_signal_after_the_command_has_ended_is_ignored() -> None:
    child = Child()

    status = await child.run(["sh", "-c", "exit 4"], os.environ)
    child.receive(signal.SIGTERM)

    assert status == 4
