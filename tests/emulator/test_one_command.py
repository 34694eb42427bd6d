"""The command line with a command after ``--``: an emulator for as long as one program runs."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
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


async def _run(*arguments: str | Path, **variables: str) -> tuple[int | None, str, str]:
    """Return exit status, stdout and stderr."""
    process = await start(*arguments, variables=variables)
    output, errors = await process.communicate(b"one\n")
    return process.returncode, output.decode(), errors.decode()


def _python(code: str) -> list[str]:
    return ["--", sys.executable, "-c", code]


async def test_a_program_with_the_default_credential_needs_nothing_else() -> None:
    assert await _run(*_python(LIST_ROLES)) == (0, "10\n", READY)


async def test_what_leads_programs_elsewhere_is_taken_out() -> None:
    assert await _run("--quiet", *_python(LIST_ROLES), **OTHER_IDENTITIES, **OTHER_PROXIES) == (0, "10\n", "")


async def test_the_rest_of_the_environment_stays_and_streams_are_the_commands() -> None:
    script = 'read -r line; echo "$line $WORD $1"; echo error >&2'

    done = await _run("--quiet", "--", "sh", "-c", script, "sh", "three", WORD="two")

    assert done == (0, "one two three\n", "error\n")


async def test_options_after_the_separator_are_the_commands() -> None:
    assert await _run("--quiet", "--", "echo", "--quiet", "--", "--version") == (0, "--quiet -- --version\n", "")


async def test_another_principal_than_the_administrator() -> None:
    principal = "5F0A2F3C-3B8E-4F3E-9D43-0B9B5C2B6D11"

    status, token, _ = await _run("--as", principal, *_python(PRINT_TOKEN))

    claims = jwt.decode(token.strip(), options={"verify_signature": False})
    assert (status, claims["oid"]) == (0, principal.lower())


async def test_nothing_is_left_behind(tmp_path: Path) -> None:
    script = 'echo "$SSL_CERT_FILE"; ls "$SSL_CERT_FILE" hsm.env >&2; exit 5'
    env_file = tmp_path / "hsm.env"

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "azure.keyvault.administration.emulator"),
        *("--quiet", "--env-file", env_file, "--", "sh", "-c", script),
        cwd=tmp_path,
        env=application.environment({}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()

    bundle = output.decode().strip()
    assert (process.returncode, errors.decode().split()) == (5, [bundle, "hsm.env"])
    assert [path for path in (bundle, env_file) if os.access(path, os.F_OK)] == []


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["sh", "-c", "exit 3"], 3),
        (["sh", "-c", "kill -TERM $$"], 128 + signal.SIGTERM),
        (["sh", "-c", "kill -KILL $$"], 128 + signal.SIGKILL),
    ],
    ids=["its own", "terminated", "killed"],
)
async def test_the_exit_status_is_the_commands(command: list[str], status: int) -> None:
    assert await _run("--quiet", "--", *command) == (status, "", "")


async def test_a_command_that_is_not_there_is_127() -> None:
    errors = "managed-hsm-emulator: error: no-such-command: No such file or directory\n"

    assert await _run("--quiet", "--", "no-such-command") == (127, "", errors)


@pytest.mark.parametrize("kind", ["file", "folder"])
async def test_a_command_that_cannot_be_executed_is_126(tmp_path: Path, kind: str) -> None:
    command = tmp_path / "command"
    command.mkdir() if kind == "folder" else command.write_text("no program")

    status, output, errors = await _run("--quiet", "--", command)

    assert (status, output) == (126, "")
    assert errors == f"managed-hsm-emulator: error: {command}: Permission denied\n"


@pytest.mark.parametrize(
    "arguments",
    [["--name", "a--b"], ["--host", "0.0.0.0"], ["--data", "/dev/null/data"], ["--security-domain", "/nowhere/x"]],
    ids=" ".join,
)
def test_an_emulator_that_cannot_start_is_125(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main([*arguments, "--", "echo", "runs"]) == 125
    assert capsys.readouterr().err.startswith("managed-hsm-emulator: error: ")


def test_a_port_that_is_taken_is_125(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert main(["--port", str(other.getsockname()[1]), "--", "echo", "runs"]) == 125

    output, errors = capfd.readouterr()
    assert (output, errors.count("\n")) == ("", 1)


@pytest.mark.parametrize("arguments", [["--port", "http"], ["--unknown"], ["--print-env"], ["python"]], ids=" ".join)
def test_options_that_are_not_understood_are_125_too(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([*arguments, "--", "echo", "runs"])

    assert exit_.value.code == 125
    assert capsys.readouterr().err.startswith("usage: managed-hsm-emulator ")


def test_a_command_has_to_follow_the_separator(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--"])

    assert exit_.value.code == 2
    assert capsys.readouterr().err.endswith("error: a command must follow --\n")


async def _started(*arguments: str, **options: bool) -> Process:
    """Start an emulator whose command has said that it runs."""
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=str)
async def test_a_signal_is_passed_on_and_the_emulator_outlives_the_command(number: signal.Signals) -> None:
    process = await _started(*_python(ON_SIGNAL))

    process.send_signal(number)

    assert await process.communicate() == (f"{number.name} 401\n".encode(), b"")
    assert process.returncode == 9


async def test_what_the_terminal_interrupts_ends_before_the_emulator() -> None:
    process = await _started(*_python(ON_SIGNAL), has_its_own_terminal=True)

    # As a terminal does: the whole group.
    os.killpg(process.pid, signal.SIGINT)

    assert await process.communicate() == (b"SIGINT 401\n", b"")
    assert process.returncode == 9


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT], ids=str)
async def test_what_a_terminal_sends_to_all_is_not_sent_again(number: signal.Signals) -> None:
    process = await _started("--", "sh", "-c", "echo runs; read -r line; echo $line")

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


async def test_a_signal_that_comes_before_the_command_keeps_it_from_starting() -> None:
    child = Child()
    child.receive(signal.SIGINT)

    assert await child.run(["no-such-command"], {}) == 128 + signal.SIGINT


async def test_a_signal_that_comes_after_the_command_is_nobodys() -> None:
    child = Child()

    status = await child.run([sys.executable, "-c", "raise SystemExit(4)"], os.environ)
    child.receive(signal.SIGTERM)

    assert status == 4


def test_without_the_extra_the_status_is_not_the_commands(tmp_path: Path) -> None:
    (tmp_path / "jwt.py").write_text("raise ModuleNotFoundError('No module named jwt')")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    code = "import sys; from azure.keyvault.administration._emulator_command import main; sys.exit(main())"

    done = subprocess.run(
        [sys.executable, "-c", code, "--", "echo", "runs"],
        env=application.environment({"PYTHONPATH": path}),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (125, "", 1)
