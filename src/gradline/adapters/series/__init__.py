"""Time series before a model: how arrays become its input, starts that only a series has, frequencies.

`explain_series` explains samples, `frequencies` explains Fourier coefficients; `SeriesModel` says what the model takes.
Baselines: `ChannelMean`, `ChannelValues`, `EndsLine`, `MovingAverage`, beside all of `gl.baselines`. `Forecast`: one
number of a forecast.
"""

from gradline.adapters.series.baselines import ChannelMean, ChannelValues, EndsLine, MovingAverage
from gradline.adapters.series.case import SeriesCase, series_case
from gradline.adapters.series.explain import explain_series
from gradline.adapters.series.fourier import Fourier
from gradline.adapters.series.frequency import frequencies
from gradline.adapters.series.model import Marks, SeriesModel
from gradline.adapters.series.targets import Forecast
from gradline.plots.samples import Layout

__all__ = [
    "ChannelMean",
    "ChannelValues",
    "EndsLine",
    "Forecast",
    "Fourier",
    "Layout",
    "Marks",
    "MovingAverage",
    "SeriesCase",
    "SeriesModel",
    "explain_series",
    "frequencies",
    "series_case",
]
