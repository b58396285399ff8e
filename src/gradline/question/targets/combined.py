"""Targets made of targets: a difference of two, and one of a part of the output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from gradline.errors import TargetError
from gradline.question.targets.base import Target
from gradline.question.targets.convert import TargetLike, as_target
from gradline.question.targets.reading import wide
from gradline.question.trees import shape_of, tensors


@dataclass(frozen=True, eq=False)
class Contrast(Target):
    """`first` - `second`, of any two targets: why this rather than that. Zero where both say the same.

    Raises `TargetError` if the two read different layers.
    """

    first: TargetLike
    second: TargetLike

    @property
    def bounded(self) -> bool:
        return as_target(self.first).bounded and as_target(self.second).bounded

    @property
    def layer(self) -> object | None:
        return as_target(self.first).layer

    def freeze(self, output: Any, rows: int) -> Target:
        first, second = as_target(self.first), as_target(self.second)
        if first.layer != second.layer:
            got = f"{first.layer or 'the output'} and {second.layer or 'the output'}"
            raise TargetError("two targets that read the same layer, or the model's output both", got)
        return replace(self, first=first.freeze(output, rows), second=second.freeze(output, rows))

    def pick(self, output: Any, owner: Tensor) -> Tensor:
        first, second = (as_target(t).pick(output, owner) for t in (self.first, self.second))
        return first.to(wide(first)) - second.to(wide(second))

    def describe(self, example: int) -> str:
        return f"{as_target(self.first).describe(example)} less {as_target(self.second).describe(example)}"


@dataclass(frozen=True, eq=False)
class Entry(Target):
    """A target of one entry of an output that is a mapping, an object, a tuple or a list.

    `key`: the name of an item or attribute, or a position from 0. `target`: what of the entry is explained; an `Entry`
    goes deeper. Raises `TargetError` if there is no such entry.
    """

    key: str | int
    target: TargetLike = None

    @property
    def bounded(self) -> bool:
        return as_target(self.target).bounded

    def freeze(self, output: Any, rows: int) -> Target:
        inner = as_target(self.target)
        if inner.layer is not None:
            got = f"a target that reads layer {inner.layer}"
            raise TargetError("a target of the entry", got, "what a layer returns is one tensor: leave the Entry out")
        if isinstance(self.key, bool) or not isinstance(self.key, str | int):
            raise TargetError("the name or the position of an entry", repr(self.key))
        return replace(self, target=inner.freeze(self._entry(output), rows))

    def pick(self, output: Any, owner: Tensor) -> Tensor:
        return as_target(self.target).pick(self._entry(output), owner)

    def describe(self, example: int) -> str:
        return f"{as_target(self.target).describe(example)} of output {self.key!r}"

    def margin(self) -> Target:
        return replace(self, target=as_target(self.target).margin())

    def _entry(self, output: Any) -> Any:
        key = self.key
        if isinstance(output, Tensor):
            raise TargetError(
                f"an output with an entry {key!r}",
                f"a tensor of shape {tuple(output.shape)}",
                "leave the Entry out: the target reads the output itself",
            )
        if isinstance(output, Mapping) and key in output:
            return output[key]
        if isinstance(key, str) and not isinstance(output, Mapping) and hasattr(output, key):
            return getattr(output, key)
        if isinstance(key, int) and isinstance(output, tuple | list) and 0 <= key < len(output):
            return output[key]
        there = dict.fromkeys(path[0] for path, _ in tensors(output))
        remedy = f"there are {', '.join(map(repr, there))}" if there else "it holds no tensor"
        raise TargetError(f"an output with an entry {key!r}", shape_of(output), remedy)
