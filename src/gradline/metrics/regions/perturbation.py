"""Region perturbation: how the score falls as whole regions of the image are replaced, the most important first."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gradline.core.baselines import Baseline, PixelSpace
from gradline.errors import InputError
from gradline.metrics.asking import Ask, Values
from gradline.metrics.base import Evaluation, Flow, Metric, check_count
from gradline.metrics.curves.sweep import First, check_scale, usual_fill
from gradline.metrics.ranking import Sign, rank_units
from gradline.metrics.regions.turns import fill_in_turn, own_mean, reasons, relative
from gradline.metrics.regions.windows import patched, place_windows, turns
from gradline.metrics.subject import Subject
from gradline.metrics.units import Blocks, Units
from gradline.question.targets.scales import Scale


@dataclass(frozen=True)
class RegionPerturbation(Metric):
    """AOPC: what the score loses on average while regions are replaced one after the other.

    1/(L + 1) Σ_{k=0..L} (f(x_0) − f(x_k)), x_k with the first k regions filled. With the least relevant first what it
    gains, the same with the other sign, so that higher is better in both orders. `units`: the regions, a grid of 9 × 9
    pixels cut off at the right and lower edge. `regions`: L, at most as many as an example has; None: all. `first`.
    `fill`: a baseline (without one, a large blur for images, zero otherwise); of one with draws, such as
    `PixelNoise(draws=10)`, the scores are averaged. `sign`, `scale` as in `Deletion`. `relative`: scores over |f(x)|,
    without which models cannot be compared.

    Samek, Binder, Montavon, Lapuschkin, Müller (2017) fill with uniform noise, ten times.
    """

    name = "region-perturbation"
    higher_is_better = True
    range = "that of the score; relative, about 0 to 1"
    cost = "1 + regions · draws of the fill"
    cites = ("samek2017",)

    units: Units = Blocks(9)  # noqa: RUF009
    regions: int | None = 100
    first: First = First.MOST
    fill: Baseline | None = None
    sign: Sign = Sign.AUTO
    scale: Scale = Scale.LOGIT
    relative: bool = False

    def __post_init__(self) -> None:
        if self.regions is not None:
            check_count(self, "regions", self.regions)
        if not isinstance(self.first, First):
            raise InputError("first as one of gl.metrics.First for RegionPerturbation", f"{self.first!r}")
        check_scale(self, self.scale)

    def flow(self, subject: Subject) -> Flow:
        subject.check_scale(self.scale)
        ranking, fill = rank_units(subject, self.units, self.sign), usual_fill(self.fill, subject)
        counts = ranking.partition.counts
        steps = int(counts.max()) if self.regions is None else min(self.regions, int(counts.max()))
        there = (torch.arange(steps) < counts[:, None]) & torch.tensor([not note for note in ranking.notes])[:, None]
        rank = ranking.rank if self.first is First.MOST else counts[:, None] - 1 - ranking.rank
        turn = ranking.partition.spread(rank + 1, subject.every)
        told = yield from fill_in_turn(subject, turn, there, fill, (self.units, ranking.sign, self.first))
        curve, notes = told[self.scale], ranking.notes
        if self.relative:
            curve, notes = relative(curve, notes)
        drop = own_mean(curve[:, :1] - curve, there) * (1 if self.first is First.MOST else -1)
        values = torch.where(there[:, 0], drop, torch.nan)
        said = f"{steps} regions of {self.units!r}, {self.first.value} first, {ranking.sign.value} ranking, "
        said += f"fill {fill!r}, {self.scale.value}{' over its size at x' if self.relative else ''}"
        axis = torch.arange(steps + 1, dtype=torch.float64)
        return Evaluation(self, values, curve, axis, {"tied": ranking.tied}, reasons(values, notes), said)


@dataclass(frozen=True)
class PerturbationScore(Metric):
    """AUPC: the area under the score while square windows are replaced by noise, the most important first.

    Simpson's rule with steps of 1 over (f(x), y_1, …, y_L) / |f(x)|; a flat curve gives L. Windows of `kernel` pixels
    are placed by the mean of |Σ_c map| (`place_windows`), `regions` of them, an even number. Each is filled `fills`
    times with uniform noise between black and white, y the mean of the scores; the copy whose score is closest to their
    median, the first of several, goes on. Without noise: `fill`, a baseline of one start, costs L forwards and is not
    random. `pixels`: what black and white are, told by `within`. `scale`: of the class explained.

    Goh, Lapuschkin, Weber, Samek, Binder (2020). `last_offset=False` as their code does: no window at the last row and
    column. Their overlap test also bars a few windows at the borders, which is not repeated here.
    """

    name = "perturbation-score"
    higher_is_better = False
    range = "about 0 to the number of regions, which a flat curve gives"
    cost = "1 + regions · fills; 1 + regions with a fixed fill"
    cites = ("goh2020",)
    needs = ("pixels",)

    kernel: int = 15
    regions: int = 30
    fills: int = 50
    fill: Baseline | None = None
    pixels: PixelSpace | None = None
    last_offset: bool = True
    scale: Scale = Scale.LOGIT

    def __post_init__(self) -> None:
        for field in ("kernel", "regions", "fills"):
            check_count(self, field, getattr(self, field))
        if self.regions % 2:
            raise InputError("an even number of regions, for Simpson's rule", f"regions={self.regions}")
        check_scale(self, self.scale)

    def within(self, pixels: PixelSpace) -> Metric:
        fill = None if self.fill is None else self.fill.within(pixels)
        return replace(self, fill=fill, pixels=pixels if self.pixels is None else self.pixels)

    def flow(self, subject: Subject) -> Flow:
        self._check(subject)
        maps = subject.maps.expand(-1, -1, *subject.x.shape[2:])
        corners, notes = place_windows(maps, self.kernel, self.regions, self.last_offset)
        ordered = torch.tensor([not note for note in notes])
        if self.fill is None:
            table = yield from self._noisy(subject, corners, ordered)
        else:
            turn = turns(corners, self.kernel, *subject.x.shape[2:])
            there = ordered[:, None].expand(-1, self.regions)
            told = yield from fill_in_turn(subject, turn, there, self.fill, self._key)
            table = told[self.scale]
        curve, notes = relative(table, notes)
        values = simpson(curve)
        axis = torch.arange(self.regions + 1, dtype=torch.float64)
        return Evaluation(self, values, curve, axis, {}, reasons(values, notes), self._said)

    def _noisy(self, subject: Subject, corners: Tensor, ordered: Tensor) -> Generator[Ask, Values, Tensor]:
        """The scores `(N, L + 1)`: at x, and the mean over the copies after each region."""
        full = yield from subject.at_x()
        table = torch.full((len(subject), self.regions + 1), torch.nan, dtype=torch.float64)
        table[:, 0] = full[self.scale]
        own = ordered.nonzero()[:, 0]
        now = subject.x[own.to(subject.x.device)]
        for k in range(self.regions if len(own) else 0):
            noise = self._noise(subject, own, k)
            told = yield self._copies(subject, own, now, noise, corners[own, k], k)
            scores = told[self.scale].reshape(len(own), self.fills)
            table[own, k + 1] = scores.mean(1)
            kept = nearest_to_median(scores).to(noise.device)
            now = patched(now, noise[torch.arange(len(own), device=noise.device), kept], corners[own, k])
        return table

    def _copies(self, subject: Subject, own: Tensor, now: Tensor, noise: Tensor, corners: Tensor, k: int) -> Ask:
        def points(rows: Tensor) -> Tensor:
            place = rows // self.fills
            patches = noise.flatten(0, 1)[rows.to(noise.device)]
            return patched(now[place.to(now.device)], patches, corners[place])

        key = ("perturbation score", subject.number, *self._key, self.fills, self.scale, self.pixels, k)
        return Ask(key, own.repeat_interleave(self.fills), points)

    def _noise(self, subject: Subject, own: Tensor, k: int) -> Tensor:
        """What fills a region of the examples `own`: `(B, fills, C, kernel, kernel)` in x's dtype and on its device."""
        assert self.pixels is not None
        shape = (self.fills, subject.x.shape[1], self.kernel, self.kernel)
        share = torch.stack(
            [torch.rand(shape, generator=subject.generator(i, "perturbation score", k)) for i in own.tolist()]
        ).to(subject.x.device, torch.promote_types(subject.x.dtype, torch.float32))
        black, white = (share.new_tensor(colour)[:, None, None] for colour in (self.pixels.black, self.pixels.white))
        return (black + (white - black) * share).to(subject.x.dtype)

    def _check(self, subject: Subject) -> None:
        subject.check_scale(self.scale)
        if subject.x.ndim != 4 or subject.at_site or not subject.x.is_floating_point():
            raise InputError("floating-point images (N, C, H, W) for PerturbationScore", f"{tuple(subject.x.shape)}")
        if self.fill is None and self.pixels is None:
            remedy = "pass pixels=gl.baselines.PixelSpace(black=…, white=…), or a fixed fill= baseline"
            raise InputError("what black and white are for the model, for noise in pixels", "nothing", remedy)
        if self.fill is None and self.pixels is not None and len(self.pixels.black) != subject.x.shape[1]:
            raise InputError(f"pixels of {subject.x.shape[1]} channels, like x", f"{len(self.pixels.black)} values")

    @property
    def _key(self) -> tuple[object, ...]:
        return ("windows", self.kernel, self.regions, self.last_offset)

    @property
    def _said(self) -> str:
        fill = f"{self.fills} fills of uniform noise in pixels" if self.fill is None else f"fill {self.fill!r}"
        offsets = "" if self.last_offset else " without the last row and column of offsets"
        size = f"{self.regions} windows of {self.kernel} × {self.kernel} pixels{offsets}"
        return f"{size} by mean size of the map's channel sum, {fill}, {self.scale.value} over its size at x"


def nearest_to_median(scores: Tensor) -> Tensor:
    """The place in each row `(B, R)` of the score closest to the row's median, the first of several: int64 `(B,)`.

    The two middle ones of an even number are equally far from their mean, whatever rounding makes of that.
    """
    ordered, count = scores.sort(1).values, scores.shape[1]
    low, high = ordered[:, (count - 1) // 2, None], ordered[:, count // 2, None]
    return ((scores == low) | (scores == high)).int().argmax(1)


def simpson(curve: Tensor) -> Tensor:
    """Simpson's rule over the last axis, an odd number of points one apart."""
    return (curve[..., 0] + curve[..., -1] + 4 * curve[..., 1::2].sum(-1) + 2 * curve[..., 2:-1:2].sum(-1)) / 3
