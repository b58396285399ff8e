"""Features as bars, the largest first."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from gradline.plots.drawing.legend import draw_signs
from gradline.plots.drawing.paper import ONE_COLUMN, check_width
from gradline.plots.drawing.sheet import (
    BLUE,
    BODY,
    INK,
    QUIET,
    RED,
    SMALL,
    breadth,
    cut,
    height_of,
    place,
    plain,
    sheet,
    shorten,
    write,
)
from gradline.plots.features import Names, Ranking, ranking
from gradline.plots.maps import example
from gradline.plots.words import Legend, directions, quantity, signed
from gradline.result import Attribution
from gradline.result.spelling import percent

PITCH = 0.155
"""From bar to bar, in inches."""


def bars(
    a: Attribution,
    i: int = 0,
    *,
    names: Names | None = None,
    top: int = 15,
    dim: int | None = 0,
    width: float = ONE_COLUMN,
) -> Figure:
    """The features that contribute most to example i, with sign and share; the others are summed in one bar, so that
    all bars add up to the whole map.

    `dim`: the axis of an example along which bars stand, sums over the others (tokens of `(T, D)`, channels of
    `(C, H, W)`); None: every value is a bar. `names`: of the bars, a mapping where the model has several inputs.
    Shares are of the sum of all |contributions|. `width` in inches. Raises `InputError`.
    """
    i, width = example(a, i), check_width(width)
    ranked = ranking(a, i, names=names, top=top, dim=dim)
    rows = list(zip(ranked.names, ranked.values, ranked.shares, strict=True))
    if ranked.others:
        label = f"{ranked.others} other{'s' * (ranked.others > 1)}, summed"
        rows.append((label, np.float64(ranked.rest), np.float64(ranked.rest_share)))
    figure = sheet(width)
    bottom = _rows(figure, rows, bool(ranked.others), width)
    legend = Legend("", "", *directions(a), (quantity(a, i), *_sums(a, i, ranked)))
    return cut(figure, draw_signs(figure, legend, 0.06, bottom, width - 0.12, width - 0.12) + 0.06)


def _rows(figure: Figure, rows: list[tuple[str, np.float64, np.float64]], rest: bool, width: float) -> float:
    """Names on the left, bars from a common zero, numbers beside them; where the next thing may begin."""
    labels = [shorten(name, 0.36 * width) for name, _, _ in rows]
    numbers = [(signed(float(value)), percent(float(share))) for _, value, share in rows]
    left = 0.06 + max((breadth(label) for label in labels), default=0.0) + 0.06
    columns = [max((breadth(pair[k], SMALL) for pair in numbers), default=0.0) + 0.06 for k in (0, 1)]
    right = width - 0.06 - sum(columns)
    height = PITCH * max(1, len(rows))
    axes = place(figure, left, 0.06, right - left, height)
    values = np.array([value for _, value, _ in rows])
    paint = [RED if value > 0 else BLUE for value in values]
    if rest:
        axes.barh(len(rows) - 1, values[-1], height=0.72, facecolor="white", edgecolor=paint[-1], hatch="/////", lw=0.6)
    shown = len(rows) - rest
    axes.barh(np.arange(shown), values[:shown], height=0.72, color=paint[:shown], lw=0)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.axvline(0, color=INK, lw=0.5)
    span = float(np.abs(values).max(initial=0.0)) or 1.0
    axes.set_xlim(min(0.0, values.min(initial=0.0)) - 0.02 * span, max(0.0, values.max(initial=0.0)) + 0.02 * span)
    plain(axes)
    axes.set_yticks([])
    axes.set_xticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    for row, (label, (value, share)) in enumerate(zip(labels, numbers, strict=True)):
        top = 0.06 + PITCH * (row + 0.5) - height_of(BODY) / 2
        write(figure, left - 0.06, top, label, align="right", colour=QUIET if rest and row == shown else INK)
        write(figure, width - 0.06 - columns[1], top, value, size=SMALL, align="right")
        write(figure, width - 0.06, top, share, size=SMALL, align="right", colour=QUIET)
    return 0.06 + height + 0.06


def _sums(a: Attribution, i: int, ranked: Ranking) -> list[str]:
    text = f"the bars add up to {signed(ranked.total)}"
    if a.baseline_score is not None and a.completeness_gap is not None:
        change = float(a.score[i] - a.baseline_score[i])
        text += f"; F(x) − F(x') is {signed(change)}"
    notes = [text, "percentages: share of the sum of all |contributions|"]
    if ranked.bad:
        notes.append(f"{ranked.bad} value{'s are' if ranked.bad > 1 else ' is'} not finite and left out")
    return notes
