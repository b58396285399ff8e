"""How rough a map is, on several scales. Without forwards; a blurred map always wins."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

from gradline.errors import InputError
from gradline.metrics.base import Evaluation, Flow, Metric, check_count, check_share
from gradline.metrics.ranking import CONSTANT, NOT_FINITE
from gradline.metrics.subject import Subject
from gradline.metrics.units import Pixels

FACTOR = 1.5
"""By how much a level of the pyramid is smaller than the one before."""


class Normalised(StrEnum):
    """When a map is turned into sizes in [0, 1]. `EACH_LEVEL`: the pyramid is built on the signed map. `ONCE`: it is
    built on the sizes."""

    EACH_LEVEL = "at each level"
    ONCE = "once"


@dataclass(frozen=True)
class TotalVariation(Metric):
    """AUTVC, the area under the total variation of an image's map over the levels of a Gaussian pyramid.

    The map, summed over channels with its signs, is made smaller by 1.5 (Gaussian of sigma 0.5, then linear) until a
    side would be below `least` pixels. S = min(1, (|s| − min |s|) / (q − min |s|)), where q is the `quantile` of |s|;
    0 everywhere where q is the minimum. TV = (Σ |S[i, j+1] − S[i, j]| + Σ |S[i+1, j] − S[i, j]|) / (h w). The area is
    Simpson's rule with dx = 1; an odd number of intervals averages the two ways of taking one of them as a trapezoid,
    as SciPy did up to 1.10: (5, 13, 12, 12, 13, 5) / 12 at the six levels of 224 pixels.

    `normalised`: the paper's code and its numbers take S anew at each level; its text takes S once and then builds the
    pyramid, `Normalised.ONCE`. `curve`: the TV of each level (ATVS) over `axis`, the level; `parts["mean"]`: over the
    levels, which compares between image sizes. NaN for constant maps. A map whose sizes are equal in a share `quantile`
    of the pixels reads 0, however rough the rest; a note says so.

    Goh, Lapuschkin, Weber, Samek, Binder (2020). Raises `InputError` for what is no image, and for one without two
    levels.
    """

    name = "total-variation"
    higher_is_better = False
    range = "0 and above; low is smooth"
    cost = "0"
    cites = ("goh2020",)

    normalised: Normalised = Normalised.EACH_LEVEL
    least: int = 30
    quantile: float = 0.99

    def __post_init__(self) -> None:
        check_count(self, "least", self.least, 2)
        check_share(self, "quantile", self.quantile)
        if not isinstance(self.normalised, Normalised):
            raise InputError("normalised as a gl.metrics.Normalised", repr(self.normalised))

    def flow(self, subject: Subject) -> Flow:
        yield from ()
        heat = subject.partition(Pixels()).sums(subject.maps).reshape(-1, *subject.x.shape[2:])
        self._check_size(heat)
        once = self.normalised is Normalised.ONCE
        levels = pyramid(saliency(heat, self.quantile) if once else heat, self.least)
        curve = torch.stack([variation(level if once else saliency(level, self.quantile)) for level in levels], 1)
        notes = self._notes(heat)
        there = torch.tensor([note not in (NOT_FINITE, CONSTANT) for note in notes])
        curve = torch.where(there[:, None], curve, torch.nan)
        said = f"signed channel sum, {len(levels)} levels down to {self.least} pixels, sizes over their "
        said += f"{100 * self.quantile:g} % quantile {self.normalised.value}"
        values = curve @ simpson(len(levels))
        axis = torch.arange(len(levels), dtype=torch.float64)
        return Evaluation(self, values, curve, axis, {"mean": curve.mean(1)}, notes, said)

    def _check_size(self, heat: Tensor) -> None:
        side = min(heat.shape[1:])
        if math.ceil(side / FACTOR) < self.least:
            wanted = f"images of two levels, {self.least} pixels a side at least, for {type(self).__name__}"
            remedy = f"use a smaller least={self.least}, and compare with maps judged by the same alone"
            raise InputError(wanted, f"{heat.shape[1]} x {heat.shape[2]} pixels", remedy)

    def _notes(self, heat: Tensor) -> tuple[str, ...]:
        flat = heat.flatten(1)
        even = f"{100 * self.quantile:g} % of the pixels have the smallest size: the largest level reads 0"
        finite, constant = flat.isfinite().all(1), (flat == flat[:, :1]).all(1)
        faint = ~(saliency(heat, self.quantile) > 0).flatten(1).any(1)
        rows = zip(finite.tolist(), constant.tolist(), faint.tolist(), strict=True)
        return tuple(NOT_FINITE if not f else CONSTANT if c else even if e else "" for f, c, e in rows)


def saliency(heat: Tensor, quantile: float) -> Tensor:
    """Sizes in [0, 1]: less the smallest, over the quantile, clipped; zero if the two are equal. `heat (N, h, w)`."""
    flat = heat.abs().flatten(1)
    ordered = flat.sort(1).values
    place = quantile * (flat.shape[1] - 1)
    low, high = ordered[:, math.floor(place)], ordered[:, math.ceil(place)]
    span = (low + (place - math.floor(place)) * (high - low) - ordered[:, 0])[:, None]
    scaled = torch.where(span > 0, ((flat - ordered[:, :1]) / span).clamp(0, 1), 0.0)
    return scaled.reshape(heat.shape)


def variation(sizes: Tensor) -> Tensor:
    """The mean over pixels of the absolute differences to the right and downwards: `(N,)`."""
    across, down = sizes.diff(dim=2).abs().flatten(1).sum(1), sizes.diff(dim=1).abs().flatten(1).sum(1)
    return (across + down) / sizes[0].numel()


def pyramid(heat: Tensor, least: int) -> list[Tensor]:
    """The levels `(N, h, w)` of maps, the first as it is, while no side is below `least`."""
    levels = []
    while min(heat.shape[1:]) >= least:
        levels.append(heat)
        if max(heat.shape[1:]) == 1:
            break
        heat = reduced(heat)
    return levels


def reduced(heat: Tensor) -> Tensor:
    """A level smaller: Gaussian of sigma FACTOR / 3 cut at 4 sigma, edges mirrored with the border pixel repeated, then
    linear between pixel centres at ceil(side / FACTOR) pixels; what scikit-image's `pyramid_reduce` does by default."""
    sigma = FACTOR / 3
    radius = int(4 * sigma + 0.5)
    kernel = torch.exp(-0.5 * (torch.arange(-radius, radius + 1, dtype=torch.float64) / sigma) ** 2)
    kernel = kernel / kernel.sum()
    for axis in (1, 2):
        length = heat.shape[axis]
        place = torch.arange(-radius, length + radius) % (2 * length)
        mirrored = heat.index_select(axis, torch.where(place < length, place, 2 * length - 1 - place))
        parts = [kernel[k] * mirrored.narrow(axis, k, length) for k in range(2 * radius + 1)]
        heat = torch.stack(parts).sum(0)
    size = [math.ceil(side / FACTOR) for side in heat.shape[1:]]
    return torch.nn.functional.interpolate(heat[:, None], size, mode="bilinear", align_corners=False)[:, 0]


def simpson(count: int) -> Tensor:
    """The weights of so many values at distance 1, at least two: Simpson's rule for an odd count; for an even one the
    mean of the two rules that take the first or the last interval as a trapezoid."""
    if count % 2:
        weights = torch.ones(count, dtype=torch.float64)
        weights[1:-1:2], weights[2:-1:2] = 4.0, 2.0
        return weights / 3
    first = torch.zeros(count, dtype=torch.float64)
    if count > 2:
        first[:-1] = simpson(count - 1)
    first[-2:] += 0.5
    return (first + first.flip(0)) / 2
