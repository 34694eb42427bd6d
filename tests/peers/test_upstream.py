"""The live tests and samples of the published packages run on this library and its emulator."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from peers import emulator_process, installations, upstream
from peers.upstream import Suite

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ADMINISTRATION = "azure-keyvault-administration"
# The patch releases between these have the same samples. The samples of settings are left out: this library has no
# client for them.
RELEASES_WITH_SAMPLES = ("4.1.0", "4.2.0", "4.3.0", "4.4.0", "4.5.0", "4.6.0", "4.7.2")
SAMPLES = ("access_control_operations_async.py", "backup_restore_operations_async.py")
SUITES = (
    *(
        Suite(
            package=ADMINISTRATION,
            version=version,
            # Without the tests of settings, for the same reason.
            files=(
                "test_access_control_async.py",
                "test_backup_client_async.py",
                "test_examples_administration_async.py",
            ),
            # The default API version: the tests themselves skip all others. The only test without a version, in 4.4,
            # replaces the private `_client`.
            select="2026-04-01",
        )
        for version in ("4.4.0", "4.5.0", "4.6.0", "4.7.2")
    ),
    Suite(
        package="azure-keyvault-keys",
        version="4.11.3",
        files=(
            "test_challenge_auth.py",
            "test_challenge_auth_async.py",
            "test_crypto_client.py",
            "test_crypto_client_async.py",
            "test_key_client.py",
            "test_keys_async.py",
            "test_samples_keys.py",
            "test_samples_keys_async.py",
        ),
        select="mhsm",
        workers=4,
    ),
)
BY_NAME = pytest.mark.parametrize("suite", SUITES, ids=str)


@pytest.fixture(scope="module", name="sources")
def _sources(home: Path) -> dict[tuple[str, str], Path]:
    """The tests and samples of each source distribution."""
    wanted = {(suite.package, suite.version) for suite in SUITES}
    wanted |= {(ADMINISTRATION, version) for version in RELEASES_WITH_SAMPLES}
    with ThreadPoolExecutor(4) as pool:
        fetched = {source: pool.submit(installations.fetch_source, home, *source) for source in wanted}
    return {source: future.result() for source, future in fetched.items()}


@pytest.fixture(scope="module", name="outcomes", autouse=True)
def _outcomes(
    request: pytest.FixtureRequest, sources: dict[tuple[str, str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Suite, Future[list[str]]]]:
    """The outcomes of the suites. They run at the same time, because they mostly wait."""
    tests = (item for item in request.session.items if isinstance(item, pytest.Function))
    wanted = {item.callspec.params["suite"] for item in tests if item.originalname == "test_published_live_tests"}
    with ThreadPoolExecutor(len(SUITES)) as pool:
        yield {
            suite: pool.submit(
                suite.run, sources[suite.package, suite.version] / "tests", tmp_path_factory.mktemp(str(suite))
            )
            for suite in SUITES
            if suite in wanted
        }


@pytest.fixture(scope="module", name="shared_emulator")
def _shared_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What the env file of one emulator says."""
    with emulator_process.running(tmp_path_factory.mktemp("emulator")) as environment:
        yield environment


@pytest.mark.parametrize("version", RELEASES_WITH_SAMPLES)
@pytest.mark.parametrize("sample", SAMPLES)
def test_published_async_samples_run(
    sources: dict[tuple[str, str], Path], shared_emulator: dict[str, str], version: str, sample: str
) -> None:
    done = upstream.run_sample(sources[ADMINISTRATION, version] / "samples" / sample, shared_emulator)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.rstrip().endswith("successfully.")


@BY_NAME
def test_published_live_tests(outcomes: dict[Suite, Future[list[str]]], suite: Suite) -> None:
    actual = outcomes[suite].result()
    expected = suite.expected()

    assert [line for line in actual if not line.startswith(expected)] == []
    assert [start for start in expected if not any(line.startswith(start) for line in actual)] == []
