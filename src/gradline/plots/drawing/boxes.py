"""Words on coloured boxes, in lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from gradline.plots.drawing.glyphs import drawable, runs_leftward
from gradline.plots.drawing.sheet import breadth, height_of, place
from gradline.plots.tokens import Spans, is_dark, tint, visible

PAD, GAP, TIGHT = 0.028, 0.012, 0.003
"""Inside a box, and between two boxes that white space parts or does not, in inches."""

LETTERS, ROW = 8.5, 0.205
"""Size of the text's letters in points, and height of its lines in inches."""


@dataclass(frozen=True)
class Box:
    """A word and the colour behind it. `left`, `top`, `width`: in inches from the sheet's corner. `size`: of its
    letters, in points."""

    text: str
    left: float
    top: float
    width: float
    colour: tuple[int, int, int]
    size: float = LETTERS


def running(found: Spans, chosen: Sequence[int], scale: float, corner: tuple[float, float], inside: float) -> list[Box]:
    """Spans one after the other in lines of that width, from the right edge where the text runs to the left.

    A line is broken between spans, at white space inside one, and inside a word too long for a line.
    """
    left, top = corner
    leftward = runs_leftward(" ".join(found.texts[k] for k in chosen))
    boxes: list[Box] = []
    edge, row = 0.0, 0
    for k in chosen:
        colour = tint(float(found.values[k]), scale)
        for m, word in enumerate(_words(found.texts[k], inside)):
            wide = breadth(word, LETTERS) + 2 * PAD
            at = edge + ((GAP if m or found.spaces[k] else TIGHT) if edge else 0.0)
            if edge and at + wide > inside:
                at, row = 0.0, row + 1
            edge = at + wide
            boxes.append(Box(word, left + (inside - edge if leftward else at), top + row * ROW, wide, colour))
    return boxes


def draw_boxes(figure: Figure, boxes: Sequence[Box], width: float, height: float) -> None:
    """All of them on the sheet, of which that much is used; letters are black or white, whichever is easier to read."""
    axes = place(figure, 0, 0, width, height)
    axes.axis("off")
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    for box in boxes:
        high, edge = height_of(box.size) + 0.012, 0.012
        inner = (box.left + edge, box.top + edge), box.width - 2 * edge, high - 2 * edge
        fill = tuple(part / 255 for part in box.colour)
        axes.add_patch(FancyBboxPatch(*inner, boxstyle=f"round,pad={edge},rounding_size=0.022", fc=fill, lw=0))
        axes.text(
            box.left + box.width / 2,
            box.top + high / 2 + 0.35 * box.size / 72,
            box.text,
            size=box.size,
            color="white" if is_dark(box.colour) else "black",
            ha="center",
            va="baseline",
            parse_math=False,
            usetex=False,
        )


def _words(span: str, inside: float) -> list[str]:
    """The words of a span as they can be drawn, none wider than a line."""
    found = []
    for word in visible(drawable(span)).split(" "):
        rest = word
        while len(rest) > 1 and breadth(rest, LETTERS) + 2 * PAD > inside:
            fits = max(1, int(len(rest) * (inside - 2 * PAD) / breadth(rest, LETTERS)))
            while fits > 1 and breadth(rest[:fits], LETTERS) + 2 * PAD > inside:
                fits -= 1
            found.append(rest[:fits])
            rest = rest[fits:]
        found.append(rest)
    return found
