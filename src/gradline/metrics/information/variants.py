"""What different codes call SIC and AIC: their numbers lie on different scales and must not share a table."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

from gradline.errors import InputError
from gradline.metrics.base import check_count
from gradline.metrics.information.bokeh import Blurred, Fill, Linear, Nearest
from gradline.metrics.information.coding import PNG, Coder, GreyEntropy, WebP


class Reveal(StrEnum):
    """Which pixels a share τ reveals. `QUANTILE`: all of at least the (1 − τ)-quantile of the map, so that equal values
    enter together. `COUNT`: ⌊τ H W⌋ of them, equal values in reading order."""

    QUANTILE = "quantile"
    COUNT = "count"


class Heights(StrEnum):
    """How a score y becomes a height. `GAINED`: (y − y(B_0)) / (y(x) − y(B_0)) in [0, 1], then its running maximum, the
    points (0, 0) and (1, 1) added. `MIXED`: the same, with probabilities at both ends even where y is a decision.
    `RATIO`: y / y(x), as it comes."""

    GAINED = "gained"
    MIXED = "mixed"
    RATIO = "ratio"


class Pooling(StrEnum):
    """How curves of many images become one. `MEDIAN`, `MEAN`: of the curves at each information. `POINTS`: the mean
    information and the mean score at each share of pixels."""

    MEDIAN = "median"
    MEAN = "mean"
    POINTS = "points"


@dataclass(frozen=True)
class InformationVariant:
    """What decides a performance information curve beside the map.

    `name`: printed with the number. `thresholds`: shares of pixels in [0, 1] that the map reveals, ascending. `random`:
    the share of pixels known from the start, drawn for each example and the same for all maps. `fill`: of unknown
    pixels. `code`: the measure of information. `black`: it is measured with unknown pixels black, not filled. `least`:
    images with y(x) below it are left out, as are those whose base B_0 has as much information or as high a score as x;
    None leaves nothing out. `grid`: equal parts of the axis at whose ends a curve is read. `sic`, `aic`: how a data
    set's curves are pooled.

    Raises `InputError`.
    """

    name: str
    thresholds: tuple[float, ...] = (0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.10, 0.13, 0.21, 0.34, 0.5, 0.75)
    random: float = 0.01
    fill: Fill = Linear()  # noqa: RUF009
    code: Coder = WebP()  # noqa: RUF009
    reveal: Reveal = Reveal.QUANTILE
    black: bool = False
    least: float | None = 0.8
    heights: Heights = Heights.GAINED
    grid: int = 1000
    sic: Pooling = Pooling.MEDIAN
    aic: Pooling = Pooling.MEDIAN

    def __post_init__(self) -> None:
        shares = self.thresholds
        ascending = all(a < b for a, b in pairwise(shares))
        if not shares or not ascending or not 0 <= shares[0] <= shares[-1] <= 1:
            raise InputError("ascending shares of pixels in [0, 1] as thresholds", repr(shares))
        if self.heights is Heights.RATIO and (shares[0], shares[-1]) != (0, 1):
            raise InputError("thresholds from 0 to 1 for heights without ends of their own", repr(shares))
        if not 0 <= self.random < 1:
            raise InputError("a share of random pixels in [0, 1)", f"random={self.random!r}")
        if self.least is not None and not math.isfinite(self.least):
            raise InputError("a finite least score, or None", f"least={self.least!r}")
        check_count(self, "grid", self.grid)

    @property
    def said(self) -> str:
        """Its fields in words."""
        left_out = "nothing left out" if self.least is None else f"score at x of at least {self.least:g}"
        counted = "with black" if self.black else "filled"
        return (
            f"{self.name} curve: fill {self.fill!r}, {self.random:.3g} of pixels random, {len(self.thresholds)} shares "
            f"by {self.reveal.value}, {self.code!r} of pictures {counted}, heights {self.heights.value}, {left_out}"
        )


PAIR = InformationVariant("PAIR")
"""Kapishnikov et al. (2019), as their code has it."""

FAST = InformationVariant("PAIR, fast", fill=Linear(edges=True), code=WebP(0, 0))
"""PAIR, seven times faster: triangulates edges of the known area, compresses less. Not PAIR's numbers."""

IDG = replace(PAIR, name="IDG/MAS", least=None, heights=Heights.MIXED, sic=Pooling.MEAN, aic=Pooling.MEAN)
"""Of the code of integrated decision gradients and MAS: no image left out, AIC between probabilities, means of curves.

Their one random mask for all images is drawn for each here, and their truncated levels are rounded.
"""

TMLR_IDGI = InformationVariant(
    "TMLR IDGI",
    thresholds=tuple(k / 24 for k in range(25)),
    random=0.0,
    fill=Blurred(20.0),
    code=PNG(),
    reveal=Reveal.COUNT,
    grid=100,
    aic=Pooling.MEAN,
)
"""Of the reproduction of IDGI (TMLR 2024): pixels put into a blurred copy, PNG sizes."""

GGIG = InformationVariant(
    "GGIG",
    thresholds=tuple(k / 100 for k in range(101)),
    random=0.005,
    fill=Nearest(),
    code=GreyEntropy(),
    reveal=Reveal.COUNT,
    black=True,
    least=None,
    heights=Heights.RATIO,
    grid=100,
    aic=Pooling.POINTS,
)
"""Of geometrically guided IG (Rahman, Lewis, Plis 2022): pixels put into a nearest-neighbour fill, grey-level entropy.

Their one random mask for all images is drawn for each here.
"""
