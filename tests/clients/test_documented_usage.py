"""All that the documentation of the published async clients shows works here, and prints what it prints with them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import loopback_only

from peers.emulator_process import run, running

_PROGRAM = Path(__file__).parents[1] / "peers" / "python" / "documented_usage.py"


def test_the_examples_of_the_published_documentation_work(tmp_path: Path) -> None:
    with running(tmp_path, "--job-duration=0.5") as environment:
        guarded = {**loopback_only.environment(), **environment}
        said = run([sys.executable, "-W", "error", _PROGRAM], guarded)

    assert said == json.loads(_PROGRAM.with_suffix(".json").read_text("utf-8"))
    assert len(said) > 30
