"""How the map grows along the path."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from gradline.plots.drawing.legend import draw_legend
from gradline.plots.drawing.one_map import number_axes
from gradline.plots.drawing.paper import TWO_COLUMNS, check_count, check_width
from gradline.plots.drawing.path import amount_of
from gradline.plots.drawing.sheet import SMALL, cut, height_of, place, sheet, show, write
from gradline.plots.drawing.tiles import MARGIN, Tile, draw_tiles, quiet
from gradline.plots.maps import colour_scale, colours, example
from gradline.plots.partial import Stages, partial_maps
from gradline.plots.words import Legend, amount, directions, extent, quantity
from gradline.result import Attribution
from gradline.result.spelling import percent


def stages(a: Attribution, i: int = 0, *, count: int = 4, width: float = TWO_COLUMNS) -> Figure:
    """How the map of example i grows: the maps of the path up to `count` places, in the colour scale of the whole map,
    with the score there and the relative L2 distance to the whole map.

    Rows of features `(D,)` become one picture, a line for every place. For attributions of `method.in_stages(K)`, and
    for photos. `width` in inches. Raises `InputError` if no partial maps were kept.
    """
    i, width, count = example(a, i), check_width(width), check_count("count", count)
    grown = partial_maps(a, i)
    scale = colour_scale(grown.maps[-1])
    whole = grown.maps[-1]
    notes = (quantity(a, i), "the scale of the whole map (t = 1) for all", *extent(whole, scale, "values"))
    legend = Legend(f"−{amount(scale)}", f"+{amount(scale)}", *directions(a), notes)
    figure = sheet(width)
    bottom = _row(figure, grown, scale, count, width) if whole.ndim > 1 else _lines(figure, grown, scale, width)
    return cut(
        figure, draw_legend(figure, legend, MARGIN, bottom + 0.03, width - 2 * MARGIN, min(2.4, 0.72 * width)) + MARGIN
    )


def _row(figure: Figure, grown: Stages, scale: float, count: int, width: float) -> float:
    count = min(count, len(grown.t))
    chosen = [round(len(grown.t) * (k + 1) / count) - 1 for k in range(count)]
    tiles = []
    for k in chosen:
        away = "the whole map" if k == len(grown.t) - 1 else f"{percent(grown.distance[k])} from the whole map"
        lines = quiet(f"F = {amount_of(grown.scores[k])}", away)
        tiles.append(Tile(f"up to t = {grown.t[k]:.3g}", (colours(grown.maps[k], scale),), None, lines))
    return draw_tiles(figure, tiles, min(count, max(2, int(width / 0.8))), width)


def _lines(figure: Figure, grown: Stages, scale: float, width: float) -> float:
    left, height = 0.42, min(0.1 * len(grown.t) + 0.4, 2.4)
    axes = place(figure, left, 0.08, width - left - MARGIN, height)
    show(axes, colours(grown.maps, scale), square=False)
    number_axes(axes)
    rows = np.unique(np.linspace(0, len(grown.t) - 1, min(5, len(grown.t))).round().astype(int))
    axes.set_yticks(rows, [f"{grown.t[k]:.3g}" for k in rows])
    axes.set_ylabel("path up to t", fontsize=SMALL, labelpad=2)
    write(figure, left + (width - left - MARGIN) / 2, 0.08 + height + 0.16, "feature", size=SMALL, align="center")
    return 0.08 + height + 0.16 + height_of(SMALL) + 0.04
