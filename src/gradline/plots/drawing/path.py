"""The path: the score and the gradient along it."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gradline.errors import InputError
from gradline.plots.drawing.paper import ONE_COLUMN, check_width
from gradline.plots.drawing.sheet import (
    GREY,
    INK,
    QUIET,
    SMALL,
    breadth,
    cut,
    height_of,
    paragraph,
    place,
    plain,
    sheet,
    wrap,
    write,
)
from gradline.plots.maps import example
from gradline.plots.path import SATURATED, PathPanel, path_panel
from gradline.plots.words import amount, photo_name
from gradline.result import Attribution

AREA = "#d9dde3"


def curve(a: Attribution, i: int = 0, *, width: float = ONE_COLUMN) -> Figure:
    """The score and the gradient norm along the path of example i, with every place where the gradient was read.

    A dotted line marks where 90 % of the score's change is made, or where a split map is split. `width` in inches.
    Raises `InputError` for methods without a path.
    """
    i, width = example(a, i), check_width(width)
    panel = path_panel(a, i)
    if panel is None:
        name = a.provenance.get("method_name", "this method")
        raise InputError("an attribution along a path", f"{name}, which has none", "gl.plots.map shows its values")
    figure = sheet(width)
    bottom = draw_path(figure, panel, 0.06, 0.04, width - 0.12, max(1.3, 0.42 * width), photo_name(a, i))
    note = wrap(f"F: {a.explained[i]}", width - 0.12, SMALL)
    return cut(figure, paragraph(figure, 0.06, bottom, note, size=SMALL, colour=QUIET) + 0.06)


def draw_path(
    figure: Figure, panel: PathPanel, left: float, top: float, width: float, height: float, end: str
) -> float:
    """Axes of that height with labels and legend inside `width`; where the next thing may begin, in inches.

    `end`: what stands at t = 1, in words.
    """
    room = 0.40
    axes = place(figure, left + room, top + 0.17, width - 2 * room, height)
    _score(axes, panel)
    _norm(axes, panel)
    low = top + 0.17 + height + 0.17
    write(figure, left + room, low, "t = 0: baseline", size=SMALL)
    write(figure, left + width - room, low, f"t = 1: {end}", size=SMALL, align="right")
    low += height_of(SMALL) + 0.02
    return _keys(figure, panel, left, low, width)


def _score(axes: Axes, panel: PathPanel) -> None:
    axes.plot(panel.t, panel.score, color=INK, lw=1.1, solid_joinstyle="round")
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
    axes.set_ylabel("score F", fontsize=SMALL + 0.5, color=INK, labelpad=2)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    plain(axes)
    foot = axes.get_xaxis_transform()
    axes.vlines(panel.nodes, 0, 0.035, color=INK, lw=0.45, transform=foot)
    if np.isfinite(panel.saturation):
        axes.axvline(panel.saturation, color=INK, lw=0.6, ls=(0, (1, 1.6)))
        axes.text(
            panel.saturation, 1.015, "t*" if panel.split else f"{SATURATED:.0%}".replace("%", " %"), transform=foot,
            ha="center", va="bottom", fontsize=SMALL, color=INK, usetex=False,
        )  # fmt: skip


def _norm(axes: Axes, panel: PathPanel) -> None:
    right = axes.twinx()
    right.fill_between(panel.nodes, panel.gradient_norm, color=AREA, lw=0)
    right.set_ylim(bottom=0)
    right.set_ylabel("gradient norm", fontsize=SMALL + 0.5, color=QUIET, labelpad=3)
    right.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    plain(right)
    for side, spine in right.spines.items():
        spine.set_visible(side == "right")
    right.spines["right"].set_edgecolor(GREY)
    right.tick_params(color=GREY, labelcolor=QUIET)
    axes.set_zorder(right.get_zorder() + 1)


def _keys(figure: Figure, panel: PathPanel, left: float, top: float, width: float) -> float:
    """What line, area and marks are, side by side and on further lines where they do not fit."""
    entries = [
        ("━", INK, f"score, {amount_of(panel.score[0])} to {amount_of(panel.score[-1])}"),
        ("■", AREA, "gradient norm"),
        ("|", INK, f"gradient read ({len(panel.nodes)})"),
    ]
    if np.isfinite(panel.saturation):
        entries.append(("┊", INK, f"{panel.mark}{' =' if panel.split else ', t ='} {panel.saturation:.2f}"))
    if panel.paths > 1:
        entries.append(("", QUIET, f"the first of {panel.paths} paths; the map is their mean"))
    bad = int((~np.isfinite(panel.score)).sum())
    if bad:
        entries.append(("", QUIET, f"{bad} scores are not finite: gaps"))
    at = left
    for mark, colour, text in entries:
        long = breadth(text, SMALL) + 0.13
        if at > left and at + long > left + width:
            at, top = left, top + height_of(SMALL)
        write(figure, at, top, mark, size=SMALL, colour=colour)
        write(figure, at + 0.11, top, text, size=SMALL, colour=QUIET)
        at += long + 0.12
    return top + height_of(SMALL)


def amount_of(value: float) -> str:
    """A score as in the card."""
    return ("−" if value < 0 else "") + amount(value) if np.isfinite(value) else "not finite"
