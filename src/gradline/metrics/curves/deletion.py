"""Deletion and insertion: how the score falls and rises as what a map found important is removed and put back."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import torch
from torch import Tensor

from gradline.core.baselines import Baseline, Zero
from gradline.errors import InputError
from gradline.metrics.asking import Ask, Values
from gradline.metrics.base import Evaluation, Flow, Metric
from gradline.metrics.curves.area import TOO_SHORT, Area, Relative
from gradline.metrics.curves.fills import ZeroPaddedBlur
from gradline.metrics.curves.sweep import First, Percentiles, Steps, check_scale, shares, sweep, usual_fill
from gradline.metrics.ranking import Ranking, Sign, rank_units
from gradline.metrics.subject import Subject
from gradline.metrics.units import Units
from gradline.question.targets.scales import Scale


@dataclass(frozen=True)
class Perturbation(Metric):
    """What all curves of one sweep decide: `fill`, the baseline that stands in for what is removed (without one, a
    large blur for images, zero otherwise); `steps`; `units` removed as one (without, pixels of images); `sign`, how a
    map becomes an order; `scale`, what of the class the curve shows."""

    range = "0 to 1 for probabilities"
    cost = "steps − 1, and 2 that all maps share"
    cites = ("petsiuk2018",)

    fill: Baseline | None = None
    steps: Steps | Percentiles = Steps()  # noqa: RUF009
    units: Units | None = None
    sign: Sign = Sign.AUTO
    scale: Scale = Scale.PROBABILITY

    def __post_init__(self) -> None:
        if self.fill is not None:
            check_fill(self, "fill", self.fill)
        if not isinstance(self.steps, Steps | Percentiles):
            expected = f"steps as gl.metrics.Steps for {type(self).__name__}"
            raise InputError(expected, repr(self.steps), f"use Steps({self.steps!r})")
        check_order(self, self.units, self.sign)
        check_scale(self, self.scale)

    def gone(self, ranking: Ranking, first: First) -> Tensor:
        """How many units are filled after each step: int64 `(N, T + 1)`, 0 first and all last.

        The same in both directions if `steps` are so many equal shares, so that with one fill a random order loses as
        much in one as in the other. Otherwise, where the least relevant go first, counted from the fill's end: read
        backwards, an insertion of so many units at a time.
        """
        units = ranking.partition.counts
        if isinstance(self.steps, Percentiles):
            removed = self.steps.removed(ranking.scores, units)
        else:
            removed = self.steps.removed(units)
        return units[:, None] - removed.flip(1) if self._mirrored(first) else removed

    def _mirrored(self, first: First) -> bool:
        return first is First.LEAST and not (isinstance(self.steps, Steps) and self.steps.count is not None)

    def curve(
        self, subject: Subject, first: First, fill: Baseline | None = None
    ) -> Generator[Ask, Values, tuple[Ranking, Values]]:
        """The ranking, and the score after each step: `(N, T + 1)` on every scale. `fill`: not the metric's own."""
        subject.check_scale(self.scale)
        ranking = rank_units(subject, self.units, self.sign)
        key: tuple[object, ...] = (self.units, ranking.sign, self.steps)
        if self._mirrored(first):
            key = (*key, "counted from the fill")
        chosen = usual_fill(self.fill, subject) if fill is None else fill
        told = yield from sweep(subject, ranking, chosen, self.gone(ranking, first), first, key)
        return ranking, told

    def judged(
        self,
        subject: Subject,
        ranking: Ranking,
        values: Tensor,
        curve: Tensor,
        *,
        notes: tuple[str, ...] = (),
        said: str = "",
        **parts: Tensor,
    ) -> Evaluation:
        """An evaluation, without values where the map has no order. `notes`: further reasons for no value; `said`:
        further settings, before the rest."""
        why = tuple(first or second for first, second in zip(ranking.notes, notes or ranking.notes, strict=True))
        ordered = torch.tensor([not note for note in ranking.notes])
        values = torch.where(ordered, values, torch.nan)
        parts = {k: torch.where(ordered, v, torch.nan) if v.ndim == 1 else v for k, v in parts.items()}
        fill = usual_fill(self.fill, subject)
        settings = f"{said}fill {fill!r}, {ranking.sign.value} ranking, {self.scale.value}, {_steps(self.steps)}"
        if self.units is not None:
            settings += f" of {self.units!r}"
        axis = shares(curve.shape[-1] - 1) if isinstance(self.steps, Steps) else _axis(self.steps)
        return Evaluation(self, values, curve, axis, {"tied": ranking.tied, **parts}, why, settings)


@dataclass(frozen=True)
class AreaUnder(Perturbation):
    """What a metric of areas decides beside: `area`, how a curve becomes a number, and `relative`, in what unit."""

    area: Area = Area()  # noqa: RUF009
    relative: Relative = Relative.PLAIN

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.area, Area) or not isinstance(self.relative, Relative):
            expected = f"area as a gl.metrics.Area and relative as a gl.metrics.Relative for {type(self).__name__}"
            raise InputError(expected, f"{self.area!r}, {self.relative!r}")

    def read(self, curve: Tensor, full: Tensor, empty: Tensor) -> tuple[Tensor, Tensor, tuple[str, ...]]:
        """The curve in its unit, its area, and why an example has none. `full`, `empty` `(N,)`: scores at x, fill."""
        curve, why = self.relative.of(curve, full, empty), self.relative.notes(full, empty)
        if self.area.short(curve):
            why = tuple(note or TOO_SHORT for note in why)
        return curve, self.area.of(curve), why

    @property
    def said(self) -> str:
        """Area and unit in words, where they are not the usual ones."""
        relative = "" if self.relative is Relative.PLAIN else f"curve {self.relative.value}, "
        return relative if self.area == Area() else f"{relative}area by {self.area}, "


@dataclass(frozen=True)
class Deletion(AreaUnder):
    """The area under the score while the units of the largest values are replaced by the fill, first to last.

    (Σ_t y_t − y_0/2 − y_T/2) / T over the curve with both ends. Petsiuk, Das, Saenko (2018). Their code fills with
    zeros after normalisation, 224 pixels a step (`presets.rise_deletion()`), and leaves the order of equal values to
    its sorting routine.
    """

    name = "deletion"
    higher_is_better = False

    def flow(self, subject: Subject) -> Flow:
        ranking, told = yield from self.curve(subject, First.MOST)
        y = told[self.scale]
        curve, areas, notes = self.read(y, y[:, 0], y[:, -1])
        return self.judged(subject, ranking, areas, curve, notes=notes, said=self.said)


@dataclass(frozen=True)
class Insertion(AreaUnder):
    """The area under the score while the units of the largest values are put into the fill, first to last.

    The same images as filling from the smallest value on, read from the other end. Petsiuk, Das, Saenko (2018). Their
    code inserts into the image blurred with zeros around it: `presets.rise_insertion()`.
    """

    name = "insertion"
    higher_is_better = True

    def flow(self, subject: Subject) -> Flow:
        ranking, told = yield from self.curve(subject, First.LEAST)
        y = told[self.scale].flip(1)
        curve, areas, notes = self.read(y, y[:, -1], y[:, 0])
        return self.judged(subject, ranking, areas, curve, notes=notes, said=self.said)


@dataclass(frozen=True)
class InsertionMinusDeletion(AreaUnder):
    """Insertion less deletion with one fill for both: what a map gains over a random one, whose expectation is zero.

    With one fill both halves are the same images in opposite order, so that a random order gains nothing (exactly,
    unless steps of a fixed size leave a remainder); with two fills, as in published protocols, it gains a lot
    (`TwoFillDifference`). Parts: both halves.
    """

    name = "insertion-minus-deletion"
    higher_is_better = True
    range = "−1 to 1 for probabilities; 0 is chance"
    cost = "2 (steps − 1), and 2 that all maps share"

    def flow(self, subject: Subject) -> Flow:
        return (yield from _difference(self, subject, None))


@dataclass(frozen=True)
class TwoFillDifference(AreaUnder):
    """Insertion into `insertion_fill` less deletion into `fill`: the difference as published, by default that of RISE.

    A random map does not score zero: an insertion that begins in a blurred image has most of the score early, whatever
    is inserted. Compare with the control maps, or use `InsertionMinusDeletion`. Parts: both halves.
    """

    name = "insertion-minus-deletion-two-fills"
    higher_is_better = True
    range = "−1 to 1 for probabilities; chance is not 0"
    cost = "2 (steps − 1), and 3 that all maps share"

    fill: Baseline | None = Zero()  # noqa: RUF009
    insertion_fill: Baseline = ZeroPaddedBlur()  # noqa: RUF009

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fill(self, "insertion_fill", self.insertion_fill)

    def flow(self, subject: Subject) -> Flow:
        return (yield from _difference(self, subject, self.insertion_fill))


def _difference(metric: AreaUnder, subject: Subject, inserted_into: Baseline | None) -> Flow:
    ranking, most = yield from metric.curve(subject, First.MOST)
    _, least = yield from metric.curve(subject, First.LEAST, inserted_into)
    down, up = most[metric.scale], least[metric.scale].flip(1)
    deletion, lost, why_not = metric.read(down, down[:, 0], down[:, -1])
    insertion, won, why = metric.read(up, up[:, -1], up[:, 0])
    parts = {"deletion": lost, "insertion": won, "insertion curve": insertion, "deletion curve": deletion}
    notes = tuple(one or other for one, other in zip(why, why_not, strict=True))
    said = metric.said if inserted_into is None else f"{metric.said}insertion fill {inserted_into!r}, "
    return metric.judged(subject, ranking, won - lost, insertion - deletion, notes=notes, said=said, **parts)


def check_fill(metric: Metric, field: str, fill: object) -> None:
    """Raise `InputError` unless a fill is a baseline."""
    if not isinstance(fill, Baseline):
        expected = f"{field} as a baseline for {type(metric).__name__}"
        raise InputError(expected, repr(fill), "such as gl.baselines.Zero()")


def check_order(metric: Metric, units: object, sign: object) -> None:
    """Raise `InputError` unless these are units, or None, and a sign rule."""
    name = type(metric).__name__
    if units is not None and not isinstance(units, Units):
        raise InputError(f"units such as gl.metrics.Pixels() for {name}", repr(units))
    if not isinstance(sign, Sign):
        raise InputError(f"sign as one of gl.metrics.Sign for {name}", repr(sign))


def _steps(steps: Steps | Percentiles) -> str:
    if isinstance(steps, Percentiles):
        return f"{steps.count} percentiles"
    return f"{steps.count} steps" if steps.count is not None else f"{steps.size} units a step"


def _axis(steps: Percentiles) -> Tensor:
    return torch.cat([shares(steps.count), torch.ones(1, dtype=torch.float64)])
