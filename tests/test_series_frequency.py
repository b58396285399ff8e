"""Contributions of frequencies: on paper for linear scores, by Parseval's law, and the same whatever the padding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients
from series_cases import linear, models, some
from torch import Tensor

import gradline as gl
from gradline.adapters import series
from gradline.adapters.series import Fourier, explain_series, frequencies
from gradline.plots import spectrum_panel

GAUSS = {"steps": 8, "rule": gl.rules.GaussLegendre}
MODELS = models()


def weights(length: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """A linear score's weights, a series and a start: `(2, T)`, float64."""
    made = np.random.default_rng(seed).normal(size=(3, 2, length))
    return tuple(torch.from_numpy(made))  # type: ignore[return-value]


def pairs(length: int) -> np.ndarray:
    """How many of the T coefficients each of ⌊T/2⌋ + 1 stands for."""
    return np.array([1 if k == 0 or 2 * k == length else 2 for k in range(length // 2 + 1)])


def double(weight: Tensor, **changed: object) -> series.SeriesModel:
    one = torch.nn.Linear(1, 1).double()  # a weight that says which precision the model computes in
    model = linear(weight, **changed)

    class Double(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = one

        def forward(self, x: Tensor) -> Tensor:
            return model.model(x)

    return series.SeriesModel(Double().eval(), channels=model.channels, rate=model.rate)


@pytest.mark.parametrize("length", [2, 3, 4, 9, 16])
def test_a_linear_score_on_paper(length: int) -> None:
    """F = ⟨w, x⟩: A_k = c_k / T · Re(conj(W_k) Δ_k), in real and imaginary parts; the mean and, of an even T, the last
    coefficient count once and have no imaginary part."""
    weight, x, start = weights(length)
    a = frequencies(x, model=double(weight), baseline=start.numpy(), tol=0.01)
    w, d = (np.fft.rfft(v.numpy()) for v in (weight, x - start))
    scale = pairs(length) / length
    due = np.stack([scale * w.real * d.real, scale * w.imag * d.imag], -1)
    assert a.values[0].numpy() == pytest.approx(due, abs=1e-12)
    assert float(a.values.sum()) == pytest.approx(float((weight * (x - start)).sum()), abs=1e-12)
    assert (a.values[0, :, 0, 1] == 0).all()
    if length % 2 == 0:
        assert (a.values[0, :, -1, 1] == 0).all()


def test_a_wave_is_one_frequency() -> None:
    """x = cos(2π 5 t) and F = Σ x²: the wave's own coefficient has all of it, and its amplitude is 1."""
    t = torch.arange(40, dtype=torch.float64) / 40
    x = torch.stack([torch.cos(2 * torch.pi * 5 * t), 0.5 + 0 * t])
    model = series.SeriesModel(lambda x: (x**2).sum((1, 2)), channels=("wave", "level"), rate=40.0)
    a = frequencies(x, model=model, tol=1e-3)
    panel = spectrum_panel(a)
    assert panel.unit == "Hz"
    assert panel.frequencies == pytest.approx(np.arange(21))
    due = np.zeros((2, 21))
    due[0, 5], due[1, 0] = 20.0, 10.0
    assert panel.contributions == pytest.approx(due, abs=1e-3)
    amplitude = np.zeros((2, 21))
    amplitude[0, 5], amplitude[1, 0] = 1.0, 0.5
    assert panel.amplitude == pytest.approx(amplitude, abs=1e-7)
    assert panel.sums == pytest.approx([20, 10], rel=1e-3)
    assert panel.shares == pytest.approx([2 / 3, 1 / 3], rel=1e-3)


@pytest.mark.parametrize("name", MODELS)
def test_parseval_with_the_map_of_samples(name: str) -> None:
    """The same path: with G the mean gradient on it, A_k = c_k / T · Re(conj(Ĝ_k) Δ̂_k); both maps have one sum."""
    model = MODELS[name]
    (x,) = some(model, 15)
    a = frequencies(x, model=model, target="runs", **GAUSS)
    samples = explain_series(x, model=model, target="runs", **GAUSS)
    late = model.layout is series.Layout.TIME_FIRST
    wide = (x.mT if late else x).numpy()
    g = (samples.values[0].mT if late else samples.values[0]).numpy() / wide
    due = (pairs(15) / 15) * (np.fft.rfft(g).conj() * np.fft.rfft(wide)).real
    assert a.sum(3)[0].numpy() == pytest.approx(due, abs=1e-7)
    assert float(a.score) == pytest.approx(float(samples.score), abs=1e-9)
    assert a.completeness_gap == pytest.approx(samples.completeness_gap.numpy(), abs=1e-9)
    assert a.sum((2, 3))[0].numpy() == pytest.approx((g * wide).sum(1), abs=1e-7)


def test_as_captum_does_behind_the_inverse_transform() -> None:
    model = MODELS["cnn"]
    (x,) = some(model, 16)
    a = frequencies(x, model=model, target=1, **GAUSS)

    def call(z: Tensor) -> Tensor:
        back = torch.fft.irfft(torch.view_as_complex(z), n=16)
        return model.model(back, torch.ones(len(z), 16, dtype=torch.bool))

    z = torch.view_as_real(torch.fft.rfft(x))[None]
    due = IntegratedGradients(call).attribute(z, target=1, n_steps=8, method="gausslegendre")
    assert torch.allclose(a.values, due, atol=1e-8)


@pytest.mark.parametrize("window", [None, 6], ids=["whole", "windows"])
def test_padding_changes_nothing(window: int | None) -> None:
    model = MODELS["lstm"]
    every = some(model, 11, 16)
    both = frequencies(every, model=model, target="runs", window=window, **GAUSS)
    alone = frequencies(every[:1], model=model, target="runs", window=window, **GAUSS)
    own = tuple(slice(size) for size in alone.values.shape[1:])
    assert torch.allclose(both.values[0][own], alone.values[0], atol=1e-5)
    assert float(both.values[0].abs().sum()) == pytest.approx(float(alone.values.abs().sum()), abs=1e-5)
    assert spectrum_panel(both, 0).contributions == pytest.approx(spectrum_panel(alone).contributions, abs=1e-6)
    assert len(spectrum_panel(both, 1).frequencies) == (9 if window is None else 4)
    mean = frequencies(every, model=model, target="runs", baseline=series.ChannelMean(), window=window, **GAUSS)
    assert mean.completeness_gap.abs().max() < 0.02


# ------------------------------------------------------------------------------------------------ short-time


@pytest.mark.parametrize(("window", "length"), [(4, 9), (8, 8), (8, 21), (32, 5)])
def test_windows_sum_to_the_series(window: int, length: int) -> None:
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 3, length)))
    fourier = Fourier(window)
    z = fourier.coefficients(x)
    assert z.shape == (2, 3, fourier.windows(length), window // 2 + 1, 2)
    assert torch.allclose(fourier.series(z, length), x, atol=1e-12)


def test_a_linear_score_in_windows_on_paper() -> None:
    """A_wk = c_k / M · Re(conj(W_wk) Δ_wk), with W_wk of the weights under the window and Δ_wk of the Hann window."""
    weight, x, start = weights(12, 3)
    a = frequencies(x, model=double(weight, rate=4.0), baseline=start.numpy(), window=6, tol=0.01)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(6) / 6)
    due = np.zeros((2, 5, 4))
    for w in range(5):
        for c in range(2):
            own, delta = np.zeros(6), np.zeros(6)
            for n, t in enumerate(range(3 * w - 3, 3 * w + 3)):
                if 0 <= t < 12:
                    own[n], delta[n] = weight[c, t], hann[n] * (x - start)[c, t]
            due[c, w] = pairs(6) / 6 * (np.fft.rfft(own).conj() * np.fft.rfft(delta)).real
    panel = spectrum_panel(a)
    assert panel.windows == pytest.approx(due, abs=1e-10)
    assert panel.centres == pytest.approx(np.arange(5) * 0.75)
    assert float(a.values.sum()) == pytest.approx(float((weight * (x - start)).sum()), abs=1e-10)


def test_random_starts_are_those_of_the_samples() -> None:
    model = MODELS["gru"]
    every = some(model, 9, 14)
    part = gl.baselines.GaussianNoise(0.3, draws=3)
    a = frequencies(every, model=model, target=0, baseline=part, **GAUSS)
    b = explain_series(every, model=model, target=0, baseline=part, **GAUSS)
    assert a.baseline_score == pytest.approx(b.baseline_score.numpy(), abs=1e-7)
    assert a.shown[1].start == pytest.approx(b.shown[1].start)
    assert a.shown[0].paths == 3


def test_the_models_own_name_and_mode_stay() -> None:
    model, x = MODELS["cnn"], some(MODELS["cnn"], 12)
    a = frequencies(x, model=model, target=0, tol=0.05)
    b = explain_series(x, model=model, target=0, tol=0.05)
    assert a.findings == ()
    for key in ("model", "model_digest"):
        assert a.provenance[key] == b.provenance[key]
    assert a.provenance["site"] != b.provenance["site"]
    assert "gl.series.frequencies(series, model=model, target=0, tol=0.05)" in a.shown[0].python
    half = series.SeriesModel(lambda x: x.float().sum((1, 2)), channels=("a",))
    assert frequencies([0.0, 1.0, 2.0], model=half).values.dtype == torch.float32


def test_refusals() -> None:
    x = torch.zeros(1, 4)
    timed = series.SeriesModel(lambda x: x.sum((1, 2)), channels=("a",), times=(0, 1, 3, 4))
    with pytest.raises(gl.InputError, match="even times"):
        frequencies(x, model=timed)
    plain = series.SeriesModel(lambda x: x.sum((1, 2)), channels=("a",))
    with pytest.raises(gl.InputError, match="even whole number"):
        frequencies(x, model=plain, window=5)
    with pytest.raises(gl.BaselineError, match="start in time"):
        frequencies(x, model=plain, baseline=gl.baselines.AtSite(0))
    with pytest.raises(gl.BaselineError, match="start in time"):
        frequencies(x, model=plain, baseline=gl.baselines.MaximumEntropy())
