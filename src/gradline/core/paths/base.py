"""What a path is, and the three ways to say how much it may cost."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor

from gradline.core.accumulators import SumLaw
from gradline.core.adaptive import adaptive
from gradline.core.fixed import fixed
from gradline.core.flow import Flow, Frame
from gradline.core.rules import Rule


@dataclass(frozen=True)
class ToleranceBudget:
    """Go on until the estimated relative L2 error of the map is at most `tol`, or `max_evaluations` are spent."""

    tol: float
    max_evaluations: int


@dataclass(frozen=True)
class FixedBudget:
    """`steps` nodes of `rule` on every path."""

    steps: int
    rule: Rule


@dataclass(frozen=True)
class OwnBudget:
    """Whatever the path needs; it makes no claim of accuracy."""


Budget = ToleranceBudget | FixedBudget | OwnBudget


class Path(ABC):
    """A way of asking for gradients.

    `integrates`: the path takes `steps`. `estimates`: it takes `tol`; as a rule, if it integrates. `complete`: its
    moves add up to x − x'. `readings`: gradients that a node takes. `staged`: it is walked from end to end, so that
    there is a map of its first part.
    """

    integrates: bool
    complete: bool
    staged = True

    @property
    def readings(self) -> int:
        return 1

    @property
    def estimates(self) -> bool:
        return self.integrates

    @property
    def law(self) -> SumLaw:
        """What gradients times moves add up to along it."""
        return SumLaw.DIFFERENCE if self.complete else SumLaw.NONE

    @abstractmethod
    def flow(self, frame: Frame, budget: Budget) -> Flow:
        """The generator that drives one group of examples."""


class Curve(Path):
    """A path given by a formula: where it is at t, and how it moves there."""

    integrates = True
    complete = True

    @abstractmethod
    def point(self, start: Tensor, end: Tensor, t: Tensor) -> Tensor:
        """γ(t) for ends `(R, *F)` and `t (R, m)`: `(R, m, *F)`. γ(0) is `start` and γ(1) is `end`, exactly."""

    @abstractmethod
    def move(self, start: Tensor, end: Tensor, t: Tensor) -> Tensor:
        """γ'(t), the tangent: broadcastable to `(R, m, *F)`."""

    def over(self, start: Tensor, end: Tensor, t: Tensor, edge: Tensor) -> Tensor:
        """What nodes t of a fixed rule move for a unit of t, as `move`; their cells lie between `edge (R, m + 1)`."""
        return self.move(start, end, t)

    def flow(self, frame: Frame, budget: Budget) -> Flow:
        match budget:
            case ToleranceBudget(tol, max_evaluations):
                return adaptive(frame, self, tol, max_evaluations)
            case FixedBudget(steps, rule):
                return fixed(frame, self, rule, steps)
            case OwnBudget():
                raise TypeError("a curve needs a tolerance or a number of steps")
