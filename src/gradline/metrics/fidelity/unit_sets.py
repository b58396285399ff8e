"""The sets of units that a rule draws for every example."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradline.metrics.fidelity.masks import Masks
from gradline.metrics.ranking import Sign, rank_units
from gradline.metrics.subject import Subject
from gradline.metrics.units import Partition


@dataclass(frozen=True, eq=False)
class Sets:
    """The sets of all examples, one after another, made anew from their keys whenever they are wanted. `notes`: why the
    map of an example has no order, for sets that need one, else ""."""

    subject: Subject
    masks: Masks
    partition: Partition
    rank: Tensor
    numbers: tuple[int, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, subject: Subject, masks: Masks, draws: int, sign: Sign) -> Sets:
        partition = subject.partition(masks.cut)
        masks.check(partition)
        rank, notes = torch.arange(partition.count).expand(len(subject), -1), ("",) * len(subject)
        if masks.by_map:
            ranking = rank_units(subject, masks.cut, sign)
            rank, notes = ranking.rank, ranking.notes
        numbers = tuple(masks.number(draws, units) for units in partition.counts.tolist())
        return cls(subject, masks, partition, rank, numbers, notes)

    @property
    def owner(self) -> Tensor:
        """Whose each set is: int64 `(R,)`."""
        return self.subject.every.repeat_interleave(torch.tensor(self.numbers))

    def split(self, values: Tensor) -> tuple[Tensor, ...]:
        """Values of all sets, example by example."""
        return torch.split(values, list(self.numbers))

    def chosen(self, example: int, draw: int) -> Tensor:
        """One set: bool `(U,)`, nothing of units that the example does not have."""
        units = int(self.partition.counts[example])
        source = self.subject.generator(example, "fidelity", draw)
        found = torch.zeros(self.partition.count, dtype=torch.bool)
        found[:units] = self.masks.chosen(draw, self.rank[example, :units], source)
        return found

    def removed(self, fill: Tensor) -> Callable[[Tensor], Tensor]:
        """The examples without some of the sets."""
        x, owner = self.subject.x, self.owner
        draw = torch.cat([torch.arange(number) for number in self.numbers])

        def points(rows: Tensor) -> Tensor:
            own = owner[rows]
            sets = [self.chosen(i, k) for i, k in zip(own.tolist(), draw[rows].tolist(), strict=True)]
            gone, here = self.partition.spread(torch.stack(sets), own).to(x.device), own.to(x.device)
            return torch.where(gone, fill[here], x[here])

        return points

    def added(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """The sum of the map's scores `(N, U)` over each set, and how many values it removes: float64 `(R,)`.

        NaN for maps that are not finite.
        """
        scores = torch.where(self.subject.maps.flatten(1).isfinite().all(1)[:, None].cpu(), scores, torch.nan)
        sums, areas = [], []
        for i, number in enumerate(self.numbers):
            both = torch.stack([scores[i], self.partition.sizes[i].double()], 1)
            for draw in range(number):
                one = both[self.chosen(i, draw)].sum(0)
                sums.append(one[0])
                areas.append(one[1])
        return torch.stack(sums), torch.stack(areas)
