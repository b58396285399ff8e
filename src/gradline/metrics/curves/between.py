"""Between two curves: what filling the least relevant first leaves of the score, and the most relevant first takes."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import torch
from torch import Tensor

from gradline.core.baselines import Baseline, Zero
from gradline.errors import InputError
from gradline.metrics.asking import Ask, Values
from gradline.metrics.base import Evaluation, Flow, Metric
from gradline.metrics.curves.area import TOO_SHORT, Relative
from gradline.metrics.curves.deletion import AreaUnder, Perturbation, check_fill, check_order
from gradline.metrics.curves.sweep import First, Steps, ascending, check_scale, sweep, usual_fill
from gradline.metrics.ranking import Ranking, Sign, rank_units
from gradline.metrics.subject import Subject
from gradline.metrics.units import Units
from gradline.metrics.units import Values as SingleValues
from gradline.question.targets.scales import Scale

TENTHS = torch.arange(1, 10, dtype=torch.int64)
"""The shares of published protocols, in tenths."""


@dataclass(frozen=True)
class AreaBetweenCurves(AreaUnder):
    """The area between the score while the least relevant units are filled first and while the most relevant are.

    With one fill for both it is insertion less deletion as a function of the share that is gone, from the same rows;
    zero in expectation for a random order. `relative=Relative.ENDPOINTS` makes scores of several models comparable.
    The form of Miglani et al. (2020) is `ClippedAreaBetweenCurves`. Parts: both areas and curves.
    """

    name = "area-between-curves"
    higher_is_better = True
    range = "−1 to 1 for probabilities; 0 is chance"
    cost = "2 (steps − 1), and 2 that all maps share"
    cites = ("miglani2020",)

    def flow(self, subject: Subject) -> Flow:
        ranking, most = yield from self.curve(subject, First.MOST)
        _, least = yield from self.curve(subject, First.LEAST)
        down, slow = most[self.scale], least[self.scale]
        falls, lower, notes = self.read(down, down[:, 0], down[:, -1])
        stays, upper, _ = self.read(slow, down[:, 0], down[:, -1])
        parts = {"most relevant first": lower, "least relevant first": upper}
        parts |= {"most relevant first curve": falls, "least relevant first curve": stays}
        return self.judged(subject, ranking, upper - lower, stays - falls, notes=notes, said=self.said, **parts)


@dataclass(frozen=True)
class ClippedAreaBetweenCurves(Metric):
    """ABPC as Miglani et al. (2020) computed it: Σ_r max(u_least(r) − u_most(r), 0) / 10 over r = .1, .2 … .9.

    u = (y − y_fill) / (y_x − y_fill), cut to [0, 1]. With v the scores of the N units in ascending order: filling the
    least relevant keeps s > v[⌊N r⌋], the most relevant s < v[N − ⌊N r⌋]; the comparison is strict, so that units of
    one score go together. Where differences below zero count as zero, a random order scores above zero. There is no
    value unless y_x > y_fill; the authors keep images whose logit rises by more than 5.
    """

    name = "clipped-area-between-curves"
    higher_is_better = True
    range = "0 to 0.9; chance is above 0"
    cost = "18, and 2 that all maps share"
    cites = ("miglani2020",)

    fill: Baseline | None = Zero()  # noqa: RUF009
    units: Units | None = None
    sign: Sign = Sign.SIGNED
    scale: Scale = Scale.LOGIT

    def __post_init__(self) -> None:
        if self.fill is not None:
            check_fill(self, "fill", self.fill)
        check_order(self, self.units, self.sign)
        check_scale(self, self.scale)

    def flow(self, subject: Subject) -> Flow:
        subject.check_scale(self.scale)
        ranking = rank_units(subject, self.units, self.sign)
        fill = usual_fill(self.fill, subject)
        most, least = strictly_removed(ranking)
        key = (self.units, ranking.sign, "strict tenths")
        full = (yield from subject.at_x())[self.scale]
        empty = (yield from subject.at_fill(fill))[self.scale]
        falls = (yield from sweep(subject, ranking, fill, most, First.MOST, key))[self.scale]
        stays = (yield from sweep(subject, ranking, fill, least, First.LEAST, key))[self.scale]
        falls, stays = (Relative.ENDPOINTS.of(y, full, empty) for y in (falls, stays))
        curve = (stays - falls).clamp(min=0)
        parts = {"most relevant first curve": falls, "least relevant first curve": stays}
        units = f", units {self.units!r}" if self.units is not None else ""
        said = f"fill {fill!r}, {ranking.sign.value} ranking, {self.scale.value}, 9 tenths{units}"
        return _judged(self, ranking, curve.sum(1) / 10, curve, parts, Relative.ENDPOINTS.notes(full, empty), said)


@dataclass(frozen=True)
class DiffID(Perturbation):
    """How much more often the class is kept while the least relevant units are filled first than the most relevant.

    The mean over the curve's inner points of hit_least − hit_most, hits being 1 where the class is the decision; its
    mean over examples is a difference of accuracies. On another `scale` scores are divided by that at x and cut to
    [0, 1]. One fill for both halves: zero in expectation for a random order. With 10 steps the shares are .1, .2 … .9.
    Zhuo, Ge (2024). Public code ranks single values and fills with the mean of what is left: `DiffIDOfRest`.
    """

    name = "diff-id"
    higher_is_better = True
    range = "−1 to 1; 0 is chance"
    cost = "2 (steps − 1), and 2 that all maps share"
    cites = ("zhuo2024",)

    steps: Steps = Steps(10)  # noqa: RUF009
    scale: Scale = Scale.HIT

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.steps, Steps) or self.steps.count == 1:
            raise InputError("at least 2 steps as gl.metrics.Steps for DiffID", repr(self.steps))

    def flow(self, subject: Subject) -> Flow:
        ranking, most = yield from self.curve(subject, First.MOST)
        _, least = yield from self.curve(subject, First.LEAST)
        full = most[self.scale][:, 0]
        falls, stays = (_kept(table[self.scale], full, self.scale) for table in (most, least))
        curve = stays - falls
        parts = {"most relevant first curve": falls, "least relevant first curve": stays}
        notes = _kept_notes(full, self.scale)
        if curve.shape[1] < 3:
            notes = tuple(note or TOO_SHORT for note in notes)
        return self.judged(subject, ranking, curve[:, 1:-1].mean(1), curve, notes=notes, said="", **parts)


@dataclass(frozen=True)
class DiffIDOfRest(Metric):
    """DiffID with the fill of the public code: the mean of the values that are left, over all channels, of each image.

    Single values are ranked by size; of n values ⌊n r⌋ are filled, r = .1, .2 … .9. `scale`: hits, or the probability,
    divided by that at x and cut to [0, 1]. The fill mixes channels and depends on the map, so that the two halves, and
    two methods, are filled differently: part of a difference is the fill's. The code of MA-GIG, as read by others.
    """

    name = "diff-id-of-rest"
    higher_is_better = True
    range = "−1 to 1"
    cost = "18, and 1 that all maps share"
    cites = ("zhuo2024",)

    units: Units | None = SingleValues()  # noqa: RUF009
    sign: Sign = Sign.ABSOLUTE
    scale: Scale = Scale.HIT

    def __post_init__(self) -> None:
        check_order(self, self.units, self.sign)
        if self.scale not in (Scale.HIT, Scale.PROBABILITY):
            raise InputError("scale as Scale.HIT or Scale.PROBABILITY for DiffIDOfRest", f"{self.scale}")

    def flow(self, subject: Subject) -> Flow:
        subject.check_scale(self.scale)
        ranking = rank_units(subject, self.units, self.sign)
        removed = ranking.partition.counts[:, None] * TENTHS // 10
        full = (yield from subject.at_x())[self.scale]
        key = (self.units, ranking.sign)
        most = yield from _filled_with_rest(subject, ranking, removed, First.MOST, key)
        least = yield from _filled_with_rest(subject, ranking, removed, First.LEAST, key)
        falls, stays = (_kept(table[self.scale].view(-1, 9), full, self.scale) for table in (most, least))
        parts = {"most relevant first curve": falls, "least relevant first curve": stays}
        curve = stays - falls
        notes = _kept_notes(full, self.scale)
        said = f"fill the mean of what is left, {ranking.sign.value} ranking, {self.scale.value}, 9 tenths"
        said += f", units {self.units!r}" if self.units is not None else ""
        return _judged(self, ranking, curve.mean(1), curve, parts, notes, said)


def strictly_removed(ranking: Ranking) -> tuple[Tensor, Tensor]:
    """Units gone at each tenth by strict comparison, the most relevant first and the least: int64 `(N, 9)` each."""
    units = ranking.partition.counts[:, None]
    rising = ascending(ranking.scores, units[:, 0])
    place = units * TENTHS // 10
    kept = torch.searchsorted(rising, rising.gather(1, (units - place) % units), right=False)
    gone = torch.searchsorted(rising, rising.gather(1, place), right=True)
    return units - torch.minimum(kept, units), torch.minimum(gone, units)


def _filled_with_rest(
    subject: Subject, ranking: Ranking, removed: Tensor, first: First, key: tuple[object, ...]
) -> Generator[Ask, Values, Values]:
    """The score after `removed (N, K)` units became the mean of the other values of their example: `(N K,)`."""
    owner = subject.every.repeat_interleave(removed.shape[1])
    number = removed.reshape(-1, 1)
    rank = ranking.rank if first is First.MOST else ranking.partition.counts[:, None] - 1 - ranking.rank

    def points(rows: Tensor) -> Tensor:
        own = owner[rows]
        mask = ranking.partition.spread(rank[own] < number[rows], own).to(subject.x.device)
        here = subject.x[own.to(subject.x.device)]
        mask = mask.expand_as(here).flatten(1)
        left = here.flatten(1).to(torch.promote_types(here.dtype, torch.float32)).masked_fill(mask, 0)
        mean = left.sum(1, keepdim=True) / (~mask).sum(1, keepdim=True)
        return torch.where(mask, mean.to(here), here.flatten(1)).reshape(here.shape)

    return (yield Ask(("filled with the rest", subject.number, first, *key), owner, points))


def _kept(curve: Tensor, full: Tensor, scale: Scale) -> Tensor:
    """What is kept of the class: hits as they are, other scores `(N, K)` as shares of that at x, cut to [0, 1]."""
    return curve if scale is Scale.HIT else Relative.INPUT.of(curve, full, full).clamp(0, 1)


def _kept_notes(full: Tensor, scale: Scale) -> tuple[str, ...]:
    return ("",) * len(full) if scale is Scale.HIT else Relative.INPUT.notes(full, full)


def _judged(
    metric: Metric,
    ranking: Ranking,
    values: Tensor,
    curve: Tensor,
    parts: dict[str, Tensor],
    notes: tuple[str, ...],
    said: str,
) -> Evaluation:
    """An evaluation over tenths, without values where the map has no order."""
    why = tuple(first or second for first, second in zip(ranking.notes, notes, strict=True))
    values = torch.where(torch.tensor([not note for note in why]), values, torch.nan)
    return Evaluation(metric, values, curve, TENTHS.double() / 10, {"tied": ranking.tied, **parts}, why, said)
