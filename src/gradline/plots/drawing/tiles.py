"""Pictures in rows, each with a title above and words below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from gradline.plots.drawing.one_map import draw_strip, panel_height
from gradline.plots.drawing.sheet import BODY, QUIET, SMALL, height_of, paragraph, place, show, wrap

GAP, MARGIN = 0.12, 0.06
AXIS = 0.34
"""Room for the numbers of an axis, in inches."""


@dataclass(frozen=True, eq=False)
class Tile:
    """`images`: uint8 `(H, W, 3)`, below one another. `strip`: values `(D,)` and the ends of their axis. `lines`: text
    and its colour."""

    title: str
    images: tuple[np.ndarray, ...] = ()
    strip: tuple[np.ndarray, tuple[float, float]] | None = None
    lines: tuple[tuple[str, str], ...] = ()


def quiet(*lines: str) -> tuple[tuple[str, str], ...]:
    """Lines in a soft colour."""
    return tuple((line, QUIET) for line in lines)


def draw_tiles(figure: Figure, tiles: Sequence[Tile], columns: int, width: float, top: float = MARGIN) -> float:
    """Tiles in rows of so many; where the next thing may begin, in inches."""
    across = (width - 2 * MARGIN - (columns - 1) * GAP) / columns
    for first in range(0, len(tiles), columns):
        row = tiles[first : first + columns]
        titles = [wrap(tile.title, across, BODY, most=2) for tile in row]
        head = max(len(title) for title in titles)
        bottoms = []
        for place_in_row, (tile, title) in enumerate(zip(row, titles, strict=True)):
            left = MARGIN + place_in_row * (across + GAP)
            middle = left + (across + (0.0 if tile.strip is None else AXIS)) / 2
            first_line = top + height_of(BODY, head - len(title))
            below = paragraph(figure, middle, first_line, title, align="center") + 0.02
            bottoms.append(_draw(figure, tile, left, middle, below, across))
        top = max(bottoms) + 0.09
    return top


def _draw(figure: Figure, tile: Tile, left: float, middle: float, top: float, across: float) -> float:
    for image in tile.images:
        down, square = panel_height(image[..., 0], across)
        show(place(figure, left, top, across, down), image, square=square)
        top += down + 0.05
    if tile.strip is not None:
        draw_strip(place(figure, left + AXIS, top, across - AXIS, 0.9), *tile.strip)
        top += 1.12
    for text, colour in tile.lines:
        lines = wrap(text, across, SMALL)
        top = paragraph(figure, middle, top, lines, size=SMALL, colour=colour, align="center")
    return top
