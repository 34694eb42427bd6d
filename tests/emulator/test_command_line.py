"""The command line, as somebody who knows nothing of Python uses it."""

from __future__ import annotations

import ast
import asyncio
import os
import re
import runpy
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from dotenv import dotenv_values

from azure.keyvault.administration.emulator import ManagedHsmEmulator
from azure.keyvault.administration.emulator._command_line import main
from emulator import application
from emulator.command import NAMES, parse, start, started

if TYPE_CHECKING:
    from collections.abc import Callable

ADMINISTER = """
import asyncio, os
from azure.identity.aio import DefaultAzureCredential
from azure.keyvault.administration import KeyVaultRoleScope
from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient

async def main():
    url = os.environ["AZURE_MANAGEDHSM_URL"]
    async with DefaultAzureCredential() as credential:
        async with KeyVaultAccessControlClient(url, credential) as client:
            await client.set_role_definition(KeyVaultRoleScope.GLOBAL, role_name="mine")
        async with KeyVaultBackupClient(url, credential) as client:
            container, sas = os.environ["BLOB_CONTAINER_URL"], os.environ["BLOB_SAS_TOKEN"]
            poller = await client.begin_backup(container, sas, polling_interval=0.05)
            print((await poller.result()).folder_url.startswith(container))

asyncio.run(main())
"""


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_it_tells_an_application_all_that_it_needs(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    env_file = tmp_path / "hsm.env"

    began = time.perf_counter()
    async with started("--name", "My-Hsm", "--env-file", env_file) as command:
        # For the report, and not judged: how long it takes is up to what else the machine does.
        record_property("seconds to start", time.perf_counter() - began)
        variables = command.variables
        assert list(variables) == NAMES
        assert env_file.read_text() == command.text
        assert env_file.stat().st_mode & 0o777 == 0o600
        assert _names(tmp_path) == ["hsm.env"]
        assert variables["AZURE_MANAGEDHSM_URL"] == "https://my-hsm.managedhsm.azure.net"
        assert variables["NO_PROXY"] == "localhost,127.0.0.1,::1"
        assert all(variables.values())

        printed = await asyncio.to_thread(application.run, ADMINISTER, parse(env_file.read_text()))

        assert printed == "True"
        assert await command.stop() == (0, "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=str)
async def test_a_signal_stops_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    env_file = tmp_path / "hsm.env"

    async with started("--env-file", env_file) as command:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(command.variables["HTTPS_PROXY"]).port)
        stopped = await command.stop(number)
        await reader.read()
        writer.close()

    assert stopped == (0, "")
    assert _names(tmp_path) == []
    with pytest.raises(FileNotFoundError):
        ssl.create_default_context(cafile=command.variables["SSL_CERT_FILE"])


async def _serve(*arguments: str | Path, **variables: str) -> tuple[bytes, bytes]:
    """Start an emulator, stop it when it has said how, and return stdout and stderr."""
    process = await start(*arguments, variables=variables)
    assert process.stderr
    said = await process.stderr.readuntil(b"Ctrl-C stops it\n")
    process.send_signal(signal.SIGINT)
    output, errors = await process.communicate()
    return output, said + errors


async def test_without_being_asked_it_shows_no_secret() -> None:
    output, errors = await _serve(AZURE_CLIENT_ID="5f0a2f3c-3b8e-4f3e-9d43-0b9b5c2b6d11")

    assert output == b""
    assert errors.decode().splitlines() == [
        "managed-hsm-emulator: https://emulated-hsm.managedhsm.azure.net is ready, data in memory",
        "managed-hsm-emulator: Ctrl-C stops it",
    ]


async def test_it_says_where_the_data_is_how_programs_find_it_and_what_hides_it_from_them(tmp_path: Path) -> None:
    data, env_file = tmp_path / "data", tmp_path / "my hsm.env"
    unset = "Unset these where programs run, or they get tokens from elsewhere"

    _, errors = await _serve("--data", data, "--env-file", env_file, AZURE_CLIENT_ID="x", AZURE_TENANT_ID="y")

    assert errors.decode().splitlines() == [
        f"managed-hsm-emulator: WARNING: {unset}: AZURE_CLIENT_ID, AZURE_TENANT_ID",
        f"managed-hsm-emulator: https://emulated-hsm.managedhsm.azure.net is ready, data in {data}",
        f"managed-hsm-emulator: to use it in a shell: set -a; . '{env_file}'; set +a",
        "managed-hsm-emulator: Ctrl-C stops it",
    ]


async def test_a_second_start_that_fails_leaves_the_env_file_of_the_first(tmp_path: Path) -> None:
    env_file = tmp_path / "hsm.env"

    async with started("--data", tmp_path / "data", "--env-file", env_file) as command:
        port = command.variables["EMULATOR_LOCALHOST_URL"].rpartition(":")[2]
        for arguments in (["--data", tmp_path / "data"], ["--port", port], ["--name", "a--b"]):
            process = await start("--env-file", env_file, *arguments)
            _, errors = await process.communicate()
            assert (process.returncode, errors.count(b"\n")) == (1, 1)
            assert env_file.read_text() == command.text
        assert await command.stop() == (0, "")

    assert _names(tmp_path) == ["data"]


async def test_the_file_of_an_emulator_that_was_killed_is_gone_before_the_next_start(tmp_path: Path) -> None:
    env_file = tmp_path / "hsm.env"
    async with started("--env-file", env_file) as command:
        await command.stop(signal.SIGKILL)
    assert env_file.exists()

    process = await start("--env-file", env_file, "--data", "/dev/null")
    await process.communicate()

    assert not env_file.exists()


@pytest.mark.parametrize(
    "name", ["data", "some data", 'somebody\'s "data"', "data $HOME `id`", "data # one", r"\new data's"]
)
async def test_shells_and_parsers_read_the_env_file_alike(tmp_path: Path, name: str) -> None:
    env_file = tmp_path / "hsm.env"
    async with started("--data", tmp_path / name, "--env-file", env_file) as command:
        read_by_dotenv = dotenv_values(env_file)
        shell = await asyncio.create_subprocess_exec(
            *("sh", "-c", f'set -a; . {env_file}; set +a; exec "$0" -c "import os; print(dict(os.environ))"'),
            sys.executable,
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await shell.communicate()
        read_by_shell = ast.literal_eval(output.decode())
        lines = dict(line.split("=", 1) for line in command.text.splitlines())

    expected = command.variables
    assert expected["SSL_CERT_FILE"] == str(tmp_path / name / "ca-bundle.pem")
    assert read_by_dotenv == expected
    assert {variable: read_by_shell[variable] for variable in NAMES} == expected
    if name == "data":
        # What knows no quotes, such as docker --env-file, reads the other lines.
        quoted = [variable for variable in NAMES if lines[variable] != expected[variable]]
        assert quoted == ["BLOB_SAS_TOKEN", "JAVA_TOOL_OPTIONS"]


def test_a_value_that_shells_and_parsers_do_not_read_alike_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["--print-env", "--data", str(tmp_path / "'$")]) == 1
    assert "SSL_CERT_FILE has quotes and other characters that no env file can hold" in capsys.readouterr().err


async def test_an_env_file_that_another_emulator_has_taken_over_stays(tmp_path: Path) -> None:
    env_file = tmp_path / "hsm.env"

    async with started("--env-file", env_file) as command:
        env_file.write_text("AZURE_MANAGEDHSM_URL=https://other.managedhsm.azure.net\n")
        assert await command.stop() == (0, "")

    assert env_file.exists()


async def test_the_log_has_the_requests_and_no_secret(tmp_path: Path) -> None:
    async with started("--log-level", "debug") as command:
        variables = command.variables
        token = await application.get_token(variables)
        storage = {"storageResourceUri": variables["BLOB_CONTAINER_URL"], "token": variables["BLOB_SAS_TOKEN"]}
        await application.send(variables, "POST", "/backup?api-version=7.6", storage, token=token)
        code, log = await command.stop()

    administrator = variables["EMULATOR_ADMIN_OBJECT_ID"]
    assert code == 0
    assert f"managed-hsm-emulator: INFO: POST /backup by {administrator}: 202\n" in log
    assert [
        secret for secret in (token, variables["BLOB_SAS_TOKEN"], variables["IDENTITY_HEADER"]) if secret in log
    ] == []
    assert str(tmp_path) not in log


async def test_who_may_be_reached_by_other_machines_still_hands_tokens_to_this_one_only() -> None:
    async with started("--host", "0.0.0.0", "--allow-remote") as command:
        # Any address but the loopback of servers stands for one that other machines reach.
        ports = {name: urlsplit(command.variables[name]).port for name in NAMES if "://" in command.variables[name]}
        reachable = {name for name, port in ports.items() if port and _is_open("127.0.0.2", port)}
        assert await command.stop() == (0, "")

    assert reachable == {"EMULATOR_LOCALHOST_URL"}


def _is_open(host: str, port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((host, port)) == 0


async def test_what_an_application_trusts_is_kept_with_the_data(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with started("--data", data) as first:
        authority = (data / "ca.pem").read_bytes()
        assert first.variables["NODE_EXTRA_CA_CERTS"] == str(data / "ca.pem")
        await first.stop()

    async with started("--data", data) as second:
        assert (data / "ca.pem").read_bytes() == authority
        assert await application.send(second.variables, "GET", "/") == (401, "OK")
        await second.stop()


def test_what_takes_long_to_import_waits_until_it_is_needed() -> None:
    code = (
        "import sys, azure.keyvault.administration.emulator._command_line; print('azure.storage.blob' in sys.modules)"
    )

    assert application.run(code, {}) == "False"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "other machines can reach '0.0.0.0'; pass --allow-remote to let them"),
        (["--host", "example.com"], "other machines can reach 'example.com'; pass --allow-remote to let them"),
        (["--host", ""], "other machines can reach ''; pass --allow-remote to let them"),
        (["--name", "a--b"], "name must be 3 to 24 letters, digits and single dashes, got 'a--b'"),
        (["--job-duration", "-1"], "job_duration must be a number from 0 to 1000000000, got -1.0"),
        (["--propagation-delay", "-1"], "propagation_delay must be a number from 0 to 1000000000, got -1.0"),
        (["--env-file", "/nowhere/hsm.env"], "No such file or directory: /nowhere/hsm.env\n"),
        (["--data", "/dev/null/data"], "Not a directory: /dev/null/data"),
        (["--security-domain", "/nowhere/domain"], "No such file or directory: /nowhere/domain"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    code = main(arguments)

    output, errors = capsys.readouterr()
    assert (code, output) == (1, "")
    assert errors.startswith(f"managed-hsm-emulator: error: {said}")
    assert errors.count("\n") == 1


def test_a_path_that_no_env_file_can_hold_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code = main(["--print-env", "--data", str(tmp_path / "two\nlines")])

    output, errors = capsys.readouterr()
    assert (code, output, errors.count("\n")) == (1, "", 1)
    assert "SSL_CERT_FILE must fit on a line of an env file" in errors


def test_a_port_that_is_taken_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code = main(["--port", str(port)])

    output, errors = capsys.readouterr()
    assert (code, output) == (1, "")
    assert errors.count("\n") == 1
    assert str(port) in errors
    assert "address already in use" in errors


async def test_a_data_directory_that_is_in_use_is_said_in_one_line(tmp_path: Path) -> None:
    async with ManagedHsmEmulator(data=tmp_path):
        process = await start("--data", tmp_path)
        output, errors = await process.communicate()

    assert (process.returncode, output) == (1, b"")
    assert errors.startswith(b"managed-hsm-emulator: error: ")
    assert b"in use by another emulator" in errors
    assert errors.count(b"\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [["--port", "65536"], ["--port", "-1"], ["--port", "http"], ["--log-level", "loud"], ["--unknown"], ["something"]],
    ids=" ".join,
)
def test_a_command_that_is_not_understood_shows_the_usage(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)

    assert exit_.value.code == 2
    assert capsys.readouterr().err.startswith("usage: managed-hsm-emulator ")


def test_an_env_file_that_cannot_be_written_leaves_nothing_behind(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "hsm.env").mkdir()

    assert main(["--env-file", str(tmp_path / "hsm.env")]) == 1
    assert capsys.readouterr().err == f"managed-hsm-emulator: error: Is a directory: {tmp_path / 'hsm.env'}\n"
    assert _names(tmp_path) == ["hsm.env"]


def test_backups_travel_with_the_security_domain(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    domain = tmp_path / "domain"
    domain.write_text("ab" * 32)

    code = main(["--data", str(tmp_path / "data"), "--security-domain", str(domain), "--env-file", "/nowhere/x"])

    assert code == 1
    assert capsys.readouterr().err.endswith("No such file or directory: /nowhere/x\n")
    assert (tmp_path / "data" / "security-domain").read_text() == "ab" * 32


def test_a_file_that_is_no_security_domain_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    domain = tmp_path / "domain"
    domain.write_bytes(b"\xff")

    assert main(["--security-domain", str(domain)]) == 1
    assert f"{domain} is damaged" in capsys.readouterr().err


def test_the_package_can_be_run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["__main__", "--host", "192.0.2.1"])

    with pytest.raises(SystemExit) as exit_:
        runpy.run_module("azure.keyvault.administration.emulator", run_name="__main__")

    assert exit_.value.code == 1
    assert "--allow-remote" in capsys.readouterr().err


@pytest.fixture(name="without_the_extra")
def _without_the_extra(tmp_path: Path) -> dict[str, str]:
    """The environment of a Python that lacks what the emulator needs."""
    return _with_jwt(tmp_path, "raise ModuleNotFoundError('No module named jwt')")


def _with_jwt(tmp_path: Path, code: str) -> dict[str, str]:
    """Return the environment of a Python with another PyJWT."""
    (tmp_path / "jwt.py").write_text(code)
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    return application.environment({"PYTHONPATH": path})


def _script() -> str:
    """What the installed command does."""
    pyproject = Path(__file__).parents[2] / "pyproject.toml"
    entry = re.search(r'^managed-hsm-emulator = "(.+):(.+)"$', pyproject.read_text(encoding="utf-8"), re.MULTILINE)
    assert entry
    return f"import sys; from {entry[1]} import {entry[2]}; sys.exit({entry[2]}())"


WAYS = [["-m", "azure.keyvault.administration.emulator"], ["-c", _script()]]


@pytest.mark.parametrize(
    ("way", "said"),
    [
        (WAYS[0], "Traceback .*:\\n(.*\\n)*ImportError"),
        (WAYS[1], "managed-hsm-emulator: error"),
    ],
    ids=["module", "script"],
)
def test_without_the_extra_the_command_says_what_to_install(
    without_the_extra: dict[str, str], way: list[str], said: str
) -> None:
    done = subprocess.run(
        [sys.executable, *way, "--version"], env=without_the_extra, capture_output=True, text=True, check=False
    )

    advice = 'The emulator needs its extra: pip install "azure-keyvault-administration[emulator]"'
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(f"{said}: {re.escape(advice)}\n", done.stderr)


def test_without_the_extra_a_package_that_can_do_without_the_emulator_runs(
    without_the_extra: dict[str, str], tmp_path: Path
) -> None:
    package = tmp_path / "frugal"
    package.mkdir()
    (package / "__init__.py").write_text(
        "try:\n    import azure.keyvault.administration.emulator\nexcept ImportError as error:\n    print(error)\n"
    )
    (package / "__main__.py").write_text("print('runs')\n")

    done = subprocess.run(
        [sys.executable, "-m", "frugal"], env=without_the_extra, capture_output=True, text=True, check=False
    )

    assert done.stdout.splitlines()[1:] == ["runs"], done.stderr


@pytest.mark.parametrize("way", WAYS, ids=["module", "script"])
def test_what_fails_to_be_imported_for_another_reason_is_not_hidden(tmp_path: Path, way: list[str]) -> None:
    environment = _with_jwt(tmp_path, "raise ImportError('no such backend')")

    done = subprocess.run(
        [sys.executable, *way, "--version"], env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.endswith("ImportError: no such backend\n")


@pytest.mark.parametrize("way", WAYS, ids=["module", "script"])
def test_the_command_is_there_as_a_module_and_as_a_script(way: list[str]) -> None:
    done = subprocess.run([sys.executable, *way, "--version"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "managed-hsm-emulator 5.0.0b1\n", "")


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--version"])

    assert exit_.value.code == 0
    assert capsys.readouterr().out == "managed-hsm-emulator 5.0.0b1\n"


def test_in_the_process_of_somebody_else_it_gives_the_signals_back(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    env_file = tmp_path / "hsm.env"
    before = signal.getsignal(signal.SIGINT)

    def stop() -> None:
        while not env_file.exists():
            time.sleep(0.001)
        # To this thread: the other one has to hear of it, too.
        signal.raise_signal(signal.SIGTERM)

    thread = threading.Thread(target=stop)
    thread.start()
    code = main(["--print-env", "--env-file", str(env_file)])
    thread.join()

    assert code == 0
    assert list(parse(capsys.readouterr().out)) == NAMES
    assert signal.getsignal(signal.SIGINT) is before


def test_an_env_file_that_was_left_behind_is_gone_before_the_start(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    env_file = tmp_path / "hsm.env"
    env_file.write_text("AZURE_MANAGEDHSM_URL=https://nobody\n")

    assert main(["--env-file", str(env_file), "--data", "/dev/null"]) == 1
    assert capsys.readouterr().err.startswith("managed-hsm-emulator: error: ")
    assert not env_file.exists()
