"""One map, on white or on its photo."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gradline.errors import InputError
from gradline.plots.drawing.legend import draw_legend, draw_signs
from gradline.plots.drawing.paper import ONE_COLUMN, check_width
from gradline.plots.drawing.sheet import BLUE, GREY, INK, RED, SMALL, cut, height_of, place, plain, sheet, show, write
from gradline.plots.maps import colour_scale, colours, example, only_tensor, picture, summed
from gradline.plots.subject import pixels_of
from gradline.plots.words import Legend, directions, legend, quantity
from gradline.result import Attribution

MARGIN = 0.06
APART = 64
"""Most features that are drawn as bars with gaps; more become one outline."""


def map(a: Attribution, i: int = 0, *, width: float = ONE_COLUMN) -> Figure:  # noqa: A001
    """The map of example i: red raises the score, blue lowers it, and the legend says how much full colour is.

    Images `(C, H, W)` are summed over channels, tables `(H, W)` drawn as they are, `(D,)` as bars in their order.
    `width` in inches. Raises `InputError` for several inputs and for more than three axes.
    """
    i, width = example(a, i), check_width(width)
    pixels = summed(a, i)
    if pixels.ndim == 1:
        return _strip(a, i, pixels, width)
    return _image(a, i, pixels, colours(pixels, colour_scale(pixels)), width, ticks=only_tensor(a).ndim == 3)


def overlay(a: Attribution, photo: np.ndarray | None = None, i: int = 0, *, width: float = ONE_COLUMN) -> Figure:
    """The map of example i on its photo in grey, in the colours and the scale of `map`.

    `photo`: uint8 `(H, W, 3)`, by default what the model saw. `width` in inches. Raises `InputError`.
    """
    i, width = example(a, i), check_width(width)
    pixels = pixels_of(a, photo, i)
    if pixels is None:
        raise InputError("a photo, uint8 (H, W, 3): this attribution was made from tensors", remedy="pass photo=")
    drawn = picture(a, pixels, i)
    return _image(a, i, drawn.pixels, drawn.overlay, width, ticks=False)


def _image(a: Attribution, i: int, pixels: np.ndarray, image: np.ndarray, width: float, *, ticks: bool) -> Figure:
    words = legend(a, i, pixels, colour_scale(pixels), "entries" if ticks else "pixels")
    left, below = (0.3, 0.18) if ticks else (MARGIN, 0.0)
    across = width - left - MARGIN
    down, square = panel_height(pixels, across)
    figure = sheet(width)
    axes = place(figure, left, MARGIN, across, down)
    show(axes, image, square=square)
    if ticks:
        number_axes(axes)
    top = MARGIN + down + below + 0.1
    return cut(figure, draw_legend(figure, words, MARGIN, top, width - 2 * MARGIN, bar=0.72 * width) + MARGIN)


def panel_height(pixels: np.ndarray, width: float) -> tuple[float, bool]:
    """The height of a picture of that width, in inches, and whether its pixels are square: not in long tables."""
    height = width * pixels.shape[0] / max(1, pixels.shape[1])
    return (height, True) if 0.25 * width <= height <= 1.5 * width else (min(max(height, 0.45), 1.2 * width), False)


def number_axes(axes: Axes) -> None:
    """Rows and columns of a table, by number."""
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    plain(axes, everywhere=True)


def _strip(a: Attribution, i: int, values: np.ndarray, width: float) -> Figure:
    figure = sheet(width)
    left, right = 0.44, width - 0.08
    draw_strip(place(figure, left, 0.08, right - left, 1.2), values)
    write(figure, (left + right) / 2, 1.43, "feature", size=SMALL, align="center")
    bad = int((~np.isfinite(values)).sum())
    last = [] if values[np.isfinite(values)].any() or bad == len(values) else ["every contribution is zero"]
    if bad:
        last.append(f"{bad} of {len(values)} are not finite: crosses")
    words = Legend("", "", *directions(a), (quantity(a, i), *last))
    top = 1.43 + height_of(SMALL) + 0.05
    return cut(figure, draw_signs(figure, words, left, top, right - left, right - left) + MARGIN)


def draw_strip(axes: Axes, values: np.ndarray, ends: tuple[float, float] | None = None) -> None:
    """Values in their order, from zero up and down; `ends`: of the axis, for several that are compared."""
    finite = np.where(np.isfinite(values), values, 0.0)
    edges = np.arange(len(values) + 1) - 0.5
    if len(values) <= APART:
        axes.bar(np.arange(len(values)), finite, width=0.84, color=[RED if v > 0 else BLUE for v in finite], lw=0)
    else:
        for part, colour in ((finite.clip(min=0), RED), (finite.clip(max=0), BLUE)):
            axes.stairs(part, edges, fill=True, color=colour, lw=0)
    axes.axhline(0, color=INK, lw=0.5)
    bad = np.flatnonzero(~np.isfinite(values))
    axes.plot(bad, np.zeros(len(bad)), "x", color=GREY, ms=3, mew=0.8)
    axes.set_xlim(edges[0], edges[-1])
    if ends is not None:
        axes.set_ylim(*ends)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    plain(axes)
