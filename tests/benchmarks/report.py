"""The results as Markdown, JSON and a plot, and the missed aims.

The Markdown is the tables of the performance page.
"""

from __future__ import annotations

import itertools
import os
from dataclasses import asdict
from datetime import datetime, timezone
from importlib import metadata
from platform import python_implementation, python_version, system
from typing import TYPE_CHECKING, Any

from . import steps
from .environments import PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .bench import CrowdRow, Outcome, Row

# Even json.loads takes nearly twice as long for an item once a page outgrows the processor's caches.
_FLAT = 2

# Ratios below this are shown with one more digit.
_SMALL = 0.1
_SCALES = {"ms": 1e-3}
_FLOORS = {
    "floor_pipeline": "azure-core's default pipeline",
    "floor_json": "`json.loads`",
    "floor_memory": "`json.loads`",
    "floor_aiohttp": "aiohttp",
}


def missed(outcome: Outcome) -> list[str]:
    """Return the aims that were missed, in words.

    :param outcome: The results.
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
    """Return the tables of the performance page.

    :param outcome: The results.
    """
    return "\n\n".join("\n".join(part(outcome)) for part in _parts().values())


def fill(page: str, outcome: Outcome) -> str:
    """Return the performance page with new figures: each paragraph after a comment that names a part is replaced.

    :param page: The page.
    :param outcome: The results.
    """
    for name, part in _parts().items():
        before = f"<!-- figures: {name} -->\n\n"
        head, mark, rest = page.partition(before)
        if not mark:
            raise ValueError(f"the page has no comment that names the figures of {name}")
        _, blank, tail = rest.partition("\n\n")
        page = head + mark + "\n".join(part(outcome)) + blank + tail
    return page


def _parts() -> dict[str, Callable[[Outcome], list[str]]]:
    """Return the parts of the page by the names that its comments bear."""
    return {
        "costs": _costs,
        "against aiohttp": _against_aiohttp,
        "rates": _rates,
        "calls without a token": _bursts,
        "calls at once": lambda outcome: crowds(outcome.crowds),
        "growth": _growth,
        "emulator": _emulator,
        "measured": _measured,
    }


def _measured(outcome: Outcome) -> list[str]:
    minutes = sum(outcome.seconds.values()) / 60
    return [
        f"Measured on {datetime.now(timezone.utc):%Y-%m-%d} in {minutes:.0f} minutes:",
        f"{_machine()}.",
    ]


def _costs(outcome: Outcome) -> list[str]:
    return _table(
        ("work", f"published {PUBLISHED}", "here", "ratio", "aim", "floor"),
        [
            (
                row.step.title,
                _amount(row.published[row.step.value], row.step.unit),
                _amount(row.ours[row.step.value], row.step.unit),
                f"{row.ratio:.2f}" if row.ratio >= _SMALL else f"{row.ratio:.3f}",
                "" if row.step.aim is None else f"{row.step.aim:.2f}",
                _floor(row),
            )
            for row in outcome.rows
        ],
    )


def _floor(row: Row) -> str:
    if not (row.floor and row.step.floor):
        return ""
    return f"{_FLOORS[row.step.floor[0]]}: {_amount(row.floor[row.step.value], row.step.unit)}"


def _against_aiohttp(outcome: Outcome) -> list[str]:
    ours, published = outcome.against_aiohttp["ours"], outcome.against_aiohttp["published"]
    aim = f"{steps.AIM_OVER_AIOHTTP} ({'held' if ours['ratio'] <= steps.AIM_OVER_AIOHTTP else 'missed'})"
    return _table(
        ("`get_role_assignment` over TLS and aiohttp alone, in turn", f"published {PUBLISHED}", "here", "aim"),
        [
            ("CPU time of a call", _amount(published["us"], "µs"), _amount(ours["us"], "µs"), ""),
            ("of aiohttp alone", _amount(published["aiohttp_us"], "µs"), _amount(ours["aiohttp_us"], "µs"), ""),
            ("ratio, median of pairs", f"{published['ratio']:.2f}", f"{ours['ratio']:.2f}", aim),
        ],
    )


def _emulator(outcome: Outcome) -> list[str]:
    costs = outcome.emulator
    return _table(
        ("emulator", "time", "requests a second"),
        [
            ("`managed-hsm-emulator -- COMMAND`, until the command begins", f"{costs.command_start:.2f} s", ""),
            ("fixture `managed_hsm`, first test of a session, with imports", f"{costs.first_fixture:.2f} s", ""),
            ("fixture `managed_hsm`, each further test", f"{costs.further_fixture * 1e3:.0f} ms", ""),
            *(
                (f"CPU time of a request over TLS, {at_once} at a time", _amount(cpu * 1e6, "µs"), f"{rate:,.0f}")
                for at_once, cpu, rate in costs.requests
            ),
        ],
    )


def _bursts(outcome: Outcome) -> list[str]:
    return _table(
        ("calls without a token", f"published {PUBLISHED}", "here"),
        [(row.step.title, _sent(row.published), _sent(row.ours)) for row in outcome.bursts],
    )


def _rates(outcome: Outcome) -> list[str]:
    return _table(
        ("over TLS", "", "requests/s", "p50 ms", "p99 ms"),
        [
            (row.step.title, who, f"{result['per_second']:.0f}", *_percentiles(result))
            for row in outcome.rows
            if row.step.tls
            for who, result in _contestants(row)
        ],
    )


def _growth(outcome: Outcome) -> list[str]:
    return _table(
        ("CPU time here, in µs", *(f"{number:,}" for number in outcome.call_growth)),
        [
            ("of a call, by the number of calls", *map(_figure, outcome.call_growth.values())),
            ("of an item, by the length of the list", *map(_figure, outcome.item_growth.values())),
            ("of a further item", "", *map(_figure, _marginal(outcome.item_growth).values())),
            ("of an item, `json.loads` alone", *map(_figure, outcome.json_growth.values())),
        ],
    )


def crowds(rows: list[CrowdRow]) -> list[str]:
    """Return the table of calls at once to an HSM that accepts five a second.

    :param rows: The results.
    """
    return _table(
        ("calls at once", "", "calls that failed", "requests", "seconds"),
        [
            (
                f"{row.crowd.calls:,}",
                who,
                f"{result['failed']:.0f}",
                f"{result['requests']:.0f}",
                f"{result['seconds']:.1f}",
            )
            for row in rows
            for who, result in ((f"published {PUBLISHED}", row.published), ("here", row.ours))
            if result
        ],
    )


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Return the numbers.

    :param outcome: The results.
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
        "against_aiohttp": outcome.against_aiohttp,
        "aim_over_aiohttp": steps.AIM_OVER_AIOHTTP,
        "emulator": asdict(outcome.emulator),
        "seconds": outcome.seconds,
        "missed": missed(outcome),
    }


def plot(outcome: Outcome, file: Path) -> None:
    """Draw the ratios, and the growth.

    :param outcome: The results.
    :param file: The PNG to write.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (ratios, growth) = plt.subplots(1, 2, figsize=(15, 7), width_ratios=(3, 2))
    rows = outcome.rows[::-1]
    ratios.barh([row.step.title.replace("`", "") for row in rows], [row.ratio for row in rows], color="#0078d4")
    aims = [(row.step.aim, place) for place, row in enumerate(rows) if row.step.aim is not None]
    ratios.plot(*zip(*aims, strict=True), "|", color="#d13438", markersize=18, markeredgewidth=3, label="aim: at most")
    ratios.axvline(1, color="gray", linewidth=1)
    ratios.set_xlabel(f"share of the cost of the published {PUBLISHED}")
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


def _amount(value: float, unit: str) -> str:
    return f"{_figure(value * _SCALES.get(unit, 1))} {unit}"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"


def _contestants(row: Row) -> list[tuple[str, dict[str, float]]]:
    shown = [(f"published {PUBLISHED}", row.published), ("here", row.ours)]
    return [*shown, ("aiohttp", row.floor)] if row.floor else shown


def _percentiles(result: dict[str, float]) -> tuple[str, str]:
    return f"{result['p50_ms']:.2f}", f"{result['p99_ms']:.2f}"


def _sent(result: dict[str, float]) -> str:
    requests, tokens = f"{result['requests']:,.0f} requests", f"{result['tokens']:,.0f} token"
    return f"{requests}, {tokens}{'' if result['tokens'] == 1 else 's'}, {_amount(result['us'], 'µs')} a call"


def _marginal(growth: dict[int, float]) -> dict[int, float]:
    """Return the cost of each further item of a list, without that of the call."""
    totals = {items: items * each for items, each in growth.items()}
    pairs = itertools.pairwise(totals)
    return {more: (totals[more] - totals[fewer]) / (more - fewer) for fewer, more in pairs}


def _machine() -> str:
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in ("azure-core", "aiohttp"))
    return f"{python_implementation()} {python_version()}, {packages}, {system()}, {os.cpu_count()} processors"
