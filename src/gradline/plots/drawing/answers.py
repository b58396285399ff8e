"""What each word of a prompt contributes to each token of an answer, as a table of colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from gradline.plots.drawing.glyphs import drawable, in_mono, letters_of
from gradline.plots.drawing.legend import draw_legend
from gradline.plots.drawing.paper import TWO_COLUMNS, check_width
from gradline.plots.drawing.sheet import (
    BODY,
    INK,
    QUIET,
    SMALL,
    TITLE,
    breadth,
    cut,
    height_of,
    paragraph,
    place,
    sheet,
    shorten,
    show,
    wrap,
    write,
)
from gradline.plots.maps import colours
from gradline.plots.tokens import Level, Sources, TextShown, reach, sources, visible
from gradline.plots.words import Legend, amount, signed

MARGIN, ROW = 0.06, 0.15
"""Around the sheet, and height of a line of the table, in inches."""

NARROW, BROAD = 0.115, 0.24
"""Least and largest width of a column, in inches; columns that do not fit go on below."""

LONGEST = 0.9
"""Of the name of a column, in inches."""


def token_matrix(shown: TextShown, *, by: Level = Level.WORDS, width: float = TWO_COLUMNS) -> Figure:
    """Tokens of the answer below one another, words of the prompt beside one another, and what each adds to each.

    `shown`: a text with a matrix, such as `a.shown[0]`. One colour scale for all; the last column holds the sums. `by`:
    tokens, words or sentences of the prompt. `width` in inches, from 3. Raises `InputError` without a matrix.
    """
    width, found = check_width(width, least=3.0), sources(shown, by)
    with letters_of([shown.model, shown.command, *found.texts, *found.answer, *found.parts]):
        figure = sheet(width)
        asked = drawable(f"Where does the answer of {shown.model} come from?")
        top = paragraph(figure, MARGIN, 0.04, wrap(asked, width - 2 * MARGIN, TITLE, bold=True), size=TITLE, bold=True)
        scale = reach(found.values[:, ~found.special]) or reach(found.values)
        top = _bands(figure, found, scale, top + 0.08, width) + 0.06
        legend = Legend(f"−{amount(scale)}", f"+{amount(scale)}", "against it", "for it", _notes(found, scale, by))
        top = draw_legend(figure, legend, MARGIN, top, width - 2 * MARGIN, min(2.4, 0.6 * width))
        if shown.command:
            mono = in_mono(shown.command)
            lines = wrap(drawable(shown.command), width - 2 * MARGIN, SMALL, mono=mono, most=3)
            top = paragraph(figure, MARGIN, top + 0.06, lines, size=SMALL, colour=QUIET, mono=mono)
        return cut(figure, top + MARGIN)


def _bands(figure: Figure, found: Sources, scale: float, top: float, width: float) -> float:
    """The table, in as many bands as its columns need; where the next thing may begin."""
    names = [shorten(visible(drawable(word)), 0.2 * width) for word in found.answer]
    left = MARGIN + max(map(breadth, names)) + 0.06
    sums = [signed(float(total)) for total in found.totals]
    right = width - MARGIN - max([breadth("sum", SMALL), *(breadth(total, SMALL) for total in sums)]) - 0.08
    per = max(1, int((right - left) / NARROW))
    parts = [np.arange(at, min(at + per, len(found.texts))) for at in range(0, len(found.texts), per)]
    pitch = min(BROAD, (right - left) / min(per, len(found.texts)))
    for chosen in parts:
        top += _columns(figure, found, chosen, (left, top), pitch) + 0.03
        image = colours(found.values[:, chosen], scale)
        show(place(figure, left, top, pitch * len(chosen), ROW * len(names)), image, square=False)
        end = left + pitch * len(chosen) + 0.06 if len(parts) == 1 else right + 0.06
        _rows(figure, names, sums if chosen is parts[-1] else [], (left, end), top)
        top += ROW * len(names) + 0.12
    return top


def _columns(figure: Figure, found: Sources, chosen: np.ndarray, corner: tuple[float, float], pitch: float) -> float:
    """Names of columns, upright, special tokens quiet; how high they are, in inches."""
    left, top = corner
    names = [shorten(visible(drawable(found.texts[k])), LONGEST, SMALL) for k in chosen]
    high = max(breadth(name, SMALL) for name in names)
    shift = 0.36 * SMALL / 72  # the baseline beside the middle of the letters
    for n, (k, name) in enumerate(zip(chosen, names, strict=True)):
        colour = QUIET if found.special[k] else INK
        label = write(figure, left + (n + 0.5) * pitch + shift, top, name, size=SMALL, colour=colour)
        label.set_rotation(90)
        label.set_y(1 - (top + high) / float(figure.get_size_inches()[1]))
    return high


def _rows(figure: Figure, names: Sequence[str], sums: Sequence[str], sides: tuple[float, float], top: float) -> None:
    """Names of rows on the left, their sums on the right."""
    left, right = sides
    for n, name in enumerate(names):
        write(figure, left - 0.05, top + (n + 0.5) * ROW - height_of(BODY) / 2, name, align="right")
    for n, total in enumerate(sums):
        write(figure, right, top + (n + 0.5) * ROW - height_of(SMALL) / 2, total, size=SMALL)
    if sums:
        write(figure, right, top - height_of(SMALL) - 0.02, "sum", size=SMALL, colour=QUIET)


def _notes(found: Sources, scale: float, by: Level) -> tuple[str, ...]:
    """What the colours are of, and what they hide."""
    good = np.isfinite(found.values)
    notes = [f"contribution of each of the prompt's {by} to the log-probability of each token of the answer"]
    beyond = int((np.abs(found.values[good]) > scale * (1 + 1e-9)).sum())
    if beyond:
        notes.append(f"{beyond} of {found.values.size} lie beyond, in full colour")
    if not scale:
        notes.append("every contribution is zero")
    if not good.all():
        notes.append(f"{int((~good).sum())} of {good.size} are not finite, in grey, and left out of sums")
    lost = sum(drawable(word).count("□") - word.count("□") for word in (*found.texts, *found.answer))
    if lost:
        notes.append(f"□ stands for {lost} letters that no font here can draw; the report as .html shows them")
    return tuple(notes)
