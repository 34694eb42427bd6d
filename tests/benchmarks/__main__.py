"""Measure this package and the published one side by side: the same work, in turn, on the same machine.

The CPU time of the client's process is compared, so other programs on the machine matter little. The output is the
tables of the performance page. The exit status is 1 if an aim is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks import report
from benchmarks.bench import Bench
from benchmarks.environments import published_python


def main() -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--published", type=Path, required=True, help="folder of the published package's environment")
    parser.add_argument("--output", type=Path, help="folder for a plot (benchmarks.png) and the numbers as JSON")
    parser.add_argument("--page", type=Path, help="the performance page, whose figures are replaced")
    parser.add_argument(
        "--patient", action="store_true", help="also measure 1,000 calls at once under rate limits: 200 s"
    )
    parser.add_argument("--only-rate-limits", action="store_true", help="only measure calls under rate limits")
    options = parser.parse_args()

    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        bench = stack.enter_context(Bench(published_python(options.published), Path(folder)))
        if options.only_rate_limits:
            print("\n".join(report.crowds(bench.crowds(patient=options.patient))))
            return 0
        outcome = bench.run(patient=options.patient)
    print(report.as_markdown(outcome))
    if options.page:
        page = options.page.read_text(encoding="utf-8")
        options.page.write_text(report.fill(page, outcome), encoding="utf-8")
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        text = json.dumps(report.as_json(outcome), indent=2)
        (options.output / "benchmarks.json").write_text(f"{text}\n", encoding="utf-8")
        report.plot(outcome, options.output / "benchmarks.png")
    print(f"{sum(outcome.seconds.values()):6.1f} s  in all", file=sys.stderr)
    missed = report.missed(outcome)
    for miss in missed:
        print(f"MISSED: {miss}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
