"""What a search is to make small, from the metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradline.core.baselines import PixelSpace
from gradline.engine.inquiry import inquire
from gradline.errors import InputError
from gradline.evaluation.groups import examples_of, score_of
from gradline.evaluation.judge import evaluate
from gradline.metrics.base import Metric
from gradline.question import Score
from gradline.result import Attribution


@dataclass(frozen=True, eq=False)
class ByMetric:
    """A metric of the maps of examples that are found by their `names`, with its sign turned if higher is better."""

    metric: Metric
    score: Score
    x: Any
    names: tuple[str, ...]
    masks: Tensor | None = None
    memory: int | str | None = None

    def __call__(self, a: Attribution) -> Tensor:
        """`(len(a),)`, float64. Its chance is keyed by the seed of the attribution."""
        sign = -1.0 if self.metric.higher_is_better else 1.0
        return torch.cat([sign * self._of(a[k]) for k in range(len(a))])

    def _of(self, one: Attribution) -> Tensor:
        if one.names[0] not in self.names:
            remedy = "pass the same names= to both"
            raise InputError("an attribution of the examples of the objective", f"example {one.names[0]!r}", remedy)
        place, count = self.names.index(one.names[0]), len(self.names)
        rows, masks = slice(place, place + 1), self.masks
        return evaluate(
            self.metric,
            score_of(self.score, rows, count),
            examples_of(self.x, rows, count),
            one,
            masks=masks[rows] if masks is not None and len(masks) == count else masks,
            seed=one.provenance.get("seed", 0),
            memory=self.memory,
        ).values


def by_metric(
    metric: Metric,
    score: Score,
    x: Any,
    *,
    pixels: PixelSpace | None = None,
    masks: Tensor | None = None,
    names: Sequence[str] | None = None,
    memory: int | str | None = None,
) -> ByMetric:
    """The objective "this metric is as good as can be" for maps of `score` at x, to be made small.

    `metric`: one of `gl.metrics` that says which way is better, such as `PerturbationScore(fills=10)` (AUPC) or
    `TotalVariation()` (AUTVC); the rest as in `gl.evaluate`, and `names` as in the search. Noise that a metric draws is
    keyed by the seed of the map. Raises `InputError`.
    """
    if not isinstance(metric, Metric):
        remedy = "call it, with ()" if isinstance(metric, type) else ""
        raise InputError("a metric, such as gl.metrics.TotalVariation()", repr(metric), remedy)
    if metric.higher_is_better is None:
        raise InputError("a metric that says which way is better", metric.name)
    with inquire(score, x, names=names, memory=memory) as inquiry:
        known = inquiry.names
    return ByMetric(metric if pixels is None else metric.within(pixels), score, x, known, masks, memory)
