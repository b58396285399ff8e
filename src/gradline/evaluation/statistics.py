"""What numbers of a few examples can bear: intervals, real differences, ranks, agreement. All paired: the same examples
for all methods, none of their values NaN."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from gradline.core import random
from gradline.result.ranks import midranks

RESAMPLES = 10_000
"""Bootstrap samples."""

TAIL = 0.025
"""What an interval leaves out at either end."""

EXACT = 50
"""Up to so many differences the signed-rank test counts all signs; beyond, it is a normal approximation."""

_ENTRIES = 2**22
"""Of a table of resampled counts that is held at once."""


def resampled_means(values: Tensor, seed: int = 0, resamples: int = RESAMPLES) -> Tensor:
    """Means of `values (N, M)` over examples drawn with replacement: float64 `(resamples, M)`.

    The same examples for all M columns, so that differences of columns are paired; the same for all tables of N rows
    and a seed.
    """
    count = len(values)
    generator = random.generator(seed, "all examples", f"bootstrap of {count}")
    rows = max(1, _ENTRIES // max(1, count))
    found = []
    for first in range(0, resamples, rows):
        shape = (min(rows, resamples - first), count)
        drawn = torch.randint(count, shape, generator=generator)
        times = torch.zeros(shape, dtype=torch.float64).scatter_add_(1, drawn, torch.ones(shape, dtype=torch.float64))
        found.append(times @ values.double() / count)
    return torch.cat(found)


def interval(draws: Tensor) -> tuple[Tensor, Tensor]:
    """The percentile interval of 95 %: both ends of the columns of `draws (B, M)`, `(M,)` each."""
    ends = torch.quantile(draws, torch.tensor([TAIL, 1 - TAIL], dtype=draws.dtype), dim=0)
    return ends[0], ends[1]


def rank_interval(draws: Tensor, *, higher_is_better: bool) -> tuple[Tensor, Tensor]:
    """Between which ranks 95 % of resampled means `(B, M)` put each of M methods, 1 the best: int64 `(M,)` each.

    Equal means share the better rank at the lower end and the worse one at the upper.
    """
    worth = draws if higher_is_better else -draws
    ordered = worth.sort(1).values
    methods = draws.shape[1]
    best = 1 + methods - torch.searchsorted(ordered, worth.contiguous(), right=True)
    worst = methods - torch.searchsorted(ordered, worth.contiguous())
    low = torch.quantile(best.double(), TAIL, dim=0, interpolation="lower")
    high = torch.quantile(worst.double(), 1 - TAIL, dim=0, interpolation="higher")
    return low.long(), high.long()


def spearman(one: Tensor, other: Tensor) -> Tensor:
    """Rank correlation along the last axis; NaN where one of them is constant."""
    a, b = (r - r.mean(-1, keepdim=True) for r in (midranks(one), midranks(other)))
    correlation: Tensor = (a * b).sum(-1) / (a.norm(dim=-1) * b.norm(dim=-1))
    return correlation.clamp(-1, 1)


def signed_rank(differences: Tensor) -> float:
    """The two-sided p of Wilcoxon's signed-rank test that `differences (N,)` are symmetric about 0.

    Differences of 0 are dropped; 1 if nothing is left. Up to `EXACT` differences all 2^N signs are counted, which is
    exact also where sizes are tied; beyond, a normal approximation with the variance Σ r² / 4 of the mean ranks.
    Wilcoxon (1945); SciPy's `wilcoxon` has the normal approximation for tied sizes beyond 13 differences.
    """
    there = differences.double()[differences != 0]
    count = len(there)
    if not count:
        return 1.0
    ranks = midranks(there.abs())
    above = float(ranks[there > 0].sum())
    least = min(above, count * (count + 1) / 2 - above)
    if count <= EXACT:
        return min(1.0, 2 * _share_up_to(ranks, least))
    z = (least - count * (count + 1) / 4) / math.sqrt(float((ranks**2).sum()) / 4)
    return math.erfc(-z / math.sqrt(2))


def _share_up_to(ranks: Tensor, least: float) -> float:
    """Of all choices of signs, those whose positive ranks add up to `least` at most."""
    doubled = (2 * ranks).round().long().tolist()
    ways = torch.zeros(sum(doubled) + 1, dtype=torch.float64)
    ways[0] = 1
    for rank in doubled:
        ways[rank:] += ways[: len(ways) - rank].clone()
    return float(ways[: round(2 * least) + 1].sum()) / 2.0 ** len(doubled)


def holm(p: Sequence[float]) -> list[float]:
    """The p of a family of tests, corrected by Holm (1979): none is declared wrongly beyond the level in all."""
    order = sorted(range(len(p)), key=lambda k: p[k])
    found, worst = [0.0] * len(p), 0.0
    for place, k in enumerate(order):
        worst = max(worst, min(1.0, (len(p) - place) * p[k]))
        found[k] = worst
    return found


def fewest(pairs: int, level: float) -> int:
    """Examples without which none of so many pairs can differ: the fewest with pairs · 2^(1 − N) < level."""
    return max(1, math.floor(math.log2(2 * max(1, pairs) / level)) + 1)


def krippendorff(ratings: Tensor) -> float:
    """Alpha of `ratings (raters, units)` as interval data, NaN for what is missing: 1 agreement, 0 chance.

    1 − D_o / D_e with D_o the mean squared difference of two ratings of a unit, weighted by 1 / (m_u − 1) for its m_u
    ratings, and D_e that of any two; NaN if all are equal, or no unit has two. Krippendorff (2011).
    """
    there = ratings.isfinite()
    chosen = there.sum(0) >= 2
    values, there = ratings[:, chosen].double(), there[:, chosen]
    values = torch.where(there, values - values[there].mean(), 0.0)
    each, count = there.sum(0).double(), int(there.sum())
    within = (2 * each * (values**2).sum(0) - 2 * values.sum(0) ** 2) / (each - 1)
    between = 2 * count * float((values**2).sum()) - 2 * float(values.sum()) ** 2
    if between <= 0:
        return math.nan
    return 1 - float(within.sum()) / count / (between / (count * (count - 1)))
