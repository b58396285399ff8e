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
    """Folds steps into values. `law`: what a complete path's values add up to; `estimates`: an error bar exists."""

    law: SumLaw
    estimates: bool

    @abstractmethod
    def term(self, step: Step) -> Tensor:
        """What the rows of a step add: `(R, *F)`, in the dtype of the gradient."""


@dataclass(frozen=True)
class GradientTimesMove(Accumulator):
    """Σ weight · g ⊙ move: the path integral of the gradient."""

    law = SumLaw.DIFFERENCE
    estimates = True

    def term(self, step: Step) -> Tensor:
        return _gradient(step) * step.move * _share(step)


@dataclass(frozen=True)
class Gradient(Accumulator):
    """Σ weight · g: the gradient alone, in units of score per unit of input."""

    law = SumLaw.NONE
    estimates = False

    def term(self, step: Step) -> Tensor:
        return _gradient(step) * _share(step)


def _gradient(step: Step) -> Tensor:
    assert step.reading.grad is not None
    return step.reading.grad


def _share(step: Step) -> Tensor:
    grad = _gradient(step)
    return step.weight.to(grad).reshape(-1, *[1] * (grad.ndim - 1))
