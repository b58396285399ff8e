"""Coordinates of the path panel: strips over the same axis, from the baseline to the input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradline.plots import PathPanel
from gradline.result.spelling import percent

WIDTH, LEFT, RIGHT = 560.0, 56.0, 548.0
"""Of the drawing, in SVG units, and between which x a strip lies."""

HEIGHTS = {"score": 132.0, "share": 66.0, "norm": 66.0}
"""Of the strips."""

TOP, GAP, FOOT = 24.0, 34.0, 40.0
"""Above the first strip, between strips, and under the last."""


@dataclass(frozen=True, eq=False)
class Line:
    """A quantity along the path: `values` at the places `t`, on an axis from `low` to `high`, with its labels."""

    key: str
    title: str
    t: np.ndarray
    values: np.ndarray
    low: float
    high: float
    low_text: str
    high_text: str


@dataclass(frozen=True, eq=False)
class Strip:
    """A line in its place: `top` and `height` in SVG units, y downwards."""

    line: Line
    top: float
    height: float

    @property
    def bottom(self) -> float:
        return self.top + self.height

    @property
    def runs(self) -> list[str]:
        """Coordinates of the line, in pieces that end where it is not finite."""
        return [" ".join(f"{x:.1f},{y:.1f}" for x, y in run) for run in self._pieces()]

    @property
    def areas(self) -> list[str]:
        """Coordinates of the surfaces under the pieces of the line."""
        closed = [[(run[0][0], self.bottom), *run, (run[-1][0], self.bottom)] for run in self._pieces()]
        return [" ".join(f"{x:.1f},{y:.1f}" for x, y in run) for run in closed]

    def _pieces(self) -> list[list[tuple[float, float]]]:
        known = np.isfinite(self.line.values)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]])))
        places = [(across(t), self.down(v)) for t, v in zip(self.line.t, self.line.values, strict=True)]
        return [places[first:last] for first, last in zip(edges[::2], edges[1::2], strict=True)]

    def down(self, value: float) -> float:
        """The y coordinate of a value; in the middle on an axis without a length."""
        span = self.line.high - self.line.low
        return self.bottom - ((value - self.line.low) / span if span > 0 else 0.5) * self.height


@dataclass(frozen=True, eq=False)
class Chart:
    """The drawing. `marks`: x of the places where gradients were read; `saturation`: x of the mark at 90 % of the
    change or at the saturation point, if any, and `label`, what it says."""

    strips: tuple[Strip, ...]
    marks: tuple[float, ...]
    saturation: float | None
    label: str = ""
    width: float = WIDTH
    left: float = LEFT
    right: float = RIGHT

    @property
    def bottom(self) -> float:
        return self.strips[-1].bottom

    @property
    def height(self) -> float:
        return self.bottom + FOOT


def across(t: float) -> float:
    """The x coordinate of a place on the path."""
    return LEFT + float(t) * (RIGHT - LEFT)


def chart(panel: PathPanel, shares: np.ndarray | None) -> Chart | None:
    """Lay out the panel; `shares (K + 1,)`: of the map made by t = 0, 1/K … 1, None if not known.

    None if nothing on the path is finite.
    """
    strips: list[Strip] = []
    top = TOP
    for line in lines(panel, shares):
        strips.append(Strip(line, top, HEIGHTS[line.key]))
        top = strips[-1].bottom + GAP
    if not strips:
        return None
    saturation = None if np.isnan(panel.saturation) else across(panel.saturation)
    label = f"{panel.mark} = {panel.saturation:.2f}" if panel.split else panel.mark
    return Chart(tuple(strips), tuple(across(t) for t in panel.nodes), saturation, label)


def lines(panel: PathPanel, shares: np.ndarray | None) -> list[Line]:
    """The quantities of the panel of which something is finite."""
    found = []
    score = panel.score[np.isfinite(panel.score)]
    if score.size:
        low, high = float(score.min()), float(score.max())
        found.append(Line("score", "Score F(t)", panel.t, panel.score, low, high, f"{low:.3g}", f"{high:.3g}"))
    if shares is not None:
        low, high = min(0.0, float(shares.min())), max(1.0, float(shares.max()))
        t = np.linspace(0, 1, len(shares))
        found.append(Line("share", "Share of the map made so far", t, shares, low, high, percent(low), percent(high)))
    norm = panel.gradient_norm[np.isfinite(panel.gradient_norm)]
    if norm.size:
        high = float(norm.max())
        title = "Norm of the gradient"
        found.append(Line("norm", title, panel.nodes, panel.gradient_norm, 0.0, high, "0", f"{high:.2g}"))
    return found
