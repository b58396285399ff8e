"""What each reading adds to the attribution, and what the values should then add up to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum

from torch import Tensor

from gradline.core.flow import Step


class SumLaw(Enum):
    """What the values of a method add up to."""

    DIFFERENCE = "F(x) - F(x')"
    NONE = "no claim"


class Accumulator(ABC):
    """Folds steps into values. `law`: what a complete path's values add up to; `estimates`: an error bar exists;
    `multiplies`: gradients are multiplied by moves."""

    law: SumLaw
    estimates: bool
    multiplies: bool

    @abstractmethod
    def node_map(self, grad: Tensor, move: Tensor) -> Tensor:
        """What a node contributes per unit of weight: `(R, *G)`."""

    def term(self, step: Step) -> Tensor:
        """What the rows of a step add: `(R, *G)`, in the dtype of the gradient."""
        grad = step.reading.grad
        assert grad is not None
        share = step.weight.to(grad).reshape(-1, *[1] * (grad.ndim - 1))
        return self.node_map(grad, step.move) * share


@dataclass(frozen=True)
class GradientTimesMove(Accumulator):
    """Σ weight · g ⊙ move: the path integral of the gradient."""

    law = SumLaw.DIFFERENCE
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
