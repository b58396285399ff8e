"""Partial maps: what the path had contributed when a given share of it was walked."""

from __future__ import annotations

import torch
from torch import Tensor

from gradline.core.flow import Step

CPU = torch.device("cpu")


class Stages:
    """Sums of the steps of N examples, sorted into `count` equal stretches of the path.

    Steps of a path arrive in ascending order and their weights add up to one, so the weight told so far is the place on
    the path; a step that crosses the end of a stretch is divided between its two sides. Of `draws` paths an example,
    each is divided alike.
    """

    def __init__(self, values: Tensor, count: int, draws: int) -> None:
        self.count, self.draws = count, draws
        self.sums = values.new_zeros((len(values), count, *values.shape[1:]))
        self.told = [0.0] * len(values)

    def add(self, owner: Tensor, step: Step, term: Tensor) -> None:
        """Sort in the rows of a step; `term (R, *G)` is what they contribute."""
        weights = (step.weight.double() * self.draws).tolist()
        for row, (example, weight) in enumerate(zip(owner.tolist(), weights, strict=True)):
            begin = self.told[example]
            self.told[example] = begin + weight
            for stage, share in self._shares(begin, begin + weight):
                self.sums[example, stage] += share * term[row].to(self.sums)

    def maps(self) -> Tensor:
        """The map of the path up to the end of each stretch: `(N, count, *G)`; the last is the whole map."""
        return self.sums.cumsum(1)

    def _shares(self, begin: float, end: float) -> list[tuple[int, float]]:
        """Which stretches [begin, end] lies in, and with what share; paths follow one another at whole numbers."""
        if end <= begin:
            return []
        shares = []
        place = int(begin * self.count)
        while place < end * self.count:
            inside = min(end, (place + 1) / self.count) - max(begin, place / self.count)
            if inside > 0:
                shares.append((place % self.count, inside / (end - begin)))
            place += 1
        return shares
