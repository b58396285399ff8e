"""The columns of a table: how each enters the model, and how people read it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradline.errors import InputError
from gradline.question import Layer


@dataclass(frozen=True)
class Numeric:
    """A column of numbers; the model sees `(v − mean) / scale`.

    `unit`: of the column, as in "39 years". `mean`, `scale`: in that unit; `scale` is above 0. `missing`: the number
    that stands in for a missing one; None: missing numbers are refused. Raises `InputError`.
    """

    name: str
    unit: str = ""
    mean: float = 0.0
    scale: float = 1.0
    missing: float | None = None

    def __post_init__(self) -> None:
        _check_name(self.name)
        if not (math.isfinite(self.mean) and math.isfinite(self.scale) and self.scale > 0):
            got = f"mean={self.mean!r}, scale={self.scale!r}"
            raise InputError(f"a finite mean and a scale above 0 for column {self.name!r}", got)
        if self.missing is not None and not math.isfinite(self.missing):
            raise InputError(f"a finite number in place of missing ones of column {self.name!r}", repr(self.missing))

    @property
    def width(self) -> int:
        """Entries of the packed numbers that it takes."""
        return 1

    def read(self, values: Sequence[Any]) -> np.ndarray:
        """The numbers `(N,)`, float64, in the column's unit. Raises `InputError` that names the row."""
        found = np.empty(len(values))
        for row, value in enumerate(values):
            if is_missing(value):
                if self.missing is None:
                    remedy = f"fill it, or declare what stands in for it: Numeric({self.name!r}, missing={self.mean:g})"
                    raise InputError(f"a number in column {self.name!r}, row {row}", "a missing value", remedy)
                value = self.missing
            if isinstance(value, str | bytes | complex) or not hasattr(value, "__float__"):
                got = f"{value!r} ({type(value).__name__})"
                remedy = "convert the column, or declare it as gl.tabular.Category"
                raise InputError(f"a number in column {self.name!r}, row {row}", got, remedy)
            found[row] = float(value)
            if not math.isfinite(found[row]):
                raise InputError(f"a finite number in column {self.name!r}, row {row}", f"{value}")
        return found

    def scaled(self, numbers: np.ndarray) -> np.ndarray:
        """As the model sees them: `(N, 1)`."""
        return ((numbers - self.mean) / self.scale)[:, None]

    def text(self, number: float) -> str:
        """A number with its unit, as people write it."""
        return " ".join(filter(None, (written(number), self.unit)))


@dataclass(frozen=True)
class Category:
    """A column with one of several values: a one-hot group among the packed numbers, or a code that the model embeds.

    `values`: all of them; the place of a value in this tuple is its code. `layer`: the `gl.Layer` whose output is the
    column's embedding `(rows, D)`; columns with the same layer share its output `(rows, columns, D)`, in their order.
    None: a one-hot group, 1 at the code. `missing`: the one of `values` that a missing entry counts as; None: missing
    entries are refused. `frequencies`: how often each value occurs, adding up to 1; () if not known. Raises
    `InputError`.
    """

    name: str
    values: tuple[Any, ...]
    layer: Layer | None = None
    missing: Any = None
    frequencies: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        _check_name(self.name)
        object.__setattr__(self, "values", tuple(self.values))
        object.__setattr__(self, "frequencies", tuple(float(f) for f in self.frequencies))
        if not self.values or len(set(self.values)) != len(self.values):
            raise InputError(f"different values for column {self.name!r}, one at least", repr(self.values))
        if not (self.layer is None or isinstance(self.layer, Layer)):
            remedy = 'write layer=gl.Layer("embed.' + self.name + '")'
            raise InputError(f"a gl.Layer that embeds column {self.name!r}", repr(self.layer), remedy)
        if self.missing is not None and self.missing not in self.values:
            raise InputError(f"missing= as one of the values of column {self.name!r}", repr(self.missing))
        if self.frequencies and (
            len(self.frequencies) != len(self.values)
            or min(self.frequencies) < 0
            or abs(sum(self.frequencies) - 1) > 1e-6
        ):
            expected = f"a frequency for each of the {len(self.values)} values of column {self.name!r}, 1 together"
            raise InputError(expected, repr(self.frequencies))

    @property
    def width(self) -> int:
        """Entries of the packed numbers that it takes."""
        return len(self.values) if self.layer is None else 0

    @property
    def usual(self) -> int:
        """The code of the most frequent value; the first where frequencies are not known."""
        return int(np.argmax(self.frequencies)) if self.frequencies else 0

    def read(self, values: Sequence[Any]) -> np.ndarray:
        """The codes `(N,)`, int64. Raises `InputError` that names the row and the known values."""
        codes = {value: code for code, value in enumerate(self.values)}
        return np.array([self._code(value, row, codes) for row, value in enumerate(values)], dtype=np.int64)

    def one_hot(self, codes: np.ndarray) -> np.ndarray:
        """As the model sees them where they are not embedded: `(N, values)`."""
        return np.asarray(np.eye(len(self.values))[codes])

    def text(self, code: float) -> str:
        """The value of a code."""
        return str(self.values[int(code)])

    def _code(self, value: Any, row: int, codes: dict[Any, int]) -> int:
        if is_missing(value):
            if self.missing is None:
                remedy = f"fill it, or declare which value it counts as: Category({self.name!r}, …, missing=…)"
                raise InputError(f"a value in column {self.name!r}, row {row}", "a missing value", remedy)
            value = self.missing
        try:
            code = codes.get(value)
        except TypeError:  # not hashable
            code = None
        if code is None:
            known = [str(v) for v in self.values]
            near = difflib.get_close_matches(str(value), known, 3, 0.5)
            listed = ", ".join(known[:12]) + (f" … ({len(known)} in all)" if len(known) > 12 else "")
            remedy = f"did you mean {' or '.join(map(repr, near))}? known: {listed}" if near else f"known: {listed}"
            raise InputError(f"a known value in column {self.name!r}, row {row}", repr(value), remedy)
        return code


Column = Numeric | Category


def is_missing(value: Any) -> bool:
    """None, NaN, and what pandas and polars write for nothing."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):
        return True  # pandas.NA says neither yes nor no


def written(number: float) -> str:
    """A number of a table: whole ones in full, others with four digits."""
    if math.isfinite(number) and abs(number) < 1e9 and number == int(number):
        return str(int(number)).replace("-", "−")
    return f"{number:.4g}".replace("-", "−")


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name:
        raise InputError("the name of a column", repr(name))
