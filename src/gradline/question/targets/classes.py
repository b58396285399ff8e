"""Targets of classifiers: a class on some scale."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from gradline.errors import TargetError
from gradline.question.targets.base import Target
from gradline.question.targets.reading import Index, at, check_index, column, table, wide


@dataclass(frozen=True, eq=False)
class ClassTarget(Target):
    """A column of the output, on some scale. `index`: of the class; a tensor of N indices means one each example.

    The output is a tensor `(R, classes)` or `(R,)`, has one as its `logits`, or is a tuple with no other tensor.
    `only`: it has no other column, which is known once the target is frozen.
    """

    index: Index
    only: bool = field(default=False, kw_only=True, repr=False)

    @abstractmethod
    def scale(self, table: Tensor) -> Tensor:
        """The output `(R, classes)` on the scale that is explained."""

    def freeze(self, output: Any, rows: int) -> Target:
        columns = table(output, rows).shape[1]
        return replace(self, index=check_index(self.index, columns, rows), only=columns == 1)

    def pick(self, output: Any, owner: Tensor) -> Tensor:
        return column(self.scale(table(output, len(owner))), self.index, owner)

    @property
    def scale_name(self) -> str:
        """The scale in words."""
        return type(self).__name__.lower()

    def describe(self, example: int) -> str:
        return self.scale_name if self.only else f"{self.scale_name} of class {at(self.index, example)}"

    def margin(self) -> Target:
        return Margin(self.index)


class Logit(ClassTarget):
    """`output[:, index]` as the model returns it."""

    def scale(self, table: Tensor) -> Tensor:
        return table

    def describe(self, example: int) -> str:
        return "the output" if self.only else super().describe(example)


class Probability(ClassTarget):
    """The softmax probability of a class; for a model with one output column, its sigmoid."""

    bounded = True

    def scale(self, table: Tensor) -> Tensor:
        table = table.to(wide(table))
        return torch.sigmoid(table) if table.shape[1] == 1 else torch.softmax(table, 1)


class LogProbability(ClassTarget):
    """The log of the softmax probability of a class, at most 0; for a model with one output column, of its sigmoid."""

    def scale(self, table: Tensor) -> Tensor:
        table = table.to(wide(table))
        return functional.logsigmoid(table) if table.shape[1] == 1 else torch.log_softmax(table, 1)

    @property
    def scale_name(self) -> str:
        return "log-probability"


class LabelProbability(ClassTarget):
    """The sigmoid of a column: the probability of a label, in models whose labels do not exclude each other."""

    bounded = True

    def scale(self, table: Tensor) -> Tensor:
        return torch.sigmoid(table.to(wide(table)))

    def describe(self, example: int) -> str:
        return f"probability of label {at(self.index, example)}"

    def margin(self) -> Target:
        """The logit: a label has no rivals, and is decided where its logit changes its sign."""
        return Logit(self.index)


@dataclass(frozen=True, eq=False)
class Margin(ClassTarget):
    """`output[:, index] - output[:, other]`: how far a class leads another one; 0 on the boundary between the two.

    `other`: of the other class, one for all or one each; without it the best other class at x, frozen there. Raises
    `TargetError` if the two are the same, or if the output has one column.
    """

    other: Index | None = None

    def scale(self, table: Tensor) -> Tensor:
        return table.to(wide(table))

    def freeze(self, output: Any, rows: int) -> Target:
        scores = table(output, rows)
        columns = scores.shape[1]
        if columns == 1:
            remedy = "a model with one output column decides where gl.Logit(0) changes its sign"
            raise TargetError("at least two classes for a margin", "one output column", remedy)
        index = check_index(self.index, columns, rows)
        other = _best_other(scores, index) if self.other is None else check_index(self.other, columns, rows)
        same = (torch.as_tensor(index) == torch.as_tensor(other)).expand(rows).nonzero()
        if len(same):
            example = int(same[0])
            raise TargetError("two different classes for a margin", f"class {at(index, example)} twice")
        return replace(self, index=index, other=other)

    def pick(self, output: Any, owner: Tensor) -> Tensor:
        if self.other is None:
            raise TypeError("a Margin over the best other class must be frozen at x first")
        scores = table(output, len(owner))
        return column(scores, self.index, owner).to(wide(scores)) - column(scores, self.other, owner)

    def describe(self, example: int) -> str:
        other = "the best other class" if self.other is None else f"class {at(self.other, example)}"
        return f"margin of class {at(self.index, example)} over {other}"


@dataclass(frozen=True)
class Predicted(Target):
    """The class with the largest output at x, frozen there; the only column if one.

    `kind`: the scale that it is explained on, a class such as `gl.Probability`; the output's own by default.
    """

    kind: type[ClassTarget] = Logit

    @property
    def bounded(self) -> bool:
        return bool(getattr(self.kind, "bounded", False))

    def freeze(self, output: Any, rows: int) -> Target:
        if not (isinstance(self.kind, type) and issubclass(self.kind, ClassTarget)):
            raise TargetError("a class of targets such as gl.Predicted(gl.Probability)", repr(self.kind))
        return self.kind(table(output, rows).argmax(1)).freeze(output, rows)

    def pick(self, output: Any, owner: Tensor) -> Tensor:
        raise TypeError("Predicted() must be frozen at x first")

    def describe(self, example: int) -> str:
        return "predicted class"

    def margin(self) -> Target:
        return Predicted(Margin)


def _best_other(scores: Tensor, index: Index) -> Tensor:
    """The column with the largest score but for `index`: `(rows,)`."""
    rows, columns = scores.shape
    own = torch.as_tensor(index, device=scores.device).expand(rows).unsqueeze(1)
    others = torch.arange(columns - 1, device=scores.device).expand(rows, -1)
    others = others + (others >= own)
    best = scores.gather(1, others).argmax(1, keepdim=True)
    return others.gather(1, best).squeeze(1).cpu()
