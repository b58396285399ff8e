"""How far maps agree, in words: with those from other baselines, and with those of other methods."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradline.report.photo import OtherBaseline

AGREE, DIFFER = 0.8, 0.5
"""Rank agreement from which on maps are said to agree, and below which to differ: conventions, not measurements."""

NO_RANKS = "A map that is constant or not finite has no ranks: nothing can be said about agreement."


def of_baselines(others: Sequence[OtherBaseline], own: str) -> str:
    """What follows from the maps of other baselines; `own`: the name of the reported one, if it has one."""
    least = _least(others)
    if least is None:
        return NO_RANKS
    both = f"{signed(least.agreement)}, of the sizes alone {signed(least.agreement_absolute)}"
    text = f"rank agreement is lowest with {least.name}: {both}"
    if least.agreement >= AGREE:
        return f"The choice of baseline hardly matters among these: {text}."
    if least.agreement >= DIFFER:
        return f"The choice of baseline matters for details: {text}. Trust what all of these maps show."
    return (
        f"The choice of baseline matters here: {text}. Every contribution is a comparison with the baseline"
        f"{f' ({own})' if own else ''}; take the one that means “nothing there” for your question, name it beside the "
        "map, and do not rest a conclusion on pixels that another baseline turns round."
    )


def caveat(others: Sequence[OtherBaseline]) -> str:
    """What the other baselines do to the verdict, in a sentence; empty if there are none, or if they agree."""
    least = _least(others)
    if least is None or least.agreement >= DIFFER:
        return ""
    return f"Another baseline gives another map (rank agreement with {least.name} {signed(least.agreement)})"


def of_methods(names: Sequence[str], table: np.ndarray) -> str:
    """Which maps agree least, and what follows."""
    pairs = [(float(table[i, j]), names[i], names[j]) for i in range(len(names)) for j in range(i)]
    known = [pair for pair in pairs if np.isfinite(pair[0])]
    if not known:
        return NO_RANKS
    value, one, other = min(known)
    text = f"The lowest rank agreement is {signed(value)}, between {one} and {other}."
    if value >= AGREE:
        return f"{text} The methods order the pixels much alike."
    if value >= DIFFER:
        return f"{text} The methods differ in details: trust what all of them show."
    return f"{text} The methods answer different questions: say which one a conclusion rests on, and why."


def signed(value: float) -> str:
    """A correlation with its sign."""
    return f"{value:+.2f}".replace("-", "−") if np.isfinite(value) else "unknown"


def _least(others: Sequence[OtherBaseline]) -> OtherBaseline | None:
    """The one that agrees least; None if no map has ranks."""
    known = [other for other in others if np.isfinite(other.agreement)]
    return min(known, key=lambda other: other.agreement, default=None)
