"""Coordinates of mean curves: one line a method, over the same axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gradline.evaluation.board import MeanCurve
from gradline.report.words import typeset
from gradline.result.spelling import short

WIDTH, HEIGHT = 560.0, 210.0
LEFT, RIGHT, TOP, BOTTOM = 84.0, 548.0, 10.0, 180.0
"""Of the drawing, in SVG units, and where its frame lies."""

COLOURS = 6
"""Colours for methods; from then on they repeat, dashed."""


@dataclass(frozen=True)
class CurveLine:
    """A method's line: `points` in SVG units, in pieces that end where it is not finite. `style`: of CSS."""

    method: str
    style: str
    control: bool
    runs: tuple[str, ...]


@dataclass(frozen=True)
class CurveChart:
    """The drawing, with what its axes end in."""

    lines: tuple[CurveLine, ...]
    low: str
    high: str
    first: str
    last: str
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = RIGHT
    top: float = TOP
    bottom: float = BOTTOM


def curve_chart(curves: Mapping[str, MeanCurve], methods: Sequence[str], controls: Sequence[str]) -> CurveChart | None:
    """Lay out the curves of a metric; None if there is nothing finite to draw."""
    known = [v for c in curves.values() for v in c.values.tolist() if math.isfinite(v)]
    if not known:
        return None
    low, high = min(known), max(known)
    start = min(float(c.axis.min()) for c in curves.values())
    end = max(float(c.axis.max()) for c in curves.values())
    lines = []
    for method, curve in curves.items():
        runs = _runs(curve, (start, end), (low, high))
        lines.append(CurveLine(method, style_of(method, methods, controls), method in controls, runs))
    least, most, first, last = (typeset(short(v)) for v in (low, high, start, end))
    return CurveChart(tuple(lines), least, most, first, last)


def style_of(method: str, methods: Sequence[str], controls: Sequence[str]) -> str:
    """The class of a method's line: the same in every chart of a page."""
    if method in controls:
        return f"control k{list(controls).index(method) % 3}"
    number = [m for m in methods if m not in controls].index(method)
    return f"m{number % COLOURS}" + (" again" if number >= COLOURS else "")


def _runs(curve: MeanCurve, across: tuple[float, float], down: tuple[float, float]) -> tuple[str, ...]:
    runs: list[list[str]] = [[]]
    for t, value in zip(curve.axis.tolist(), curve.values.tolist(), strict=True):
        if not math.isfinite(value):
            runs.append([])
            continue
        x = LEFT + _share(t, across) * (RIGHT - LEFT)
        runs[-1].append(f"{x:.1f},{BOTTOM - _share(value, down) * (BOTTOM - TOP):.1f}")
    return tuple(" ".join(run) for run in runs if run)


def _share(value: float, ends: tuple[float, float]) -> float:
    return (value - ends[0]) / (ends[1] - ends[0]) if ends[1] > ends[0] else 0.5
