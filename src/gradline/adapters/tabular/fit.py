"""Columns from a training frame: means and scales of numbers, values and frequencies of categories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gradline.adapters.tabular.columns import Category, Column, Numeric, is_missing
from gradline.adapters.tabular.frames import read_table
from gradline.errors import InputError
from gradline.question import Layer

NO_UNITS: Mapping[str, str] = {}
NO_LAYERS: Mapping[str, Layer] = {}
NONE_MISSING: Mapping[str, Any] = {}


def columns_of(
    frame: object,
    *,
    without: Sequence[str] = (),
    categories: Sequence[str] = (),
    units: Mapping[str, str] = NO_UNITS,
    layers: Mapping[str, Layer] = NO_LAYERS,
    missing: Mapping[str, Any] = NONE_MISSING,
) -> tuple[Column, ...]:
    """The columns of a training frame, in its order: `Numeric` with mean and standard deviation, `Category` with all
    values, sorted, and how often each occurs.

    `without`: columns that are no input, such as the label. `categories`: columns of numbers that are categories all
    the same. `units`: of numeric columns. `layers`: where categories are embedded. `missing`: column to what stands in
    for its missing entries, from now on; these count in means and frequencies. Raises `InputError`.
    """
    table = read_table(frame, "a training frame")
    for names in (without, categories, units, layers, missing):
        table.check(list(names))
    found: list[Column] = []
    for name in (name for name in table.columns if name not in without):
        values = [missing.get(name) if is_missing(value) else value for value in table.columns[name]]
        gap = next((row for row, value in enumerate(values) if value is None), None)
        if gap is not None:
            remedy = f"fill it, or say what stands in for it: missing={{{name!r}: …}}"
            raise InputError(f"a value in column {name!r}, row {gap}", "a missing value", remedy)
        if name in categories or name in layers or not all(_is_number(value) for value in values):
            if name in units:
                raise InputError(f"units for columns of numbers, and {name!r} is none")
            found.append(_category(name, values, layers.get(name), missing.get(name)))
        else:
            found.append(_numeric(name, values, units.get(name, ""), missing.get(name)))
    if not found:
        raise InputError("at least one column beside those of without=", f"{len(without)} of {len(table.columns)}")
    return tuple(found)


def _numeric(name: str, values: list[Any], unit: str, missing: float | None) -> Numeric:
    numbers = Numeric(name).read(values)
    return Numeric(name, unit, float(numbers.mean()), float(numbers.std()) or 1.0, missing)


def _category(name: str, values: list[Any], layer: Layer | None, missing: Any) -> Category:
    counts = Counter(values)
    known = sorted(counts, key=lambda value: (str(type(value)), value))
    return Category(name, tuple(known), layer, missing, tuple(np.array([counts[v] for v in known]) / len(values)))


def _is_number(value: object) -> bool:
    return hasattr(value, "__float__") and not isinstance(value, bool | np.bool_ | str | bytes)
