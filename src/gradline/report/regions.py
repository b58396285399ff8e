"""Where a map lies, in words: nine equal zones: the share of the map in each, and what each adds up to."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gradline.result.spelling import percent, short

ROWS, COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")
"""The zones: three rows of three."""

MOST = 0.5
"""The strongest zones are the fewest that hold at least this share of the map's size."""

FEW = 4
"""With more zones than this, the map is called spread out."""


@dataclass(frozen=True)
class Zone:
    """A ninth of the picture: its `share` of the map's size Σ|A|, and what its values add up to, `total` ΣA."""

    name: str
    share: float
    total: float

    def does(self, contributes: bool) -> str:
        """What the zone does to the score, or what its values add up to, in words."""
        if not contributes:
            return f"adds up to {'+' * (self.total > 0)}{short(self.total)}"
        if self.total == 0:
            return "leaves the score as it is"
        return f"{'raises' if self.total > 0 else 'lowers'} the score by {short(abs(self.total))}"


def zones(pixels: np.ndarray) -> tuple[Zone, ...]:
    """The nine zones of contributions `(H, W)` in reading order; none if the map is zero or not finite."""
    size = np.abs(pixels)
    whole = float(size.sum())
    if not np.isfinite(whole) or whole == 0:
        return ()
    rows, columns = (np.linspace(0, n, 4).round().astype(int) for n in pixels.shape)
    found = []
    for i, row in enumerate(ROWS):
        for j, column in enumerate(COLUMNS):
            part = np.s_[rows[i] : rows[i + 1], columns[j] : columns[j + 1]]
            name = "centre" if i == j == 1 else f"{row} {column}"
            found.append(Zone(name, float(size[part].sum()) / whole, float(pixels[part].sum())))
    return tuple(found)


def strongest(found: tuple[Zone, ...], most: float = MOST) -> tuple[Zone, ...]:
    """The fewest zones that hold at least `most` of the map's size, largest share first."""
    ordered = sorted(found, key=lambda zone: -zone.share)
    held = np.cumsum([zone.share for zone in ordered])
    return tuple(ordered[: int(np.searchsorted(held, most - 1e-12)) + 1])


def decimals(found: tuple[Zone, ...]) -> int:
    """Digits after the point that give the largest total two significant ones."""
    largest = max((abs(zone.total) for zone in found), default=0.0)
    return max(0, 1 - math.floor(math.log10(largest))) if largest > 0 else 0


def in_words(pixels: np.ndarray, contributes: bool = True) -> str:
    """Where the map lies, in a sentence; `contributes`: its values are shares of the score."""
    if not np.isfinite(pixels).all():
        return "The map holds values that are not finite; nothing can be read from it."
    found = zones(pixels)
    if not found:
        return "The map is zero everywhere: there is nothing to see."
    top = strongest(found)
    held = percent(sum(zone.share for zone in top))
    listed = [f"the {zone.name} ({percent(zone.share)}, {zone.does(contributes)})" for zone in top]
    if len(top) == 1:
        return (
            f"{held} of the map lies in one of nine equal zones: the {top[0].name}, which {top[0].does(contributes)}."
        )
    if len(top) > FEW:
        text = f"The map is spread out: it takes {len(top)} of nine equal zones for half of it."
        return f"{text} The strongest is {listed[0]}."
    return f"{held} of the map lies in {len(top)} of nine equal zones: {', '.join(listed[:-1])} and {listed[-1]}."
