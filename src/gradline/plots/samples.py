"""A time series and what its samples, or its frequencies, contribute: numbers only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

import numpy as np

from gradline.errors import InputError
from gradline.plots.maps import clipped, colour_scale, example, only_tensor
from gradline.plots.words import quantity
from gradline.result import Attribution


class Layout(StrEnum):
    """The axes of a model's input behind the batch axis: `(C, T)`, `(T, C)`, or `(T,)` for a single channel."""

    CHANNELS_FIRST = "channels-first"
    TIME_FIRST = "time-first"
    TIME_ONLY = "time-only"


class SpectrumShown(Protocol):
    """The frequencies of a series, as figures need them: see `gradline.report.Spectrum`."""

    @property
    def frequencies(self) -> np.ndarray: ...
    @property
    def unit(self) -> str: ...
    @property
    def amplitude(self) -> np.ndarray: ...
    @property
    def centres(self) -> np.ndarray | None: ...


@runtime_checkable
class SeriesShown(Protocol):
    """A series before a model, as figures need it: see `gradline.report.Series`."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def channels(self) -> Sequence[str]: ...
    @property
    def units(self) -> Sequence[str]: ...
    @property
    def times(self) -> np.ndarray: ...
    @property
    def time_unit(self) -> str: ...
    @property
    def values(self) -> np.ndarray: ...
    @property
    def start(self) -> np.ndarray | None: ...
    @property
    def layout(self) -> Layout: ...
    @property
    def spectrum(self) -> SpectrumShown | None: ...


@dataclass(frozen=True, eq=False)
class SeriesPanel:
    """Curves and contributions of one series, channels first; padding is not in it.

    `values`, `contributions (C, T)`: float64, in the channels' units and in units of the score. `start (C, T)`: where
    the path starts, None without one. `times (T,)`: in `time_unit`. `scale`: the contribution drawn in full colour,
    one for all channels; `clipped`: share of the samples beyond it.
    """

    channels: tuple[str, ...]
    units: tuple[str, ...]
    times: np.ndarray
    time_unit: str
    values: np.ndarray
    start: np.ndarray | None
    contributions: np.ndarray
    scale: float
    clipped: float

    @property
    def sums(self) -> np.ndarray:
        """What each channel contributes, `(C,)`."""
        return np.asarray(self.contributions.sum(1))

    @property
    def shares(self) -> np.ndarray:
        """Each channel's share of the sum of all |contributions|, `(C,)`."""
        return _shares(self.contributions)


@dataclass(frozen=True, eq=False)
class SpectrumPanel:
    """Contributions of the frequencies of one series.

    `frequencies (K,)`: ascending, in `unit`. `contributions (C, K)`: of both parts of each coefficient, over all
    windows. `amplitude (C, K)`: of x, in the channels' units: a wave a·cos(2πft) has a at f. `centres (W,)`: times of
    the windows; `windows (C, W, K)`: contributions of each. Both None where there is one window, the whole series.
    """

    channels: tuple[str, ...]
    units: tuple[str, ...]
    frequencies: np.ndarray
    unit: str
    amplitude: np.ndarray
    contributions: np.ndarray
    centres: np.ndarray | None = None
    windows: np.ndarray | None = None
    time_unit: str = ""

    @property
    def sums(self) -> np.ndarray:
        """What each channel contributes, `(C,)`."""
        return np.asarray(self.contributions.sum(1))

    @property
    def shares(self) -> np.ndarray:
        """Each channel's share of the sum of all |contributions|, `(C,)`."""
        return _shares(self.contributions)


def series_panel(a: Attribution, i: int = 0) -> SeriesPanel:
    """The panel of example i of `gl.explain_series`. Raises `InputError` for any other attribution."""
    i, shown = _shown(a, i)
    if shown.spectrum is not None:
        raise InputError(
            "an attribution of samples, as gl.explain_series makes it",
            "one of frequencies",
            "gl.plots.spectrum shows it",
        )
    contributions = _channels_first(only_tensor(a)[i].detach().cpu().double().numpy(), shown)
    scale = colour_scale(contributions)
    return SeriesPanel(
        channels=tuple(shown.channels),
        units=_units(shown),
        times=shown.times,
        time_unit=shown.time_unit,
        values=shown.values,
        start=shown.start,
        contributions=contributions,
        scale=scale,
        clipped=clipped(contributions, scale),
    )


def spectrum_panel(a: Attribution, i: int = 0) -> SpectrumPanel:
    """The panel of example i of `gl.series.frequencies`. Raises `InputError` for any other attribution."""
    i, shown = _shown(a, i)
    spectrum = shown.spectrum
    if spectrum is None:
        raise InputError(
            "an attribution of frequencies, as gl.series.frequencies makes it",
            "one of samples",
            "gl.plots.series shows it",
        )
    count = len(spectrum.frequencies)
    both = only_tensor(a)[i].detach().cpu().double().numpy().sum(-1)[..., :count]
    windows = None if spectrum.centres is None else both[:, : len(spectrum.centres)]
    return SpectrumPanel(
        channels=tuple(shown.channels),
        units=_units(shown),
        frequencies=spectrum.frequencies,
        unit=spectrum.unit,
        amplitude=spectrum.amplitude,
        contributions=both if windows is None else windows.sum(1),
        centres=spectrum.centres,
        windows=windows,
        time_unit=shown.time_unit,
    )


def explained_in(a: Attribution, i: int) -> str:
    """What the values are, with the name of what is explained: "contribution to “infarction”, logit of class 0"."""
    _, shown = _shown(a, i)
    said = quantity(a, i)
    if shown.title in (a.explained[i], "") or "“" in said:
        return said
    return said.replace(a.explained[i], f"“{shown.title}”, {a.explained[i]}")


def cell_edges(places: np.ndarray) -> np.ndarray:
    """Edges of the cells around ascending places `(T,)`, half way between them: `(T + 1,)`."""
    middle = (places[1:] + places[:-1]) / 2
    return np.concatenate([[2 * places[0] - middle[0]], middle, [2 * places[-1] - middle[-1]]])


def largest(sizes: np.ndarray, top: int) -> np.ndarray:
    """The places of the `top` largest, ascending."""
    return np.sort(np.argsort(-sizes, kind="stable")[:top])


def time_words(value: float, unit: str) -> str:
    """A time as it is written: "0.32 s", "sample 12"."""
    return f"sample {value:g}" if unit == "sample" else f"{value:.4g} {unit}".strip()


def _shown(a: Attribution, i: int) -> tuple[int, SeriesShown]:
    i = example(a, i)
    shown = a.shown[i] if a.shown else None
    if not isinstance(shown, SeriesShown):
        got = "one of bare tensors" if shown is None else f"one of a {type(shown).__name__}"
        raise InputError("an attribution of time series, as gl.explain_series makes it", got)
    return i, shown


def _units(shown: SeriesShown) -> tuple[str, ...]:
    return tuple(shown.units) or ("",) * len(shown.channels)


def _channels_first(values: np.ndarray, shown: SeriesShown) -> np.ndarray:
    """One example `(C, T)` without its padding."""
    wide = {Layout.TIME_FIRST: values.T, Layout.TIME_ONLY: values[None]}.get(shown.layout, values)
    return np.asarray(wide[:, : len(shown.times)])


def _shares(contributions: np.ndarray) -> np.ndarray:
    sizes = np.abs(contributions).sum(1)
    return np.asarray(sizes / (sizes.sum() or 1.0))
