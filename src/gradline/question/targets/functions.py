"""Targets that are a function of the user's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from gradline.errors import GradlineError, TargetError
from gradline.question.targets.base import Target
from gradline.question.targets.reading import rows_of
from gradline.question.trees import tensors
from gradline.question.trouble import is_out_of_memory


@dataclass(frozen=True)
class Function(Target):
    """Any differentiable function of the model's output that returns one scalar a row."""

    function: Callable[[Any], Tensor]

    def freeze(self, output: Any, rows: int) -> Target:
        if not callable(self.function):
            raise TargetError("a function of the model's output", repr(self.function))
        return self

    def pick(self, output: Any, owner: Tensor) -> Tensor:
        return scalars(call(self.function, "target function", output), len(owner), "target function")

    def describe(self, example: int) -> str:
        return name_of(self.function)


@dataclass(frozen=True, eq=False)
class Loss(Target):
    """`function(output, reference)`, one loss a row: reconstruction, denoising, regression on a known answer.

    `reference`: a tensor whose first axis is that of the N examples; the function gets the rows that belong to its
    output's, `(R, ...)`, on the output's device. `torch.nn.functional` losses average over the
    batch unless told otherwise: `lambda y, r: functional.mse_loss(y, r, reduction="none").flatten(1).mean(1)`.
    """

    function: Callable[[Any, Tensor], Tensor]
    reference: Tensor

    def freeze(self, output: Any, rows: int) -> Target:
        if not callable(self.function):
            raise TargetError("a function of the model's output and the reference", repr(self.function))
        if not isinstance(self.reference, Tensor):
            kind = type(self.reference).__name__
            raise TargetError("the reference of a loss as a tensor, one row for each example", kind)
        if self.reference.ndim < 1 or self.reference.shape[0] != rows:
            got = f"shape {tuple(self.reference.shape)}"
            raise TargetError(f"a reference with {rows} rows, one for each example", got)
        return self

    def pick(self, output: Any, owner: Tensor) -> Tensor:
        reference = self.reference.detach()
        mine = rows_of(reference, owner, next((tensor for _, tensor in tensors(output)), reference))
        return scalars(call(self.function, "loss", output, mine), len(owner), "loss")

    def describe(self, example: int) -> str:
        return f"{name_of(self.function)} against the reference"


def call(function: Callable[..., Any], role: str, output: Any, *more: Any) -> Any:
    """What the user's function returns; a failure becomes a `TargetError`."""
    try:
        return function(output, *more)
    except GradlineError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        message = f"the {role} failed on the model's output, a {type(output).__name__}"
        raise TargetError(f"{message}: {type(error).__name__}: {error}") from error


def scalars(value: object, rows: int, role: str) -> Tensor:
    """The value, if it is one scalar a row. Raises `TargetError`."""
    if isinstance(value, Tensor) and value.shape == (rows,):
        return value
    got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
    remedy = "reduce the output to one number a row"
    if isinstance(value, Tensor) and value.ndim == 0:
        remedy += ', not to one of the whole batch: reduction="none", then .flatten(1).mean(1)'
    raise TargetError(f"one scalar a row, shape ({rows},), from the {role}", got, remedy)


def name_of(function: object) -> str:
    """A function in words."""
    return str(getattr(function, "__qualname__", type(function).__name__))
