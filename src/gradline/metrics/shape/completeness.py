"""Whether the values of a map add up to what the score changes by."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradline.core.baselines import Baseline
from gradline.errors import InputError
from gradline.metrics.asking import Ask
from gradline.metrics.base import Evaluation, Flow, Kind, Metric
from gradline.metrics.ranking import NOT_FINITE
from gradline.metrics.subject import Subject
from gradline.question.targets.scales import Scale

FINE, ACCEPTABLE = 0.01, 0.05
"""Relative gaps up to which a map is of band 0 and of band 1; above is band 2."""
NO_CLAIM = "a gradient map does not claim to add up: its gap is no fault"


@dataclass(frozen=True)
class Completeness(Metric):
    """The completeness gap of a map, relative to the change of the score: |gap| / max(|Δ|, 1e-3 max(|F(x)|, |F(x')|),
    1e-8), where Δ = F(x) − F(x') and gap = Σ_i a_i − Δ.

    `baseline`: the start x' of the maps, which has to be the one they were made with; without it the method's own where
    that is known, else zero. Over several draws F(x') is the mean. F is the score as it was explained, whatever its
    scale. Parts: `gap`, signed, in units of the score; `change`, Δ; `band`: 0 for gaps below 1 %, 1 below 5 %, 2 else;
    where the target has a class, `change in probability` and `change in logit`. Sums are float64.

    A check of the sum alone: a map may be wrong in every value and have no gap. Holds for Integrated Gradients and
    other path methods, not for gradient maps, whose values carry a note, nor for methods that claim no sum. The floor
    is taken at the two ends of the path, as the score between them is not known here. Sundararajan, Taly, Yan (2017).
    """

    name = "completeness"
    higher_is_better = False
    range = "0 and above; 0 is complete"
    cost = "2 that all maps share, or 1 and the baseline's draws"
    cites = ("sundararajan2017",)

    baseline: Baseline | None = None

    def __post_init__(self) -> None:
        if not (self.baseline is None or isinstance(self.baseline, Baseline)):
            raise InputError("baseline as a baseline of gl.baselines for Completeness", repr(self.baseline))

    def flow(self, subject: Subject) -> Flow:
        baseline = subject.start_of_path(self.baseline)
        starts = subject.starts(baseline)
        draws, flat = starts.shape[1], starts.flatten(0, 1)
        at_x = yield from subject.at_x()
        owner = subject.every.repeat_interleave(draws)
        told = yield Ask(("start", baseline), owner, lambda rows: flat[rows.to(flat.device)])
        at_start = {scale: values.reshape(-1, draws).mean(1) for scale, values in told.items()}
        end, start = at_x[Scale.EXPLAINED], at_start[Scale.EXPLAINED]
        change = end - start
        gap = subject.maps.double().flatten(1).sum(1).cpu() - change
        floor = (1e-3 * torch.maximum(end.abs(), start.abs())).clamp(min=1e-8)
        values = gap.abs() / torch.maximum(change.abs(), floor)
        parts = {"gap": gap, "change": change, "band": _bands(values)}
        for scale in (Scale.PROBABILITY, Scale.LOGIT):
            if scale in at_x:
                parts[f"change in {scale.value}"] = at_x[scale] - at_start[scale]
        return Evaluation(
            self, values, parts=parts, notes=_notes(subject, gap, change), settings=f"baseline {baseline!r}"
        )


def _bands(values: Tensor) -> Tensor:
    band = (values >= FINE).double() + (values >= ACCEPTABLE).double()
    return torch.where(values.isfinite(), band, torch.nan)


def _notes(subject: Subject, gap: Tensor, change: Tensor) -> tuple[str, ...]:
    claim = NO_CLAIM if subject.kind is Kind.GRADIENT else ""
    rows = zip(gap.isfinite().tolist(), change.isfinite().tolist(), strict=True)
    return tuple("the score is not finite" if not c else claim if g else NOT_FINITE for g, c in rows)
