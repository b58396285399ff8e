"""A score that is looked up, not computed: points are known again by a few projections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from gradline.core.baselines import Baseline, Group
from gradline.core.random import generator
from gradline.errors import GradlineError
from gradline.question.targets import Target

MARKS = 4
"""Projections by which a point is known again, on fixed directions, in float64."""

ROUNDING = 16
"""How far two of them may differ and mean the same point, in roundings of the point: machines round differently."""


class NewQuestion(GradlineError):
    """A replay asks for something that is not in the transcript."""


def marks(points: Tensor) -> Tensor:
    """By what points `(R, *F)` are known again: float64 `(R, MARKS)` on the CPU."""
    flat = points.detach().flatten(1).cpu().double()
    return flat @ _directions(flat.shape[1])


@lru_cache(maxsize=4)
def _directions(features: int) -> Tensor:
    source = generator(0, "marks", "transcript")
    return torch.randn(features, MARKS, generator=source, dtype=torch.float64, device="cpu")


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of one example.

    `mark (K, MARKS)` and `value (K,)`: points and the scores there, the input first, then its `starts` baselines. `at`:
    which gradient belongs to each, −1 for none.
    """

    name: str
    mark: Tensor
    value: Tensor
    at: list[int]
    starts: int

    def find(self, mark: Tensor, reach: float, graded: bool) -> tuple[float, int] | None:
        """The score at this mark, and which gradient belongs to it, −1 for none; None if it is not known.

        At an end of the path F(x) or F(x'), unless the gradient is wanted and was read there: that reading's own.
        """
        distance = (self.mark - mark).abs().amax(1)
        nearest = float(distance.min())
        if nearest > reach:
            return None
        here = (distance <= nearest + reach / 8).nonzero()[:, 0].tolist()
        wanted = next((k for k in here if (self.at[k] >= 0) == graded), here[0])
        return float(self.value[wanted]), self.at[wanted]

    def places(self) -> list[float]:
        """Where the gradients are on the straight way from the first baseline, ascending; none without a baseline."""
        if not self.starts:
            return []
        return sorted(self._along(self.mark[k]) for k in range(len(self.at)) if self.at[k] >= 0)

    def unknown(self, mark: Tensor, graded: bool) -> str:
        """What is asked here, in words."""
        places = self.places()
        words = f"the {'gradient' if graded else 'score'} of example {self.name!r}"
        if places:
            here = self._along(mark)
            near = min(places, key=lambda t: abs(t - here))
            words += f" at {here:.6g} of its way (the nearest gradient known is at {near:.6g})"
        return f"{words} is not in the transcript, which knows {sum(k >= 0 for k in self.at)} gradients of it"

    def _along(self, mark: Tensor) -> float:
        way = self.mark[0] - self.mark[1]
        return float(((mark - self.mark[1]) * way).sum() / (way * way).sum())


@dataclass(frozen=True, eq=False)
class Remembered(Target):
    """The score of a model that is not there: what is picked from points is what was said of them.

    `known`: for each example. `grad (G, *F)`: the gradients. `words`: what is explained of each example. `at_x`: the
    output that it was frozen with, of which F(x) is picked.
    """

    known: Sequence[Known]
    grad: Tensor
    words: Sequence[str]
    bounded: bool
    at_x: object = None

    def freeze(self, output: Any, rows: int) -> Target:
        return replace(self, at_x=output)

    def describe(self, example: int) -> str:
        return self.words[example]

    def pick(self, output: Tensor, owner: Tensor) -> Tensor:
        size = output.detach().double().flatten(1).norm(dim=1).cpu()
        eps = torch.finfo(output.dtype).eps + 1e-15 * output[0].numel() ** 0.5  # of the point, and of its marks
        graded = output.requires_grad and output is not self.at_x
        value, grad, missing = torch.zeros(len(output), dtype=torch.float64), torch.zeros_like(output), ""
        for row, (example, mark) in enumerate(zip(owner.tolist(), marks(output), strict=True)):
            known = self.known[example]
            found = known.find(mark, ROUNDING * eps * float(size[row]), graded)
            if found is None:
                raise NewQuestion(known.unknown(mark, graded))
            value[row], place = found
            if place >= 0:
                grad[row] = self.grad[place]
            else:
                missing = missing or known.unknown(mark, True)
        said: Tensor = _Said.apply(output, value, grad, missing)  # type: ignore[no-untyped-call]
        return said


class _Said(torch.autograd.Function):
    """Recorded scores, with recorded gradients; `missing` says which of them would be asked for in vain."""

    @staticmethod
    def forward(ctx: Any, points: Tensor, value: Tensor, grad: Tensor, missing: str) -> Tensor:
        ctx.save_for_backward(grad)
        ctx.missing = missing
        return value.to(points)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None, None, None]:
        if ctx.missing:
            raise NewQuestion(ctx.missing)
        (grad,) = ctx.saved_tensors
        return grad * outer[0].reshape(-1, *[1] * (grad.ndim - 1)), None, None, None


@dataclass(frozen=True, eq=False)
class Started(Baseline):
    """The starts of a recorded call, `(N, K, *F)`; `drawn`: they are a sample."""

    starts: Tensor
    drawn: bool

    @property
    def random(self) -> bool:
        return self.drawn

    @property
    def draws(self) -> int:
        return self.starts.shape[1]

    def start(self, group: Group) -> Tensor:
        return self.starts[group.rows].to(group.x)
