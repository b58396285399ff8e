"""An attribution on one page: the verdict, what weakens it, the map, the path, the facts."""

from __future__ import annotations

from matplotlib.figure import Figure

from gradline.plots.drawing.legend import draw_legend, draw_signs
from gradline.plots.drawing.one_map import draw_strip, panel_height
from gradline.plots.drawing.paper import TWO_COLUMNS, check_width
from gradline.plots.drawing.path import draw_path
from gradline.plots.drawing.sheet import (
    BAD,
    BODY,
    GOOD,
    INK,
    QUIET,
    SMALL,
    TITLE,
    cut,
    paragraph,
    place,
    sheet,
    show,
    wrap,
    write,
)
from gradline.plots.drawing.tiles import Tile, draw_tiles
from gradline.plots.maps import Picture, colour_scale, colours, example, only_tensor, picture, summed
from gradline.plots.path import path_panel
from gradline.plots.subject import PhotoShown, photo_of
from gradline.plots.words import Legend, directions, legend, photo_name, quantity
from gradline.result import Attribution
from gradline.result.card import rows, verdict
from gradline.result.spelling import percent

MARGIN = 0.06
FINDINGS = 4
"""Findings written out; more are counted."""


def summary(a: Attribution, i: int = 0, *, width: float = TWO_COLUMNS) -> Figure:
    """Example i on one page: how accurate the map is, what weakens it, the map, the path and the facts.

    With the photo it was made from; of bare tensors the map alone. `width` in inches, from 5. Raises `InputError`.
    """
    i, width = example(a, i), check_width(width, least=5.0)
    photo = photo_of(a, i)
    figure = sheet(width)
    top = _head(figure, a, i, photo, width)
    on_photo = photo is not None and only_tensor(a).shape[2:] == photo.pixels.shape[:2]
    top = _pictures(figure, a, i, photo, top, width) if photo and on_photo else _bare(figure, a, i, top, width)
    half = width / 2
    panel = path_panel(a, i)
    below = top
    if panel is not None:
        below = draw_path(figure, panel, MARGIN, top, half - 0.2, 1.25, photo_name(a, i))
    facts = _facts(figure, a, i, photo, half + 0.1 if panel is not None else MARGIN, top + 0.1, half - 0.16)
    return cut(figure, _foot(figure, photo, max(below, facts) + 0.08, width) + MARGIN)


def _head(figure: Figure, a: Attribution, i: int, photo: PhotoShown | None, width: float) -> float:
    """The question, the verdict, the findings."""
    inside = width - 2 * MARGIN
    asked = f"What contributes to {a.explained[i]}?"
    if photo is not None:
        asked = f"Which pixels of {photo.name} made {photo.model} see “{photo.title}”?"
    top = paragraph(figure, MARGIN, 0.04, wrap(asked, inside, TITLE, bold=True, most=2), size=TITLE, bold=True)
    colour = GOOD if a.status[i].is_sound else BAD
    top = paragraph(figure, MARGIN, top + 0.02, wrap(verdict(a, i), inside, BODY + 0.5), size=BODY + 0.5, colour=colour)
    found = [f for f in a.findings if not f.examples or i in f.examples]
    for finding in found[:FINDINGS]:
        lines = wrap(f"{finding.code} {finding.title}: {finding.detail}.", inside, SMALL, most=2)
        top = paragraph(figure, MARGIN, top + 0.02, lines, size=SMALL, colour=BAD)
    if len(found) > FINDINGS:
        top = paragraph(figure, MARGIN, top, [f"and {len(found) - FINDINGS} more findings"], size=SMALL, colour=BAD)
    return top + 0.08


def _pictures(figure: Figure, a: Attribution, i: int, photo: PhotoShown, top: float, width: float) -> float:
    drawn: Picture = picture(a, photo.pixels, i)
    tiles = [
        Tile("what the model sees", (drawn.photo,)),
        Tile("contribution of every pixel", (drawn.map,)),
        Tile("the same on the photo", (drawn.overlay,)),
        Tile("where the map's mass lies", (drawn.spotlight,)),
    ]
    top = draw_tiles(figure, tiles, 4, width, top) - 0.02
    words = legend(a, i, drawn.pixels, drawn.scale)
    return draw_legend(figure, words, MARGIN, top, width - 2 * MARGIN, 2.4) + 0.08


def _bare(figure: Figure, a: Attribution, i: int, top: float, width: float) -> float:
    """The map of bare tensors: a picture, a table, or bars in their order."""
    pixels = summed(a, i)
    inside = width - 2 * MARGIN
    if pixels.ndim == 1:
        draw_strip(place(figure, 0.44, top, width - 0.5, 1.3), pixels)
        words = Legend("", "", *directions(a), (quantity(a, i),))
        return draw_signs(figure, words, MARGIN, top + 1.5, inside, 2.4) + 0.08
    scale = colour_scale(pixels)
    across = min(inside, 2.6 * max(1.0, pixels.shape[1] / max(1, pixels.shape[0])))
    down, square = panel_height(pixels, across)
    show(place(figure, (width - across) / 2, top, across, down), colours(pixels, scale), square=square)
    return draw_legend(figure, legend(a, i, pixels, scale), MARGIN, top + down + 0.08, inside, 2.4) + 0.08


def _facts(
    figure: Figure, a: Attribution, i: int, photo: PhotoShown | None, left: float, top: float, width: float
) -> float:
    """Label and text, below one another."""
    facts = rows(a, i)[1:]
    if "seconds" in a.provenance:
        facts.append(("time", f"{a.provenance['seconds']:.2g} s on {a.provenance.get('device', 'cpu')}"))
    if photo is not None and photo.candidates:
        facts.append(("model says", ", ".join(f"{name} {percent(p)}" for name, p in photo.candidates[:3])))
    facts.append(("method", f"{a.provenance.get('method_name', 'attribution')} of {a.explained[i]}"))
    if a.provenance.get("model_digest"):
        facts.append(("fingerprint", f"{a.provenance['model_digest']}, seed {a.provenance.get('seed', 0)}"))
    for label, text in facts:
        write(figure, left, top, label, colour=QUIET)
        top = paragraph(figure, left + 0.98, top, wrap(text, width - 0.98), colour=INK) + 0.02
    return top


def _foot(figure: Figure, photo: PhotoShown | None, top: float, width: float) -> float:
    """What repeats it on the command line."""
    if photo is None or not photo.command:
        return top - 0.08
    lines = wrap(photo.command, width - 2 * MARGIN, SMALL, mono=True, most=3)
    return paragraph(figure, MARGIN, top, lines, size=SMALL, colour=QUIET, mono=True)
