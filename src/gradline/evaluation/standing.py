"""How methods stand on one metric: means with intervals, ranks, and which differences are real."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gradline.evaluation.statistics import (
    fewest,
    holm,
    interval,
    krippendorff,
    rank_interval,
    resampled_means,
    signed_rank,
    spearman,
)
from gradline.result.ranks import midranks

LEVEL = 0.05
"""A difference is called real where its corrected p lies below."""


@dataclass(frozen=True)
class Placed:
    """A method on one metric.

    `mean`, and the ends of its 95 % interval by a bootstrap over examples; `rank`, 1 the best, and the ranks that 95 %
    of the resampled examples give it; NaN and 0 where there is none: one example has no interval. `position`: 0 at the
    first control, chance, and 1 at the best one, (m − m_chance) / (m_best − m_chance); NaN if chance is the best.
    `control`: a map that explains nothing. `settings`: what decided its numbers.
    """

    method: str
    control: bool
    mean: float
    low: float = math.nan
    high: float = math.nan
    rank: int = 0
    rank_low: int = 0
    rank_high: int = 0
    position: float = math.nan
    settings: str = ""


@dataclass(frozen=True)
class Difference:
    """Two methods on the same examples: `first` has the better mean.

    `mean` of first − second, and the ends of its 95 % interval by a bootstrap over examples; `p` of the signed-rank
    test, corrected by Holm over all pairs of the metric but those of two controls. `real`: p below 5 %.
    """

    first: str
    second: str
    mean: float
    low: float
    high: float
    p: float

    @property
    def real(self) -> bool:
        return self.p < LEVEL


@dataclass(frozen=True)
class Standing:
    """How methods stand on one metric.

    `placed`: the best mean first, or in the order given for a metric that ranks nothing; methods without any value
    last. `differences`: each pair once. `examples`: how many counted, those where every method with values has one;
    `left_out`: how many did not. `absent`: methods without values, and why. `alpha`: Krippendorff's, of the methods'
    ranks over examples, the examples being the judges; `alpha_without_controls`.
    `at_home`: methods whose path starts where the metric fills, which favours them.
    """

    metric: str
    placed: tuple[Placed, ...]
    differences: tuple[Difference, ...]
    examples: int
    left_out: int
    absent: Mapping[str, str]
    alpha: float
    alpha_without_controls: float
    at_home: tuple[str, ...] = ()

    @property
    def needed(self) -> int:
        """The fewest examples with which any of the pairs can differ."""
        return fewest(len(self.differences), LEVEL)

    @property
    def real(self) -> tuple[Difference, ...]:
        """The differences that are real."""
        return tuple(d for d in self.differences if d.real)


def standing(
    metric: str,
    values: Mapping[str, Tensor],
    *,
    higher_is_better: bool | None,
    controls: tuple[str, ...] = (),
    reasons: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
    at_home: tuple[str, ...] = (),
    seed: int = 0,
) -> Standing:
    """Judge `values (N,)` by method on one metric. `reasons`: why methods have none; the first control is chance."""
    said = settings or {}
    named = [name for name, found in values.items() if bool(found.isfinite().any())]
    absent = {name: (reasons or {}).get(name, "") or "no value" for name in values if name not in named}
    table, kept = paired([values[name] for name in named])
    rest = tuple(Placed(name, name in controls, math.nan, settings=said.get(name, "")) for name in absent)
    total = len(next(iter(values.values()), torch.empty(0)))
    if not len(table):
        rest = tuple(Placed(n, n in controls, math.nan, settings=said.get(n, "")) for n in values)
        return Standing(metric, rest, (), 0, total, absent, math.nan, math.nan)
    draws = resampled_means(table, seed)
    placed = _placed(named, table, draws, higher_is_better, controls, said)
    own = [k for k, name in enumerate(named) if name not in controls]
    return Standing(
        metric,
        (*placed, *rest),
        _differences([named.index(one.method) for one in placed], named, table, draws, controls),
        len(table),
        int((~kept).sum()),
        absent,
        krippendorff(midranks(table)),
        krippendorff(midranks(table[:, own])),
        at_home,
    )


def paired(values: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The examples where all have a value, as a table `(n, M)`, and which they are `(N,)`."""
    if not values:
        return torch.empty(0, 0, dtype=torch.float64), torch.empty(0, dtype=torch.bool)
    whole = torch.stack([v.double() for v in values], 1)
    kept = whole.isfinite().all(1)
    return whole[kept], kept


def _placed(
    named: list[str],
    table: Tensor,
    draws: Tensor,
    higher: bool | None,
    controls: tuple[str, ...],
    settings: Mapping[str, str],
) -> tuple[Placed, ...]:
    means = table.mean(0)
    several = len(table) > 1
    low, high = (end.tolist() if several else [math.nan] * len(named) for end in interval(draws))
    ranked = higher is not None
    worth = means if higher else -means
    ranks = [1 + int((worth > own).sum()) if ranked else 0 for own in worth]
    known = ranked and several
    ends = rank_interval(draws, higher_is_better=bool(higher)) if known else (torch.zeros(len(named)),) * 2
    first, last = (end.long().tolist() for end in ends)
    positions = _positions(named, means, worth, controls) if ranked else [math.nan] * len(named)
    rows = [
        Placed(
            name,
            name in controls,
            float(means[k]),
            low[k],
            high[k],
            ranks[k],
            first[k],
            last[k],
            positions[k],
            settings.get(name, ""),
        )
        for k, name in enumerate(named)
    ]
    return tuple(sorted(rows, key=lambda row: row.rank))


def _positions(named: list[str], means: Tensor, worth: Tensor, controls: tuple[str, ...]) -> list[float]:
    known = [name for name in controls if name in named]
    if not known or known[0] != controls[0]:
        return [math.nan] * len(named)
    chance = float(means[named.index(known[0])])
    best = max(known, key=lambda name: float(worth[named.index(name)]))
    span = float(means[named.index(best)]) - chance
    return [(float(m) - chance) / span if span else math.nan for m in means]


def _differences(
    order: list[int], named: list[str], table: Tensor, draws: Tensor, controls: tuple[str, ...]
) -> tuple[Difference, ...]:
    pairs = [
        (i, j)
        for place, i in enumerate(order)
        for j in order[place + 1 :]
        if not (named[i] in controls and named[j] in controls)
    ]
    if not pairs:
        return ()
    one, other = (list(side) for side in zip(*pairs, strict=True))
    apart = table[:, one] - table[:, other]
    ends = interval(draws[:, one] - draws[:, other])
    low, high = (end.tolist() if len(table) > 1 else [math.nan] * len(pairs) for end in ends)
    corrected = holm([signed_rank(column) for column in apart.T])
    means = apart.mean(0).tolist()
    return tuple(
        Difference(named[i], named[j], means[k], low[k], high[k], corrected[k]) for k, (i, j) in enumerate(pairs)
    )


@dataclass(frozen=True, eq=False)
class Agreement:
    """How far metrics order the methods alike: Spearman's rank correlations `(K, K)`, NaN where there is none.

    `means`: of the methods' means. `images`: the mean over examples of the correlation of their values there. Metrics
    of which lower is better are turned round; those that rank nothing are left out.
    """

    metrics: tuple[str, ...]
    means: Tensor
    images: Tensor


def agreement(values: Mapping[str, Mapping[str, Tensor]], higher_is_better: Mapping[str, bool | None]) -> Agreement:
    """Compare metrics over methods. `values[metric][method] (N,)`: where both metrics have values, and all examples
    where all those methods have both."""
    chosen = tuple(metric for metric in values if higher_is_better[metric] is not None)
    means, images = (torch.full((len(chosen),) * 2, torch.nan, dtype=torch.float64) for _ in range(2))
    for i, one in enumerate(chosen):
        for j, other in enumerate(chosen):
            both = [m for m in values[one] if m in values[other]]
            both = [m for m in both if all(bool(values[k][m].isfinite().any()) for k in (one, other))]
            table, _ = paired([values[k][m] for k in (one, other) for m in both])
            if len(table) and len(both) > 1:
                first, second = table[:, : len(both)], table[:, len(both) :]
                turn = 1 if higher_is_better[one] == higher_is_better[other] else -1
                means[i, j] = turn * spearman(first.mean(0), second.mean(0))
                images[i, j] = turn * spearman(first, second).nanmean()
    return Agreement(chosen, means, images)
