"""The scalar that is explained: one number for each row of the model's output."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from gradline.errors import GradlineError, TargetError


class Target(ABC):
    """Picks one scalar a row from the model's output. `bounded`: it saturates (a probability)."""

    bounded = False

    def freeze(self, output: Any, rows: int) -> Target:
        """The target with everything that depends on x settled at x; checks that it fits the output of `rows` rows."""
        return self

    @abstractmethod
    def pick(self, output: Any, owner: Tensor) -> Tensor:
        """Scalars `(R,)` from the output for rows that belong to examples `owner (R,)`."""

    @abstractmethod
    def describe(self, example: int) -> str:
        """What is explained of this example, in words, for cards and provenance."""


@dataclass(frozen=True, eq=False)
class ClassTarget(Target):
    """A column of the output, on some scale. `index`: of the class; a tensor of N indices means one each example."""

    index: int | Tensor

    @abstractmethod
    def scale(self, table: Tensor) -> Tensor:
        """The output `(R, classes)` on the scale that is explained."""

    def freeze(self, output: Any, rows: int) -> Target:
        table = _table(output, rows)
        return type(self)(_check_index(self.index, table.shape[1], rows))

    def pick(self, output: Any, owner: Tensor) -> Tensor:
        return _column(self.scale(_table(output, len(owner))), self.index, owner)

    def describe(self, example: int) -> str:
        index = int(self.index[example]) if isinstance(self.index, Tensor) else self.index
        return f"{type(self).__name__.lower()} of class {index}"


class Logit(ClassTarget):
    """`output[:, index]` as the model returns it."""

    def scale(self, table: Tensor) -> Tensor:
        return table


class Probability(ClassTarget):
    """The softmax probability of a class; for a model with one output column, its sigmoid."""

    bounded = True

    def scale(self, table: Tensor) -> Tensor:
        return torch.sigmoid(table) if table.shape[1] == 1 else torch.softmax(table, 1)


@dataclass(frozen=True)
class Predicted(Target):
    """The class with the largest output at x, frozen there, on the scale of the output; the only column if one."""

    def freeze(self, output: Any, rows: int) -> Target:
        return Logit(_table(output, rows).argmax(1))

    def pick(self, output: Any, owner: Tensor) -> Tensor:
        raise TypeError("Predicted() must be frozen at x first")

    def describe(self, example: int) -> str:
        return "predicted class"


@dataclass(frozen=True)
class Function(Target):
    """Any differentiable function of the model's output that returns one scalar a row."""

    function: Callable[[Any], Tensor]

    def freeze(self, output: Any, rows: int) -> Target:
        if not callable(self.function):
            raise TargetError("a function of the model's output", repr(self.function))
        return self

    def pick(self, output: Any, owner: Tensor) -> Tensor:
        try:
            scalars: object = self.function(output)
        except GradlineError:
            raise
        except Exception as error:
            message = f"the target function failed on the model's output, a {type(output).__name__}"
            raise TargetError(f"{message}: {type(error).__name__}: {error}") from error
        if not isinstance(scalars, Tensor) or scalars.shape != owner.shape:
            got = f"shape {tuple(scalars.shape)}" if isinstance(scalars, Tensor) else type(scalars).__name__
            remedy = "reduce the output to one number a row"
            raise TargetError(f"one scalar a row, shape ({len(owner)},), from the target function", got, remedy)
        return scalars

    def describe(self, example: int) -> str:
        return str(getattr(self.function, "__qualname__", type(self.function).__name__))


def as_target(value: object) -> Target:
    """None is `Predicted()`, an int or a tensor of ints is `Logit`, a callable is `Function`."""
    match value:
        case None:
            return Predicted()
        case Target():
            return value
        case bool():
            pass
        case Integral():
            return Logit(int(value))
        case Tensor():
            return Logit(value)
        case _ if callable(value) and not isinstance(value, type):
            return Function(value)
    raise TargetError(
        "a class index, a tensor of them, a gl target such as gl.Probability(3), or a function of the output",
        repr(value) if isinstance(value, type) else type(value).__name__,
    )


def _table(output: Any, rows: int) -> Tensor:
    """The output as `(rows, columns)`."""
    if not isinstance(output, Tensor):
        kind = type(output).__name__
        raise TargetError("a tensor from the model for this target", kind, "pass a function (output) -> (rows,)")
    table: Tensor = output[:, None] if output.ndim == 1 else output
    if table.ndim != 2 or table.shape[0] != rows:
        raise TargetError(
            f"model output of shape ({rows}, classes)",
            f"shape {tuple(output.shape)}",
            "pass a function (output) -> (rows,) as the target, and check that the model keeps the batch axis first",
        )
    return table if table.is_floating_point() else table.float()  # without a gradient, which is noticed later


def _check_index(index: int | Tensor, columns: int, rows: int) -> int | Tensor:
    if isinstance(index, Tensor):
        if index.dtype == torch.bool or index.is_floating_point() or index.is_complex():
            raise TargetError("integer class indices", f"{index.dtype}")
        if index.ndim == 0:
            return _check_index(int(index), columns, rows)
        if index.shape != (rows,):
            raise TargetError(f"{rows} targets, one for each example", f"shape {tuple(index.shape)}")
        wrong = index[(index < 0) | (index >= columns)]
        if len(wrong):
            raise TargetError(f"class indices from 0 to {columns - 1}", f"{int(wrong[0])}")
        return index.detach().to("cpu", torch.int64)
    if isinstance(index, bool) or not isinstance(index, Integral):
        raise TargetError("a class index or a tensor of them", repr(index))
    if not 0 <= index < columns:
        raise TargetError(f"a class index from 0 to {columns - 1}", f"{index}")
    return int(index)


def _column(table: Tensor, index: int | Tensor, owner: Tensor) -> Tensor:
    if isinstance(index, Tensor):
        return table.gather(1, index.to(table.device)[owner.to(table.device)].unsqueeze(1)).squeeze(1)
    return table[:, index]
