"""Methods on metrics: dots with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gradline.evaluation.board import Leaderboard
from gradline.evaluation.standing import Placed, Standing
from gradline.evaluation.tables import counted, settings_lines
from gradline.evaluation.words import arrow, cautions, speller, verdict
from gradline.plots.drawing.paper import ONE_COLUMN, check_width
from gradline.plots.drawing.sheet import (
    BODY,
    FAINT,
    GREY,
    INK,
    QUIET,
    RED,
    SMALL,
    breadth,
    cut,
    height_of,
    paragraph,
    place,
    plain,
    sheet,
    shorten,
    wrap,
    write,
)

PITCH = 0.155
"""From row to row, in inches."""

EDGE = 0.06
"""Left free round the sheet, in inches."""


def leaderboard(board: Leaderboard, metrics: Sequence[str] | None = None, *, width: float = ONE_COLUMN) -> Figure:
    """The methods on each metric, the best on top: the mean as a dot, its 95 % interval as a line, controls in grey,
    chance as a dotted line; below, which differences are real and what decided the numbers.

    `metrics`: some of the board's; all. `width` in inches. Raises `InputError`.
    """
    width = check_width(width)
    figure = sheet(width)
    top = EDGE
    for name in board.metrics if metrics is None else metrics:
        found = board.standing(name)
        title = shorten(f"{name} {arrow(board.metrics[name])}", width - 2 * EDGE, BODY, bold=True)
        write(figure, EDGE, top, title, bold=True)
        top = _rows(figure, found, board.controls, top + height_of(BODY) + 0.03, width)
        notes = [verdict(found), *settings_lines(found), *cautions(found), counted(found)]
        lines = [line for note in notes for line in wrap(note, width - 2 * EDGE, SMALL, most=4)]
        top = paragraph(figure, EDGE, top, lines, size=SMALL, colour=QUIET) + 0.12
    return cut(figure, top)


def _rows(figure: Figure, found: Standing, controls: Sequence[str], top: float, width: float) -> float:
    """Names on the left, dots on a common axis, means on the right; where the next thing may begin."""
    rows = found.placed
    labels = [shorten(row.method, 0.34 * width) for row in rows]
    spelt = speller(found)
    means = ["no value" if math.isnan(row.mean) else spelt(row.mean).replace("-", "−") for row in rows]
    left = 2 * EDGE + max((breadth(label) for label in labels), default=0.0)
    right = width - 2 * EDGE - max((breadth(mean, SMALL) for mean in means), default=0.0)
    height = PITCH * max(1, len(rows))
    axes = place(figure, left, top, right - left, height)
    for place_of, row in enumerate(rows):
        if not math.isnan(row.mean):
            _dot(axes, place_of, row)
    chance = next((row.mean for row in rows if controls and row.method == controls[0]), math.nan)
    if not math.isnan(chance):
        axes.axvline(chance, color=GREY, lw=0.6, ls=":")
    axes.set_ylim(len(rows) - 0.5, -0.5)
    plain(axes)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_edgecolor(FAINT)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    for place_of, (row, label, mean) in enumerate(zip(rows, labels, means, strict=True)):
        at = top + PITCH * (place_of + 0.5) - height_of(BODY) / 2
        write(figure, left - EDGE, at, label, align="right", colour=QUIET if row.control else INK)
        write(figure, width - EDGE, at, mean, size=SMALL, align="right", colour=QUIET if row.control else INK)
    return top + height + 0.2


def _dot(axes: Axes, row: int, placed: Placed) -> None:
    colour = GREY if placed.control else RED
    axes.plot([placed.low, placed.high], [row, row], color=colour, lw=1.4, solid_capstyle="round")
    axes.plot([placed.mean], [row], "o", color=colour, ms=3.4, mec="white", mew=0.5)
