"""Several maps in one figure: methods, examples, baselines."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from gradline.errors import InputError
from gradline.plots.drawing.legend import draw_legend, draw_signs
from gradline.plots.drawing.paper import TWO_COLUMNS, check_count, check_width
from gradline.plots.drawing.sheet import BAD, QUIET, cut, sheet
from gradline.plots.drawing.tiles import MARGIN, Tile, draw_tiles, quiet
from gradline.plots.maps import blocks, colour_scale, colours, example, picture, summed
from gradline.plots.panels import Panel, Several, common_legend, panels
from gradline.plots.subject import photo_of, pixels_of
from gradline.plots.words import Legend, amount, brief_verdict, directions, full_colour, quantity
from gradline.result import Attribution
from gradline.result.spelling import percent


def grid(
    several: Several,
    photo: np.ndarray | None = None,
    i: int = 0,
    *,
    shared: bool = True,
    columns: int = 4,
    width: float = TWO_COLUMNS,
) -> Figure:
    """Maps side by side: example i of several methods (a `Comparison`, or attributions by name), or all examples of
    one attribution.

    `shared`: comparable maps have one colour scale, its 99 % quantile taken over all of them; values of another unit,
    place in the network or kind of score keep their own, and the legend says so. False: one scale each. `photo`: uint8
    `(H, W, 3)`, shown first, by default what the model saw; several examples have theirs above the maps. `width` in
    inches. Raises `InputError`.
    """
    width, columns = check_width(width), check_count("columns", columns)
    drawn = panels(several, i, shared=shared)
    if isinstance(several, Attribution):
        if photo is not None and len(several) > 1:
            raise InputError("no photo= for several examples", "one", "gl.plots.grid({name: a[0]}, photo) takes one")
        tiles = [_tile(panel, drawn, pixels_of(panel.a, photo, panel.i)) for panel in drawn]
    else:
        tiles = [*_photo(drawn[0], photo), *(_tile(panel, drawn, None) for panel in drawn)]
    figure = sheet(width)
    bottom = draw_tiles(figure, tiles, min(columns, len(tiles)), width) + 0.03
    draw = draw_legend if drawn[0].pixels.ndim > 1 else draw_signs
    legend = common_legend(drawn, shared=shared)
    return cut(figure, draw(figure, legend, MARGIN, bottom, width - 2 * MARGIN, min(2.4, 0.72 * width)) + MARGIN)


def baselines(a: Attribution, i: int = 0, *, shared: bool = False, width: float = TWO_COLUMNS) -> Figure:
    """The map of example i beside those from other baselines, each below the start of its path, with the rank
    agreement: where it is low, the choice of the baseline is part of the answer.

    Agreement is about ranks, so every map has a colour scale of its own, unless `shared`. `width` in inches. Raises
    `InputError` if the attribution has no such maps.
    """
    i, width = example(a, i), check_width(width)
    photo = photo_of(a, i)
    if photo is None or not photo.baselines:
        remedy = "gl.compare methods that start elsewhere, method.starting_at(…), and draw them with gl.plots.grid"
        raise InputError("an attribution of a photo with maps from other baselines", "one without", remedy)
    own = blocks(summed(a, i), photo.baselines[0].pixels.shape)
    maps = [own, *(np.asarray(other.pixels, dtype=np.float64) for other in photo.baselines)]
    scales = [colour_scale(np.stack(maps) if shared else m) for m in maps]
    said = [full_colour(m, scale) for m, scale in zip(maps, scales, strict=True)]
    images = [colours(m, scale) for m, scale in zip(maps, scales, strict=True)]
    blank = np.full_like(photo.pixels, 255) if photo.start is None else photo.start
    tiles = [Tile("this map", (blank, images[0]), None, quiet(brief_verdict(a, i), *said[0]))]
    for other, image, words in zip(photo.baselines, images[1:], said[1:], strict=True):
        rank = f"rank agreement {_rank(other.agreement)}", f"of sizes {_rank(other.agreement_absolute)}"
        lines = quiet(*rank, f"map error {percent(other.error_estimate)}", *words)
        tiles.append(Tile(f"from {other.name}", (other.start, image), None, lines))
    side = -(-photo.pixels.shape[0] // len(own))
    summed_over = f", summed over {side} × {side} pixels" if side > 1 else ""
    one = (f"−{amount(scales[0])}", f"+{amount(scales[0])}") if shared else ("", "")
    sharing = "one scale for all maps" if shared else "every map has a scale of its own"
    legend = Legend(*one, *directions(a), (quantity(a, i) + summed_over, sharing))
    figure = sheet(width)
    bottom = draw_tiles(figure, tiles, len(tiles) if width / len(tiles) > 0.9 else 4, width) + 0.03
    return cut(figure, draw_legend(figure, legend, MARGIN, bottom, width - 2 * MARGIN, min(2.4, 0.72 * width)) + MARGIN)


def _tile(panel: Panel, drawn: list[Panel], photo: np.ndarray | None) -> Tile:
    differ = len({p.a.explained[p.i] for p in drawn}) > 1
    verdict, *rest = panel.lines
    colour = QUIET if panel.a.status[panel.i].is_sound else BAD
    lines = (*quiet(*([panel.a.explained[panel.i]] if differ else [])), (verdict, colour), *quiet(*rest))
    if panel.pixels.ndim == 1:
        return Tile(panel.name, (), (panel.pixels, panel.ends), lines)
    above = () if photo is None else (picture(panel.a, photo, panel.i).photo,)
    return Tile(panel.name, (*above, colours(panel.pixels, panel.scale)), None, lines)


def _photo(panel: Panel, photo: np.ndarray | None) -> list[Tile]:
    pixels = pixels_of(panel.a, photo, panel.i)
    return [] if pixels is None else [Tile("photo", (picture(panel.a, pixels, panel.i).photo,))]


def _rank(agreement: float) -> str:
    return f"{agreement:.2f}".replace("-", "−") if np.isfinite(agreement) else "unknown"
