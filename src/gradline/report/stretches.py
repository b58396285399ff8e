"""Where a map over time or frequency lies, in words: its largest stretches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gradline.report.words import isolated
from gradline.result.spelling import percent, short

MOST = 3
"""Stretches named."""


@dataclass(frozen=True)
class Stretch:
    """Samples `first` to `last` (in it) of a channel: what they contribute, and their `share` of Σ|A|."""

    channel: int
    first: int
    last: int
    total: float
    share: float


def stretches(contributions: np.ndarray, most: int = MOST) -> tuple[Stretch, ...]:
    """The stretches of `(C, T)` that stand out most, disjoint, largest first; none if the map is zero or not finite.

    A stretch is where Σ (±A_t − μ) is largest, with μ the mean of all |A|: longer only while its samples contribute
    more than the average does.
    """
    sizes = np.abs(contributions)
    if not np.isfinite(sizes).all() or sizes.sum() == 0:
        return ()
    found: list[Stretch] = []
    excess = {sign: sign * contributions - sizes.mean() for sign in (1, -1)}
    while len(found) < most:
        every = [(*_largest_sum(row), c) for rows in excess.values() for c, row in enumerate(rows)]
        gain, first, last, channel = max(every)
        if gain <= 0:
            break
        part = np.s_[channel, first : last + 1]
        total, share = float(contributions[part].sum()), float(sizes[part].sum() / sizes.sum())
        found.append(Stretch(channel, first, last, total, share))
        for rows in excess.values():
            rows[part] = -np.inf
    return tuple(sorted(found, key=lambda one: -one.share))


def in_words(
    contributions: np.ndarray, channels: Sequence[str], place: Callable[[int], str], *, contributes: bool = True
) -> str:
    """The largest stretches in a sentence. `place`: of a sample in words, "0.32 s"; `contributes`: values are shares of
    the score."""
    if not np.isfinite(contributions).all():
        return "The map holds values that are not finite; nothing can be read from it."
    found = stretches(contributions)
    if not found:
        if np.abs(contributions).sum() == 0:
            return "The map is zero everywhere: there is nothing to see."
        return "No stretch stands out: all contributions have the same size."
    said = [_one(s, channels if len(channels) > 1 else (), place, contributes=contributes) for s in found]
    text = said[0] if len(said) == 1 else f"{'; '.join(said[:-1])}; and {said[-1]}"
    return f"What stands out most: {text}."


def _one(s: Stretch, channels: Sequence[str], place: Callable[[int], str], *, contributes: bool) -> str:
    where = f"at {place(s.first)}" if s.first == s.last else f"from {place(s.first)} to {place(s.last)}"
    of = f" {isolated(channels[s.channel])}" if channels else ""
    if not contributes:
        does = f"adds up to {'+' * (s.total > 0)}{short(s.total)}"
    else:
        does = f"{'raises' if s.total > 0 else 'lowers'} the score by {short(abs(s.total))}"
    return f"{of} {where}".strip() + f" {does} ({percent(s.share)} of the map)"


def _largest_sum(row: np.ndarray) -> tuple[float, int, int]:
    """The largest sum of neighbours, and the first and last of them."""
    taken = np.isinf(row)
    never = -1.0 - np.abs(row[~taken]).sum()  # no sum over a place that was taken is worth it
    sums = np.concatenate([[0.0], np.cumsum(np.where(taken, never, row))])
    lowest = np.minimum.accumulate(sums[:-1])
    gains = sums[1:] - lowest
    last = int(np.argmax(gains))
    return float(gains[last]), int(np.argmin(sums[: last + 1])), last
