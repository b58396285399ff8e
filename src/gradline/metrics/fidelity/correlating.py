"""Fidelity as a correlation: does what a map says of a set of units go with what removing them does to the score?"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradline.core.baselines import Baseline
from gradline.errors import InputError
from gradline.metrics.asking import Ask
from gradline.metrics.base import Evaluation, Flow, Metric, check_count
from gradline.metrics.curves.sweep import check_scale, usual_fill
from gradline.metrics.fidelity.correlation import Correlation, constant, rounding
from gradline.metrics.fidelity.masks import Cells, FixedCells, FixedUnits, Masks, RandomCells, RandomUnits, RankedGroups
from gradline.metrics.fidelity.unit_sets import Sets
from gradline.metrics.ranking import NOT_FINITE, Sign, unit_scores
from gradline.metrics.subject import Subject
from gradline.question.targets.scales import Scale

__all__ = [
    "Cells",
    "Correlation",
    "FidelityCorrelation",
    "FixedCells",
    "FixedUnits",
    "Masks",
    "RandomCells",
    "RandomUnits",
    "RankedGroups",
]

FEW = "fewer than three sets of units: no correlation"
NO_SCORE = "the score is not finite at x or where units are removed"
SAME_SUMS = "the map gives all sets of units the same sum: no correlation"
SAME_DROPS = "removing any of the sets changes the score alike: no correlation"


@dataclass(frozen=True)
class FidelityCorrelation(Metric):
    """The correlation, over sets S of units, of Σ_{i in S} φ_i with f(x) − f(x without S).

    `masks`, the sets (without, a fifth of the cells of an 8 × 8 grid for images, a fifth of the units otherwise);
    `draws >= 3` of them an example, the same for all maps; `fill`, the baseline that stands in for what is removed
    (without one, a large blur for images, zero otherwise); `correlation`; `sign`, how a map gives a unit its φ; `scale`
    of f. Parts: `area partialled`, the same without what the number of values removed explains (the masks of some rules
    vary in size, and then any positive map does well); `area`, the correlation of that number with the drop, NaN where
    it does not vary; the value on the logit and probability scales.

    Sensitivity-n, faithfulness correlation, MuFidelity and the faithfulness estimate are settings of it: see
    `gradline.metrics.fidelity.presets`. Ancona et al. (2018); Bhatt, Weller, Moura (2020); Alvarez-Melis and Jaakkola
    (2018). Published code has 0 where there is no correlation; here that is NaN.
    """

    name = "fidelity-correlation"
    higher_is_better = True
    range = "−1 to 1; 0 is chance"
    cost = "draws and 1, shared by all maps unless groups are ranked by the map"
    cites = ("ancona2018", "bhatt2020", "alvarezmelis2018")

    masks: Masks | None = None
    draws: int = 100
    fill: Baseline | None = None
    correlation: Correlation = Correlation.PEARSON
    sign: Sign = Sign.AUTO
    scale: Scale = Scale.EXPLAINED

    def __post_init__(self) -> None:
        check_count(self, "draws", self.draws, 3)
        check_scale(self, self.scale)
        wanted = {"masks": Masks | None, "correlation": Correlation, "sign": Sign}
        for field, kind in wanted.items():
            if not isinstance(getattr(self, field), kind):
                said = (
                    "masks such as gl.metrics.RandomUnits()" if field == "masks" else f"{field} as a member of its enum"
                )
                raise InputError(f"{said} for FidelityCorrelation", f"{field}={getattr(self, field)!r}")

    def flow(self, subject: Subject) -> Flow:
        subject.check_scale(self.scale)
        masks, fill = self.masks or usual_masks(subject), usual_fill(self.fill, subject)
        sign = self.sign.settled(subject.kind)
        sets = Sets.of(subject, masks, self.draws, sign)
        whose = (subject.number, sign) if masks.by_map else ()
        told = yield Ask(("fidelity", masks, self.draws, fill, *whose), sets.owner, sets.removed(subject.fill(fill)))
        full = yield from subject.at_x()
        sums, areas = sets.added(unit_scores(subject.maps, sets.partition, sign))
        found = {}
        for scale in {Scale.LOGIT, Scale.PROBABILITY, self.scale} & set(told):
            before = full[scale][sets.owner]
            table = torch.stack([sums, areas, before, told[scale]], 1)
            found[scale] = [
                _judged(self.correlation, one, note, subject.x.dtype)
                for one, note in zip(sets.split(table), sets.notes, strict=True)
            ]
        drawn = "" if masks.by_map else f", {self.draws} draws"
        return self._evaluation(found, f"{masks!r}{drawn}, fill {fill!r}, {sign.value} map")

    def _evaluation(self, found: dict[Scale, list[_Judged]], said: str) -> Evaluation:
        own = found[self.scale]
        parts = {
            "area partialled": _column([one.partialled for one in own]),
            "area": _column([one.area for one in own]),
        }
        parts |= {
            s.value: _column([one.value for one in found[s]]) for s in (Scale.LOGIT, Scale.PROBABILITY) if s in found
        }
        settings = f"{self.correlation.value}, {said}, {self.scale.value}"
        notes = tuple(one.note for one in own)
        return Evaluation(self, _column([one.value for one in own]), parts=parts, notes=notes, settings=settings)


def usual_masks(subject: Subject) -> Masks:
    """A fifth of the cells of an 8 × 8 grid, coarser for smaller images; a fifth of the units of anything else."""
    if subject.x.ndim != 4 or subject.at_site or min(subject.x.shape[2:]) < 2:
        return RandomUnits(0.2)
    grid = min(8, *(int(length) for length in subject.x.shape[2:]))
    return FixedCells(grid, max(1, round(grid**2 / 5)))


@dataclass(frozen=True)
class _Judged:
    """What one example gets, and why it has no value."""

    value: float
    partialled: float
    area: float
    note: str


def _judged(rule: Correlation, table: Tensor, note: str, dtype: torch.dtype) -> _Judged:
    """Judge the sets of one example: `table (n, 4)`, sum, area, score before and after. `note`: why it has no order."""
    sums, areas, before, after = table.unbind(1)
    drops, nan = before - after, float("nan")
    grain = float(rounding(torch.stack([before, after]).reshape(1, -1), dtype))
    reasons = {
        NOT_FINITE: not bool(sums.isfinite().all()),
        NO_SCORE: not bool(drops.isfinite().all()),
        note: note != "",
        FEW: len(sums) < 3,
        SAME_DROPS: constant(drops, grain),
    }
    first = next((reason for reason, holds in reasons.items() if holds), "")
    if first:
        return _Judged(nan, nan, nan, first)
    value = rule.of(sums, drops)
    return _Judged(
        value, rule.partialled(sums, drops, areas), rule.of(areas, drops), SAME_SUMS if value != value else ""
    )


def _column(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
