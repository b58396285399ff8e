"""One question put to a method: functions, inputs, baselines; and the chance they are drawn by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from gradline.sanity.axioms.formulas import Expression, Model

T = TypeVar("T")

SMALL = 0.1
"""Scale below which deviations count as if it were this large: what cancels is not compared with nothing."""

ROUNDING = 1e-10
"""Deviations that float64 alone can make, between numbers of about 1."""

Ask = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""`(model, x (M, D), starts (K, D)) -> maps (M, D)` float64: K starts are averaged over."""


@dataclass(frozen=True, eq=False)
class Network:
    """A network with weights, `(R, D)` to `(R, 1)`, and what to call it."""

    module: nn.Module
    words: str


Function = Expression | Network


def module_of(function: Function) -> nn.Module:
    """As something that is called."""
    return function.module if isinstance(function, Network) else Model(function)


@dataclass(frozen=True, eq=False)
class Trial:
    """`functions` of D features at M inputs `x (M, D)` from the baselines `starts (K, D)`, float64.

    `places`: the features that an axiom speaks of; `numbers`: the factors that it multiplies by; `way`: how a function
    is written anew.
    """

    functions: tuple[Function, ...]
    x: Tensor
    starts: Tensor
    places: tuple[int, ...] = ()
    numbers: tuple[float, ...] = ()
    way: str = ""

    @property
    def function(self) -> Function:
        return self.functions[0]

    @property
    def features(self) -> int:
        return self.x.shape[1]

    def rise(self, module: nn.Module) -> Tensor:
        """F(x) less the mean of F(x'): `(M,)`."""
        with torch.no_grad():
            change: Tensor = module(self.x)[:, 0] - module(self.starts)[:, 0].mean()
        return change

    def size(self, module: nn.Module) -> Tensor:
        """The sizes of F at both ends, added: `(M,)`."""
        with torch.no_grad():
            total: Tensor = module(self.x)[:, 0].abs() + module(self.starts)[:, 0].abs().mean()
        return total


@dataclass(frozen=True)
class Check:
    """How far each of the M inputs is from the axiom, `gap (M,)`, the size of the numbers compared, `scale (M,)`, and
    `said(m)`: what was expected there and what was got, in words."""

    gap: Tensor
    scale: Tensor
    said: Callable[[int], tuple[str, str]]

    def deviation(self, slack: Tensor | float = 0.0) -> Tensor:
        """The gap, less what the method's own error may have in it, relative to the scale: `(M,)`; infinite where a map
        is not finite."""
        gap = self.gap - slack
        share = torch.where(gap <= ROUNDING, 0.0, gap / self.scale.clamp(min=SMALL))
        return torch.where(self.gap.isfinite() & self.scale.isfinite(), share, torch.inf)


@dataclass(frozen=True)
class Setting:
    """What can be asked of the method: `from_zero` alone, if it has no baseline; `draws` baselines at a time."""

    from_zero: bool = False
    draws: int = 1


@dataclass(frozen=True)
class Chance:
    """Round random numbers."""

    source: torch.Generator

    def whole(self, low: int, high: int) -> int:
        """From low to high, both included."""
        return int(torch.randint(low, high + 1, (), generator=self.source, device="cpu"))

    def tenth(self, low: float, high: float) -> float:
        """A multiple of 0.1 that is not 0."""
        return self.whole(round(10 * low), round(10 * high)) / 10 or 0.5

    def pick(self, options: Sequence[T]) -> T:
        return options[self.whole(0, len(options) - 1)]

    def points(self, rows: int, features: int, low: float = -2.0, high: float = 2.0) -> Tensor:
        """Multiples of 0.1 `(rows, features)`, every fourth a whole number."""

        def between(first: int, last: int) -> Tensor:
            return torch.randint(first, last + 1, (rows, features), generator=self.source, device="cpu").double()

        whole = between(0, 3) == 0
        return torch.where(whole, between(round(low), round(high)), between(round(10 * low), round(10 * high)) / 10)


def length(maps: Tensor) -> Tensor:
    """The sum of absolute values of each map: `(M,)`."""
    return maps.abs().sum(1)
