"""Ways through the words of a vocabulary, for text: from word to word, or along the straight line."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradline.core.paths.anchored import Anchored, Word
from gradline.core.paths.anchored import Strategy as Strategy


@dataclass(frozen=True, eq=False)
class Discretized(Anchored):
    """From word to word: the next one is of the `neighbours` nearest to the last. Discretized IG (Sanyal and Ren 2021).

    Without a free word the rest of the way is straight. Fields: see `Anchored`.
    """

    def around(self, start: Tensor, end: Tensor, last: Word, step: int) -> Word:
        return last

    def without(self, start: Tensor, end: Tensor, here: Tensor, step: int) -> Tensor:
        return start if self.from_words else here + (start - here) / (self.anchors + 1 - step)


@dataclass(frozen=True, eq=False)
class UniformDiscretized(Anchored):
    """Along the straight line: word j is of the `neighbours` nearest to x' + (1 − j/(m+1)) (x − x').

    Without a free word that point takes its place. Uniform discretized IG (Roy and Kundu 2024). Fields: see `Anchored`.
    """

    neighbours: int = 30

    def around(self, start: Tensor, end: Tensor, last: Word, step: int) -> Word:
        return Word(self._uniform(start, end, step), torch.full_like(last.at, -1))

    def without(self, start: Tensor, end: Tensor, here: Tensor, step: int) -> Tensor:
        return self.between(self._uniform(start, end, step), start, here)

    def _uniform(self, start: Tensor, end: Tensor, step: int) -> Tensor:
        return start + (self.anchors - step) / (self.anchors + 1) * (end - start)
