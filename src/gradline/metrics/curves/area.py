"""What becomes of a curve: in what unit it is read, which of its points count, and how they make one number."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

from gradline.errors import InputError

NO_RISE = "the score at x is not above the score at the fill"
NOT_POSITIVE = "the score at x is not positive"
TOO_SHORT = "the curve has too few points for its area"


class Rule(StrEnum):
    """How K points y make an area. `TRAPEZOID`: (Σy − y_first/2 − y_last/2) / (K − 1), the axis being 1 long. `MEAN`:
    Σy / K. `UNIT`: the trapezoid with steps of length 1, which grows with K. `POINTS`: that divided by K."""

    TRAPEZOID = "trapezoid"
    MEAN = "mean of the points"
    UNIT = "trapezoid with steps of 1"
    POINTS = "trapezoid with steps of 1, divided by the number of points"


class Ends(StrEnum):
    """Which ends of a curve count, in the direction of the metric: a deletion begins at x, an insertion at the fill."""

    BOTH = "both ends"
    FIRST = "without the last point"
    LAST = "without the first point"
    NEITHER = "without first and last point"


class Relative(StrEnum):
    """In what unit a curve is read. `PLAIN`: as it is. `INPUT`: divided by the score at x; no value unless that is
    positive. `ENDPOINTS`: (y − y_fill) / (y_x − y_fill), cut to [0, 1]; no value unless y_x > y_fill."""

    PLAIN = "as it is"
    INPUT = "divided by the score at x"
    ENDPOINTS = "0 at the fill, 1 at x"

    def of(self, curves: Tensor, full: Tensor, empty: Tensor) -> Tensor:
        """Curves `(N, K)` in this unit, NaN where there is none; `full`, `empty` `(N,)`: the scores at x and fill."""
        if self is Relative.PLAIN:
            return curves
        if self is Relative.INPUT:
            return torch.where(full > 0, full, torch.nan)[:, None].reciprocal() * curves
        rise = torch.where(full > empty, full - empty, torch.nan)
        return ((curves - empty[:, None]) / rise[:, None]).clamp(0, 1)

    def notes(self, full: Tensor, empty: Tensor) -> tuple[str, ...]:
        """Why an example has no curve in this unit, else ""."""
        if self is Relative.PLAIN:
            return ("",) * len(full)
        fits, why = (full > 0, NOT_POSITIVE) if self is Relative.INPUT else (full > empty, NO_RISE)
        return tuple("" if fit else why for fit in fits.tolist())


@dataclass(frozen=True)
class Area:
    """How a curve becomes a number."""

    rule: Rule = Rule.TRAPEZOID
    ends: Ends = Ends.BOTH

    def __post_init__(self) -> None:
        if not isinstance(self.rule, Rule) or not isinstance(self.ends, Ends):
            raise InputError("rule as a Rule and ends as an Ends of gl.metrics", repr(self))

    def of(self, curves: Tensor) -> Tensor:
        """The areas `(N,)` of curves `(N, K)`; NaN if too few points are left."""
        if self.short(curves):
            return torch.full((len(curves),), torch.nan, dtype=curves.dtype)
        kept = self._kept(curves)
        count = kept.shape[1]
        if self.rule is Rule.MEAN:
            return kept.mean(1)
        steps = kept.sum(1) - (kept[:, 0] + kept[:, -1]) / 2
        return steps / {Rule.TRAPEZOID: count - 1, Rule.UNIT: 1, Rule.POINTS: count}[self.rule]

    def short(self, curves: Tensor) -> bool:
        """Too few of the points `(N, K)` are left for an area."""
        return self._kept(curves).shape[1] < (1 if self.rule is Rule.MEAN else 2)

    def _kept(self, curves: Tensor) -> Tensor:
        first = int(self.ends in (Ends.LAST, Ends.NEITHER))
        last = int(self.ends in (Ends.FIRST, Ends.NEITHER))
        return curves[:, first : curves.shape[1] - last]

    def __str__(self) -> str:
        return f"{self.rule.value}, {self.ends.value}"
