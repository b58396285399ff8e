"""All rows of a table at once: a dot for every row and column."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from gradline.plots.drawing.legend import THICK, draw_notes
from gradline.plots.drawing.paper import ONE_COLUMN, check_count, check_width
from gradline.plots.drawing.sheet import (
    BLUE,
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
    show,
    wrap,
    write,
)
from gradline.plots.rows import RowFeatures, by_importance
from gradline.plots.swarm import fitted
from gradline.plots.words import amount, directions, quantity
from gradline.result import Attribution

PITCH = 0.27
"""From column to column, in inches."""

DOT, LEAST = 0.05, 0.022
"""Diameter of a dot, in inches, and the smallest before dots may touch."""

SCALE = np.array([(244, 182, 66), (224, 92, 92), (142, 36, 122), (44, 20, 98)], dtype=np.float64)
"""Colours from a low value to a high one; none of the two that stand for a sign."""

WITHIN = (0.05, 0.95)
"""Quantiles of a column's values that get the ends of the scale."""


def beeswarm(a: Attribution, *, top: int = 12, width: float = ONE_COLUMN) -> Figure:
    """What the columns of a table contribute to all rows: the `top` columns by mean |contribution|, which stands on the
    right, and in each a dot for every row.

    Colour: the row's value in that column, from its 5 % quantile to its 95 % quantile; grey for categories. Dots are
    placed side by side, always in the same way. Where many rows contribute the same, they are pressed together, and
    that is said. `width` in inches. Raises `InputError` unless the attribution comes from `gl.explain_table`.
    """
    width, top = check_width(width), check_count("top", top)
    order, rows = by_importance(a)
    values = np.stack([row.contributions for row in rows])
    shown = [int(k) for k in order[:top]]
    figure = sheet(width)
    titles = {row.title for row in rows}
    of = "all" if len(shown) == values.shape[1] else f"{len(shown)} of"
    text = f"{len(a)} row{'s' * (len(a) > 1)}, {of} {values.shape[1]} columns"
    text = f"{titles.pop()}: {text}" if len(titles) == 1 else text
    head = paragraph(figure, 0.06, 0.06, wrap(text, width - 0.12, bold=True), bold=True)
    bottom, notes = _swarms(figure, rows, values, shown, head, width)
    bottom = _legend(figure, bottom + 0.05, width, a)
    explained = list(dict.fromkeys(a.explained))
    drawn = [quantity(a, 0) if len(explained) == 1 else "contribution to the score of each row"]
    drawn.append("on the right: mean |contribution|")
    return cut(figure, draw_notes(figure, [*drawn, *notes], 0.06, bottom + 0.02, width - 0.12) + 0.06)


def _swarms(
    figure: Figure, rows: tuple[RowFeatures, ...], values: np.ndarray, shown: list[int], top: float, width: float
) -> tuple[float, list[str]]:
    """The dots, their columns' names and mean sizes, and the axis; where the next thing may begin, and what to say."""
    names = [shorten(rows[0].names[k], 0.3 * width) for k in shown]
    finite = np.isfinite(values)
    means = [amount(float(np.abs(values[finite[:, k], k]).mean())) if finite[:, k].any() else "–" for k in shown]
    left = 0.06 + max(breadth(name) for name in names) + 0.08
    right = width - 0.06 - max(breadth(mean, SMALL) for mean in means) - 0.08
    height = PITCH * len(shown)
    axes = place(figure, left, top + 0.03, right - left, height)
    used = values[:, shown][finite[:, shown]]
    low, high = min(0.0, used.min(initial=0.0)), max(0.0, used.max(initial=0.0))
    margin = 0.04 * (high - low) or 1.0
    span, inches = (low - margin, high + margin), right - left
    scale = inches / (span[1] - span[0])
    columns = [(values[finite[:, k], k] - span[0]) * scale for k in shown]
    heights, diameter, touching = fitted(columns, DOT, 0.92 * PITCH, LEAST)
    axes.axvline(0, color=INK, lw=0.5, zorder=0)
    for row, k in enumerate(shown):
        axes.axhline(row, color=FAINT, lw=0.4, zorder=-1)
        paint = shades(np.array([one.numbers[k] for one in rows])[finite[:, k]])
        y = row - heights[row] / PITCH
        axes.scatter(values[finite[:, k], k], y, s=(diameter * 72) ** 2, c=paint, lw=0, clip_on=False)
    axes.set_xlim(*span)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    plain(axes)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.locator_params(axis="x", nbins=max(4, int(inches / 0.5)))
    for row, (name, mean) in enumerate(zip(names, means, strict=True)):
        down = top + 0.03 + PITCH * (row + 0.5) - height_of(BODY) / 2
        write(figure, left - 0.08, down, name, align="right")
        write(figure, width - 0.06, down + 0.012, mean, size=SMALL, align="right", colour=QUIET)
    crowded = [names[k] for k in touching]
    where = "" if len(crowded) == len(shown) else f" in {', '.join(crowded)}"
    notes = [f"dots lie over one another{where}"] if crowded else []
    bad = int((~finite).sum())
    if bad:
        notes.append(f"{bad} contribution{'s are' if bad > 1 else ' is'} not finite and left out")
    return top + 0.03 + height + 0.17, notes


def shades(numbers: np.ndarray) -> np.ndarray:
    """Colours `(N, 3)` in [0, 1] of a column's values; grey where they are no numbers."""
    grey = np.array([int(GREY[k : k + 2], 16) for k in (1, 3, 5)], dtype=np.float64)
    known = np.isfinite(numbers)
    found = np.tile(grey, (len(numbers), 1))
    if known.any():
        low, high = np.quantile(numbers[known], WITHIN)
        if not high > low:
            low, high = numbers[known].min(), numbers[known].max()
        share = np.clip((numbers[known] - low) / (high - low), 0, 1) if high > low else np.full(known.sum(), 0.5)
        stops = np.linspace(0, 1, len(SCALE))
        found[known] = np.stack([np.interp(share, stops, channel) for channel in SCALE.T], 1)
    return found / 255


def _legend(figure: Figure, top: float, width: float, a: Attribution) -> float:
    """What left and right mean, and the colours of values."""
    lowers, raises = directions(a)
    write(figure, 0.06, top, f"◀ {lowers}", colour=BLUE)
    write(figure, width - 0.06, top, f"{raises} ▶", colour=RED, align="right")
    top += height_of(BODY) + 0.03
    texts = ("value: low", "high", "■ category")
    sizes = [breadth(text, SMALL) for text in texts]
    bar = 0.7
    at = (width - sum(sizes) - bar - 0.28) / 2
    write(figure, at, top, texts[0], size=SMALL, colour=QUIET)
    at += sizes[0] + 0.06
    middle = top + (height_of(SMALL) - THICK) / 2
    show(place(figure, at, middle, bar, THICK), shades(np.linspace(0, 1, 255))[None], square=False)
    at += bar + 0.06
    write(figure, at, top, texts[1], size=SMALL, colour=QUIET)
    write(figure, at + sizes[1] + 0.16, top, texts[2], size=SMALL, colour=GREY)
    return top + height_of(SMALL)
