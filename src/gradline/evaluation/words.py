"""What tables, pages and figures say of a leaderboard."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from gradline.evaluation.standing import Placed, Standing
from gradline.metrics.base import Metric
from gradline.result.spelling import number

LARGE = 1e4
"""Sizes from which on a metric's numbers are spelt with four significant digits, each for itself."""


def speller(found: Standing) -> Callable[[float], str]:
    """How the numbers of a metric are spelt: with so many decimals that the narrowest interval shows two digits."""
    ends = [v for p in found.placed for v in (p.mean, p.low, p.high) if math.isfinite(v)]
    widths = [p.high - p.low for p in found.placed if p.high > p.low]
    if not widths or max(map(abs, ends)) >= LARGE:
        return lambda value: number(value) if math.isfinite(value) else "–"
    decimals = min(6, max(0, 1 - math.floor(math.log10(min(widths)))))
    return lambda value: f"{round(value, decimals) + 0.0:.{decimals}f}" if math.isfinite(value) else "–"


def settings_of(standing: Standing) -> dict[str, tuple[str, ...]]:
    """What decided the numbers of a metric, and for which methods: one entry if it is the same for all with values."""
    found: dict[str, tuple[str, ...]] = {}
    for placed in standing.placed:
        if placed.method not in standing.absent:
            found[placed.settings] = (*found.get(placed.settings, ()), placed.method)
    return found


def arrow(metric: Metric) -> str:
    """Which way is better."""
    return {True: "↑", False: "↓", None: "–"}[metric.higher_is_better]


def better(metric: Metric) -> str:
    """Which way is better, in words."""
    return {True: "higher is better", False: "lower is better", None: "ranks nothing"}[metric.higher_is_better]


def verdict(found: Standing) -> str:
    """Which differences are real, in a sentence."""
    if not found.differences:
        return "Nothing to compare."
    if found.examples < found.needed:
        return (
            f"With {found.examples} example{'s' * (found.examples != 1)} no difference can be called real: "
            f"{len(found.differences)} pair{'s' * (len(found.differences) != 1)} need at least {found.needed}."
        )
    if not found.real:
        return f"None of the {len(found.differences)} differences is real."
    beaten: dict[str, list[str]] = {}
    for one in found.real:
        beaten.setdefault(one.first, []).append(one.second)
    link = "before" if ranks(found) else "differs from"
    said = "; ".join(f"{first} {link} {', '.join(seconds)}" for first, seconds in beaten.items())
    return f"Real: {said}."


def ranks(found: Standing) -> bool:
    """The metric says which method is better."""
    return any(placed.rank for placed in found.placed)


def rank_range(placed: Placed) -> str:
    """The ranks that 95 % of the resampled examples give: `2`, or `1–3`."""
    if not placed.rank_low:
        return "–"
    ends = placed.rank_low, placed.rank_high
    return str(ends[0]) if ends[0] == ends[1] else f"{ends[0]}–{ends[1]}"


def cautions(found: Standing) -> list[str]:
    """What speaks against the numbers of a metric."""
    if not found.at_home:
        return []
    return [f"{', '.join(found.at_home)}: the path starts where this metric fills, an advantage over other baselines"]


def unsound(counts: Mapping[str, int], examples: int) -> list[str]:
    """Whose maps did not become what was asked for."""
    return [f"{count} of {examples} maps of {name} are not as accurate as asked for" for name, count in counts.items()]
