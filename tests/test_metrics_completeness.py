"""The sum of a map against the change of the score."""

import math

import pytest
import torch
from torch import Tensor

import gradline as gl
from gradline.evaluation.judge import evaluate
from gradline.metrics.base import Evaluation, Kind
from gradline.metrics.shape.completeness import Completeness

WEIGHT = torch.tensor([[1.0, 2.0, -1.0], [0.5, 0.0, 1.0]], dtype=torch.float64)
X = torch.tensor([[1.0, 2.0, 3.0], [2.0, 2.0, 1.0]], dtype=torch.float64)


def judge(maps: Tensor, metric: Completeness | None = None, x: Tensor = X, **options: object) -> Evaluation:
    """Maps of the logit w·x + 1 of class 0."""
    score = gl.Score(lambda z: z @ WEIGHT.T + 1, 0)
    return evaluate(metric or Completeness(), score, x, maps, **options)  # type: ignore[arg-type]


def test_gap_by_hand() -> None:
    """Δ = w·x = 2 and 5. Maps that add up to 2 and to 5.1: gaps 0 and 0.1, relative 0 and 2 %: bands 0 and 1."""
    found = judge(torch.tensor([[1.0, 4.0, -3.0], [2.0, 3.1, 0.0]], dtype=torch.float64))
    assert found.parts["change"].tolist() == pytest.approx([2, 5])
    assert found.parts["gap"].tolist() == pytest.approx([0, 0.1])
    assert found.values.tolist() == pytest.approx([0, 0.02])
    assert found.parts["band"].tolist() == [0, 1]
    assert found.settings == "baseline Zero()"
    assert judge(torch.full((2, 3), -7.0)).parts["gap"].tolist() == pytest.approx([-23, -26])
    assert judge(torch.full((2, 3), -7.0)).parts["band"].tolist() == [2, 2]


def test_the_baseline_counts() -> None:
    """From 1 everywhere Δ = w·(x − 1) = 0 and 3; draws of 0 and 1 are averaged: 1 and 4."""
    one, both = gl.baselines.Constant(1.0), gl.baselines.Each(gl.baselines.Zero(), gl.baselines.Constant(1.0))
    assert judge(X, Completeness(one)).parts["change"].tolist() == pytest.approx([0, 3])
    assert judge(X, Completeness(both)).parts["change"].tolist() == pytest.approx([1, 4])


def test_no_change_is_measured_by_the_floor() -> None:
    """F(x) = F(x') = 3 for the first: the floor is 1e-3 · 3, so a gap of 0.001 reads 1/3."""
    found = judge(torch.tensor([[0.001, 0.0, 0.0], [3.0, 0.0, 0.0]]).double(), Completeness(gl.baselines.Constant(1.0)))
    assert found.values.tolist() == pytest.approx([1 / 3, 0])


def test_probability_and_logit_are_told_apart() -> None:
    """Δ of the explained probability, and of both scales beside it, by two forwards."""
    score = gl.Score(lambda z: z @ WEIGHT.T + 1, gl.Probability(0))
    found = evaluate(Completeness(), score, X, torch.zeros(2, 3))
    logits = X @ WEIGHT.T + 1
    change = logits.softmax(1)[:, 0] - 0.5
    torch.testing.assert_close(found.parts["change"], change)
    torch.testing.assert_close(found.parts["change in probability"], change)
    torch.testing.assert_close(found.parts["change in logit"], logits[:, 0] - 1)
    torch.testing.assert_close(found.parts["gap"], -change)


def test_a_converged_map_is_complete_and_agrees_with_its_own_gap() -> None:
    """IG of a small network; the gap that the attribution reports is the one found here."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)).double()
    x = torch.randn(4, 6, dtype=torch.float64)
    for steps, largest in ((200, 1e-3), (3, 1.0)):
        a = gl.explain(net, x, 1, steps=steps)
        found = evaluate(Completeness(), gl.Score(net, 1), x, a)
        assert (found.values < largest).all()
        torch.testing.assert_close(found.parts["gap"], a.completeness_gap, atol=1e-9, rtol=0)
        assert found.notes == ("",) * 4


def test_sums_are_float64() -> None:
    """1e5 values of 0.1 in float32 add up to 1e4 within float32's rounding of 0.1 itself: relative 1.5e-8."""
    x = torch.ones(1, 100_000)
    found = evaluate(Completeness(), gl.Score(lambda z: z[:, :1] * 1e4, None), x, torch.full((1, 100_000), 0.1))
    assert float(found.values) < 2e-8


def test_maps_that_claim_nothing_and_maps_without_an_answer() -> None:
    """A gradient keeps its number and gets a note; NaN maps have neither number nor band."""
    assert all("does not claim" in note for note in judge(X, kind=Kind.GRADIENT).notes)
    assert judge(X, kind=Kind.GRADIENT).values.isfinite().all()
    maps = X.clone()
    maps[0, 0] = math.nan
    found = judge(maps)
    assert found.values.isnan().tolist() == found.parts["band"].isnan().tolist() == [True, False]
    assert "not finite" in found.notes[0]


def test_rows_are_independent_and_random_starts_are_keyed_by_name() -> None:
    """A batch is its examples one by one, the draws of a noise baseline too."""
    metric = Completeness(gl.baselines.Uniform(0, 1, draws=3))
    found = judge(X, metric, names=["a", "b"]).values
    alone = [judge(X[i : i + 1], metric, X[i : i + 1], names=["ab"[i]]).values for i in range(2)]
    torch.testing.assert_close(torch.cat(alone), found)


def test_refusal() -> None:
    with pytest.raises(gl.InputError, match=r"a baseline of gl\.baselines"):
        Completeness(torch.zeros(1, 3))  # type: ignore[arg-type]
