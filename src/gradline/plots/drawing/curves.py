"""A time series: each channel's curve on what its samples contribute; what its frequencies contribute."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from gradline.plots.drawing.legend import draw_legend, draw_signs
from gradline.plots.drawing.paper import TWO_COLUMNS, check_count, check_width
from gradline.plots.drawing.sheet import (
    BLUE,
    BODY,
    FAINT,
    GREY,
    INK,
    QUIET,
    RED,
    SMALL,
    cut,
    height_of,
    place,
    plain,
    sheet,
    shorten,
    write,
)
from gradline.plots.maps import colour_scale, colours, example
from gradline.plots.samples import (
    SeriesPanel,
    SpectrumPanel,
    cell_edges,
    explained_in,
    largest,
    series_panel,
    spectrum_panel,
)
from gradline.plots.words import Legend, directions, extent, signed
from gradline.result import Attribution
from gradline.result.spelling import percent

MARGIN, LEFT = 0.06, 0.46
CURVE, BARS, SPAN, WINDOWS, GAP = 0.72, 0.62, 0.34, 0.5, 0.06
"""Heights in inches: of a curve, of bars, of an amplitude spectrum, of a map of windows, and between channels."""


def series(a: Attribution, i: int = 0, *, top: int = 8, width: float = TWO_COLUMNS) -> Figure:
    """Example i of `gl.explain_series`: each channel's curve, with the contributions of its samples as a heat map under
    it; the start of the path as a thin line. One colour scale for all channels, and the legend says what it is.

    The `top` channels that contribute most are drawn, in their order. `width` in inches. Raises `InputError`.
    """
    i, width = example(a, i), check_width(width)
    panel = series_panel(a, i)
    chosen = largest(np.abs(panel.contributions).sum(1), check_count("top", top))
    figure, low = sheet(width), MARGIN
    for k in chosen:
        low = _title(figure, panel, int(k), low, width)
        axes = place(figure, LEFT, low, width - LEFT - MARGIN, CURVE)
        _curve(axes, panel, int(k), last=bool(k == chosen[-1]))
        low += CURVE + GAP
    low = _axis(figure, f"time [{panel.time_unit}]" if panel.time_unit != "sample" else "sample", low, width)
    notes = [explained_in(a, i), *extent(panel.contributions, panel.scale, "samples"), *_lines(panel)]
    if len(chosen) < len(panel.channels):
        rest = [k for k in range(len(panel.channels)) if k not in chosen]
        notes.append(f"{len(rest)} more channels together {signed(float(panel.sums[rest].sum()))}")
    words = Legend(f"−{_short(panel.scale)}", f"+{_short(panel.scale)}", *directions(a), tuple(notes))
    inside = width - 2 * MARGIN
    return cut(figure, draw_legend(figure, words, MARGIN, low, inside, min(inside, 2.6)) + MARGIN)


def spectrum(a: Attribution, i: int = 0, *, top: int = 8, width: float = TWO_COLUMNS) -> Figure:
    """Example i of `gl.series.frequencies`: what each frequency of each channel contributes, as bars over the amplitude
    spectrum, all channels' bars on one axis; of short-time coefficients also a map of windows and frequencies.

    The `top` channels that contribute most are drawn, in their order. `width` in inches. Raises `InputError`.
    """
    i, width = example(a, i), check_width(width)
    panel = spectrum_panel(a, i)
    chosen = largest(np.abs(panel.contributions).sum(1), check_count("top", top))
    ends = _ends(panel.contributions[chosen])
    figure, low, inside = sheet(width), MARGIN, width - 2 * MARGIN
    for k in chosen:
        low = _title(figure, panel, int(k), low, width)
        _bars(place(figure, LEFT, low, width - LEFT - MARGIN, BARS), panel, int(k), ends)
        low += BARS + 0.03
        _amplitude(place(figure, LEFT, low, width - LEFT - MARGIN, SPAN), panel, int(k), last=bool(k == chosen[-1]))
        low += SPAN + GAP
    low = _axis(figure, f"frequency [{panel.unit}]", low, width)
    notes = [explained_in(a, i), "bars: contribution of a frequency; grey: its amplitude in the series"]
    words = Legend("", "", *directions(a), tuple(notes))
    if panel.windows is None:
        return cut(figure, draw_signs(figure, words, MARGIN, low, inside, min(inside, 2.6)) + MARGIN)
    low = draw_signs(figure, words, MARGIN, low, inside, min(inside, 2.6)) + 0.1
    return cut(figure, _windows(figure, panel, chosen, directions(a), low, width) + MARGIN)


def _title(figure: Figure, panel: SeriesPanel | SpectrumPanel, k: int, top: float, width: float) -> float:
    """The channel's name and unit on the left, what it contributes on the right."""
    unit = f" [{panel.units[k]}]" if panel.units[k] else ""
    said = f"{signed(float(panel.sums[k]))}, {percent(float(panel.shares[k]))} of the map"
    write(figure, LEFT, top, shorten(panel.channels[k] + unit, 0.55 * width), bold=True)
    write(figure, width - MARGIN, top, said, size=SMALL, align="right", colour=QUIET)
    return top + height_of(BODY) + 0.01


def _axis(figure: Figure, text: str, low: float, width: float) -> float:
    """The name of the common axis, under its numbers."""
    write(figure, (LEFT + width - MARGIN) / 2, low + 0.1, text, size=SMALL, align="center")
    return low + 0.1 + height_of(SMALL) + 0.08


def _curve(axes: Axes, panel: SeriesPanel, k: int, *, last: bool) -> None:
    times, values = panel.times, panel.values[k]
    edges = cell_edges(times)
    shown = [values] if panel.start is None else [values, panel.start[k]]
    low, high = min(v.min() for v in shown), max(v.max() for v in shown)
    room = 0.08 * (high - low) or 1.0
    axes.pcolorfast(edges, [low - room, high + room], colours(panel.contributions[k][None], panel.scale))
    if panel.start is not None:
        axes.plot(times, panel.start[k], color=GREY, lw=0.6)
    halo = [withStroke(linewidth=2.2, foreground="white", alpha=0.75)]
    axes.plot(times, values, color=INK, lw=0.9, solid_joinstyle="round", path_effects=halo)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(low - room, high + room)
    _frame(axes, last=last, parts=3)


def _bars(axes: Axes, panel: SpectrumPanel, k: int, ends: tuple[float, float]) -> None:
    own, edges = panel.contributions[k], cell_edges(panel.frequencies)
    finite = np.where(np.isfinite(own), own, 0.0)
    colour = [RED if v > 0 else BLUE for v in finite]
    step = float(np.diff(panel.frequencies).min())
    axes.bar(panel.frequencies, finite, width=0.8 * step, color=colour, lw=0)
    axes.axhline(0, color=INK, lw=0.5)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(*ends)
    _frame(axes, last=False, parts=4)


def _amplitude(axes: Axes, panel: SpectrumPanel, k: int, *, last: bool) -> None:
    edges = cell_edges(panel.frequencies)
    axes.stairs(panel.amplitude[k], edges, fill=True, color=FAINT, lw=0)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, 1.08 * float(panel.amplitude[k].max()) or 1.0)
    _frame(axes, last=last, parts=2)


def _windows(
    figure: Figure, panel: SpectrumPanel, chosen: np.ndarray, said: tuple[str, str], low: float, width: float
) -> float:
    """For each channel a map, time across and frequency up; one scale for all."""
    assert panel.windows is not None
    assert panel.centres is not None
    scale = colour_scale(panel.windows)
    times, places = cell_edges(panel.centres), cell_edges(panel.frequencies)
    for k in chosen:
        write(
            figure,
            LEFT,
            low,
            shorten(f"{panel.channels[k]}: frequency [{panel.unit}] in time", 0.8 * width),
            size=SMALL,
        )
        axes = place(figure, LEFT, low + 0.13, width - LEFT - MARGIN, WINDOWS)
        axes.pcolorfast(times, places, colours(panel.windows[k].T, scale))
        _frame(axes, last=bool(k == chosen[-1]), parts=3)
        low += 0.13 + WINDOWS + GAP
    unit = panel.time_unit
    low = _axis(figure, "sample" if unit == "sample" else f"time [{unit}]", low, width)
    words = Legend(f"−{_short(scale)}", f"+{_short(scale)}", *said, tuple(extent(panel.windows, scale, "coefficients")))
    inside = width - 2 * MARGIN
    return draw_legend(figure, words, MARGIN, low, inside, min(inside, 2.6))


def _frame(axes: Axes, *, last: bool, parts: int) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(parts, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
    plain(axes)
    if not last:
        axes.set_xticklabels([])


def _ends(values: np.ndarray) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    low, high = float(finite.min(initial=0.0)), float(finite.max(initial=0.0))
    room = 0.06 * (high - low) or 1.0
    return low - room * (low < 0 or high == 0), high + room * (high > 0 or low == 0)


def _lines(panel: SeriesPanel) -> list[str]:
    return [] if panel.start is None else ["black: the series; thin grey: where the path starts"]


def _short(value: float) -> str:
    return f"{abs(value):#.3g}".removesuffix(".") if value else "0"
