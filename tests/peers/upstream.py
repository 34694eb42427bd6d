"""Live tests and samples of published packages, from their source distributions, on this library and an emulator."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

from peers import attestation, emulator_process

if TYPE_CHECKING:
    from collections.abc import Mapping

_HERE = Path(__file__).parent / "upstream_suites"
_JOB_DURATION = 2
_TIMEOUT = 280


@dataclass(frozen=True)
class Suite:
    """Live tests of one source distribution.

    :param package: The distribution's name.
    :param version: Its version.
    :param files: The files that hold the tests.
    :param select: An expression for pytest's ``-k``.
    :param workers: Number of processes that share the tests; 0 if a test needs the HSM for itself.
    """

    package: str
    version: str
    files: tuple[str, ...]
    select: str
    workers: int = 0

    def __str__(self) -> str:
        return f"{self.package}-{self.version}"

    def expected(self) -> tuple[str, ...]:
        """Return how the line of each test's outcome begins."""
        lines = (_HERE / "expected" / f"{self}.txt").read_text(encoding="utf-8").splitlines()
        return tuple(line for line in lines if line and not line.startswith("#"))

    def run(self, tests: Path, directory: Path) -> list[str]:
        """Run the tests, and return a line with the outcome of each.

        :param tests: The folder of tests in the source distribution.
        :param directory: An empty one, for this run.
        """
        report = directory / "report.xml"
        command: list[str | Path] = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "live_tests", "-k", self.select]
        command += ["-c", _HERE / "pytest.ini", "--rootdir", tests, "-p", "no:cacheprovider", "--junit-xml", report]
        command += ["-n", str(self.workers)]
        with (
            emulator_process.running(directory, f"--job-duration={_JOB_DURATION}") as emulator,
            attestation.running() as attestation_url,
        ):
            environment = {
                **emulator,
                **_of_live_tests(emulator),
                "AZURE_KEYVAULT_ATTESTATION_URL": attestation_url,
                "PYTHONPATH": str(_HERE / "stand_ins"),
                "PYTHONDONTWRITEBYTECODE": "1",
            }
            done = subprocess.run(
                [*command, *self.files],
                cwd=tests,
                env=environment,
                capture_output=True,
                text=True,
                timeout=_TIMEOUT,
                check=False,
            )
        # 1: some tests failed. With any other status, pytest did not get as far as running them.
        assert done.returncode in {0, 1}, f"pytest ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return sorted(_outcome(case) for case in ET.parse(report).iter("testcase"))


def run_sample(sample: Path, emulator: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a sample of the published package.

    :param sample: Its file.
    :param emulator: What an emulator's env file says.
    """
    environment = {
        **emulator,
        "MANAGED_HSM_URL": emulator["AZURE_MANAGEDHSM_URL"],
        "CONTAINER_URL": emulator["BLOB_CONTAINER_URL"],
        "SAS_TOKEN": emulator["BLOB_SAS_TOKEN"],
        "CLIENT_ID": emulator["EMULATOR_ADMIN_OBJECT_ID"],
        "AZURE_CLIENT_ID": emulator["EMULATOR_ADMIN_OBJECT_ID"],
    }
    # The oldest samples ask for an event loop before one runs, which Python 3.12 deprecates.
    command: list[str | Path] = [sys.executable, "-P", "-W", "ignore::DeprecationWarning", sample]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_TIMEOUT, check=False)


def _of_live_tests(emulator: Mapping[str, str]) -> dict[str, str]:
    """Return the variables by which live tests find their resources."""
    container = urlsplit(emulator["BLOB_CONTAINER_URL"])
    account, _, suffix = container.netloc.partition(".blob.")
    principal = emulator["EMULATOR_ADMIN_OBJECT_ID"]
    return {
        "KEYVAULT_TENANT_ID": "00000000-0000-0000-0000-000000000000",
        "KEYVAULT_CLIENT_ID": principal,
        "KEYVAULT_CLIENT_SECRET": "",
        "MANAGED_IDENTITY_CLIENT_ID": principal,
        "BLOB_STORAGE_URL": f"{container.scheme}://{container.netloc}",
        "BLOB_STORAGE_ACCOUNT_NAME": account,
        "KEYVAULT_STORAGE_ENDPOINT_SUFFIX": suffix,
        "BLOB_CONTAINER_NAME": container.path.lstrip("/"),
        "BLOB_STORAGE_SAS_TOKEN": emulator["BLOB_SAS_TOKEN"],
        # Named by tests of keys, and not called by those for an HSM.
        "AZURE_KEYVAULT_URL": "https://not-called.vault.azure.net",
        "KEYVAULT_SKU": "premium",
    }


def _outcome(case: ET.Element) -> str:
    """Return the outcome of a test, as a line of an expected file."""
    module, _, test_class = case.attrib["classname"].partition(".")
    name = "::".join(part for part in (f"{module}.py", test_class, case.attrib["name"]) if part)
    for found in case:
        if found.tag in {"failure", "error", "skipped"}:
            message = found.attrib["message"].partition("\n")[0].partition(" (Activity ID:")[0]
            return f"{found.tag} {name}: {message}"
    return f"passed {name}"
