"""One start an example, of any shape: zero, a number, a tensor, the example's own mean."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradline.core.baselines.base import Baseline, Group, check_floating, check_values
from gradline.errors import BaselineError


@dataclass(frozen=True)
class Zero(Baseline):
    """Zero in model space, id 0 for tokens. For a normalised photo that is the data set's mean colour, not black."""

    def start(self, group: Group) -> Tensor:
        return torch.zeros_like(group.x).unsqueeze(1)


@dataclass(frozen=True)
class Constant(Baseline):
    """The same value everywhere, in model space; a whole number for an x of integers.

    Raises `BaselineError` if the value is not finite in the dtype of x, or not whole or out of range for integers.
    """

    value: float

    def check(self, x: Tensor) -> None:
        value = self.value
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not -_largest(x.dtype) <= value <= _largest(x.dtype):  # NaN is not
            if x.is_floating_point() or not number:
                within = f" in {x.dtype}" if number else ""
                raise BaselineError(f"a finite value{within} for Constant", repr(value))
            raise BaselineError(f"a value that fits {x.dtype} for Constant", repr(value))
        if not x.is_floating_point() and (value != int(value) or value < _smallest(x.dtype)):
            raise BaselineError(f"a whole number that fits {x.dtype} for Constant", repr(value))

    def start(self, group: Group) -> Tensor:
        self.check(group.x)
        value = self.value if group.x.is_floating_point() else int(self.value)
        return torch.full_like(group.x, value).unsqueeze(1)


@dataclass(frozen=True, eq=False)
class Given(Baseline):
    """A tensor of x's shape, or with a batch axis of 1 for all examples; of integers if x is of integers.

    Raises `BaselineError` if it has another shape or kind, or values that are not finite.
    """

    tensor: Tensor

    def check(self, x: Tensor) -> None:
        given = self.tensor
        if given.shape[1:] != x.shape[1:] or given.ndim != x.ndim or given.shape[0] not in (1, x.shape[0]):
            shapes = f"shape {tuple(x.shape)} (that of x) or {(1, *x.shape[1:])}"
            raise BaselineError(f"a baseline of {shapes}", f"shape {tuple(given.shape)}", "add the batch axis")
        check_values("baseline", given, x)

    def start(self, group: Group) -> Tensor:
        given = self.tensor.detach()
        own = given if len(given) == 1 else given[group.rows.to(given.device)]
        return own.to(group.x).expand_as(group.x).unsqueeze(1)


@dataclass(frozen=True)
class Mean(Baseline):
    """Each example's own mean: the mean colour of an image `(N, C, H, W)`, the mean of all features otherwise.

    Raises `BaselineError` for an x of integers.
    """

    def check(self, x: Tensor) -> None:
        check_floating(self, x)

    def start(self, group: Group) -> Tensor:
        x = group.x
        self.check(x)
        over = (2, 3) if x.ndim == 4 else tuple(range(1, x.ndim))
        return (x.mean(over, keepdim=True) if over else x).expand_as(x).unsqueeze(1)


@dataclass(frozen=True)
class Held(Baseline):
    """x itself: an input that does not move in these draws of an `Each`."""

    draws: int = 1

    def start(self, group: Group) -> Tensor:
        return group.x.unsqueeze(1).expand(-1, self.draws, *group.x.shape[1:])


@dataclass(frozen=True)
class Repeated(Baseline):
    """The one start of `part`, for every draw of another input."""

    part: Baseline
    draws: int = 1

    def start(self, group: Group) -> Tensor:
        return self.part.start(group).expand(-1, self.draws, *group.x.shape[1:])

    def check(self, x: Tensor) -> None:
        self.part.check(x)


def _largest(dtype: torch.dtype) -> float:
    if dtype == torch.bool:
        return 1
    return torch.finfo(dtype).max if dtype.is_floating_point else torch.iinfo(dtype).max


def _smallest(dtype: torch.dtype) -> float:
    return 0 if dtype == torch.bool else torch.iinfo(dtype).min
