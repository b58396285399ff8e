"""What each reading adds to the attribution, and what the values should then add up to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor

from gradline.core.flow import Step


class SumLaw(Enum):
    """What the values of a method add up to."""

    DIFFERENCE = "F(x) - F(x')"
    REACHED = "F at the saturation point - F(x')"
    REMAINING = "F(x) - F at the saturation point"
    ONE_BY_ONE = "Σᵢ [F(x) - F(x with row i at x')]"
    NONE = "no claim"


class Accumulator(ABC):
    """Folds steps into values. `law`: what a complete path's values add up to; `estimates`: an error bar exists;
    `multiplies`: gradients are multiplied by moves; `blank`: the values before the first step."""

    law: SumLaw
    estimates: bool
    multiplies: bool
    blank: float = 0.0

    @abstractmethod
    def node_map(self, grad: Tensor, move: Tensor) -> Tensor:
        """What a node contributes per unit of weight: `(R, *G)`."""

    def term(self, step: Step) -> Tensor:
        """What the rows of a step add: `(R, *G)`, in the dtype of the gradient."""
        grad = step.reading.grad
        assert grad is not None
        share = step.weight.to(grad).reshape(-1, *[1] * (grad.ndim - 1))
        return self.node_map(grad, step.move) * share

    def fold(self, values: Tensor, owner: Tensor, step: Step) -> None:
        """Take a step into `values (N, *G)`; `owner (R,)` says whose values each of its rows belongs to."""
        values.index_add_(0, owner.to(values.device), self.term(step).to(values))


@dataclass(frozen=True)
class GradientTimesMove(Accumulator):
    """Σ weight · g ⊙ move: the path integral of the gradient."""

    law = SumLaw.DIFFERENCE
    estimates = True
    multiplies = True

    def node_map(self, grad: Tensor, move: Tensor) -> Tensor:
        return grad * move


@dataclass(frozen=True)
class GradientTimesShare(Accumulator):
    """Σ weight · g ⊙ what of the move regions of x make: what flows from them through a layer.

    Adds up to what each region holds of the difference, which is kept beside it; the sum over all claims nothing.
    """

    law = SumLaw.NONE
    estimates = True
    multiplies = True

    def node_map(self, grad: Tensor, move: Tensor) -> Tensor:
        return grad * move


@dataclass(frozen=True)
class Gradient(Accumulator):
    """Σ weight · g: the gradient alone, in units of score per unit of input."""

    law = SumLaw.NONE
    estimates = True
    multiplies = False

    def node_map(self, grad: Tensor, move: Tensor) -> Tensor:
        return grad


@dataclass(frozen=True)
class Maximum(Accumulator):
    """max over nodes of g, or of |g| if `absolute`; weights play no part, and paths of several draws are one set.

    The signed maximum of noise is positive: zero-mean scatter over many nodes makes a positive map.
    """

    absolute: bool = False
    law = SumLaw.NONE
    estimates = False
    multiplies = False
    blank = -torch.inf

    def node_map(self, grad: Tensor, move: Tensor) -> Tensor:
        return grad.abs() if self.absolute else grad

    def fold(self, values: Tensor, owner: Tensor, step: Step) -> None:
        assert step.reading.grad is not None
        seen = self.node_map(step.reading.grad, step.move).to(values)
        for example in set(owner.tolist()):
            best = seen[(owner == example).to(seen.device)].amax(0)
            values[example] = torch.maximum(values[example], best)
