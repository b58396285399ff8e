"""Frames in and out: pandas, polars, or a mapping from columns to sequences. Neither library is imported."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from gradline.errors import InputError

Build = Callable[[Mapping[str, np.ndarray], Sequence[int]], Any]
"""Makes a frame of the kind that went in, from new columns and the places of its rows."""


@dataclass(frozen=True, eq=False)
class Table:
    """What was read from a frame.

    `columns`: name to its N values. `labels`: one for each row, all different: the index of a pandas frame, else the
    row's number. `build`: makes a frame of the same kind, with the same index.
    """

    columns: Mapping[str, Sequence[Any]]
    labels: tuple[str, ...]
    build: Build

    def __len__(self) -> int:
        return len(self.labels)

    def column(self, name: str) -> Sequence[Any]:
        """The values of a column. Raises `InputError` with the nearest names."""
        if name in self.columns:
            return self.columns[name]
        near = difflib.get_close_matches(name, self.columns, 3, 0.5)
        said = (
            f"did you mean {' or '.join(map(repr, near))}?" if near else f"it has {', '.join(list(self.columns)[:8])}"
        )
        raise InputError(f"a frame with column {name!r}", "none of that name", said)

    def check(self, names: Sequence[str]) -> None:
        """Raise `InputError` that lists every column that is not there."""
        lacking = [name for name in names if name not in self.columns]
        if len(lacking) == 1:
            self.column(lacking[0])
        if lacking:
            near = {name: difflib.get_close_matches(name, self.columns, 1, 0.5) for name in lacking}
            meant = ", ".join(f"{name!r} ({found[0]!r}?)" if found else repr(name) for name, found in near.items())
            has = f"the frame has {', '.join(list(self.columns)[:12])}"
            raise InputError(f"a frame with all {len(names)} columns", f"one without {meant}", has)


def read_table(frame: object, what: str = "a frame") -> Table:
    """Read a pandas or polars frame, or a mapping from columns to sequences; a mapping to single values is one row.

    Raises `InputError` for anything else, an empty frame, a column that comes twice and columns of different lengths.
    """
    match frame:
        case Table():
            return frame
        case Mapping():
            return _checked(_of_mapping(frame), what)
        case _ if hasattr(frame, "iloc") and hasattr(frame, "index") and hasattr(frame, "columns"):
            return _checked(_of_pandas(frame, what), what)
        case _ if hasattr(frame, "get_column") and hasattr(frame, "columns"):
            columns = {str(name): frame.get_column(name).to_list() for name in frame.columns}
            rows = len(next(iter(columns.values()), []))
            kind: Any = type(frame)
            return _checked(Table(columns, _numbers(rows), lambda new, places: kind(dict(new))), what)
    remedy = "call .collect() first" if hasattr(frame, "collect") else "pass a dict of columns"
    expected = f"{what}: a pandas or polars DataFrame, or a mapping from columns to sequences"
    raise InputError(expected, type(frame).__name__, remedy)


def _of_pandas(frame: Any, what: str) -> Table:
    names = [str(name) for name in frame.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{what} with different column names", f"{', '.join(map(repr, twice))} twice")
    columns = {name: list(frame.iloc[:, place]) for place, name in enumerate(names)}
    labels = tuple(str(label) for label in frame.index)
    if len(set(labels)) != len(labels):
        labels = _numbers(len(labels))
    kind, index = type(frame), frame.index

    def build(new: Mapping[str, np.ndarray], places: Sequence[int]) -> Any:
        return kind(dict(new), index=index[list(places)])

    return Table(columns, labels, build)


def _of_mapping(frame: Mapping[Any, Any]) -> Table:
    single = bool(frame) and all(_is_single(value) for value in frame.values())
    whole = {str(name): [value] if single else _listed(value) for name, value in frame.items()}
    arrays = any(isinstance(value, np.ndarray | Tensor) for value in frame.values())

    def build(new: Mapping[str, np.ndarray], places: Sequence[int]) -> Any:
        return {name: values if arrays else values.tolist() for name, values in new.items()}

    return Table(whole, _numbers(len(next(iter(whole.values()), []))), build)


def _is_single(value: object) -> bool:
    return isinstance(value, str | bytes) or not isinstance(value, Iterable) or getattr(value, "ndim", 1) == 0


def _listed(value: Any) -> list[Any]:
    if _is_single(value):
        raise InputError("a sequence of values for every column", repr(value), "or a single value for each: one row")
    return list(value.tolist() if hasattr(value, "tolist") else value)


def _checked(table: Table, what: str) -> Table:
    lengths = {name: len(values) for name, values in table.columns.items()}
    if not lengths or not len(table):
        raise InputError(f"{what} with at least one row", f"{len(lengths)} columns and {len(table)} rows")
    if len(set(lengths.values())) > 1:
        raise InputError(f"{what} whose columns have as many rows", f"{lengths}")
    return table


def _numbers(rows: int) -> tuple[str, ...]:
    return tuple(map(str, range(rows)))
