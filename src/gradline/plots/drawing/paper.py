"""The size of a figure on paper."""

from __future__ import annotations

from gradline.errors import InputError

ONE_COLUMN, TWO_COLUMNS = 3.3, 6.9
"""Widths of a figure in a two-column page, in inches."""


def check_count(name: str, value: int) -> int:
    """A whole number from 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"{name} as a whole number from 1", repr(value))
    return value


def check_width(width: float, least: float = 2.0) -> float:
    """A width in inches that leaves room for what is written."""
    if isinstance(width, bool) or not isinstance(width, int | float) or not least <= width <= 40:
        raise InputError(
            f"a width from {least:g} to 40 inches", repr(width), "gl.plots.ONE_COLUMN is 3.3, gl.plots.TWO_COLUMNS 6.9"
        )
    return float(width)
