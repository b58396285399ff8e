"""`gl.compare`: several methods, or one from several baselines, on the same question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradline.core.baselines import PixelSpace
from gradline.core.method import Method
from gradline.engine import attribute
from gradline.errors import InputError
from gradline.metrics.base import Evaluation, Metric
from gradline.question import Score
from gradline.result import Attribution
from gradline.result.ranks import rank_correlation as rank_correlation
from gradline.result.spelling import number, percent
from gradline.result.structure import flat


@dataclass(frozen=True, eq=False)
class Comparison:
    """Attributions of the same examples by name, and what is known of each.

    `table`: one row a method and example, JSON-ready: `method`, `example`, `status`, `error_estimate`,
    `completeness_gap`, `evaluations`, `forward_evaluations`, and each metric's name; None where there is no number.
    """

    attributions: Mapping[str, Attribution]
    table: tuple[dict[str, Any], ...]

    def agreement(self, i: int = 0, *, absolute: bool = False, dim: int | tuple[int, ...] | None = None) -> Tensor:
        """Spearman's rank correlation of the maps of example i, each with each: float64 `(M, M)` in [−1, 1].

        Over all features, or over their sums along `dim`, such as 1 for the channels of images; `absolute`: of sizes
        instead of signed contributions. Ties share their mean rank; a map that is constant, or not finite everywhere,
        agrees with nothing (NaN).
        High agreement does not make a map right, low agreement says that the choice matters. Raises `InputError` for
        maps of different sizes.
        """
        chosen = [a[i] for a in self.attributions.values()]
        flats = [flat(a.values if dim is None else a.sum(dim))[0].cpu().double() for a in chosen]
        if len({one.shape for one in flats}) != 1:
            sizes = ", ".join(f"{name}: {len(one)}" for name, one in zip(self.attributions, flats, strict=True))
            raise InputError("maps with as many values each, to compare their ranks", sizes or "no map")
        maps = torch.stack(flats)
        return rank_correlation(maps.abs() if absolute else maps)

    def __repr__(self) -> str:
        width = max((len(name) for name in self.attributions), default=0)
        lines = []
        for row in self.table:
            error = "" if row["error_estimate"] is None else f", estimated map error {percent(row['error_estimate'])}"
            gap = "" if row["completeness_gap"] is None else f", gap {number(row['completeness_gap'])}"
            cost = f", {row['evaluations']} gradient{'s' * (row['evaluations'] != 1)}"
            lines.append(f"{row['method']:<{width}}  {row['example']}: {row['status']}{error}{gap}{cost}")
        return "\n".join(lines)


def compare(
    score: Score,
    x: Any,
    methods: Mapping[str, Method],
    *,
    metrics: Mapping[str, Metric] | Iterable[Metric] = (),
    masks: Tensor | None = None,
    pixels: PixelSpace | None = None,
    tol: float | None = None,
    steps: int | None = None,
    max_evaluations: int = 512,
    names: Any = None,
    seed: int = 0,
    memory: int | str | None = None,
    progress: bool = False,
) -> Comparison:
    """Attribute `score` to x by each of `methods`, by the names they are given here.

    A method with another baseline is `method.starting_at(baseline)`. `tol` and `steps` go to the methods that take
    them; the rest as in `attribute`. `metrics` judge the maps, each a column of the table; `masks` and `pixels` as in
    `gl.evaluate`. For intervals, and what is real, see `gl.leaderboard`. Raises `InputError` and whatever `attribute`
    raises.
    """
    if not isinstance(methods, Mapping) or not methods or not all(isinstance(m, Method) for m in methods.values()):
        raise InputError('methods by name, such as {"ig": gl.methods.integrated_gradients()}', repr(methods))
    if score.asks_several:
        raise InputError("one target for all methods", "a list of targets")
    chosen = _chosen(metrics, pixels, masks)
    attributions = {
        name: attribute(
            score,
            x,
            method,
            tol=tol if method.estimates else None,
            steps=steps if method.path.integrates else None,
            max_evaluations=max_evaluations,
            names=names,
            seed=seed,
            memory=memory,
            progress=progress,
        )
        for name, method in methods.items()
    }
    judged: dict[str, dict[str, Evaluation]] = {name: {} for name in attributions}
    if chosen:
        from gradline.evaluation.contest import judge_attributions
        from gradline.evaluation.entrants import Budget

        budget = Budget(tol, steps, max_evaluations, seed, memory)
        judged = judge_attributions(score, x, attributions, methods, chosen, masks=masks, budget=budget)
    return Comparison(
        attributions,
        tuple(_row(name, a, i) | _judged(judged[name], i) for name, a in attributions.items() for i in range(len(a))),
    )


def _row(name: str, a: Attribution, i: int) -> dict[str, Any]:
    return {
        "method": name,
        "example": a.names[i],
        "status": a.status[i].value,
        "error_estimate": _plain(a.error_estimate, i),
        "completeness_gap": _plain(a.completeness_gap, i),
        "evaluations": int(a.evaluations[i]),
        "forward_evaluations": int(a.forward_evaluations[i]),
    }


def _chosen(
    metrics: Mapping[str, Metric] | Iterable[Metric], pixels: PixelSpace | None, masks: Tensor | None
) -> dict[str, Metric]:
    """Metrics by name. Raises `InputError`."""
    listed = metrics if isinstance(metrics, Mapping | Metric) else tuple(metrics)
    if not isinstance(listed, Metric) and not listed:
        return {}
    from gradline.evaluation.entrants import check_masks, named_metrics

    found = named_metrics(listed)
    check_masks(found, masks)
    return found if pixels is None else {name: metric.within(pixels) for name, metric in found.items()}


def _judged(evaluations: Mapping[str, Evaluation], i: int) -> dict[str, float | None]:
    return {name: _plain(found.values, i) for name, found in evaluations.items()}


def _plain(values: Tensor | None, i: int) -> float | None:
    """For JSON, which has no NaN."""
    return None if values is None or not torch.isfinite(values[i]) else float(values[i])
