"""A figure as a sheet of paper: everything is placed in inches from its upper left corner.

Built without pyplot, so that nothing of the caller's is touched. Sizes and colours are set one by one, the font is the
caller's.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text
from matplotlib.textpath import text_to_path

TITLE, BODY, SMALL = 8.5, 7.0, 6.0
"""Sizes of letters, in points."""

INK, QUIET, FAINT, GOOD, BAD = "#1c2128", "#5b6470", "#c9ced6", "#1a7f4b", "#a34e00"
RED, BLUE, GREY = "#b2182b", "#2166ac", "#8b939e"

LINE = 1.32
"""Height of a line, in sizes of its letters."""

SCREEN = 160
"""Dots per inch in a notebook."""


class Sheet(Figure):
    """A matplotlib figure that a notebook shows although pyplot was never loaded."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        with resampled(self):
            self.savefig(buffer, format="png", dpi=SCREEN)
        return buffer.getvalue()


@contextmanager
def resampled(figure: Figure) -> Iterator[None]:
    """Meanwhile, pictures whose pixels do not fall on whole dots are interpolated: else some become wider than others.

    For a PNG; vector formats hold every picture pixel by pixel.
    """
    images = [image for axes in figure.axes for image in axes.images]
    before = [image.get_interpolation() for image in images]
    for image in images:
        image.set_interpolation("antialiased")
    try:
        yield
    finally:
        for image, interpolation in zip(images, before, strict=True):
            image.set_interpolation(interpolation)


TALL = 60.0
"""Height of a sheet before it is cut, in inches."""


def sheet(width: float) -> Sheet:
    """A white sheet of that width in inches, tall enough for anything: `cut` it when all is placed."""
    figure = Sheet(figsize=(width, TALL), dpi=100, facecolor="white", edgecolor="white")
    figure.set_layout_engine("none")
    return figure


def cut(figure: Figure, height: float) -> Figure:
    """The same sheet without what is below that many inches; what was placed stays where it is."""
    width, before = figure.get_size_inches()
    scale = before / height
    boxes = [(axes, axes.get_position()) for axes in figure.axes]
    figure.set_size_inches(width, height)
    for axes, box in boxes:
        axes.set_position((box.x0, 1 - (1 - box.y0) * scale, box.width, box.height * scale))
    for text in figure.texts:
        text.set_y(1 - (1 - text.get_position()[1]) * scale)
    return figure


def place(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes with their upper left corner at that place, in inches."""
    w, h = figure.get_size_inches()
    return figure.add_axes((left / w, 1 - (top + height) / h, width / w, height / h))


def write(
    figure: Figure,
    left: float,
    top: float,
    text: str,
    *,
    size: float = BODY,
    colour: str = INK,
    align: str = "left",
    bold: bool = False,
    mono: bool = False,
) -> Text:
    """One line of text; `top`: of the line, in inches. What it says is never read as mathematics."""
    w, h = figure.get_size_inches()
    properties = _font(size, bold, mono)
    down = top + size * (LINE + 0.72) / 2 / 72  # the baseline of letters that stand in the middle of the line
    return figure.text(
        left / w,
        1 - down / h,
        text,
        color=colour,
        ha=align,
        va="baseline",
        fontproperties=properties,
        parse_math=False,
        usetex=False,
    )


def paragraph(
    figure: Figure,
    left: float,
    top: float,
    lines: Sequence[str],
    *,
    size: float = BODY,
    colour: str = INK,
    align: str = "left",
    mono: bool = False,
    bold: bool = False,
) -> float:
    """Lines below one another; where the next one would begin."""
    for line in lines:
        write(figure, left, top, line, size=size, colour=colour, align=align, mono=mono, bold=bold)
        top += height_of(size)
    return top


def height_of(size: float, lines: int = 1) -> float:
    """Of lines of text, in inches."""
    return lines * LINE * size / 72


def breadth(text: str, size: float = BODY, *, bold: bool = False, mono: bool = False) -> float:
    """Of a line of text, in inches."""
    width, _, _ = text_to_path.get_text_width_height_descent(text, _font(size, bold, mono), ismath=False)
    return float(width) / 72


def wrap(
    text: str, width: float, size: float = BODY, *, most: int = 99, bold: bool = False, mono: bool = False
) -> list[str]:
    """Text in lines no wider than that many inches; after `most` lines it ends in …"""
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and breadth(longer, size, bold=bold, mono=mono) > width:
            lines.append(line)
            line = word
        else:
            line = longer
    lines.append(line)
    if len(lines) > most:
        lines = [*lines[: most - 1], " ".join(lines[most - 1 :])]
    return [shorten(line, width, size, bold=bold, mono=mono) for line in lines]


def shorten(text: str, width: float, size: float = BODY, *, bold: bool = False, mono: bool = False) -> str:
    """Text no wider than that many inches, the end cut off if need be."""
    if breadth(text, size, bold=bold, mono=mono) <= width:
        return text
    keep = len(text)
    while keep > 1 and breadth(text[:keep] + "…", size, bold=bold, mono=mono) > width:
        keep -= 1
    return text[:keep].rstrip() + "…"


def show(axes: Axes, image: np.ndarray, *, frame: bool = True, square: bool = True) -> None:
    """A picture that fills its axes, pixel by pixel, in a thin frame."""
    axes.imshow(image, interpolation="none", aspect="equal" if square else "auto")
    axes.set_xticks([])
    axes.set_yticks([])
    plain(axes, everywhere=True)
    for spine in axes.spines.values():
        spine.set_visible(frame)
        spine.set_edgecolor(FAINT)


def plain(axes: Axes, *, everywhere: bool = False, size: float = SMALL) -> None:
    """Thin lines and small letters; upper and right edges only if `everywhere`."""
    axes.set_facecolor("none")
    axes.grid(visible=False)
    for side, spine in axes.spines.items():
        spine.set_linewidth(0.5)
        spine.set_edgecolor(INK)
        spine.set_visible(everywhere or side in ("left", "bottom"))
    axes.tick_params(which="both", width=0.5, length=2.2, pad=1.8, labelsize=size, color=INK, labelcolor=INK)
    axes.minorticks_off()


def _font(size: float, bold: bool, mono: bool) -> FontProperties:
    font = FontProperties(size=size, weight="bold" if bold else "normal")
    if mono:
        font.set_family("monospace")
    return font
