"""Correlation of two short lists of numbers, with what rounding does to them kept apart from what they say."""

from __future__ import annotations

from enum import StrEnum

import torch
from torch import Tensor

from gradline.result.ranks import midranks

GRAIN = 1e-12
"""Sums of one map that differ by less, as a share of the largest, are equal."""


class Correlation(StrEnum):
    """`PEARSON`: of the values. `SPEARMAN`: of their ranks, ties sharing the mean of theirs."""

    PEARSON = "pearson"
    SPEARMAN = "spearman"

    def of(self, first: Tensor, second: Tensor) -> float:
        """The correlation of two lists `(n,)`, float64. NaN if one is constant."""
        return _pearson(self._seen(first), self._seen(second))

    def partialled(self, first: Tensor, second: Tensor, third: Tensor) -> float:
        """The correlation of what a straight line over the third list leaves of the other two. The plain correlation if
        the third is constant; NaN if it leaves nothing of one of them."""
        if constant(third):
            return self.of(first, second)
        one, two, over = (self._seen(values) for values in (first, second, third))
        return _pearson(_left(one, over), _left(two, over))

    def _seen(self, values: Tensor) -> Tensor:
        return values if self is Correlation.PEARSON else mid_ranks(values)


def constant(values: Tensor, grain: float | None = None) -> bool:
    """Whether `values (n,)` differ by no more than `grain`; without one, by `GRAIN` of the largest size."""
    spread = float(values.max() - values.min())
    return spread <= (GRAIN * float(values.abs().max()) if grain is None else grain)


def mid_ranks(values: Tensor) -> Tensor:
    """Ranks `(n,)` from 1 on, equal values (to `GRAIN` of the largest) sharing the mean of theirs: float64."""
    largest = float(values.abs().max())
    seen = torch.round(values / (GRAIN * largest)) if largest > 0 else values
    return midranks(seen)


def rounding(values: Tensor, dtype: torch.dtype) -> Tensor:
    """How far scores `(N, n)` of a model that works in `dtype` may lie apart for no reason: `(N,)`."""
    return 4 * torch.finfo(dtype if dtype.is_floating_point else torch.float32).eps * values.abs().amax(1)


def _pearson(first: Tensor, second: Tensor) -> float:
    if constant(first) or constant(second):
        return float("nan")
    one, two = first - first.mean(), second - second.mean()
    return max(-1.0, min(1.0, float((one / one.norm()) @ (two / two.norm()))))


def _left(values: Tensor, over: Tensor) -> Tensor:
    """What the best line over another list leaves; zeros where that is rounding."""
    centred, other = values - values.mean(), over - over.mean()
    left = centred - (centred @ other) / (other @ other) * other
    return torch.zeros_like(left) if left.norm() <= 1e-9 * values.norm() else left
