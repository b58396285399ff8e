"""Performance information curves: how fast the score returns as a map gives its pixels back to a blurred picture."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gradline.core.baselines import PixelSpace
from gradline.errors import InputError
from gradline.metrics.asking import Ask, Values
from gradline.metrics.base import Evaluation, Flow, Metric
from gradline.metrics.curves.sweep import area, shares
from gradline.metrics.information.joining import Points, curve_of, joined, left_out
from gradline.metrics.information.pictures import Bases, Reveals, bases, revealed
from gradline.metrics.information.variants import PAIR, InformationVariant, Pooling
from gradline.metrics.ranking import Sign, rank_units
from gradline.metrics.subject import Subject
from gradline.metrics.units import Pixels
from gradline.question.targets.scales import Scale


@dataclass(frozen=True)
class InformationCurve(Metric):
    """The area under the score over the information of pictures B_τ, in which a map's largest values are known.

    B_0 knows random pixels only. B_τ knows also the pixels of a share τ of the largest values, the rest being filled:

        x_τ = (H(B_τ) − H(B_0)) / (H(x) − H(B_0)),  y_τ = (y(B_τ) − y(B_0)) / (y(x) − y(B_0)),  both in [0, 1]

    with H the size of the compressed picture; y is replaced by its running maximum over τ, (0, 0) and (1, 1) are added,
    the points are sorted by x and joined by lines, a step where several have one x; read at 1001 places.

    `variant`: which of the metrics of this name it is. `sign`: how a map becomes an order. `pixels`: what the model is
    given for black and white. The value of an example is the area of its own curve; published is the area of the median
    curve of all, `pooled(evaluation)`. An image that the variant leaves out has no value, for no map: the rules look at
    the image, the model and the random pixels only.

    Parts: `information`, `score (N, T)` the points x_τ and y(B_τ); `base score`, `information at x`, `information at
    base`, `tied (N,)`. Kapishnikov, Bolukbasi, Viégas, Terry (2019). In their code (0, 0) comes last among
    points with x = 0, so that a step there is lost; halves of a level are rounded to even, here up. Needs the extra
    `metrics`.
    """

    range = "0 to 1"
    cost = "thresholds, and 2 that all maps share; on the CPU as many fills and encodings"
    cites = ("kapishnikov2019",)
    needs = ("pixels",)

    variant: InformationVariant = PAIR
    sign: Sign = Sign.AUTO
    pixels: PixelSpace | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.variant, InformationVariant):
            raise InputError(
                "an InformationVariant, such as gradline.metrics.information.variants.PAIR", f"{self.variant}"
            )

    def within(self, pixels: PixelSpace) -> Metric:
        return self if self.pixels is not None else replace(self, pixels=pixels)

    @property
    @abstractmethod
    def pooling(self) -> Pooling:
        """How the curves of many images become one, if nothing else is asked for."""

    def judged(self, subject: Subject, measured: Scale) -> Flow:
        """The evaluation with y on this scale."""
        subject.check_scale(measured)
        ranking, own = rank_units(subject, Pixels(), self.sign), self._bases(subject)
        at_x, at_base = yield from ends(subject, own)
        out = left_out(self.variant, measured, at_x, at_base, own)
        both = [left_out(self.variant, scale, at_x, at_base, own) for scale in (Scale.PROBABILITY, Scale.HIT)]
        asked = [not note and not (p and h) for note, p, h in zip(ranking.notes, *both, strict=True)]
        notes = tuple(note or why for note, why in zip(ranking.notes, out, strict=True))
        found = yield from points(subject, own, self.sign.settled(subject.kind), torch.tensor(asked))
        seen = Points(own, measured, at_x, at_base, *found)
        curve, notes = curve_of(seen, notes)
        parts = {"information": seen.across, "score": seen.score, "base score": at_base[measured]}
        parts |= {"information at x": own.of_x, "information at base": own.of_base, "tied": ranking.tied}
        said = f"{self.variant.said}, {ranking.sign.value} ranking, {measured.value}"
        return Evaluation(self, area(curve), curve, shares(self.variant.grid), parts, notes, said)

    def _bases(self, subject: Subject) -> Bases:
        if self.pixels is None:
            remedy = "pass pixels=gl.baselines.PixelSpace(black=…, white=…)"
            raise InputError(f"pixels for {self.name}: what the model is given for black and white", "none", remedy)
        if subject.at_site:
            raise InputError(f"maps at the model's input for {self.name}, which compresses pictures", "maps at a site")
        return bases(subject, self.variant, self.pixels)


@dataclass(frozen=True)
class SIC(InformationCurve):
    """The softmax information curve: the probability of the class over the information in the picture.

    The area under the curve of `InformationCurve`, which has the formula. 0 to 1; for the variant `GGIG` beyond 1 where
    a picture of part of x has a higher probability than x.
    """

    name = "sic"
    higher_is_better = True

    @property
    def pooling(self) -> Pooling:
        return self.variant.sic

    def flow(self, subject: Subject) -> Flow:
        return (yield from self.judged(subject, Scale.PROBABILITY))


@dataclass(frozen=True)
class AIC(InformationCurve):
    """The accuracy information curve: 1 where the class is the decision, else 0, over the information in the picture.

    The area under the curve of `InformationCurve`, which has the formula.

    Left out, where the variant leaves out: images that are not given the class, or whose base already is.
    """

    name = "aic"
    higher_is_better = True

    @property
    def pooling(self) -> Pooling:
        return self.variant.aic

    def flow(self, subject: Subject) -> Flow:
        return (yield from self.judged(subject, Scale.HIT))


@dataclass(frozen=True, eq=False)
class Pooled:
    """One curve `(K,)` for many images, over `axis (K,)`; its area, the published number; how many images are in it."""

    area: float
    curve: Tensor
    axis: Tensor
    images: int
    pooling: Pooling


def pooled(evaluation: Evaluation, pooling: Pooling | None = None) -> Pooled:
    """The number that papers print for a data set: the area under one curve of all images that have a value.

    `pooling`: without one, that of the metric's variant, the median of the curves for PAIR. It is not the mean of the
    areas: a median of curves forgets the images on which a map does badly. Raises `InputError` unless the evaluation is
    of SIC or AIC.
    """
    metric = evaluation.metric
    if not isinstance(metric, InformationCurve) or evaluation.curve is None or evaluation.axis is None:
        raise InputError("an evaluation by SIC or AIC", f"one by {metric.name}")
    pooling = metric.pooling if pooling is None else Pooling(pooling)
    kept, axis = evaluation.values.isfinite(), evaluation.axis
    if not kept.any():
        return Pooled(float("nan"), torch.full_like(axis, torch.nan), axis, 0, pooling)
    curves = evaluation.curve[kept]
    if pooling is Pooling.MEDIAN:
        curve = torch.from_numpy(np.median(curves.numpy(), axis=0))
    elif pooling is Pooling.MEAN:
        curve = curves.mean(0)
    else:
        x, y = (evaluation.parts[part][kept].mean(0, keepdim=True) for part in ("information", "score"))
        curve = joined(x, y, axis)[0]
    return Pooled(float(area(curve)), curve, axis, int(kept.sum()), pooling)


def ends(subject: Subject, own: Bases) -> Generator[Ask, Values, tuple[Values, Values]]:
    """The score at x and at B_0, asked once for all maps."""
    at_x = yield from subject.at_x()
    at_base = yield Ask(own.key, subject.every, lambda rows: own.points(rows, subject.x))
    return at_x, at_base


def points(subject: Subject, own: Bases, sign: Sign, asked: Tensor) -> Generator[Ask, Values, tuple[Values, Tensor]]:
    """The score at each picture that the maps reveal, and its information: `(N, T)`, NaN for examples not `asked (N,)`.

    Asked once for SIC and AIC. Thresholds that reveal the same pixels share a picture.
    """
    ranking = rank_units(subject, Pixels(), sign)
    counts = revealed(own.variant, ranking)
    new = torch.cat([torch.ones(len(counts), 1, dtype=torch.bool), counts[:, 1:] != counts[:, :-1]], 1)
    new &= asked[:, None]
    key = ("revealed", subject.number, sign, own.variant, own.pixels)
    if key not in subject.memo:
        owner = new.nonzero()[:, 0]
        sizes = torch.full((len(owner),), torch.nan, dtype=torch.float64)
        subject.memo[key] = Reveals(own, ranking.rank, owner, counts[new], sizes)
    reveals: Reveals = subject.memo[key]
    told = yield Ask(key, reveals.owner, lambda rows: reveals.points(rows, subject.x))
    missing = reveals.sizes.isnan().nonzero()[:, 0]
    if len(missing):
        reveals.made(missing)
    place = (new.flatten().cumsum(0) - 1).reshape(new.shape).clamp(min=0)

    def table(values: Tensor) -> Tensor:
        blank = torch.full(new.shape, torch.nan, dtype=torch.float64)
        return torch.where(asked[:, None], values[place], blank) if len(values) else blank

    return {scale: table(values) for scale, values in told.items()}, table(reveals.sizes)
