"""Legends: what full blue and full red mean, in numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from gradline.plots.drawing.sheet import (
    BLUE,
    BODY,
    QUIET,
    RED,
    SMALL,
    breadth,
    height_of,
    paragraph,
    place,
    show,
    wrap,
    write,
)
from gradline.plots.maps import colours
from gradline.plots.words import Legend

THICK = 0.075
"""Height of the bar, in inches."""


def draw_legend(figure: Figure, legend: Legend, left: float, top: float, width: float, bar: float) -> float:
    """A colour bar of that length and its words, centred in `width`; where the next thing may begin, in inches."""
    ends = [f"{legend.low} {legend.lowers}".strip()], [f"{legend.high} {legend.raises}".strip()]
    if breadth(ends[0][0]) + breadth(ends[1][0]) + 0.15 > bar:
        ends = [legend.low, legend.lowers], [legend.high, legend.raises]
    middle = left + width / 2
    show(place(figure, middle - bar / 2, top, bar, THICK), colours(np.linspace(-1, 1, 255)[None], 1.0), square=False)
    top += THICK + 0.03
    paragraph(figure, middle - bar / 2, top, ends[0])
    below = paragraph(figure, middle + bar / 2, top, ends[1], align="right")
    return draw_notes(figure, legend.notes, left, below + 0.02, width)


def draw_signs(figure: Figure, legend: Legend, left: float, top: float, width: float, bar: float) -> float:
    """The same for bars, whose lengths are read off an axis: two squares and the words."""
    middle = left + width / 2
    write(figure, middle - bar / 2, top, f"■ {legend.lowers}", colour=BLUE)
    write(figure, middle + bar / 2, top, f"■ {legend.raises}", colour=RED, align="right")
    return draw_notes(figure, legend.notes, left, top + height_of(BODY) + 0.02, width)


def draw_notes(figure: Figure, notes: Sequence[str], left: float, top: float, width: float) -> float:
    """Small quiet sentences, centred; where the next thing may begin, in inches."""
    lines = [line for note in notes for line in wrap(note, width, SMALL)]
    return paragraph(figure, left + width / 2, top, lines, size=SMALL, colour=QUIET, align="center")
