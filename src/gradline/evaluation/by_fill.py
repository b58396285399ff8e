"""Every baseline of an explainer against every fill of an ablation: which of them flatter each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from gradline.core.baselines import Baseline, PixelSpace, as_baseline
from gradline.core.method import Method
from gradline.engine import attribute
from gradline.engine.inquiry import inquire
from gradline.errors import InputError
from gradline.evaluation.judge import make_subject
from gradline.evaluation.run import run
from gradline.metrics.base import Evaluation, Metric
from gradline.metrics.curves.ablation import ENTROPY, InformationConservingAblation
from gradline.question import Score
from gradline.result import Attribution
from gradline.result.spelling import number, short


@dataclass(frozen=True, eq=False)
class BaselineByFill:
    """What a metric says of the maps from E baselines of an explainer with each of F fills, over the same N examples.

    `values (E, F, N)`: float64, NaN where there is none. `own (E, F)`: bool, the fill is the explainer's own baseline.
    `evaluations[explainer][fill]`, `attributions[explainer]`: what is behind them.
    """

    metric: Metric
    values: Tensor
    own: Tensor
    evaluations: Mapping[str, Mapping[str, Evaluation]]
    attributions: Mapping[str, Attribution]

    @property
    def explainers(self) -> tuple[str, ...]:
        """The rows."""
        return tuple(self.evaluations)

    @property
    def fills(self) -> tuple[str, ...]:
        """The columns."""
        return tuple(next(iter(self.evaluations.values())))

    @property
    def names(self) -> tuple[str, ...]:
        """Of the examples."""
        return next(iter(self.attributions.values())).names

    @property
    def mean(self) -> Tensor:
        """Over the examples that have a value: `(E, F)`, NaN where none has."""
        return self.values.nanmean(2)

    @property
    def entropy(self) -> Tensor | None:
        """Of the whole output at the fills, 1 where it is uniform: `(F, N)`; None if the metric does not tell."""
        told = [one.parts.get(ENTROPY) for one in next(iter(self.evaluations.values())).values()]
        return torch.stack([curve[:, -1] for curve in told if curve is not None]) if told[0] is not None else None

    @property
    def advantage(self) -> Tensor:
        """What a fill that is its own baseline is worth to an explainer: δ `(N,)` of the least squares
        v_ef = a_e + b_f + δ own_ef. NaN where a value is missing, or if the table cannot tell."""
        own = self.own.double()
        centred = own - own.mean(0, keepdim=True) - own.mean(1, keepdim=True) + own.mean()
        size = centred.square().sum()
        if size < 1e-9:
            return torch.full_like(self.values[0, 0], torch.nan)
        return torch.einsum("ef,efn->n", centred, self.values) / size

    def __len__(self) -> int:
        return self.values.shape[2]

    def __repr__(self) -> str:
        rows = zip(self.mean.tolist(), self.own.tolist(), strict=True)
        means = [[f"{number(v)}{'*' if mine else ' '}" for v, mine in zip(*row, strict=True)] for row in rows]
        head = ["baseline \\ fill", *(f"{fill} " for fill in self.fills)]
        table = [head, *([name, *row] for name, row in zip(self.explainers, means, strict=True))]
        if self.entropy is not None:
            table.append(["entropy at the fill", *(f"{number(v)} " for v in self.entropy.nanmean(1).tolist())])
        widths = [max(len(row[k]) for row in table) for k in range(len(head))]
        lines = [f"{self.metric.name}, mean of {len(self)} example{'s' * (len(self) != 1)}"]
        for name, *row in table:
            cells = [cell.rjust(w) for cell, w in zip(row, widths[1:], strict=True)]
            lines.append("  ".join([f"  {name.ljust(widths[0])}", *cells]).rstrip())
        known = self.advantage[self.advantage.isfinite()]
        if len(known):
            spread = f" ± {short(float(known.std() / len(known) ** 0.5))}" if len(known) > 1 else ""
            lines.append(f"  * a fill that is the baseline itself: worth {number(float(known.mean()))}{spread}")
        return "\n".join(lines)


def baseline_by_fill(
    score: Score,
    x: Any,
    explainers: Mapping[str, object],
    fills: Mapping[str, object],
    *,
    metric: Metric | None = None,
    method: Method | None = None,
    pixels: PixelSpace | None = None,
    tol: float | None = None,
    steps: int | None = None,
    max_evaluations: int = 512,
    names: Sequence[str] | None = None,
    seed: int = 0,
    memory: int | str | None = None,
) -> BaselineByFill:
    """Explain x from each baseline of `explainers`, and judge every map with each of `fills`, both by name.

    `metric`: one that has a fill, which is replaced; default `gl.metrics.InformationConservingAblation()`. `method`:
    default `methods.integrated_gradients()`. `pixels`: what the model is given for black and white. The rest as in
    `attribute`. A fill is made once, a baseline too, by equal random numbers; all maps share the forwards at x and at
    the fills. Raises `InputError` and whatever `attribute` and `evaluate` raise.
    """
    judge = InformationConservingAblation() if metric is None else metric
    _check(score, judge)
    bases, puts = _parts("explainers", explainers, pixels), _parts("fills", fills, pixels)
    judges = {name: _with_fill(judge if pixels is None else judge.within(pixels), part) for name, part in puts.items()}
    maps = {
        name: attribute(
            score,
            x,
            method,
            baseline=part,
            tol=tol,
            steps=steps,
            max_evaluations=max_evaluations,
            names=names,
            seed=seed,
            memory=memory,
        )
        for name, part in bases.items()
    }
    chosen = next(iter(maps.values())).names
    with inquire(score, x, names=chosen, seed=seed, memory=memory) as inquiry:
        memo: dict[Any, Any] = {}
        subjects = [
            make_subject(inquiry, x, made, number=k, baseline=bases[name], memo=memo)
            for k, (name, made) in enumerate(maps.items())
        ]
        found = iter(run([(one, subject) for subject in subjects for one in judges.values()], inquiry))
    rows = {name: {fill: next(found) for fill in puts} for name in bases}
    values = torch.stack([torch.stack([one.values for one in row.values()]) for row in rows.values()])
    own = [[_same(explainers[e], fills[f], bases[e], puts[f]) for f in puts] for e in bases]
    return BaselineByFill(judge, values, torch.tensor(own), rows, maps)


def _check(score: object, metric: object) -> None:
    if not isinstance(score, Score):
        raise InputError("a Score, such as gl.Score(model, 3)", type(score).__name__)
    if score.asks_several:
        raise InputError("one target for all baselines and fills", "a list of targets")
    if not isinstance(metric, Metric) or "fill" not in {f.name for f in fields(metric)}:
        raise InputError("a metric that has a fill, such as gl.metrics.InsertionMinusDeletion()", repr(metric))


def _parts(what: str, given: object, pixels: PixelSpace | None) -> dict[str, Baseline]:
    if not isinstance(given, Mapping) or not given:
        raise InputError(f'{what} by name, such as {{"zero": 0, "blur": gl.baselines.Blur()}}', repr(given))
    parts = {str(name): as_baseline(part) for name, part in given.items()}
    return parts if pixels is None else {name: part.within(pixels) for name, part in parts.items()}


def _with_fill(metric: Any, fill: Baseline) -> Metric:
    made: Metric = replace(metric, fill=fill)
    return made


def _same(given: object, other: object, base: Baseline, fill: Baseline) -> bool:
    """The same baseline; a tensor, which has no equality, if it is one and the same."""
    return given is other or base == fill
