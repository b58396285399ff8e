"""Removing what a map found important, step by step: the one set of questions behind all perturbation curves."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

from gradline.core.baselines import Baseline, Blur, Zero
from gradline.errors import InputError
from gradline.metrics.asking import Ask, Values
from gradline.metrics.base import check_count
from gradline.metrics.ranking import Ranking
from gradline.metrics.subject import Subject
from gradline.question.targets.scales import Scale

LARGE_BLUR = Blur(sigma=15.0)
"""The usual fill of images: as wide as a box of 51 pixels, and nobody's baseline by default."""


class First(StrEnum):
    """What is filled first: the units of the largest scores (deletion, MoRF), or of the smallest (LeRF). Filling the
    smallest first is insertion into the fill, read from its other end."""

    MOST = "most relevant"
    LEAST = "least relevant"


@dataclass(frozen=True)
class Steps:
    """How many units go at a time: `count` equal shares, or `size` units each, the last step taking what is left."""

    count: int | None = 16
    size: int | None = None

    def __post_init__(self) -> None:
        given = [v for v in (self.count, self.size) if v is not None]
        if len(given) != 1 or any(isinstance(v, bool) or not isinstance(v, int) or v < 1 for v in given):
            raise InputError("either count or size of steps, a whole number of at least 1", repr(self))

    def removed(self, units: Tensor) -> Tensor:
        """Units gone after each step, 0 and all included, for examples with `units (N,)`: int64 `(N, T + 1)`."""
        if self.count is not None:
            shares = torch.arange(self.count + 1, dtype=torch.int64)
            return (units[:, None] * shares + self.count // 2) // self.count
        assert self.size is not None
        last = math.ceil(int(units.max()) / self.size)
        return torch.minimum(torch.arange(last + 1)[None, :] * self.size, units[:, None])


@dataclass(frozen=True)
class Percentiles:
    """Units above so many percentiles of an example's own scores, `count` of them from 100 − 100/count down to 0.

    Gone are 0 units, then those whose score is strictly above each percentile (linear between two scores, as NumPy's
    default), then all. Units of one score go together, those of the smallest in the last step alone. InterpretDL.
    """

    count: int = 20

    def __post_init__(self) -> None:
        check_count(self, "count", self.count)

    def removed(self, scores: Tensor, units: Tensor) -> Tensor:
        """Units gone after each step, for examples with `units (N,)` and `scores (N, U)`: int64 `(N, count + 2)`."""
        rising = ascending(scores, units)
        share = torch.arange(self.count - 1, -1, -1, dtype=torch.float64) / self.count
        place = share * (units[:, None] - 1)
        low = place.floor().long()
        high = torch.minimum(low + 1, units[:, None] - 1)
        below, above = rising.gather(1, low), rising.gather(1, high)
        at = below + (above - below) * (place - low)
        gone = units[:, None] - torch.searchsorted(rising, at, right=True)
        none = torch.zeros_like(units)[:, None]
        return torch.cat([none, gone.clamp(min=0), units[:, None]], 1)


def ascending(scores: Tensor, units: Tensor) -> Tensor:
    """The scores of each example's `units (N,)` from the smallest on, then infinity: `(N, U)`."""
    there = torch.arange(scores.shape[1]) < units[:, None]
    return torch.where(there, scores, torch.inf).sort(1).values


def usual_fill(fill: Baseline | None, subject: Subject) -> Baseline:
    """The fill that was asked for; without one, the image strongly blurred, and zero for what is no image."""
    if fill is not None:
        return fill
    return LARGE_BLUR if subject.x.ndim == 4 and not subject.at_site else Zero()


def sweep(
    subject: Subject, ranking: Ranking, fill: Baseline, removed: Tensor, first: First, key: tuple[object, ...]
) -> Generator[Ask, Values, Values]:
    """The score after so many units were replaced by the fill, `removed (N, T + 1)`: `(N, T + 1)` on every scale.

    `key`: tells units, sign rule and steps apart from others. Where nothing or all is removed the answers are shared by
    all maps. A step over units that are the same in x and the fill shows the same image again, which is asked once.
    """
    x, filled, device, units = subject.x, subject.fill(fill), subject.x.device, ranking.partition
    rank = ranking.rank if first is First.MOST else (units.counts[:, None] - 1 - ranking.rank) % units.count
    changed, all_changed = _changed(subject, ranking, fill, rank, removed)
    inner = (changed > 0) & (changed < all_changed)
    fresh = inner & (changed.diff(dim=1, prepend=torch.zeros_like(changed[:, :1])) != 0)
    owner, number = fresh.nonzero()[:, 0], removed[fresh].to(device, torch.int32)
    order = rank.to(device, torch.int32)

    def points(rows: Tensor) -> Tensor:
        own = owner[rows]
        here = own.to(device)
        gone = (number[rows, None] - order.index_select(0, here)).clamp_(0, 1).to(x.dtype)  # 1 below the number, else 0
        gone = units.spread(gone, own)
        return torch.lerp(x.index_select(0, here), filled.index_select(0, here), gone)  # exact; torch.where is slower

    full = yield from subject.at_x()
    empty = yield from subject.at_fill(fill)
    told = yield Ask(("sweep", subject.number, fill, first, *key), owner, points)
    asked = 2 * len(x) - 1 + fresh.flatten().cumsum(0).reshape(fresh.shape)
    place = torch.where(inner, asked, subject.every[:, None] + len(x) * (changed > 0))
    return {scale: torch.cat([full[scale], empty[scale], told[scale]])[place] for scale in full}


def _changed(
    subject: Subject, ranking: Ranking, fill: Baseline, rank: Tensor, removed: Tensor
) -> tuple[Tensor, Tensor]:
    """How many units the fill has changed after each step, `(N, T + 1)`, and when all are gone, `(N, 1)`."""
    key = ("changed by", fill, ranking.partition)
    if key not in subject.memo:
        subject.memo[key] = (ranking.partition.sums(subject.x != subject.fill(fill)) > 0).int()
    units: Tensor = subject.memo[key]
    running = torch.zeros_like(units).scatter_(1, rank, units).cumsum(1)
    changed = torch.cat([torch.zeros_like(running[:, :1]), running], 1).gather(1, removed)
    return changed, running[:, -1:]


def area(curves: Tensor) -> Tensor:
    """The trapezoid rule over the last axis, the whole axis being 1."""
    return (curves[..., 1:] + curves[..., :-1]).sum(-1) / (2 * (curves.shape[-1] - 1))


def shares(steps: int) -> Tensor:
    """The axis of a curve: 0 to 1 in so many steps."""
    return torch.arange(steps + 1, dtype=torch.float64) / steps


def check_scale(metric: object, scale: object) -> None:
    """Raise `InputError` unless `scale` is a `Scale`."""
    if not isinstance(scale, Scale):
        raise InputError(f"scale as one of gl.metrics.Scale for {type(metric).__name__}", f"{scale!r}")
