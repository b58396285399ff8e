"""Time series: values on paper, padding that changes nothing, starts, targets, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients
from series_cases import CHANNELS, linear, models, some
from torch import Tensor, nn

import gradline as gl
from gradline.adapters import series
from gradline.adapters.series import explain_series

GAUSS = {"steps": 8, "rule": gl.rules.GaussLegendre}
MODELS = models()
WEIGHT = torch.linspace(-1, 1, 2 * 6).reshape(2, 6)
X = torch.arange(12.0).reshape(2, 6) ** 1.5


def test_a_linear_score_has_the_map_on_paper() -> None:
    a = explain_series(X, model=linear(WEIGHT, rate=2.0))
    assert a.values.shape == (1, 2, 6)
    assert torch.allclose(a.values[0], WEIGHT * X, rtol=1e-5)
    (shown,) = a.shown
    assert shown.times.tolist() == [0, 0.5, 1, 1.5, 2, 2.5]
    assert (shown.time_unit, shown.name, shown.channels) == ("s", "the series", ("c0", "c1"))
    assert shown.values == pytest.approx(X.numpy())
    assert (shown.start == 0).all()


STARTS = {
    "mean": (series.ChannelMean(), lambda x: x.mean(1, keepdim=True).expand_as(x)),
    "values": (series.ChannelValues((1.0, -2.0)), lambda x: torch.tensor([[1.0], [-2.0]]).expand_as(x)),
    "ends": (series.EndsLine(), lambda x: x[:, :1] + (x[:, -1:] - x[:, :1]) * torch.arange(6) / 5),
    "moving": (
        series.MovingAverage(3),
        lambda x: torch.stack([x[:, max(0, t - 1) : t + 2].mean(1) for t in range(6)], 1),
    ),
    "array": (X.numpy()[:, ::-1].copy(), lambda x: x.flip(1)),
    "data": (gl.baselines.FromData(torch.stack([X + 1, X - 3])), lambda x: x - 1),
    "both": (gl.baselines.Each(series.ChannelMean(), 0), lambda x: x.mean(1, keepdim=True).expand_as(x) / 2),
}


@pytest.mark.parametrize("name", STARTS)
@pytest.mark.parametrize("layout", [series.Layout.CHANNELS_FIRST, series.Layout.TIME_FIRST])
def test_starts_of_series(name: str, layout: series.Layout) -> None:
    part, due = STARTS[name]
    late = layout is series.Layout.TIME_FIRST
    weight = WEIGHT.mT if late else WEIGHT
    model = series.SeriesModel(lambda x: (x * weight).sum((1, 2)), channels=("a", "b"), layout=layout)
    if late and name == "array":
        part = np.ascontiguousarray(part.T)
    if late and name == "data":
        part = gl.baselines.FromData(part.data.mT)
    a = explain_series(X.mT if late else X, model=model, baseline=part)
    values = a.values[0].mT if late else a.values[0]
    assert torch.allclose(values, WEIGHT * (X - due(X)), atol=2e-5)


def test_one_channel_without_an_axis() -> None:
    weight = torch.linspace(0, 1, 5)
    flat = series.SeriesModel(lambda x: x @ weight, channels=("load",), layout=series.Layout.TIME_ONLY)
    x = torch.tensor([3.0, 1, 4, 1, 5])
    for given in (x, x.tolist(), x.numpy(), x.to(torch.int16)):
        a = explain_series(given, model=flat, baseline=series.ChannelMean())
        assert torch.allclose(a.values, (weight * (x - x.mean()))[None], atol=1e-6)
    assert explain_series(torch.stack([x, x + 1]), model=flat).values.shape == (2, 5)
    wide = series.SeriesModel(lambda x: x[:, 0] @ weight, channels=("load",))
    assert torch.allclose(explain_series(x, model=wide).values[:, 0], (weight * x)[None])
    assert explain_series([x, x + 1], model=wide).values.shape == (2, 1, 5)


# ------------------------------------------------------------------------------------------------ padding

LENGTHS = (12, 20, 7)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("start", [None, series.ChannelMean(), gl.baselines.Uniform(-1, 1, draws=2)], ids=repr)
def test_padding_changes_nothing(name: str, start: Any) -> None:
    model = MODELS[name]
    every = some(model, *LENGTHS)
    padded = explain_series(every, model=model, target="runs", baseline=start, **GAUSS)
    axis = model.time_axis - 1
    for i, one in enumerate(every):
        alone = explain_series([one], model=model, target="runs", baseline=start, names=[str(i)], **GAUSS)
        length = one.shape[axis]
        assert torch.allclose(padded.values[i].narrow(axis, 0, length), alone.values[0], atol=1e-5)
        assert (padded.values[i].narrow(axis, length, 20 - length) == 0).all()
        assert padded.score[i] == pytest.approx(float(alone.score), abs=1e-9)
        assert padded.shown[i].values.shape == padded.shown[i].start.shape == (3, length)
    assert padded.completeness_gap.abs().max() < 0.02  # of eight nodes


def test_padding_beyond_what_is_needed_changes_nothing() -> None:
    """The same series beside a longer one, and a start of its own for each."""
    model = MODELS["cnn"]
    every = some(model, *LENGTHS)
    starts = [one * 0.1 for one in every]
    a = explain_series(every, model=model, target=0, baseline=starts, **GAUSS)
    b = explain_series(every[:1], model=model, target=0, baseline=starts[:1], **GAUSS)
    assert torch.allclose(a.values[0, :, :12], b.values[0], atol=1e-5)
    assert a.shown[2].start == pytest.approx(starts[2].numpy())


@pytest.mark.parametrize("name", ["lstm", "packed", "transformer", "cnn"])
def test_as_captum_does(name: str) -> None:
    model = MODELS[name]
    (one,) = some(model, 15)
    a = explain_series(one, model=model, target="runs", **GAUSS)
    lengths = torch.full((8,), 15)
    mask = torch.zeros(8, 15, dtype=torch.bool) if name == "transformer" else torch.ones(8, 15, dtype=torch.bool)

    def call(x: Tensor) -> Tensor:
        return model.model(x, lengths[: len(x)] if name == "packed" else mask[: len(x)])

    with torch.backends.cudnn.flags(enabled=False):
        due = IntegratedGradients(call).attribute(one[None], target=1, n_steps=8, method="gausslegendre")
    assert torch.allclose(a.values, due, atol=1e-7)


# ------------------------------------------------------------------------------------------------ what is explained


def test_labels_by_name_and_what_the_model_says() -> None:
    model = MODELS["lstm"]
    every = some(model, 10, 10)
    a = explain_series(every, model=model, target="walks", tol=0.01)
    b = explain_series(every, model=model, target=0, tol=0.01)
    assert torch.equal(a.values, b.values)
    logits = model.model(torch.stack(every), torch.ones(2, 10, dtype=torch.bool)).detach()
    p = logits.softmax(1)
    for i, shown in enumerate(a.shown):
        assert (shown.title, shown.name, shown.units[0]) == ("walks", f"series {i}", "m/s²")
        assert dict(shown.candidates) == pytest.approx({"walks": float(p[i, 0]), "runs": float(p[i, 1])})
    predicted = explain_series(every, model=model, **GAUSS)
    assert [s.title for s in predicted.shown] == [("walks", "runs")[int(k)] for k in logits.argmax(1)]
    each = explain_series(every, model=model, target=torch.tensor([1, 0]), **GAUSS)
    assert [s.title for s in each.shown] == ["runs", "walks"]
    other = explain_series(every, model=model, target=gl.Margin(1), **GAUSS)
    assert other.shown[0].title == "runs"


def test_one_number_of_a_forecast() -> None:
    """On paper: step h of variable v is the h-th power of the series' last sample of v."""
    power = torch.tensor([1.0, 2.0, 3.0])
    channels = ("load", "price")
    model = series.SeriesModel(lambda x: x[:, :, -1:] ** power, channels=channels)
    a = explain_series(torch.full((2, 4), 2.0), model=model, target=series.Forecast(3, "price"), tol=1e-3)
    due = torch.zeros(2, 4)
    due[1, -1] = 8
    assert torch.allclose(a.values[0], due, rtol=1e-3)
    assert a.shown[0].title == "price, 3 steps ahead"
    assert a.shown[0].candidates == ()
    again = explain_series(torch.full((2, 4), 2.0), model=model, target=gl.Element(1, 2), tol=1e-3)
    assert torch.equal(a.values, again.values)
    late = series.SeriesModel(
        lambda x: x[:, -1:, :] ** power[:, None], channels=channels, layout=series.Layout.TIME_FIRST
    )
    b = explain_series(torch.full((4, 2), 2.0), model=late, target=series.Forecast(3, 1), tol=1e-3)
    assert torch.allclose(b.values[0].mT, a.values[0], atol=1e-5)
    with pytest.raises(gl.TargetError, match="load, price"):
        explain_series(X[:, :4], model=model, target=series.Forecast(1, "rain"))
    with pytest.raises(gl.TargetError, match="from 1"):
        explain_series(X[:, :4], model=model, target=series.Forecast(0, "load"))


def test_nothing_of_the_callers_changes_and_it_can_be_repeated() -> None:
    model, x = MODELS["transformer"], some(MODELS["transformer"], 9)[0]
    model.model.train()
    before, state = x.clone(), torch.get_rng_state()
    a = explain_series(x, model=model, target="runs", **GAUSS)
    assert model.model.training
    assert all(m.training for m in model.model.modules())
    assert torch.equal(x, before)
    assert torch.equal(torch.get_rng_state(), state)
    assert [f.code for f in a.findings] == ["GL101"]
    model.model.eval()
    b = explain_series(x, model=model, target="runs", baseline=series.MovingAverage(3), method=None, tol=0.1)
    assert b.shown[0].python.split("model=model,\n")[1] == (
        "    target='runs',\n    baseline=gl.series.MovingAverage(3),\n    tol=0.1,\n)"
    )
    assert explain_series(x, model=model, target=lambda z: z[:, 0], **GAUSS).shown[0].python == ""
    method = explain_series(x, model=model, method=gl.methods.gradient_x_input())
    assert "method=gl.methods.gradient_x_input()" in method.shown[0].python
    assert method.status == (gl.Status.NO_CLAIM,)


# ------------------------------------------------------------------------------------------------ refusals

PLAIN = linear(WEIGHT, rate=2.0)


def hole(value: float) -> Tensor:
    x = X.clone()
    x[1, 3] = value
    return x


SERIES_REFUSED = {
    "rank": (torch.zeros(2, 3, 4, 5), "(2, time)"),
    "channels": (torch.zeros(3, 7), "2 channels (c0, c1) on axis 0, got 3"),
    "turned": (torch.zeros(7, 2), "transpose it"),
    "nan": (hole(torch.nan), "channel 'c1' at 1.5 s (sample 3)"),
    "infinite": ([X, hole(torch.inf)], "of series 1"),
    "empty": (torch.zeros(2, 0), "empty"),
    "none": ([], "at least one series"),
    "one": (torch.zeros(2, 1), "at least two samples, got 1"),
    "complex": (torch.zeros(2, 4, dtype=torch.complex64), "real numbers"),
    "boolean": (np.zeros((2, 4), bool), "real numbers"),
    "words": ("series.csv", "array of numbers"),
    "ragged": ([[1.0, 2.0], [1.0]], "(2, time)"),
    "lengths": ([X, X[:, :4]], "mask"),
}


@pytest.mark.parametrize("name", SERIES_REFUSED)
def test_series_that_are_refused(name: str) -> None:
    given, said = SERIES_REFUSED[name]
    with pytest.raises(gl.InputError) as refused:
        explain_series(given, model=PLAIN)
    assert said in str(refused.value)


MODELS_REFUSED = {
    "rate": ({"rate": 0.0}, "above 0"),
    "both": ({"rate": 1.0, "times": (0, 1)}, "rate= or times="),
    "falling": ({"times": (0.0, 2.0, 1.0)}, "ascending"),
    "units": ({"units": ("V",)}, "2 units"),
    "twice": ({"channels": ("a", "a")}, "different names"),
    "layout": ({"layout": "time"}, "Layout.CHANNELS_FIRST"),
    "flat": ({"layout": series.Layout.TIME_ONLY}, "one channel"),
    "mask": ({"mask": "attention_mask"}, "'attention_mask', got one with 'x'"),
    "lengths": ({"lengths": "n"}, "'n'"),
}


@pytest.mark.parametrize("name", MODELS_REFUSED)
def test_models_that_are_refused(name: str) -> None:
    changed, said = MODELS_REFUSED[name]
    with pytest.raises(gl.InputError) as refused:
        series.SeriesModel(nn.Flatten().forward, **{"channels": ("a", "b")} | changed)
    assert said in str(refused.value).replace("'input'", "'x'")


def test_other_refusals() -> None:
    with pytest.raises(gl.InputError, match="SeriesModel"):
        explain_series(X, model=nn.Identity())
    with pytest.raises(gl.TargetError, match="walks, runs"):
        explain_series(some(MODELS["cnn"], 9), model=MODELS["cnn"], target="sits")
    with pytest.raises(gl.TargetError, match="one target"):
        explain_series(X, model=PLAIN, target=[0, 1])
    timed = linear(WEIGHT, times=(0, 1, 2))
    with pytest.raises(gl.InputError, match="3 samples"):
        explain_series(X, model=timed)
    with pytest.raises(gl.BaselineError, match="axis is time"):
        gl.explain(PLAIN.model, X[None], baseline=series.ChannelMean())
    with pytest.raises(gl.BaselineError, match="odd"):
        series.MovingAverage(4)
    with pytest.raises(gl.BaselineError, match="2 finite values"):
        explain_series(X, model=PLAIN, baseline=series.ChannelValues((1.0,)))
    with pytest.raises(gl.InputError, match="lengths of the series"):
        explain_series(X, model=PLAIN, baseline=np.zeros((2, 5)))
    wrong = series.SeriesModel(lambda x: x.sum(2), channels=("a", "b"), labels=("one", "two", "three"))
    with pytest.raises(gl.InputError, match="2 labels"):
        explain_series(X, model=wrong, target=0)
    found = MODELS["cnn"]
    with pytest.raises(gl.BaselineError, match="one length at a time"):
        explain_series(some(found, 8, 9), model=found, baseline=gl.baselines.MaximumEntropy())
    assert found.channels == CHANNELS
