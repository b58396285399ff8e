"""One row of a table, from F(x') to F(x), column by column."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gradline.plots.drawing.legend import draw_signs
from gradline.plots.drawing.paper import ONE_COLUMN, check_width
from gradline.plots.drawing.sheet import (
    BLUE,
    BODY,
    FAINT,
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
from gradline.plots.maps import example
from gradline.plots.rows import RowFeatures, RowStep, row_features, row_of, waterfall_steps
from gradline.plots.words import Legend, amount, directions, quantity, signed
from gradline.result import Attribution
from gradline.result.spelling import number

PITCH = 0.19
"""From step to step, in inches."""


def waterfall(a: Attribution, i: int = 0, *, top: int = 12, width: float = ONE_COLUMN) -> Figure:
    """Row i of a table, from F(x') to F(x): the `top` columns that contribute most, with their values and units, the
    others in one step, and, if one can see it, what the sum leaves open.

    Standard errors, where the path starts at several rows, are thin lines of one error to each side. `width` in inches.
    Raises `InputError` unless the attribution comes from `gl.explain_table` and adds up.
    """
    i, width = example(a, i), check_width(width)
    found = row_features(a, i)
    steps = waterfall_steps(found, top)
    figure = sheet(width)
    head = paragraph(figure, 0.06, 0.06, wrap(f"{found.title}: {found.name}", width - 0.12, bold=True), bold=True)
    bottom = _steps(figure, found, steps, head + 0.03, width)
    notes = [quantity(a, i), *_notes(found, steps, row_of(a, i).baseline)]
    legend = Legend("", "", *directions(a), tuple(notes))
    return cut(figure, draw_signs(figure, legend, 0.06, bottom, width - 0.12, width - 0.12) + 0.06)


def _steps(figure: Figure, found: RowFeatures, steps: tuple[RowStep, ...], top: float, width: float) -> float:
    """Names on the left, bars that begin where the last one ended, numbers on the right; where the next may begin."""
    labels = [_label(step, 0.46 * width) for step in steps]
    ends = "F(x')", "F(x)"
    numbers = [signed(step.contribution) for step in steps]
    outer = [number(found.start).replace("-", "−"), number(found.end).replace("-", "−")]
    left = 0.06 + max(breadth(text) for text in (*labels, *ends)) + 0.08
    right = width - 0.06 - max(breadth(text, SMALL) for text in (*numbers, *outer)) - 0.07
    rows = len(steps) + 2
    axes = place(figure, left, top, right - left, PITCH * rows)
    _bars(axes, found, steps)
    for row, label in enumerate((ends[0], *labels, ends[1])):
        down = top + PITCH * (row + 0.5) - height_of(BODY) / 2
        outside = row in (0, rows - 1)
        quiet = not outside and steps[row - 1].count != 1
        write(figure, left - 0.08, down, label, align="right", colour=QUIET if quiet else INK, bold=outside)
        said = outer[row > 0] if outside else numbers[row - 1]
        write(figure, width - 0.06, down + 0.012, said, size=SMALL, align="right", bold=outside)
    return top + PITCH * rows + 0.05


def _bars(axes: Axes, found: RowFeatures, steps: tuple[RowStep, ...]) -> None:
    rows = len(steps) + 2
    for row, step in enumerate(steps, 1):
        paint = RED if step.contribution > 0 else BLUE
        solid = step.count == 1
        axes.barh(
            row,
            step.contribution,
            left=step.first,
            height=0.7,
            facecolor=paint if solid else "white",
            edgecolor=paint if step.count else QUIET,
            hatch=None if solid else "/////" if step.count else ".....",
            lw=0 if solid else 0.6,
        )
        if math.isfinite(step.error):
            axes.plot([step.last - step.error, step.last + step.error], [row, row], color=INK, lw=0.8)
    at = [found.start, *(step.last for step in steps)]
    for row, value in enumerate(at):
        axes.plot([value, value], [row - 0.35, row + 1.35], color=INK, lw=0.4, zorder=0)
    axes.plot([found.start, found.start], [-0.35, 0.35], color=INK, lw=1.4)
    axes.plot([found.end, found.end], [rows - 1.35, rows - 0.65], color=INK, lw=1.4)
    low, high = min(*at, found.end), max(*at, found.end)
    wide = [s.last + side * s.error for s in steps if math.isfinite(s.error) for side in (-1, 1)]
    low, high = min(low, *wide) if wide else low, max(high, *wide) if wide else high
    margin = 0.03 * (high - low) or 1.0
    axes.set_xlim(low - margin, high + margin)
    axes.set_ylim(rows - 0.5, -0.5)
    plain(axes)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.axvline(found.start, color=FAINT, lw=0.5, zorder=-1)


def _label(step: RowStep, width: float) -> str:
    """A column with its value; a long name gives way to the value."""
    if not step.value:
        return step.name
    value = shorten(step.value, 0.62 * width)
    return f"{shorten(step.name, max(0.3 * width, width - breadth(f' = {value}')))} = {value}"


def _notes(found: RowFeatures, steps: tuple[RowStep, ...], baseline: str) -> list[str]:
    notes = [f"F(x'), where the path starts: {baseline}"] if baseline else []
    if found.errors is not None:
        notes.append("thin lines: one standard error to each side, over the background rows")
    if steps and steps[-1].count == 0:
        notes.append(f"dotted: the sum misses F(x) by {amount(found.gap)}, the completeness gap")
    return notes
