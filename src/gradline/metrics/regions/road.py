"""ROAD: remove pixels so that what stands in for them does not give away where they were."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gradline.errors import InputError
from gradline.metrics.asking import Ask
from gradline.metrics.base import Evaluation, Flow, Metric
from gradline.metrics.curves.sweep import check_scale
from gradline.metrics.ranking import Ranking, Sign, rank_units
from gradline.metrics.regions.imputation import impute
from gradline.metrics.regions.turns import reasons
from gradline.metrics.subject import Subject
from gradline.metrics.units import Pixels
from gradline.question.targets.scales import Scale


@dataclass(frozen=True)
class ROAD(Metric):
    """What the score keeps when the least relevant pixels go, less what it keeps when the most relevant go.

    mean_q (f(x without the q % least relevant) − f(x without the q % most relevant)), each removed pixel the weighted
    mean of its neighbours (`impute`) plus noise. `percentages`: q, in (0, 100], of an image's pixels, to the nearest
    whole number; at 100 the mean colour is left. `noise`: its standard deviation in units of the model's input; one
    noise image an example, the same for all maps, orders and percentages. `sign`: how a map becomes an order. `scale`:
    the probability, or the paper's accuracy with `Scale.HIT`. Parts: both orders, `MoRF` (lower is better) and `LeRF`
    (higher is better), with their curves.

    Rong, Leemann, Borisov, Kasneci, Kasneci (2022). pytorch-grad-cam reports half of this, less the score at x in each
    order. The outline of what was removed can still show: coarse maps take away blobs, and the network may know them.
    """

    name = "road"
    higher_is_better = True
    range = "−1 to 1 for probabilities; 0 is chance"
    cost = "2 · percentages"
    cites = ("rong2022",)

    percentages: tuple[float, ...] = (10, 20, 30, 40, 50, 60, 70, 80, 90)
    noise: float = 0.01
    sign: Sign = Sign.AUTO
    scale: Scale = Scale.PROBABILITY

    def __post_init__(self) -> None:
        q = self.percentages
        numbers = isinstance(q, tuple) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in q)
        if not numbers or not q or not all(0 < v <= 100 for v in q):
            raise InputError("percentages as a tuple of numbers in (0, 100] for ROAD", f"percentages={q!r}")
        number = isinstance(self.noise, int | float) and not isinstance(self.noise, bool)
        if not number or not 0 <= self.noise < math.inf:
            raise InputError("noise >= 0 for ROAD, finite", f"noise={self.noise!r}")
        check_scale(self, self.scale)

    def flow(self, subject: Subject) -> Flow:
        subject.check_scale(self.scale)
        if subject.x.ndim != 4 or not subject.x.is_floating_point():
            raise InputError(
                "floating-point images (N, C, H, W) for ROAD", f"{subject.x.dtype} {tuple(subject.x.shape)}"
            )
        ranking = rank_units(subject, Pixels(), self.sign)
        ordered = torch.tensor([not note for note in ranking.notes])
        told = yield self._question(subject, ranking, ordered)
        table = torch.full((len(subject), 2, len(self.percentages)), torch.nan, dtype=torch.float64)
        table[ordered] = told[self.scale].reshape(-1, *table.shape[1:])
        most, least = table.unbind(1)
        parts = {"MoRF": most.mean(1), "LeRF": least.mean(1), "MoRF curve": most, "LeRF curve": least}
        said = f"noisy linear imputation (noise {self.noise:g}), {ranking.sign.value} ranking, {self.scale.value}, "
        said += f"{', '.join(f'{q:g}' for q in self.percentages)} % of pixels"
        axis = torch.tensor(self.percentages, dtype=torch.float64) / 100
        parts["tied"] = ranking.tied
        values = (least - most).mean(1)
        return Evaluation(self, values, least - most, axis, parts, reasons(values, ranking.notes), said)

    def _question(self, subject: Subject, ranking: Ranking, ordered: Tensor) -> Ask:
        """Rows by example, order (most relevant first, then least) and percentage."""
        x, every = subject.x, ordered.nonzero()[:, 0]
        count = ranking.partition.count
        numbers = torch.tensor([math.floor(count * q / 100 + 0.5) for q in self.percentages])
        example = every.repeat_interleave(2 * len(numbers))
        order = torch.arange(2).repeat_interleave(len(numbers)).repeat(len(every))
        number = numbers.repeat(2 * len(every))

        def points(rows: Tensor) -> Tensor:
            own, rank = example[rows], ranking.rank[example[rows]]
            rank = torch.where(order[rows][:, None] == 0, rank, count - 1 - rank)
            gone = (rank < number[rows][:, None]).reshape(-1, 1, *x.shape[2:]).to(x.device)
            return torch.where(gone, impute(x[own.to(x.device)], gone) + self._noise(subject, own), x[own.to(x.device)])

        key = ("road", subject.number, ranking.sign, self.percentages, self.noise)
        return Ask(key, example, points)

    def _noise(self, subject: Subject, own: Tensor) -> Tensor:
        """The noise images of the examples `own (R,)`: `(R, C, H, W)` like x."""
        examples = sorted(set(own.tolist()))
        drawn = [torch.randn(subject.x.shape[1:], generator=subject.generator(i, "road")) for i in examples]
        place = torch.searchsorted(torch.tensor(examples), own)
        return (self.noise * torch.stack(drawn)).to(subject.x)[place.to(subject.x.device)]
