"""From a frame to what a model takes: packed numbers, codes, embedding vectors; and back to columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradline.adapters.tabular.columns import Category, Numeric
from gradline.adapters.tabular.frames import Table, read_table
from gradline.adapters.tabular.joined import Joined
from gradline.adapters.tabular.model import TabularModel
from gradline.errors import InputError, ModelError

Places = tuple[str, tuple[int, ...]]
"""Where the contributions of a column lie: an entry of the values, "" for the only one, and flat places in a row."""


@dataclass(frozen=True, eq=False)
class Encoder:
    """A model of tables, ready to be asked.

    `asked`: what takes x: the model itself, or `Joined`.
    """

    model: TabularModel
    asked: Callable[..., Any]

    def read(self, frame: object, what: str = "a frame") -> Encoded:
        """The rows of a frame, as people and the model see them. Raises `InputError`, `ModelError`."""
        table = read_table(frame, what)
        table.check([column.name for column in self.model.columns])
        raw = {column.name: column.read(table.column(column.name)) for column in self.model.columns}
        return Encoded(table, raw, self.moved(raw), self._codes(raw))

    def moved(self, raw: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
        """What the path moves, by name: packed numbers `(N, P)`, vectors `(N, …, D)`."""
        found = {}
        numbers = self._numbers(raw)
        if numbers is not None:
            found[self.numbers] = numbers
        if isinstance(self.asked, Joined) and self.model.embedded:
            found |= self.vectors(numbers, self._codes(raw))
        return found

    @property
    def numbers(self) -> str:
        """The name of the packed numbers in x."""
        return self.asked.numbers if isinstance(self.asked, Joined) else ""

    def vectors(self, numbers: Tensor | None, codes: Tensor) -> dict[str, Tensor]:
        """What the model's embeddings make of codes. Raises `InputError`, `ModelError`."""
        assert isinstance(self.asked, Joined)
        try:
            return self.asked.vectors(numbers, codes)
        except InputError:
            raise
        except Exception as error:
            given = ", ".join(name or f"argument {k}" for k, (name, _, _) in enumerate(self.model.arguments))
            remedy = "inputs= of the TabularModel says what it takes"
            raise ModelError(f"{self.model.title} failed on {given}: {error}; {remedy}") from error

    def x(self, encoded: Encoded) -> Any:
        """The rows as the engine takes them: a matrix, or a dict with the codes held."""
        if not isinstance(self.asked, Joined):
            return encoded.moved[""]
        held = {self.asked.codes: encoded.codes} if self.model.embedded else {}
        return {**encoded.moved, **held}

    def packed(self, parts: Mapping[str, np.ndarray]) -> Tensor | None:
        """Scaled numbers and groups of each column `(N, width)` in one matrix; None without any."""
        columns = [parts[column.name] for column in self.model.columns if column.width]
        return torch.as_tensor(np.concatenate(columns, 1)).to(self.model.like) if columns else None

    def places(self, moved: Mapping[str, Tensor]) -> dict[str, Places]:
        """Where the contributions of every column lie."""
        found: dict[str, Places] = {}
        for name, where in self.model.packed.items():
            found[name] = self.numbers, tuple(range(where.start, where.stop))
        if isinstance(self.asked, Joined):
            for layer, names in self.model.layers.items():
                entry = self.asked.entries[layer]
                size = moved[entry][0].numel() // len(names)
                for k, name in enumerate(names):
                    found[name] = entry, tuple(range(k * size, (k + 1) * size))
        return {column.name: found[column.name] for column in self.model.columns}

    def _numbers(self, raw: Mapping[str, np.ndarray]) -> Tensor | None:
        parts = {}
        for column in self.model.columns:
            match column:
                case Numeric():
                    parts[column.name] = column.scaled(raw[column.name])
                case Category() if column.width:
                    parts[column.name] = column.one_hot(raw[column.name])
        return self.packed(parts)

    def _codes(self, raw: Mapping[str, np.ndarray]) -> Tensor:
        rows = len(next(iter(raw.values())))
        codes = [raw[column.name] for column in self.model.embedded]
        whole = np.stack(codes, 1) if codes else np.empty((rows, 0), np.int64)
        return torch.as_tensor(whole, device=self.model.like.device)


@dataclass(frozen=True, eq=False)
class Encoded:
    """Rows of a frame. `raw`: column to its numbers in their unit, or codes, `(N,)`. `moved`: what the path moves, by
    name. `codes (N, C)`: int64, of embedded categories."""

    table: Table
    raw: Mapping[str, np.ndarray]
    moved: Mapping[str, Tensor]
    codes: Tensor


def encoder(model: object) -> Encoder:
    """Of a `TabularModel`. Raises `InputError`."""
    if not isinstance(model, TabularModel):
        remedy = "say how a frame becomes its input: gl.tabular.TabularModel(model, gl.tabular.columns_of(training))"
        raise InputError("a gl.tabular.TabularModel", type(model).__name__, remedy)
    return Encoder(model, model.model if model.is_plain else Joined(model))
