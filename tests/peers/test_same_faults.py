"""The published async clients and this library under the same faults: what each puts on the wire, and what it says."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from azure.keyvault.administration.emulator import ManagedHsmEmulator

_PROGRAMS = Path(__file__).parent / "python"
_SCRIPT = _PROGRAMS / "fault_script.json"
_CASES: list[dict[str, Any]] = json.loads(_SCRIPT.read_text(encoding="utf-8"))
_WIDTH = 56
Outcomes: TypeAlias = "tuple[dict[str, Outcome], dict[str, Outcome]]"


@dataclass(frozen=True)
class Outcome:
    """What came of one case with one package."""

    journal: list[tuple[str, str, int | None, str | None]]
    error: str | None
    is_azure_error: bool | None
    result: str

    @property
    def requests(self) -> int:
        """Requests on the wire; how often a job is polled is a matter of time, and left out."""
        return sum(not path.endswith("/pending") for _, path, _, _ in self.journal)

    @property
    def faults(self) -> int:
        return sum(fault is not None for *_, fault in self.journal)

    @property
    def text(self) -> str:
        """What the caller is told, on one line."""
        line = " ".join(self.result.split())
        line = re.sub(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", "<id>", line)
        return f"{self.error}: {line}" if self.error else line


async def _run(python: str | Path) -> dict[str, Outcome]:
    # Long enough that a start which is sent again finds the job of the first one.
    async with ManagedHsmEmulator(job_duration=0.5, retry_after=0) as hsm:
        program = await asyncio.create_subprocess_exec(
            *(python, _PROGRAMS / "under_faults.py", _SCRIPT), env=hsm.environment(), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await program.communicate()
    assert program.returncode == 0
    return {
        each["case"]: Outcome(
            [tuple(entry) for entry in each["requests"]], each["error"], each["is azure-core's"], each["result"]
        )
        for each in json.loads(output)
    }


@pytest.fixture(scope="module", name="outcomes")
def _outcomes(published_python: Path) -> Outcomes:
    """Return what came of each case with the published package, and with this one."""

    async def run_both() -> Outcomes:
        return await _run(published_python), await _run(sys.executable)

    return asyncio.run(run_both())


def _table(published: dict[str, Outcome], ours: dict[str, Outcome]) -> str:
    rows = [("case", "requests", "published 4.7.2", "requests", "this library")]
    for case, theirs in published.items():
        own = ours[case]
        rows.append((case, str(theirs.requests), theirs.text, str(own.requests), own.text))
    widths = [max(len(row[0]) for row in rows), 8, _WIDTH, 8, _WIDTH]
    lines = [
        " | ".join(cell[:width].ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join([lines[0], "-|-".join("-" * width for width in widths), *lines[1:]])


def test_the_same_faults_cost_no_more_and_are_told_better(
    outcomes: Outcomes, capsys: pytest.CaptureFixture[str]
) -> None:
    published, ours = outcomes
    with capsys.disabled():
        sys.stdout.write(f"\n\n{_table(published, ours)}\n")

    assert list(published) == list(ours) == [each["case"] for each in _CASES]
    for case in _CASES:
        theirs, own = published[case["case"]], ours[case["case"]]
        # The fault struck both.
        assert bool(theirs.faults) == bool(own.faults) == ("faults" in case), case
        # Never more on the wire; the one request more reads back what an earlier try has made.
        assert own.requests <= theirs.requests + (case["do"] == "assign"), case
        # Every error is azure-core's, and this library succeeds wherever the published one does.
        assert own.is_azure_error is not False, case
        assert theirs.error or not own.error, case


def test_no_start_that_may_have_been_accepted_is_sent_again(outcomes: Outcomes) -> None:
    published, ours = outcomes
    lost = [each for each in _CASES if re.search("lost|reset|dropped|the answer is 503|answered 500", each["case"])]
    starts = {each["case"] for each in lost if each["do"] in {"back up", "restore", "restore a key"}}
    starts -= {each["case"] for each in lost if "poll" in each["case"]}

    assert len(starts) == 8
    assert {ours[case].requests for case in starts} == {1}
    assert all("The service may have started the job" in ours[case].result for case in starts)
    assert [case for case in starts if published[case].requests == 1] == ["a backup begins, its answer lost"]
    assert published["a restore: every start is dropped"].requests == 8


def test_failed_job_says_why_in_every_form_of_the_service(outcomes: Outcomes) -> None:
    published, ours = outcomes
    failures = [each["case"] for each in _CASES if each["case"].startswith("a backup fails")]

    def silent(outcomes: dict[str, Outcome]) -> list[str]:
        return [case for case in failures if ") No such container" not in outcomes[case].result]

    assert len(failures) == 5
    assert silent(ours) == []
    assert silent(published) == [
        "a backup fails: only statusDetails says why",
        "a backup fails: already when accepted",
    ]
