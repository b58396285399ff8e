"""Does a metric tell the right map from chance? Asked where the right map is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradline.core import random
from gradline.engine.inquiry import inquire
from gradline.errors import InputError
from gradline.evaluation.judge import check_needs, make_subject
from gradline.evaluation.run import run
from gradline.evaluation.statistics import signed_rank
from gradline.metrics.base import Kind, Metric, Need
from gradline.metrics.subject import Subject
from gradline.result.spelling import number
from gradline.sanity.tasks import Task


@dataclass(frozen=True, eq=False)
class Bracket:
    """What a metric says of the right map and of the same values in random places.

    `oracle (N,)`, `random (N, draws)`: float64, NaN where there is no value. A metric that needs no more than the
    histogram of a map, or its sum, says the same of both.
    """

    metric: Metric
    task: str
    oracle: Tensor
    random: Tensor
    notes: tuple[str, ...] = ()

    @property
    def wins(self) -> Tensor:
        """The share of the random maps that the right one beats, a tie counting half: float64 `(N,)`.

        Differences below 1e-9 of the values' size, or below 1e-12, are ties. NaN without values, and for a metric that
        ranks nothing.
        """
        better = self.metric.higher_is_better
        if better is None:
            return torch.full_like(self.oracle, torch.nan)
        gain = (self.oracle[:, None] - self.random) * (1 if better else -1)
        size = torch.maximum(self.oracle[:, None].abs(), self.random.abs())
        won = torch.where(gain.abs() <= _tie(size), 0.5, (gain > 0).double())
        return torch.where(gain.isnan(), torch.nan, won).nanmean(1)

    @property
    def examples(self) -> int:
        """Examples with a value for the right map and at least one random one."""
        return int(self.wins.isfinite().sum())

    @property
    def separation(self) -> float:
        """The probability that the right map is said to be better than a random one: ½ is chance, NaN no values."""
        return float(self.wins.nanmean())

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the separation over examples; wide, as shares of draws vary less than hits."""
        return _wilson(self.separation, self.examples)

    @property
    def separates(self) -> bool:
        """The interval lies above chance. A metric that ranks nothing does not separate."""
        return self.interval[0] > 0.5

    @property
    def p_value(self) -> float:
        """Of Wilcoxon's signed-rank test, two-sided and paired over examples: the right map and the mean random one
        are worth the same. 1 if all are ties, NaN without values.
        """
        there = self.wins.isfinite()
        gain = (self.oracle - self.random.nanmean(1))[there]
        if len(gain) == 0:
            return math.nan
        gain = torch.where(gain.abs() <= _tie(self.oracle[there].abs()), 0.0, gain)
        return signed_rank(gain)

    def __repr__(self) -> str:
        low, high = self.interval
        said = f"{number(self.separation)} [{number(low)}, {number(high)}]"
        means = f"right map {number(float(self.oracle.nanmean()))}, random {number(float(self.random.nanmean()))}"
        return f"{self.metric.name} on {self.task}: {said} of random maps beaten; {means}, {self.examples} examples"


def bracket(metric: Metric, task: Task, *, draws: int = 4, seed: int = 0) -> Bracket:
    """Judge the right map of a task, and `draws` maps with the same values in random places, by a metric.

    Raises `InputError` and its kinds where a metric does not fit the task.
    """
    return brackets([metric], task, draws=draws, seed=seed)[0]


def brackets(metrics: Sequence[Metric], task: Task, *, draws: int = 4, seed: int = 0) -> list[Bracket]:
    """`bracket` of several metrics at once, which share questions. They are told black and white of images."""
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 1:
        raise InputError("a whole number of draws >= 1", repr(draws))
    told = [metric if task.pixels is None else metric.within(task.pixels) for metric in metrics]
    orders = [None, *(places(task, draw, seed) for draw in range(draws))]
    with inquire(task.score, task.x, names=task.names, seed=seed) as inquiry:
        memo: dict[Any, Any] = {}
        subjects = [
            make_subject(
                inquiry,
                task.x,
                moved(task.oracle, order),
                number=number,
                kind=Kind.CONTRIBUTION,
                masks=task.masks,
                memo=memo,
            )
            for number, order in enumerate(orders)
        ]
        for metric in told:
            _check(metric, subjects[0])
        found = run([(metric, subject) for metric in told for subject in subjects], inquiry)
    each = len(subjects)
    made = []
    for k, metric in enumerate(told):
        first, *others = found[k * each : (k + 1) * each]
        values = torch.stack([one.values for one in others], 1)
        made.append(Bracket(metric, task.name, first.values, values, first.notes))
    return made


def places(task: Task, draw: int, seed: int = 0) -> Tensor:
    """Where each place's values of the right map come from in a random map: int64 `(N, P)`.

    Places are pixels, positions of a layer's `(N, T, E)`, or single values: what is there stays together.
    """
    count = _places(task.oracle).shape[2]
    chances = (random.generator(seed, name, "random places", draw) for name in task.names)
    return torch.stack([torch.randperm(count, generator=chance) for chance in chances])


def moved(maps: Tensor, order: Tensor | None) -> Tensor:
    """Maps with their values taken from other places."""
    if order is None:
        return maps
    flat = _places(maps)
    found = flat.gather(2, order[:, None].to(maps.device).expand(flat.shape))
    if maps.ndim == 3:
        found = found.movedim(1, 2)
    return found.reshape(maps.shape)


def _places(maps: Tensor) -> Tensor:
    """Maps as `(N, what stays together, places)`."""
    if maps.ndim == 4:
        return maps.flatten(2)
    return maps.movedim(2, 1) if maps.ndim == 3 else maps.flatten(1).unsqueeze(1)


def _check(metric: Metric, subject: Subject) -> None:
    if Need.EXPLAINER in metric.needs:
        raise InputError("a metric that judges a map", f"{metric.name}, which judges what makes maps")
    check_needs(metric, subject)


def _tie(size: Tensor) -> Tensor:
    return (1e-9 * size).clamp(min=1e-12)


def _wilson(share: float, count: int) -> tuple[float, float]:
    if count == 0 or math.isnan(share):
        return 0.0, 1.0
    square = 1.959964**2
    centre = (share + square / (2 * count)) / (1 + square / count)
    inside = share * (1 - share) / count + square / (4 * count**2)
    half = math.sqrt(square * inside) / (1 + square / count)
    return centre - half, centre + half
