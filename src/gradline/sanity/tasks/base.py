"""What a task is: examples whose right map is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from gradline.core.baselines import Baseline, PixelSpace, Zero
from gradline.question.score import Score
from gradline.question.targets import ClassTarget

Rule = Callable[[Tensor], Tensor]
"""The right map `(N, *F)` at any examples x, where one can be said."""


@dataclass(frozen=True, eq=False)
class Task:
    """N examples whose right map is known, because the model was built or trained so.

    `score`: with the class of each example. `x`: as it is handed to the score. `oracle (N, *F)`: the right map, in
    contributions to the score counted from `baseline`, where the score is driven; `exact`: it is Integrated Gradients
    to the last digit, and not merely in the right places. `masks (N, *G)` in [0, 1], broadcastable to the map: what
    speaks for the class. `rule`: the right map of the examples at other x; None if there is no formula. `swapped`: x
    with the evidence of another class in place of its own, all else equal, and `other (N,)` that class; None where
    nothing can be swapped. `facts`: what was measured when the task was made, such as the accuracy on examples not
    trained on. `pixels`: what black and white are, for images.
    """

    name: str
    score: Score
    x: Tensor
    oracle: Tensor
    masks: Tensor
    exact: bool
    baseline: Baseline = Zero()  # noqa: RUF009
    rule: Rule | None = None
    swapped: Tensor | None = None
    other: Tensor | None = None
    facts: Mapping[str, float] = field(default_factory=dict)
    pixels: PixelSpace | None = None

    def __len__(self) -> int:
        return len(self.x)

    def __str__(self) -> str:
        return self.name

    @property
    def names(self) -> tuple[str, ...]:
        """Keys of the examples' random numbers: the task and a number."""
        return tuple(f"{self.name} {i}" for i in range(len(self.x)))

    def first(self, count: int) -> Task:
        """The first `count` examples alone."""
        target = self.score.target
        if isinstance(target, ClassTarget) and isinstance(target.index, Tensor):
            target = replace(target, index=target.index[:count])
        return replace(
            self,
            score=replace(self.score, target=target),
            x=self.x[:count],
            oracle=self.oracle[:count],
            masks=self.masks[:count],
            swapped=None if self.swapped is None else self.swapped[:count],
            other=None if self.other is None else self.other[:count],
        )


def decided(score: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The class that the model decides for each row: int64 `(N,)`."""
    with torch.no_grad():
        return score(x).argmax(1)
