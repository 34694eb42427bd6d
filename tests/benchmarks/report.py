"""What was measured, for people and for programs, and which aims were missed."""

from __future__ import annotations

import itertools
import os
from importlib import metadata
from platform import python_implementation, python_version, system
from typing import TYPE_CHECKING, Any

from .environments import PUBLISHED

if TYPE_CHECKING:
    from pathlib import Path

    from .bench import CrowdRow, Outcome, Row

# Even json.loads takes nearly twice as long for an item once a page outgrows the processor's caches.
_FLAT = 2


def missed(outcome: Outcome) -> list[str]:
    """Return the aims that were missed, in words.

    :param outcome: What was measured.
    """
    problems = [
        f"{row.step.title}: {row.ratio:.3f} of the published package, {row.step.aim} was the aim"
        for row in outcome.rows
        if row.step.aim is not None and row.ratio > row.step.aim
    ]
    for row in outcome.bursts:
        if (calls := row.step.arguments.get("calls")) is None:
            continue
        if (row.ours["requests"], row.ours["tokens"]) != (calls + 1, 1):
            problems.append(f"{row.step.title}: {row.ours['requests']} requests and {row.ours['tokens']} tokens")
    problems += [
        f"{crowd.crowd.calls:,} calls under rate limits: {crowd.ours['failed']:.0f} failed"
        for crowd in outcome.crowds
        if crowd.ours["failed"]
    ]
    for what, growth in (("call", outcome.call_growth), ("item", _marginal(outcome.item_growth))):
        least, last = min(growth.values()), growth[max(growth)]
        if last > _FLAT * least:
            problems.append(f"among {max(growth):,}, a {what} costs {last:.2f} us; among fewer, {least:.2f} us")
    return problems


def as_markdown(outcome: Outcome) -> str:
    """Return the tables.

    :param outcome: What was measured.
    """
    return "\n".join(
        [
            *_table(
                ("work", f"published {PUBLISHED}", "here", "ratio", "aim", "floor"),
                [
                    (
                        row.step.title,
                        _figure(row.published[row.step.value]),
                        _figure(row.ours[row.step.value]),
                        f"{row.ratio:.3f}",
                        "" if row.step.aim is None else f"{row.step.aim:.2f}",
                        _figure(row.floor[row.step.value]) if row.floor else "",
                    )
                    for row in outcome.rows
                ],
            ),
            "",
            "Microseconds of the client's CPU per call or item, unless the row says otherwise. Floors: azure-core's",
            "default pipeline, json.loads, aiohttp itself.",
            "",
            *_table(
                ("over TLS", "who", "requests/s", "p50 ms", "p99 ms"),
                [
                    (row.step.title, who, f"{result['per_second']:.0f}", *_percentiles(result))
                    for row in outcome.rows
                    if row.step.tls
                    for who, result in _contestants(row)
                ],
            ),
            "",
            *_table(
                ("calls at once without a token", f"published {PUBLISHED}", "here"),
                [(row.step.title, _sent(row.published), _sent(row.ours)) for row in outcome.bursts],
            ),
            "",
            *crowds(outcome.crowds),
            "",
            *_table(
                ("growth: CPU here, microseconds", *(f"{number:,}" for number in outcome.call_growth)),
                [
                    ("per call, by the number of calls", *map(_figure, outcome.call_growth.values())),
                    ("per item, by the length of the list", *map(_figure, outcome.item_growth.values())),
                    ("per further item", "", *map(_figure, _marginal(outcome.item_growth).values())),
                    ("per item, json.loads alone", *map(_figure, outcome.json_growth.values())),
                ],
            ),
            "",
            _machine(),
        ]
    )


def crowds(rows: list[CrowdRow]) -> list[str]:
    """Return the table of calls at once at an HSM that takes 5 in a second.

    :param rows: What was measured.
    """
    return _table(
        ("calls at once, 5 a second allowed", "who", "failed", "requests", "seconds"),
        [
            (
                f"{row.crowd.calls:,}",
                who,
                f"{result['failed']:.0f}",
                f"{result['requests']:.0f}",
                f"{result['seconds']:.1f}",
            )
            for row in rows
            for who, result in (("published", row.published), ("here", row.ours))
            if result
        ],
    )


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Return the numbers.

    :param outcome: What was measured.
    """
    return {
        "machine": _machine(),
        **{
            part: [
                {
                    "work": row.step.title,
                    "arguments": row.step.arguments,
                    "ours": row.ours,
                    "published": row.published,
                    "floor": row.floor,
                    "ratio": row.ratio,
                    "aim": row.step.aim,
                }
                for row in rows
            ]
            for part, rows in (("rows", outcome.rows), ("bursts", outcome.bursts))
        },
        "call_growth": outcome.call_growth,
        "item_growth": outcome.item_growth,
        "json_growth": outcome.json_growth,
        "crowds": [{"calls": row.crowd.calls, "ours": row.ours, "published": row.published} for row in outcome.crowds],
        "missed": missed(outcome),
    }


def plot(outcome: Outcome, file: Path) -> None:
    """Draw the ratios, and the growth.

    :param outcome: What was measured.
    :param file: The PNG to write.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (ratios, growth) = plt.subplots(1, 2, figsize=(15, 7), width_ratios=(3, 2))
    rows = outcome.rows[::-1]
    ratios.barh([row.step.title for row in rows], [row.ratio for row in rows], color="#0078d4")
    aims = [(row.step.aim, place) for place, row in enumerate(rows) if row.step.aim is not None]
    ratios.plot(*zip(*aims, strict=True), "|", color="#d13438", markersize=18, markeredgewidth=3, label="aim: at most")
    ratios.axvline(1, color="gray", linewidth=1)
    ratios.set_xlabel(f"share of what the published {PUBLISHED} takes")
    ratios.legend(loc="lower right")
    for unit, costs in (
        ("call", outcome.call_growth),
        ("item of a list", outcome.item_growth),
        ("item, json.loads alone", outcome.json_growth),
    ):
        growth.plot(list(costs), list(costs.values()), "o-", label=f"per {unit}")
    growth.set(xscale="log", yscale="log", xlabel="number of calls or items", ylabel="CPU here, microseconds")
    growth.legend()
    figure.tight_layout()
    figure.savefig(file, dpi=110)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    lines = [head, tuple("---" if place == 0 else "--:" for place in range(len(head))), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"


def _contestants(row: Row) -> list[tuple[str, dict[str, float]]]:
    shown = [("published", row.published), ("here", row.ours)]
    return [*shown, ("aiohttp", row.floor)] if row.floor else shown


def _percentiles(result: dict[str, float]) -> tuple[str, str]:
    return f"{result['p50_ms']:.2f}", f"{result['p99_ms']:.2f}"


def _sent(result: dict[str, float]) -> str:
    return f"{result['requests']:.0f} requests, {result['tokens']:.0f} tokens, {result['us']:.0f} us a call"


def _marginal(growth: dict[int, float]) -> dict[int, float]:
    """Return what each further item of a list costs, once the call itself is paid for."""
    totals = {items: items * each for items, each in growth.items()}
    pairs = itertools.pairwise(totals)
    return {more: (totals[more] - totals[fewer]) / (more - fewer) for fewer, more in pairs}


def _machine() -> str:
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in ("azure-core", "aiohttp"))
    return f"{python_implementation()} {python_version()}, {packages}, {system()}, {os.cpu_count()} processors"
