"""The rows of a matrix that are nearest to points, exactly: roughly by one product, then by differences."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

TABLE = 2**23
"""Distances that are held at a time: points times words."""

CLOSE = 2**20
"""Numbers of candidates that are looked at at a time, so that they stay in a processor's cache."""

MARGIN = 32
"""Candidates beyond those asked for, which rounding in the product may have left out."""


@dataclass(frozen=True, slots=True, eq=False)
class Around:
    """Words around M points, in no order: their places `index (M, k)`, embeddings `words (M, k, D)`, `distance (M, k)`,
    and `near (M, k)`, whether a word is among the nearest that were asked for."""

    index: Tensor
    words: Tensor
    distance: Tensor
    near: Tensor


class Nearest:
    """Finds the words nearest to points, by Euclidean distance. `words (V, D)`, floating; float32 at least."""

    def __init__(self, words: Tensor) -> None:
        self.words = words
        self.square = words.square().sum(1)

    def candidates(self, points: Tensor, count: int, without: Tensor) -> Tensor:
        """Places of the `count` words nearest to each of `points (M, D)` and of a few more, ascending: `(M, k)`.

        `without (M,)`: a word each that does not count, −1 for none.
        """
        count = min(len(self.words), count + MARGIN)
        size = max(1, TABLE // len(self.words))
        parts = zip(torch.split(points, size), torch.split(without, size), strict=True)
        return torch.cat([self._candidates(some, barred, count) for some, barred in parts])

    def _candidates(self, points: Tensor, without: Tensor, count: int) -> Tensor:
        rough = torch.addmm(self.square, points, self.words.mT, alpha=-2)
        known = without >= 0
        rough[known.nonzero()[:, 0], without[known]] = torch.inf
        return rough.topk(count, 1, largest=False, sorted=False).indices.sort(1).values

    def among(self, index: Tensor, points: Tensor, count: int, without: Tensor) -> Around:
        """Which of the candidates are the `count` nearest; of two at the same distance the earlier word."""
        words = self.words[index]
        distance = torch.linalg.vector_norm(words - points.unsqueeze(1), dim=2)
        distance = torch.where(index == without.unsqueeze(1), torch.inf, distance)
        rank = distance.sort(dim=1, stable=True).indices.argsort(1)
        return Around(index, words, distance, (rank < count) & torch.isfinite(distance))

    def place(self, points: Tensor) -> Tensor:
        """Which word each of `points (M, D)` is, `(M,)`; −1 if it is none."""
        none = torch.full((len(points),), -1, device=points.device)
        found = self.among(self.candidates(points, 1, none), points, 1, none)
        same = (found.distance == 0) & found.near
        return torch.where(same.any(1), found.index.gather(1, same.long().argmax(1)[:, None])[:, 0], none)
