"""Figures of series: curves on their contributions, bars over spectra, and the numbers behind them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from series_cases import linear

import gradline as gl
from gradline.adapters import series
from gradline.adapters.series import explain_series, frequencies
from gradline.plots.maps import FOR, colour_scale, colours
from gradline.plots.samples import cell_edges, explained_in

WEIGHT = torch.linspace(-1, 1, 2 * 50).reshape(2, 50)
X = torch.ones(2, 50) * torch.tensor([[1.0], [2.0]])
MODEL = series.SeriesModel(
    lambda x: (x * WEIGHT).sum((1, 2)), channels=("lead I", "lead II"), units=("mV", "mV"), rate=100.0
)


def texts(figure: Figure) -> str:
    return "\n".join([t.get_text() for t in figure.texts])


def test_the_panel_holds_the_map_channels_first() -> None:
    for layout in (series.Layout.CHANNELS_FIRST, series.Layout.TIME_FIRST):
        late = layout is series.Layout.TIME_FIRST
        weight = WEIGHT.mT if late else WEIGHT
        model = series.SeriesModel(lambda x, w=weight: (x * w).sum((1, 2)), channels=("a", "b"), layout=layout)
        panel = gl.plots.series_panel(explain_series(X.mT if late else X, model=model))
        due = (WEIGHT * X).numpy()
        assert panel.contributions == pytest.approx(due, abs=1e-6)
        assert panel.values == pytest.approx(X.numpy())
        assert panel.sums == pytest.approx(due.sum(1), abs=1e-5)
        assert panel.shares == pytest.approx(np.abs(due).sum(1) / np.abs(due).sum(), rel=1e-5)
        assert panel.scale == pytest.approx(np.quantile(np.abs(due), 0.99), rel=1e-5)
        assert panel.clipped == pytest.approx(0.01)
        assert (panel.units, panel.time_unit) == (("", ""), "sample")


def test_curves_stand_on_one_colour_scale() -> None:
    a = explain_series(X, model=MODEL)
    figure = gl.plots.series(a)
    due = (WEIGHT * X).numpy()
    scale = colour_scale(due)
    first, second = figure.axes[:2]
    for k, axes in enumerate((first, second)):
        (image,) = axes.images
        assert np.asarray(image.get_array())[0] == pytest.approx(colours(due[k], scale), abs=1)
        start, curve = axes.lines
        assert curve.get_ydata() == pytest.approx(X[k].numpy())
        assert (start.get_ydata() == 0).all()
        assert curve.get_xdata()[-1] == pytest.approx(0.49)
    assert np.asarray(second.images[0].get_array())[0, -1] == pytest.approx(FOR, abs=1)
    said = texts(figure)
    assert f"−{scale:#.3g} lowers the score" in said
    assert f"+{scale:#.3g} raises it" in said
    assert "lead II [mV]" in said
    assert "time [s]" in said
    assert "1.0 % of the samples lie beyond, in full colour" in said


def test_the_largest_channels_are_drawn_and_the_others_counted() -> None:
    weight = torch.tensor([1.0, 5, 2, 4, 3])[:, None].expand(5, 6)
    a = explain_series(torch.ones(5, 6), model=linear(weight))
    figure = gl.plots.series(a, top=2, width=gl.plots.ONE_COLUMN)
    said = texts(figure)
    assert all(name in said for name in ("c1", "c3"))
    assert "c4" not in said
    assert "3 more channels together +36.0" in said
    assert figure.get_size_inches()[0] == gl.plots.ONE_COLUMN
    with pytest.raises(gl.InputError, match="top"):
        gl.plots.series(a, top=0)


def test_bars_are_the_contributions_of_frequencies() -> None:
    t = torch.arange(50) / 100
    x = torch.stack([torch.sin(2 * torch.pi * 10 * t), 0 * t + 0.5])
    a = frequencies(x, model=MODEL)
    panel = gl.plots.spectrum_panel(a)
    figure = gl.plots.spectrum(a)
    bars, amplitude = figure.axes[:2]
    assert [p.get_height() for p in bars.patches] == pytest.approx(panel.contributions[0].tolist())
    signs = panel.contributions[0] > 0
    assert [p.get_facecolor()[:3] == to_rgb("#b2182b") for p in bars.patches] == signs.tolist()
    assert amplitude.patches[0].get_data().values == pytest.approx(panel.amplitude[0])
    assert "frequency [Hz]" in texts(figure)
    windows = frequencies(x, model=MODEL, window=10)
    drawn = gl.plots.spectrum(windows)
    maps = [axes for axes in drawn.axes if axes.images]
    own = gl.plots.spectrum_panel(windows).windows
    due = colours(own[0].T, colour_scale(own))
    assert np.asarray(maps[0].images[0].get_array()) == pytest.approx(due, abs=1)
    assert "of the coefficients lie beyond" in texts(drawn)


def test_flat_maps_and_values_that_are_not_finite() -> None:
    flat = explain_series(X, model=linear(torch.zeros(2, 50)))
    assert "every contribution is zero" in texts(gl.plots.series(flat))
    values = flat.values.clone()
    values[0, 0, :25] = torch.nan
    assert "25 % are not finite, in grey" in texts(gl.plots.series(replace(flat, values=values)))
    zero = frequencies(X * 0, model=MODEL)
    gl.plots.spectrum(zero)
    gl.plots.spectrum(replace(zero, values=zero.values * torch.nan))


def test_what_stands_for_what() -> None:
    labelled = series.SeriesModel(lambda x: x.sum(2), channels=("a", "b"), labels=("sick", "well"))
    a = explain_series(X, model=labelled, target="well")
    assert explained_in(a, 0) == "contribution to “well”, logit of class 1"
    assert explained_in(explain_series(X, model=MODEL), 0) == "contribution to the output"
    assert cell_edges(np.array([0.0, 1, 3])) == pytest.approx([-0.5, 0.5, 2, 4])


def test_files(tmp_path: Path) -> None:
    x = X[:, :12]
    model = linear(WEIGHT[:, :12], rate=100.0)
    for a, said in ((explain_series(x, model=model), "time [s]"), (frequencies(x, model=model), "frequency [Hz]")):
        assert said in a.save(tmp_path / "a.svg").read_text("utf-8")


def test_other_attributions_are_refused() -> None:
    samples, coefficients = explain_series(X, model=MODEL), frequencies(X, model=MODEL)
    with pytest.raises(gl.InputError, match=r"gl\.plots\.spectrum"):
        gl.plots.series(coefficients)
    with pytest.raises(gl.InputError, match=r"gl\.plots\.series"):
        gl.plots.spectrum(samples)
    with pytest.raises(gl.InputError, match="bare tensors"):
        gl.plots.series_panel(gl.explain(MODEL.model, X[None]))
    with pytest.raises(gl.InputError, match="example from 0"):
        gl.plots.series(samples, 1)
