"""Targets that are one number of a tensor: of the output, or of a layer inside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from gradline.errors import TargetError
from gradline.question.targets.base import Target
from gradline.question.targets.functions import call, name_of, scalars
from gradline.question.targets.reading import Index, at, batch, check_index, rows_of

Place = tuple[Index, ...]


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Element(Target):
    """One number of the output: `Element(3, 0)` is `output[:, 3, 0]`, step 3 of variable 0, token 3 of class 0, …

    `index`: one from 0 for each axis behind the batch axis; a tensor of N means one each. Raises `TargetError` unless
    there are as many as axes and each is within its axis.
    """

    index: Place

    def __init__(self, *index: Index) -> None:
        object.__setattr__(self, "index", index)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.index))})"

    def freeze(self, output: Any, rows: int) -> Target:
        return Element(*_check_place(output, self.index, rows, "output"))

    def pick(self, output: Any, owner: Tensor) -> Tensor:
        return _at_place(_fitting(output, len(owner), self.index, "output"), self.index, owner)

    def describe(self, example: int) -> str:
        return f"element {_words(self.index, example)} of the output" if self.index else "the output"


@dataclass(frozen=True, eq=False)
class Neuron(Target):
    """One number of what a layer inside returns: of `(R, *G)`, the one at `index`.

    `layer`: a `gl.Layer`, or what one is made of. `index`: for each axis of G one from 0, in a tuple if G has several;
    a tensor of N means one each. Or a function from the layer's output to `(R,)`, for a channel's mean or a direction.
    Raises `TargetError` unless the index fits G.
    """

    layer: object = field()
    index: Index | Place | Callable[[Tensor], Tensor]

    def freeze(self, output: Any, rows: int) -> Target:
        if self.layer is None:
            raise TargetError('a layer, such as gl.Layer("fc1")', "None", "gl.targets.Element reads the output")
        place = self._place()
        return self if callable(place) else replace(self, index=_check_place(output, place, rows, self._where()))

    def pick(self, output: Any, owner: Tensor) -> Tensor:
        place = self._place()
        if callable(place):
            return scalars(call(place, "neuron's function", output), len(owner), "neuron's function")
        return _at_place(_fitting(output, len(owner), place, self._where()), place, owner)

    def describe(self, example: int) -> str:
        place = self._place()
        what = name_of(place) if callable(place) else f"neuron {_words(place, example)}"
        return f"{what} of {_name(self.layer)}"

    def _place(self) -> Place | Callable[[Tensor], Tensor]:
        return self.index if callable(self.index) or isinstance(self.index, tuple) else (self.index,)

    def _where(self) -> str:
        return f"output of {_name(self.layer)}"


def _name(layer: object) -> str:
    return type(layer).__name__ if isinstance(layer, nn.Module) else str(layer)


def _fitting(output: Any, rows: int, place: Place, what: str) -> Tensor:
    expected = f"an {what} of shape ({rows}, …)"
    values = batch(output, rows, expected, "check that the model keeps the batch axis first")
    if values.ndim != len(place) + 1:
        count = "1 index" if values.ndim == 2 else f"{values.ndim - 1} indices"
        axes = f"one for each axis behind the first of the {what}, of shape {tuple(values.shape)}"
        raise TargetError(f"{count}, {axes}", f"{len(place)}")
    return values


def _check_place(output: Any, place: Place, rows: int, what: str) -> Place:
    values = _fitting(output, rows, place, what)
    sizes = values.shape[1:]
    checked = []
    for axis, (index, size) in enumerate(zip(place, sizes, strict=True), 1):
        try:
            checked.append(check_index(index, size, rows, "whole-number"))
        except TargetError as error:
            where = f"{error.expected} on axis {axis} of the {what}, of shape {tuple(values.shape)}"
            raise TargetError(where, error.got, error.remedy) from None
    return tuple(checked)


def _at_place(values: Tensor, place: Place, owner: Tensor) -> Tensor:
    if not any(isinstance(index, Tensor) for index in place):
        return values[(slice(None), *place)]
    rows = torch.arange(len(values), device=values.device)
    own = [rows_of(index, owner, values) if isinstance(index, Tensor) else index for index in place]
    return values[(rows, *own)]


def _words(place: Place, example: int) -> str:
    own = tuple(at(index, example) for index in place)
    return str(own[0] if len(own) == 1 else own)
