"""The neurons behind a region: the photo, the layer's map, its top channels, and what is left without them."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gradline.plots.channels import Channel, Curves, LayerShown, Region
from gradline.plots.drawing.legend import draw_legend, draw_notes
from gradline.plots.drawing.paper import TWO_COLUMNS, check_count, check_width
from gradline.plots.drawing.sheet import (
    BLUE,
    BODY,
    GREY,
    INK,
    QUIET,
    RED,
    SMALL,
    TITLE,
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
from gradline.plots.drawing.tiles import MARGIN, Tile, draw_tiles
from gradline.plots.maps import colour_scale, overlay
from gradline.plots.places import framed, lit, spread
from gradline.plots.words import Legend, amount, signed
from gradline.result.spelling import percent

COLOURS = ("#0b6b66", "#b2182b", "#8b939e", "#2166ac", "#9a6a00", "#6a3d9a")
STYLES = ("-", "-", "--", "-", "-", "-")
"""Of the rankings, in their order."""

NOTES = (
    "what a place of the layer carries of the region’s contribution, all channels together",
    "under channels: what each carries (its share of the sizes of all); the photo is lit where it is active at x",
)

HIGH = 1.15
"""Height of the curves, in inches."""


def neurons(region: Region, *, columns: int = 5, width: float = TWO_COLUMNS) -> Figure:
    """The photo with the region's box, and for each layer its map, the activations of the top channels with what they
    carry, and the curves of a knock-out where there is one. `width` in inches. Raises `InputError`.
    """
    width, columns = check_width(width), check_count("columns", columns)
    figure = sheet(width)
    title, about = headline(region)
    top = paragraph(figure, MARGIN, MARGIN, wrap(title, width - 2 * MARGIN, TITLE, bold=True), size=TITLE, bold=True)
    top = paragraph(figure, MARGIN, top, wrap(about, width - 2 * MARGIN), colour=QUIET) + 0.08
    for number, layer in enumerate(region.layers):
        top = _draw_layer(figure, region, layer, top, columns, width, first=number == 0)
    return cut(figure, top + MARGIN)


def headline(region: Region) -> tuple[str, str]:
    """What the region contributes, in a line, and what it is."""
    a = region.layers[0].a
    said = f"The region contributes {signed(region.contribution)} to “{region.photo.title}”"
    change = "" if math.isnan(region.share) else f"{percent(region.share)} of F(x) − F(x′), ".replace("-", "−")
    share = f"{change}from {percent(region.area)} of what the model sees"
    box = ",".join(f"{edge:g}" for edge in region.given)
    return said, f"{share}; pixels {box} of {region.photo.name}; {region.photo.model}, {a.explained[0]}"


def _draw_layer(
    figure: Figure, region: Region, layer: LayerShown, top: float, columns: int, width: float, *, first: bool
) -> float:
    found, photo = layer.channels, region.photo.pixels
    across = width - 2 * MARGIN
    (count, rows, cells), total = found.shape, found.others + len(found.top)
    places = f" × {rows} × {cells} places" if found.has_places else ""
    text = f"Layer {layer.name}: {count} channels{places}, which add up to {signed(found.total)}"
    top = paragraph(figure, MARGIN, top, wrap(text, across, BODY, bold=True), bold=True) + 0.03
    tiles = [Tile("photo and region", (framed(photo, region.box),))] if first else []
    scale = colour_scale(found.map)
    if found.has_places:
        drawn = overlay(spread(found.map, photo.shape[:2]), scale, photo)
        tiles.append(Tile(f"all {total} channels", (framed(drawn, region.box),)))
    tiles += [channel_tile(channel, region, drawn=found.has_places) for channel in found.top]
    top = draw_tiles(figure, tiles, min(columns, len(tiles)), width, top) + 0.03
    if found.has_places:
        words = Legend(f"−{amount(scale)}", f"+{amount(scale)}", "lowers the score", "raises it", NOTES)
        top = draw_legend(figure, words, MARGIN, top, across, min(2.4, 0.72 * width)) + 0.08
    if layer.curves is not None:
        top = draw_curves(figure, layer.curves, top, width)
    return top + 0.06


def channel_tile(channel: Channel, region: Region, *, drawn: bool) -> Tile:
    """A channel's activation over the photo, and what it carries."""
    image = (framed(lit(region.photo.pixels, channel.activation), region.box),) if drawn else ()
    size = "" if math.isnan(channel.size) else f" ({percent(channel.size)})"
    lines = [(f"{signed(channel.contribution)}{size}", RED if channel.contribution > 0 else BLUE)]
    if channel.where:
        lines.append((f"{channel.where}, {percent(channel.inside)} inside", QUIET))
    return Tile(f"channel {channel.index}", image, None, tuple(lines))


def draw_curves(figure: Figure, found: Curves, top: float, width: float) -> float:
    """What is left when the first neurons are taken away: three drawings side by side; where the next may begin."""
    across = (width - 2 * MARGIN) / 3
    for number, (title, values) in enumerate(found.panels):
        left = MARGIN + number * across
        write(figure, left + 0.42, top, title, size=SMALL + 0.5)
        _curve(place(figure, left + 0.42, top + 0.16, across - 0.5, HIGH), found, values)
    low = top + 0.16 + HIGH + 0.17
    below = "share of the layer’s neurons taken away, the first of each ranking first"
    write(figure, width / 2, low, below, size=SMALL, align="center")
    low += height_of(SMALL) + 0.03
    at = MARGIN + 0.42
    for number, name in enumerate(found.names):
        write(figure, at, low, "━" if STYLES[number % len(STYLES)] == "-" else "╍", size=SMALL, colour=_colour(number))
        write(figure, at + 0.13, low, name, size=SMALL, colour=QUIET)
        at += breadth(name, SMALL) + 0.3
    return draw_notes(figure, (), MARGIN, low + height_of(SMALL), width)


def _curve(axes: Axes, found: Curves, values: np.ndarray) -> None:
    places = np.arange(len(found.shares))
    for number, row in enumerate(values):
        axes.plot(places, row, STYLES[number % len(STYLES)], color=_colour(number), lw=1.1, marker=".", ms=3.5, mew=0)
    known = values[np.isfinite(values)]
    if known.size and known.min() <= 0 <= known.max():
        axes.axhline(0, color=INK, lw=0.4)
    axes.set_xticks(places, found.ticks)
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    plain(axes)
    axes.spines["bottom"].set_edgecolor(GREY)


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]
