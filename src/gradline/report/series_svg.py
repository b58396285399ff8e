"""Coordinates of curves, coloured cells, bars and spectra: everything in a box of 1000 × 100, stretched by the page."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradline.plots.maps import colour_scale
from gradline.plots.samples import SeriesPanel, SpectrumPanel, cell_edges, largest, time_words
from gradline.plots.words import signed
from gradline.report.words import typeset
from gradline.result.spelling import percent

WIDTH, HEIGHT = 1000.0, 100.0

MOST_CELLS, MOST_POINTS, CHANNELS = 4000, 4000, 16
"""Cells of all channels together, points of one curve, and channels drawn; longer series are summed over blocks."""

TICKS = 6


@dataclass(frozen=True)
class Cell:
    """A rectangle: `opacity` of its sign's colour from 0 to 1, `says`: what stands there when it is pointed at."""

    x: float
    width: float
    y: float
    height: float
    kind: str
    opacity: float
    says: str


@dataclass(frozen=True)
class Row:
    """A channel: its name with unit, what it contributes, and the drawing: `cells` under `line` and `start` for a
    series; `bars`, `zero`, their axis, and `area` for a spectrum, `windows` for one in time."""

    name: str
    unit: str
    total: str
    raises: bool
    share: str
    high: str
    low: str
    cells: tuple[Cell, ...] = ()
    line: str = ""
    start: str = ""
    zero: float | None = None
    area: str = ""
    amplitude: str = ""
    windows: tuple[Cell, ...] = ()


@dataclass(frozen=True, eq=False)
class Drawing:
    """All channels over one axis. `ticks`: place in per cent, and text. `sums (C, B)`: of `side` samples each; `scale`:
    of their colours. `hidden`: how many channels are not drawn. `axis`: its name; `times`: ticks under the windows."""

    rows: tuple[Row, ...]
    ticks: tuple[tuple[float, str], ...]
    axis: str
    sums: np.ndarray
    scale: float
    side: int = 1
    hidden: int = 0
    times: tuple[tuple[float, str], ...] = ()
    time_axis: str = ""


def curves(panel: SeriesPanel) -> Drawing:
    """Lay out a series."""
    chosen = largest(np.abs(panel.contributions).sum(1), CHANNELS)
    length = len(panel.times)
    side = -(-length // max(60, MOST_CELLS // len(chosen)))
    firsts = np.arange(0, length, side)
    sums = np.add.reduceat(panel.contributions, firsts, axis=1)
    scale, edges = colour_scale(sums), cell_edges(panel.times)
    rows = []
    for k in chosen:
        low, high = _range(panel, int(k))
        cells = _columns(panel, int(k), sums[k], firsts, edges, scale)
        line = _polyline(panel.times, panel.values[k], edges, low, high)
        start = "" if panel.start is None else _polyline(panel.times, panel.start[k], edges, low, high)
        rows.append(Row(**_named(panel, int(k)), **_ends(low, high), cells=cells, line=line, start=start))
    name = "sample" if panel.time_unit == "sample" else f"time in {panel.time_unit}"
    hidden = len(panel.channels) - len(chosen)
    return Drawing(tuple(rows), ticks(edges), name, sums, scale, side, hidden)


def spectra(panel: SpectrumPanel) -> Drawing:
    """Lay out spectra: bars on one axis for all channels."""
    chosen = largest(np.abs(panel.contributions).sum(1), CHANNELS)
    own = np.nan_to_num(panel.contributions[chosen], nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(own.min(initial=0.0)), float(own.max(initial=0.0))
    if low == high:
        low, high = -1.0, 1.0
    edges = cell_edges(panel.frequencies)
    scale = 0.0 if panel.windows is None else colour_scale(panel.windows)
    rows = []
    for k in chosen:
        amplitude = panel.amplitude[k]
        top = float(amplitude.max()) or 1.0
        rows.append(
            Row(
                **_named(panel, int(k)),
                **_ends(low, high),
                cells=_bars(panel, int(k), edges, low, high),
                zero=HEIGHT * high / (high - low),
                area=_steps(amplitude / top, edges),
                amplitude=_text(top),
                windows=_windows(panel, int(k), edges, scale),
            )
        )
    times = () if panel.centres is None else ticks(cell_edges(panel.centres))
    unit = "sample" if panel.time_unit == "sample" else f"time in {panel.time_unit}"
    hidden = len(panel.channels) - len(chosen)
    name = f"frequency in {panel.unit}"
    return Drawing(tuple(rows), ticks(edges), name, own, scale, hidden=hidden, times=times, time_axis=unit)


def ticks(edges: np.ndarray) -> tuple[tuple[float, str], ...]:
    """Round numbers between the first and the last edge."""
    low, high = float(edges[0]), float(edges[-1])
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * f for f in (1, 2, 5, 10) if power * f >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple((100 * (k * step - low) / (high - low), typeset(f"{k * step:.6g}")) for k in range(first, last + 1))


def _named(panel: SeriesPanel | SpectrumPanel, k: int) -> dict[str, Any]:
    total = float(panel.sums[k])
    return {
        "name": panel.channels[k],
        "unit": panel.units[k],
        "total": typeset(signed(total)),
        "raises": total > 0,
        "share": typeset(percent(float(panel.shares[k]))),
    }


def _range(panel: SeriesPanel, k: int) -> tuple[float, float]:
    shown = [panel.values[k]] if panel.start is None else [panel.values[k], panel.start[k]]
    low, high = min(float(v.min()) for v in shown), max(float(v.max()) for v in shown)
    return (low, high) if high > low else (low - 1.0, high + 1.0)


def _columns(
    panel: SeriesPanel, k: int, sums: np.ndarray, firsts: np.ndarray, edges: np.ndarray, scale: float
) -> tuple[Cell, ...]:
    lasts = np.append(firsts[1:], len(panel.times)) - 1
    found = []
    for value, first, last in zip(sums, firsts, lasts, strict=True):
        when = time_words(float(panel.times[first]), panel.time_unit)
        if last > first:
            when += f" to {time_words(float(panel.times[last]), panel.time_unit)}"
        own = float(panel.values[k, first : last + 1].mean())
        unit = f" {panel.units[k]}" if panel.units[k] else ""
        says = typeset(f"{panel.channels[k]}, {when}: {own:.4g}{unit}, contributes {signed(float(value))}")
        left, right = _across(edges[first], edges), _across(edges[last + 1], edges)
        found.append(Cell(left, right - left, 0.0, HEIGHT, *_colour(float(value), scale), says))
    return tuple(found)


def _bars(panel: SpectrumPanel, k: int, edges: np.ndarray, low: float, high: float) -> tuple[Cell, ...]:
    found, zero = [], HEIGHT * high / (high - low)
    for place, value in enumerate(panel.contributions[k]):
        left, right = _across(edges[place], edges), _across(edges[place + 1], edges)
        size = HEIGHT * abs(float(value)) / (high - low) if math.isfinite(value) else 0.0
        where = f"{panel.channels[k]}, {panel.frequencies[place]:.4g} {panel.unit}"
        unit = f" {panel.units[k]}" if panel.units[k] else ""
        says = typeset(f"{where}: amplitude {panel.amplitude[k, place]:.3g}{unit}, contributes {signed(float(value))}")
        room = 0.1 * (right - left)
        kind = "raises" if value > 0 else "lowers"
        top = zero - size if value > 0 else zero
        found.append(Cell(left + room, right - left - 2 * room, top, size, kind, 1.0, says))
    return tuple(found)


def _windows(panel: SpectrumPanel, k: int, edges: np.ndarray, scale: float) -> tuple[Cell, ...]:
    if panel.windows is None or panel.centres is None:
        return ()
    times, found = cell_edges(panel.centres), []
    for w, row in enumerate(panel.windows[k]):
        left, right = _across(times[w], times), _across(times[w + 1], times)
        for f, value in enumerate(row):
            up = HEIGHT * (edges[f + 1] - edges[0]) / (edges[-1] - edges[0])
            tall = HEIGHT * (edges[f + 1] - edges[f]) / (edges[-1] - edges[0])
            when = time_words(float(panel.centres[w]), panel.time_unit)
            says = typeset(f"{panel.frequencies[f]:.4g} {panel.unit} around {when}: {signed(float(value))}")
            found.append(Cell(left, right - left, HEIGHT - up, tall, *_colour(float(value), scale), says))
    return tuple(found)


def _colour(value: float, scale: float) -> tuple[str, float]:
    if not math.isfinite(value):
        return "unknown", 1.0
    return ("raises" if value > 0 else "lowers"), min(1.0, abs(value) / scale) if scale else 0.0


def _polyline(times: np.ndarray, values: np.ndarray, edges: np.ndarray, low: float, high: float) -> str:
    if len(times) > MOST_POINTS:
        side = -(-2 * len(times) // MOST_POINTS)
        firsts = np.arange(0, len(times), side)
        ends = (np.minimum.reduceat(values, firsts), np.maximum.reduceat(values, firsts))
        times, values = times[firsts].repeat(2), np.stack(ends, 1).ravel()
    places = WIDTH * (times - edges[0]) / (edges[-1] - edges[0])
    heights = 4 + (HEIGHT - 8) * (1 - (values - low) / (high - low))
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(places, heights, strict=True))


def _steps(shares: np.ndarray, edges: np.ndarray) -> str:
    places = WIDTH * (edges - edges[0]) / (edges[-1] - edges[0])
    points = [(0.0, HEIGHT)]
    for k, share in enumerate(shares):
        points += [(places[k], HEIGHT * (1 - 0.94 * share)), (places[k + 1], HEIGHT * (1 - 0.94 * share))]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in [*points, (WIDTH, HEIGHT)])


def _across(place: float, edges: np.ndarray) -> float:
    return float(WIDTH * (place - edges[0]) / (edges[-1] - edges[0]))


def _ends(low: float, high: float) -> dict[str, Any]:
    """The ends of an axis; what is nothing beside its length is 0."""
    near = 1e-3 * (high - low)
    return {"high": _text(high if abs(high) > near else 0.0), "low": _text(low if abs(low) > near else 0.0)}


def _text(value: float) -> str:
    return typeset(f"{value:.3g}")
