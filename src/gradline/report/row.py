"""What a report of a table's row shows beside the attribution: plain facts, no model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gradline.result import Attribution


@dataclass(frozen=True)
class Cell:
    """A column of a row.

    `value`, `start`: what stands there, and where the path starts, as people write it, with its unit; `start` "" if
    nobody can say. `number`: the value in its unit, NaN for a category. `entry`, `places`: where its contributions lie:
    an entry of the values, "" for the only one, and flat places in the row's part of it.
    """

    name: str
    value: str
    start: str
    number: float
    entry: str
    places: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Row:
    """A row of a table before a model, as it is shown; a `gradline.result.Shown`.

    `name`: what it is called. `model`: its name. `title`: what is explained, a label. `cells`: its columns. `build`:
    makes a frame of the kind that went in, from columns and places of rows. `place`: of this row in that frame.
    `baseline`: the start in words. `candidates`: the most probable labels. `command`, `python`: what repeats it.
    `paths`: how many paths the values are the mean of.
    """

    name: str
    model: str
    title: str
    cells: tuple[Cell, ...]
    build: Callable[..., Any]
    place: int = 0
    baseline: str = ""
    candidates: tuple[tuple[str, float], ...] = ()
    command: str = ""
    python: str = ""
    paths: int = 1

    def html(self, a: Attribution) -> str:
        """The report as a fragment for notebooks. Raises `MissingExtra`."""
        from gradline.report.row_page import fragment

        return fragment(a, self)

    def write(self, a: Attribution, path: Path) -> Path:
        """The report as .html, or the waterfall as .png, .svg, .pdf. Raises `StorageError`, `MissingExtra`."""
        if path.suffix == ".html":
            from gradline.report.row_page import write_row

            return write_row(a, self, path)
        from gradline.plots.drawing.files import write_figure
        from gradline.plots.drawing.row_steps import waterfall

        return write_figure(waterfall(replace(a, shown=(self,))), path)
