"""A model of tables: its columns, how they become its inputs, and what its outputs are called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from gradline.adapters.tabular.columns import Category, Column, Numeric
from gradline.errors import InputError
from gradline.question import Layer

Inputs = Sequence[str | Sequence[str]] | Mapping[str, str | Sequence[str]]


@dataclass(frozen=True, eq=False)
class TabularModel:
    """A model with the columns that it takes.

    `model`: a Module or another callable. `columns`: `Numeric` and `Category`, in the order in which they are packed.
    `labels`: names of its outputs; two names for a model with one output are those of "no" and "yes". `inputs`: the
    model's arguments, each with the names of its columns; a sequence by position, a mapping by name. Columns of numbers
    and one-hot groups make a float matrix `(rows, width)`; embedded categories alone an int64 matrix of codes
    `(rows, columns)`; both together a float matrix in which codes are numbers. A name that stands alone, not in a
    sequence, is passed as `(rows,)`. By default all numbers and groups in one matrix, then, if categories are embedded,
    all codes in another. `name`: what it is called; by default its class.

    Raises `InputError`.
    """

    model: Callable[..., Any]
    columns: tuple[Column, ...]
    labels: tuple[str, ...] = ()
    inputs: Inputs | None = None
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))
        object.__setattr__(self, "labels", tuple(map(str, self.labels)))
        if not callable(self.model):
            raise InputError("a model that can be called with a batch", type(self.model).__name__)
        wrong = [c for c in self.columns if not isinstance(c, Numeric | Category)]
        if wrong or not self.columns:
            got = type(wrong[0]).__name__ if wrong else "none"
            raise InputError("columns: gl.tabular.Numeric and gl.tabular.Category", got, "see gl.tabular.columns_of")
        names = [column.name for column in self.columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InputError("columns with different names", f"{', '.join(map(repr, twice))} twice")
        if self.inputs is not None:
            self._check_inputs(names)
        for layer in self.layers:
            layer.find(self.model)

    def _check_inputs(self, names: list[str]) -> None:
        if isinstance(self.inputs, str) or not isinstance(self.inputs, Mapping | Sequence):
            raise InputError("inputs= as a sequence or a mapping of column names", repr(self.inputs))
        used = [name for _, columns, _ in self.arguments for name in columns]
        unknown = [name for name in used if name not in names]
        if unknown:
            raise InputError(f"inputs= made of the columns {', '.join(names)}", f"{unknown[0]!r}")
        lacking, twice = [n for n in names if n not in used], [n for n in names if used.count(n) > 1]
        if lacking or twice:
            got = f"{lacking[0]!r} in none" if lacking else f"{twice[0]!r} in two"
            raise InputError("every column in one of inputs=", got, "leave columns out of columns= that are no input")

    @property
    def arguments(self) -> list[tuple[str | None, tuple[str, ...], bool]]:
        """Of each argument: its name, None by position; its columns; whether it is one column as `(rows,)`."""
        given = self.inputs
        if given is None:
            packed = tuple(c.name for c in self.columns if c.width)
            codes = tuple(c.name for c in self.columns if not c.width)
            return [(None, names, False) for names in (packed, codes) if names]
        pairs = given.items() if isinstance(given, Mapping) else ((None, columns) for columns in given)
        return [(n, (c,) if isinstance(c, str) else tuple(c), isinstance(c, str)) for n, c in pairs]

    @cached_property
    def packed(self) -> dict[str, slice]:
        """Where a column lies among the packed numbers; embedded ones are not there."""
        found, at = {}, 0
        for column in self.columns:
            if column.width:
                found[column.name] = slice(at, at + column.width)
                at += column.width
        return found

    @cached_property
    def embedded(self) -> tuple[Category, ...]:
        """The categories that the model embeds, in order."""
        return tuple(c for c in self.columns if isinstance(c, Category) and c.layer is not None)

    @cached_property
    def layers(self) -> dict[Layer, tuple[str, ...]]:
        """Embedding layers, each with its columns."""
        found: dict[Layer, tuple[str, ...]] = {}
        for column in self.embedded:
            assert column.layer is not None
            found[column.layer] = (*found.get(column.layer, ()), column.name)
        return found

    @property
    def is_plain(self) -> bool:
        """It takes one float matrix of all columns, in order."""
        return self.inputs is None and not self.embedded

    @property
    def like(self) -> Tensor:
        """Has the dtype and the device of what goes in."""
        owners = [getattr(self.model, "__self__", self.model), *(layer.where for layer in self.layers)]
        modules = [owner for owner in owners if isinstance(owner, nn.Module)]
        floating = (p.detach() for module in modules for p in module.parameters() if p.is_floating_point())
        return next((p[:0] if p.ndim else p for p in floating), torch.zeros(0))

    @property
    def title(self) -> str:
        """What it is called."""
        return self.name or getattr(self.model, "__name__", type(self.model).__name__)

    def label_index(self, label: str, outputs: int) -> int:
        """The output that a label names. Raises `InputError` with the labels there are."""
        if label not in self.labels:
            known = ", ".join(map(repr, self.labels)) or "none: give labels= to the TabularModel"
            raise InputError("one of the model's labels", repr(label), f"labels: {known}")
        place = self.labels.index(label)
        if outputs == 1 and len(self.labels) == 2:
            if place == 0:
                remedy = f"explain {self.labels[1]!r} and turn the signs round"
                raise InputError("the label that the model's one output is the score of", repr(label), remedy)
            return 0
        return place

    def label(self, index: int, outputs: int) -> str:
        """The name of an output."""
        at = len(self.labels) - 1 if outputs == 1 and len(self.labels) == 2 else index
        return self.labels[at] if at < len(self.labels) else f"output {index}"
