"""In which order a map removes what it judged: sign rule, ties, and maps that have no order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

from gradline.metrics.base import Kind
from gradline.metrics.subject import Subject
from gradline.metrics.units import Partition, Units

NOT_FINITE = "the map is not finite"
CONSTANT = "the map is constant over its units: it has no order"


class Sign(StrEnum):
    """How the values of a map become the score of a unit, its sum over channels and pixels included.

    `SIGNED`: their sum. `ABSOLUTE`: the size of their sum. `SIZES`: the sum of their sizes. `LARGEST`: their largest
    size. `POSITIVE`: their sum, or 0 if that is negative. `AUTO`: signed for contributions, the size of the sum for
    gradients, whose sign says nothing about the feature being there; a map whose unit nobody said counts as
    contributions.
    """

    AUTO = "auto"
    SIGNED = "signed"
    ABSOLUTE = "absolute"
    SIZES = "sizes"
    LARGEST = "largest"
    POSITIVE = "positive"

    def settled(self, kind: Kind | None) -> Sign:
        """The rule that holds for maps of this unit."""
        if self is not Sign.AUTO:
            return self
        return Sign.ABSOLUTE if kind is Kind.GRADIENT else Sign.SIGNED


@dataclass(frozen=True, eq=False)
class Ranking:
    """The order of units.

    `scores (N, U)`: float64, by the sign rule. `rank (N, U)`: int64, 0 for the unit that goes first, the largest score;
    equal ones by ascending number of the unit; units that an example does not have come last. `tied (N,)`: the share of
    units whose score another unit has too. `notes`: why an example has no order, else "".
    """

    partition: Partition
    sign: Sign
    scores: Tensor
    rank: Tensor
    tied: Tensor
    notes: tuple[str, ...]


def rank_units(subject: Subject, units: Units | None, sign: Sign) -> Ranking:
    """Rank the units of the subject's maps."""
    partition, settled = subject.partition(units), sign.settled(subject.kind)
    key = ("ranking", subject.number, units, settled)
    if key not in subject.memo:
        scores = unit_scores(subject.maps, partition, settled)
        subject.memo[key] = ranked(partition, settled, scores)
    found: Ranking = subject.memo[key]
    return found


def unit_scores(maps: Tensor, partition: Partition, sign: Sign) -> Tensor:
    """The score of each unit by a settled sign rule: float64 `(N, U)`."""
    match sign:
        case Sign.SIGNED:
            return partition.sums(maps)
        case Sign.ABSOLUTE:
            return partition.sums(maps).abs()
        case Sign.SIZES:
            return partition.sums(maps.abs())
        case Sign.POSITIVE:
            return partition.sums(maps).clamp(min=0)
        case Sign.LARGEST:
            return partition.largest(maps.abs())
        case _:
            raise ValueError(f"{sign} has to be settled first")


def ranked(partition: Partition, sign: Sign, scores: Tensor) -> Ranking:
    """Rank units by their scores `(N, U)`, the largest first."""
    there = partition.sizes > 0
    key = torch.where(there, -scores, torch.inf)
    order = torch.argsort(key, dim=1, stable=True)
    rank = torch.empty_like(order).scatter_(1, order, torch.arange(order.shape[1]).expand_as(order))
    ordered = key.gather(1, order)
    same = ordered[:, 1:] == ordered[:, :-1]
    same = same & there.gather(1, order)[:, 1:]
    false = torch.zeros(len(same), 1, dtype=torch.bool)
    tied = (torch.cat([same, false], 1) | torch.cat([false, same], 1)).sum(1).double() / partition.counts
    finite = torch.where(there, scores, 0.0).isfinite().all(1)
    constant = (same.sum(1) == partition.counts - 1) & (partition.counts > 1)
    notes = tuple(
        NOT_FINITE if not f else CONSTANT if c else "" for f, c in zip(finite.tolist(), constant.tolist(), strict=True)
    )
    return Ranking(partition, sign, scores, rank, tied, notes)
