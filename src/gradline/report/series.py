"""What a report of a time series shows beside the attribution: plain facts and arrays, no model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gradline.plots.samples import Layout
from gradline.result import Attribution


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The frequencies of a series.

    `frequencies (K,)`: ascending from 0, in `unit`: "Hz", "cycles per sample". `amplitude (C, K)`: of x, in the
    channels' units. `centres (W,)`: times of the windows, None where the whole series is one.
    """

    frequencies: np.ndarray
    unit: str
    amplitude: np.ndarray
    centres: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Series:
    """One time series before a model, as it is shown; a `gradline.result.Shown`.

    `name`: what it is called. `model`: its name. `title`: what is explained, a label or a forecast. `channels`: names;
    `units`: one each, or (). `times (T,)`: of the samples, in `time_unit`: "s", "sample". `values (C, T)`: float64.
    `start (C, T)`: where the path starts (the first of several), None without one; `baseline`: that in words.
    `layout`: of one example of the attribution; what lies beyond T there is padding. `spectrum`: where frequencies are
    explained; the attribution is then `(C, K, 2)` or `(C, W, K, 2)`. `candidates`: labels with their probabilities.
    `command`, `python`: what repeats it. `paths`: how many paths the values are the mean of.
    """

    name: str
    model: str
    title: str
    channels: tuple[str, ...]
    times: np.ndarray
    values: np.ndarray
    units: tuple[str, ...] = ()
    time_unit: str = "sample"
    start: np.ndarray | None = None
    baseline: str = ""
    layout: Layout = Layout.CHANNELS_FIRST
    spectrum: Spectrum | None = None
    candidates: tuple[tuple[str, float], ...] = ()
    command: str = ""
    python: str = ""
    paths: int = 1

    def html(self, a: Attribution) -> str:
        """The report as a fragment for notebooks. Raises `MissingExtra`."""
        from gradline.report.series_page import fragment

        return fragment(a, self)

    def write(self, a: Attribution, path: Path) -> Path:
        """The report as .html, or as a figure: .png, .svg, .pdf. Raises `StorageError`, `MissingExtra`."""
        if path.suffix == ".html":
            from gradline.report.series_page import write_series

            return write_series(a, self, path)
        from gradline.plots import series, spectrum, write_figure

        draw = series if self.spectrum is None else spectrum
        return write_figure(draw(replace(a, shown=(self,))), path)
