"""The command line, as used without any knowledge of Python."""

from __future__ import annotations

import ast
import asyncio
import os
import re
import runpy
import signal
import ssl
import subprocess
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from dotenv import dotenv_values

from azure.keyvault.administration.emulator import ManagedHsmEmulator, _env_file
from azure.keyvault.administration.emulator._command_line import main
from emulator import application
from emulator.command import NAMES, parse, started

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


async def test_env_file_has_all_that_an_application_needs(
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
        # What knows no quotes, such as docker --env-file, reads the other lines.
        lines = dict(line.split("=", 1) for line in command.text.splitlines())
        assert [name for name in NAMES if lines[name] != variables[name]] == ["BLOB_SAS_TOKEN", "JAVA_TOOL_OPTIONS"]

        assert await asyncio.to_thread(application.run, ADMINISTER, parse(env_file.read_text())) == "True"

        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(variables["HTTPS_PROXY"]).port)
        assert await command.stop() == (0, "")
        await reader.read()
        writer.close()

    assert _names(tmp_path) == []
    with pytest.raises(FileNotFoundError):
        ssl.create_default_context(cafile=variables["SSL_CERT_FILE"])


async def test_the_log_has_the_requests_and_no_secret() -> None:
    async with started("--log-level", "debug") as command:
        variables = command.variables
        token = await application.get_token(variables)
        storage = {"storageResourceUri": variables["BLOB_CONTAINER_URL"], "token": variables["BLOB_SAS_TOKEN"]}
        await application.send(variables, "POST", "/backup?api-version=7.6", storage, token=token)
        code, log = await command.stop()

    administrator = variables["EMULATOR_ADMIN_OBJECT_ID"]
    assert code == 0
    assert f"managed-hsm-emulator: INFO: POST /backup by {administrator}: 202\n" in log
    secrets = (token, variables["BLOB_SAS_TOKEN"], variables["IDENTITY_HEADER"])
    assert [secret for secret in secrets if secret in log] == []


def _serve(*arguments: str | Path, until: int = signal.SIGTERM) -> int:
    """Run the command in this process until a signal ends it, and return its exit code."""
    before = signal.getsignal(until)

    def stop() -> None:
        while signal.getsignal(until) is before:
            time.sleep(0.001)
        # To this thread: the other one has to hear of it, too.
        signal.raise_signal(until)

    thread = threading.Thread(target=stop)
    thread.start()
    code = main([str(argument) for argument in arguments])
    thread.join()
    assert signal.getsignal(until) is before
    return code


@pytest.fixture(name="only_these_variables")
def _only_these_variables(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Make the environment that of a machine on which nothing is set."""
    for name in os.environ.keys() - application.environment({}).keys():
        monkeypatch.delenv(name)
    return monkeypatch


def test_without_being_asked_it_shows_no_secret(
    capsys: pytest.CaptureFixture[str], only_these_variables: pytest.MonkeyPatch
) -> None:
    only_these_variables.setenv("AZURE_CLIENT_ID", "5f0a2f3c-3b8e-4f3e-9d43-0b9b5c2b6d11")

    assert _serve() == 0
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.splitlines() == [
        "managed-hsm-emulator: https://emulated-hsm.managedhsm.azure.net is ready, data in memory",
        "managed-hsm-emulator: Ctrl-C stops it",
    ]


def test_command_says_where_the_data_is_and_how_programs_find_it(
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    only_these_variables: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    data, env_file = tmp_path / "data", tmp_path / "my hsm.env"
    only_these_variables.setenv("AZURE_CLIENT_ID", "x")
    only_these_variables.setenv("AZURE_TENANT_ID", "y")

    assert _serve("--data", data, "--env-file", env_file) == 0

    unset = "Unset these where programs run, or they get tokens from elsewhere: AZURE_CLIENT_ID, AZURE_TENANT_ID"
    assert [record.message for record in caplog.records] == [unset]
    assert capsys.readouterr().err.splitlines() == [
        f"managed-hsm-emulator: https://emulated-hsm.managedhsm.azure.net is ready, data in {data}",
        f"managed-hsm-emulator: to use it in a shell: set -a; . '{env_file}'; set +a",
        "managed-hsm-emulator: Ctrl-C stops it",
    ]


_UNDER_NOHUP = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        signal.SIGINT,
        pytest.param(signal.SIGHUP, marks=pytest.mark.skipif(_UNDER_NOHUP, reason="SIGHUP is ignored under nohup")),
    ],
    ids=str,
)
def test_a_signal_stops_it_cleanly(capsys: pytest.CaptureFixture[str], tmp_path: Path, number: signal.Signals) -> None:
    assert _serve("--print-env", "--quiet", "--env-file", tmp_path / "hsm.env", until=number) == 0

    output, errors = capsys.readouterr()
    assert (list(parse(output)), errors, _names(tmp_path)) == (NAMES, "", [])


def test_a_start_that_fails_leaves_the_env_file_of_another_emulator(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    env_file = tmp_path / "hsm.env"

    with ManagedHsmEmulator(data=tmp_path / "data") as hsm, _env_file.published(env_file, "x=y\n"):
        for option, value, said in (
            ("--data", str(tmp_path / "data"), "in use by another emulator"),
            ("--port", str(hsm.port), "address already in use"),
            ("--name", "a--b", "name must be 3 to 24 letters, digits and single dashes, got 'a--b'"),
        ):
            assert main(["--env-file", str(env_file), option, value]) == 1
            output, errors = capsys.readouterr()
            assert (output, errors.startswith("managed-hsm-emulator: error: "), errors.count("\n")) == ("", True, 1)
            assert said in errors
            assert env_file.read_text() == "x=y\n"

    assert _names(tmp_path) == ["data"]


def test_an_env_file_that_another_emulator_has_taken_over_stays(tmp_path: Path) -> None:
    env_file = tmp_path / "hsm.env"

    with _env_file.published(env_file, "x=y\n"):
        env_file.write_text("x=z\n")

    assert env_file.read_text() == "x=z\n"


def test_an_env_file_that_was_left_behind_is_gone_before_the_start(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    env_file = tmp_path / "hsm.env"
    env_file.write_text("AZURE_MANAGEDHSM_URL=https://nobody\n")

    assert main(["--env-file", str(env_file), "--data", "/dev/null"]) == 1
    assert capsys.readouterr().err.startswith("managed-hsm-emulator: error: ")
    assert not env_file.exists()


def test_shells_and_parsers_read_the_env_file_alike(tmp_path: Path) -> None:
    values = ["data", "some data", 'somebody\'s "data"', "data $HOME `id`", "data # one", r"\new data's", ""]
    variables = {f"V{index}": value for index, value in enumerate(values)}
    env_file = tmp_path / "hsm.env"
    env_file.write_text(_env_file.render(variables))

    script = f'set -a; . {env_file}; set +a; exec "$0" -c "import os; print(dict(os.environ))"'
    read_by_shell = ast.literal_eval(subprocess.check_output(["sh", "-c", script, sys.executable], text=True))

    assert dotenv_values(env_file) == variables
    assert {name: read_by_shell[name] for name in variables} == variables


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("'$", "has quotes and other characters that no env file can hold"),
        ("a\nb", "must fit on a line of an env file"),
    ],
)
def test_a_path_that_no_env_file_can_hold_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, reason: str
) -> None:
    assert main(["--print-env", "--data", str(tmp_path / name)]) == 1

    output, errors = capsys.readouterr()
    assert (output, errors.count("\n")) == ("", 1)
    assert f"SSL_CERT_FILE {reason}" in errors


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "other machines can reach '0.0.0.0'; pass --allow-remote to let them"),
        (["--host", "example.com"], "other machines can reach 'example.com'; pass --allow-remote to let them"),
        (["--host", ""], "other machines can reach ''; pass --allow-remote to let them"),
        (["--job-duration", "-1"], "job_duration must be a number of seconds from 0 to 1000000000, got -1.0"),
        (["--propagation-delay", "-1"], "propagation_delay must be a number of seconds from 0 to 1000000000, got -1.0"),
        (["--env-file", "/nowhere/hsm.env"], "No such file or directory: /nowhere/hsm.env\n"),
        (["--data", "/dev/null/data"], "Not a directory: /dev/null/data"),
        (["--security-domain", "/nowhere/domain"], "No such file or directory: /nowhere/domain"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_invalid_option_is_an_error_on_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    code = main(arguments)

    output, errors = capsys.readouterr()
    assert (code, output) == (1, "")
    assert errors.startswith(f"managed-hsm-emulator: error: {said}")
    assert errors.count("\n") == 1


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
    arguments = ["--data", str(tmp_path / "data"), "--security-domain", str(domain), "--env-file", "/nowhere/x"]

    assert main(arguments) == 1
    assert capsys.readouterr().err.endswith("No such file or directory: /nowhere/x\n")
    assert (tmp_path / "data" / "security-domain").read_text() == "ab" * 32

    domain.write_bytes(b"\xff")
    assert main(["--security-domain", str(domain)]) == 1
    assert f"{domain} is damaged" in capsys.readouterr().err


def test_other_machines_reach_the_hsm_if_they_may_but_get_no_tokens(capsys: pytest.CaptureFixture[str]) -> None:
    with ManagedHsmEmulator(host="0.0.0.0") as hsm:
        hosts = {name: urlsplit(value).hostname for name, value in hsm.environment().items() if "://" in value}

    assert {hosts[name] for name in ("EMULATOR_CONTROL_URL", "IDENTITY_ENDPOINT", "HTTPS_PROXY")} == {"127.0.0.1"}
    assert _serve("--host", "0.0.0.0", "--allow-remote", "--quiet") == 0
    assert capsys.readouterr() == ("", "")


def _entry_point() -> str:
    """Return what the installed command does, as a module and its function."""
    pyproject = Path(__file__).parents[2] / "pyproject.toml"
    entry = re.search(r'^managed-hsm-emulator = "(.+)"$', pyproject.read_text(encoding="utf-8"), re.MULTILINE)
    assert entry
    return entry[1]


def _run_module() -> None:
    runpy.run_module("azure.keyvault.administration.emulator", run_name="__main__")


def _run_script() -> None:
    module, _, function = _entry_point().partition(":")
    sys.exit(getattr(import_module(module), function)())


@pytest.mark.parametrize("run", [_run_module, _run_script])
def test_the_command_is_there_as_a_module_and_as_a_script(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, run: Callable[[], None]
) -> None:
    monkeypatch.setattr("sys.argv", ["__main__", "--version"])

    with pytest.raises(SystemExit) as exit_:
        run()

    assert exit_.value.code == 0
    assert capsys.readouterr().out == "managed-hsm-emulator 5.0.0b1\n"


def test_slow_imports_wait_until_they_are_needed() -> None:
    code = (
        "import sys, azure.keyvault.administration.emulator._command_line; "
        "print(sys.modules.keys() & {'azure.storage.blob', 'pytest'})"
    )

    assert application.run(code, {}) == "set()"


_SCRIPT = "import sys; from {} import {}; sys.exit({}())".format(*_entry_point().split(":"), "main")


WAYS = {"module": ["-m", "azure.keyvault.administration.emulator"], "script": ["-c", _SCRIPT]}
MISSING = "raise ModuleNotFoundError('No module named jwt')"
ADVICE = 'The emulator needs its extra: pip install "azure-keyvault-administration[emulator]"'


def _with_jwt(folder: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a Python that has another PyJWT."""
    (folder / "jwt.py").write_text(code)
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, *arguments],
        env=application.environment({"PYTHONPATH": path}),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("way", "arguments", "code", "said"),
    [
        ("module", ["--version"], 1, f"Traceback .*:\n(.*\n)*ImportError: {re.escape(ADVICE)}\n"),
        ("script", ["--version"], 1, f"managed-hsm-emulator: error: {re.escape(ADVICE)}\n"),
        # Any other status would be taken for that of the command after it.
        ("script", ["--", "echo", "runs"], 125, f"managed-hsm-emulator: error: {re.escape(ADVICE)}\n"),
    ],
)
def test_without_the_extra_the_command_says_what_to_install(
    tmp_path: Path, way: str, arguments: list[str], code: int, said: str
) -> None:
    done = _with_jwt(tmp_path, MISSING, *WAYS[way], *arguments)

    assert (done.returncode, done.stdout) == (code, "")
    assert re.fullmatch(said, done.stderr)


def test_without_the_extra_a_package_that_can_do_without_the_emulator_runs(tmp_path: Path) -> None:
    package = tmp_path / "frugal"
    package.mkdir()
    (package / "__init__.py").write_text(
        "try:\n    import azure.keyvault.administration.emulator\nexcept ImportError as error:\n    print(error)\n"
    )
    (package / "__main__.py").write_text("print('runs')\n")

    done = _with_jwt(tmp_path, MISSING, "-m", "frugal")

    assert done.stdout.splitlines() == [ADVICE, "runs"], done.stderr


def test_other_import_error_is_not_hidden(tmp_path: Path) -> None:
    done = _with_jwt(tmp_path, "raise ImportError('no such backend')", *WAYS["script"], "--version")

    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.endswith("ImportError: no such backend\n")
