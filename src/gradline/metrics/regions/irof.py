"""IROF: superpixels removed one after the other, and the area over what is left of the class."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from gradline.core.baselines import Baseline, Mean
from gradline.metrics.base import Evaluation, Flow, Metric
from gradline.metrics.curves.sweep import First, Steps, check_scale, sweep
from gradline.metrics.ranking import Ranking, Sign, ranked, unit_scores
from gradline.metrics.regions.turns import reasons, relative
from gradline.metrics.subject import Subject
from gradline.metrics.units import Superpixels, Units
from gradline.question.targets.scales import Scale


@dataclass(frozen=True)
class IROF(Metric):
    """The area over the score's curve while segments are replaced, those of the largest mean first.

    1/S Σ_{k=1..S} (1 − p(x_k) / p(x)), S the segments of the example, x_k without its first k: 0 for a model that does
    not look, 1 where the first segment takes all. `units`: the segments. `fill`: what stands in for them, the image's
    mean colour. `sign`: how a map becomes the score of a segment, a mean over its pixels. `scale`.
    The curve of an example with fewer segments than another is NaN beyond its own.

    Rieger and Hansen (2020). Quantus integrates S − 1 intervals and takes that from S, so that a model that does not
    look gets 1; it pads segments to the batch's largest number, and fails on RGB.
    """

    name = "irof"
    higher_is_better = True
    range = "0 to 1; below 0 where the score rises"
    cost = "segments − 1, and 2 that all maps share"
    cites = ("rieger2020",)

    units: Units = Superpixels()  # noqa: RUF009
    fill: Baseline = Mean()  # noqa: RUF009
    sign: Sign = Sign.AUTO
    scale: Scale = Scale.PROBABILITY

    def __post_init__(self) -> None:
        check_scale(self, self.scale)

    def flow(self, subject: Subject) -> Flow:
        subject.check_scale(self.scale)
        ranking = self._ranking(subject)
        counts = ranking.partition.counts
        removed = Steps(size=1, count=None).removed(counts)
        key = ("mean of a unit", self.units, ranking.sign)
        told = yield from sweep(subject, ranking, self.fill, removed, First.MOST, key)
        steps = torch.arange(removed.shape[1])
        there = steps <= counts[:, None]
        curve, notes = relative(torch.where(there, told[self.scale], torch.nan), ranking.notes)
        area = torch.where(there, curve[:, :1] - curve, 0.0).sum(1) / counts
        values = torch.where(torch.tensor([not note for note in ranking.notes]), area, torch.nan)
        said = f"segments {self.units!r} by the mean of the map, {ranking.sign.value}, "
        said += f"fill {self.fill!r}, {self.scale.value} over that at x"
        parts = {"segments": counts.double(), "tied": ranking.tied}
        return Evaluation(self, values, curve, steps.double(), parts, reasons(values, notes), said)

    def _ranking(self, subject: Subject) -> Ranking:
        partition, sign = subject.partition(self.units), self.sign.settled(subject.kind)
        key = ("mean ranking", subject.number, self.units, sign)
        if key not in subject.memo:
            scores = unit_scores(subject.maps, partition, sign)
            if sign is not Sign.LARGEST:
                scores = scores / partition.sizes.clamp(min=1)
            subject.memo[key] = ranked(partition, sign, scores)
        found: Ranking = subject.memo[key]
        return found
