"""The report of one time series as an HTML page: curves on what their samples contribute, or spectra."""

from __future__ import annotations

import secrets
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path

from gradline.plots import series_panel, spectrum_panel
from gradline.plots.maps import example
from gradline.plots.samples import SeriesPanel, SpectrumPanel, explained_in, time_words
from gradline.plots.words import directions, extent, signed, unit
from gradline.report import stretches
from gradline.report.content import Content
from gradline.report.frame import frame
from gradline.report.page import rendered
from gradline.report.series import Series
from gradline.report.series_svg import curves, spectra
from gradline.report.words import isolated, typeset
from gradline.result import Attribution
from gradline.result.spelling import percent, short
from gradline.result.storage import write_atomically

TEMPLATE = "series.html.jinja"

MOST_NUMBERS = 60_000
"""Numbers that a page holds as a table to copy; longer series are not written out."""


def write_series(a: Attribution, series: Series, path: str | Path) -> Path:
    """Write the page of the first example as one file. Raises `StorageError`, `MissingExtra`."""
    text = rendered(TEMPLATE, content(a, series), name="series", whole=True)
    return write_atomically(Path(path), lambda p: p.write_text(text, "utf-8"))


def fragment(a: Attribution, series: Series) -> str:
    """The page as a part of another one. Raises `MissingExtra`."""
    return rendered(TEMPLATE, content(a, series), name=f"gradline-{secrets.token_hex(4)}", whole=False)


def content(a: Attribution, series: Series) -> Content:
    """Everything the template asks for, of the first example."""
    a = replace(a[example(a, 0)], shown=(series,))
    things = "samples" if series.spectrum is None else "frequencies"
    title = isolated(series.title)
    whole = frame(
        a,
        question=f"Which {things} of {isolated(series.name)} speak for “{title}”?",
        made_by=_made_by(a, series),
        things=things,
        end="series",
        shown=series,
    )
    own = _of_samples(a) if series.spectrum is None else _of_frequencies(a)
    return whole | own | {"own_style": _style()}


def _of_samples(a: Attribution) -> Content:
    panel = series_panel(a)
    drawing = curves(panel)
    notes = ", ".join(extent(drawing.sums, drawing.scale, "samples" if drawing.side == 1 else "blocks"))
    said = explained_in(a, 0)
    caption = (
        f"{said[0].upper()}{said[1:]}. Linear scale up to the 99th percentile of sizes, one for all channels: {notes}."
    )
    if drawing.side > 1:
        caption += f" This page adds up blocks of {drawing.side} samples."
    if panel.start is not None:
        caption += " Thin line: where the path starts."
    return {
        "heading": "The series",
        "where": typeset(_where(a, panel, [time_words(float(t), panel.time_unit) for t in panel.times])),
        "drawing": drawing,
        "scale": short(drawing.scale),
        "lowers": directions(a)[0],
        "raises": directions(a)[1],
        "caption": typeset(caption),
        "channels": _channels(panel),
        "csv": _csv(panel),
    }


def _of_frequencies(a: Attribution) -> Content:
    panel = spectrum_panel(a)
    drawing = spectra(panel)
    said = explained_in(a, 0)
    caption = f"{said[0].upper()}{said[1:]}. Bars: what a frequency contributes, all channels on one axis. Grey: the "
    caption += "amplitude of that frequency in the series."
    if panel.windows is not None:
        caption += f" Under it: the same in time, full colour at ±{short(drawing.scale)}, one scale for all channels."
    return {
        "heading": "The frequencies",
        "where": typeset(_where(a, panel, [f"{v:.4g} {panel.unit}" for v in panel.frequencies])),
        "drawing": drawing,
        "scale": "",
        "lowers": directions(a)[0],
        "raises": directions(a)[1],
        "caption": typeset(caption),
        "channels": _channels(panel),
        "csv": _csv(panel),
    }


def _where(a: Attribution, panel: SeriesPanel | SpectrumPanel, places: list[str]) -> str:
    contributes = unit(a) == "score"
    whole = [place.replace(" ", "\N{NO-BREAK SPACE}") for place in places]
    return stretches.in_words(panel.contributions, panel.channels, whole.__getitem__, contributes=contributes)


def _made_by(a: Attribution, series: Series) -> str:
    method = a.provenance.get("method_name", "attribution")
    one = f", path from {series.baseline}" if series.baseline else ""
    paths = f", mean over {series.paths} paths" if series.paths > 1 else one
    return f"{method} of {isolated(series.model)}, {a.explained[0]}{paths}"


def _channels(panel: SeriesPanel | SpectrumPanel) -> list[Content]:
    """A row of the table for each channel."""
    sums, shares = panel.sums, panel.shares
    most = float(abs(sums).max()) or 1.0
    return [
        {
            "name": name,
            "sum": typeset(signed(float(value))),
            "raises": value > 0,
            "length": f"{100 * abs(float(value)) / most:.1f}%" if value == value else "0%",
            "share": typeset(percent(float(share))),
        }
        for name, value, share in zip(panel.channels, sums, shares, strict=True)
    ]


def _csv(panel: SeriesPanel | SpectrumPanel) -> str:
    """All numbers as lines of text: the axis, then for each channel what it is and what it contributes."""
    over = isinstance(panel, SpectrumPanel)
    if isinstance(panel, SpectrumPanel):
        axis, own, first = panel.frequencies, panel.amplitude, f"frequency [{panel.unit}]"
    else:
        axis, own, first = panel.times, panel.values, f"time [{panel.time_unit}]"
    if 2 * own.size > MOST_NUMBERS:
        return ""
    names = [_quoted(first)]
    for name, measure in zip(panel.channels, panel.units, strict=True):
        said = f"{name} amplitude" if over else name
        names += [_quoted(f"{said} [{measure}]" if measure else said), _quoted(f"{name} contribution")]
    lines = [",".join(names)]
    for k, place in enumerate(axis):
        pairs = (f"{v[k]:.7g},{c[k]:.7g}" for v, c in zip(own, panel.contributions, strict=True))
        lines.append(f"{place:.9g},{','.join(pairs)}")
    return "\n".join(lines) + "\n"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if any(c in name for c in ',"\n') else name


@cache
def _style() -> str:
    return files("gradline.report").joinpath("assets/series.css").read_text("utf-8")
