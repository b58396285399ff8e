"""Captum's GradientShap is a sample of what `FromData` integrates: the two agree in expectation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum.attr import GradientShap, NeuronGradientShap
from captum_cases import skip
from torch import Tensor, nn

import gradline as gl

SAMPLES = 4000
"""Independent draws of a reference and a place on the way from it."""

MOST = 4.0
"""Standard errors that a mean of so many may lie off in one of about ten features: a chance of 1 in 1500."""


@pytest.fixture(autouse=True)
def _seeded() -> None:
    np.random.seed(0)
    torch.manual_seed(0)


def mean_and_error(draws: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of rows, and its standard error, feature by feature."""
    return draws.mean(0), draws.std(0) / len(draws) ** 0.5


def test_the_expectation_over_data_is_what_gradient_shap_samples_on_a_product() -> None:
    """F = x₁x₂ from b: A₁ = (x₁ − b₁)(x₂ + b₂)/2, A₂ = (x₂ − b₂)(x₁ + b₁)/2; the mean over the data is exact here."""

    def model(z: Tensor) -> Tensor:
        return z.prod(1, keepdim=True)

    x = torch.tensor([[3.0, -2.0]], dtype=torch.float64)
    data = torch.randn(20, 2, dtype=torch.float64)
    (x1, x2), (b1, b2) = x[0], data.T
    exact = torch.stack([((x1 - b1) * (x2 + b2)).mean(), ((x2 - b2) * (x1 + b1)).mean()]) / 2
    ours = gl.explain(model, x, baseline=gl.baselines.FromData(data), steps=1)
    assert torch.allclose(ours.values[0], exact, rtol=1e-12)
    draws = GradientShap(model).attribute(x.repeat(SAMPLES, 1), data, n_samples=1, target=0)
    mean, error = mean_and_error(draws)
    assert ((mean - exact).abs() <= MOST * error).all()
    assert error.norm() <= 0.03 * exact.norm()


def reader() -> tuple[nn.Module, Tensor, Tensor]:
    model, x, _ = skip()
    return model.double(), x[:1].double(), torch.randn(30, 6, dtype=torch.float64)


@pytest.mark.parametrize("inside", [False, True], ids=["class", "neuron"])
def test_the_expectation_over_data_is_what_gradient_shap_samples_on_a_network(inside: bool) -> None:
    model, x, data = reader()
    many = x.repeat(SAMPLES, 1)
    if inside:
        target: gl.Target = gl.Neuron("gate", 3)
        draws = NeuronGradientShap(model, model.gate).attribute(many, 3, data, n_samples=1)
    else:
        target = gl.Logit(1)
        draws = GradientShap(model).attribute(many, data, n_samples=1, target=1)
    ours = gl.explain(model, x, target, baseline=gl.baselines.FromData(data), steps=16, rule=gl.rules.GaussLegendre)
    mean, error = mean_and_error(draws.detach())
    assert ((mean - ours.values[0]).abs() <= MOST * error).all()
    assert error.norm() <= 0.05 * ours.values.norm()


def test_one_node_a_reference_has_the_same_expectation_and_less_variance() -> None:
    """At equal cost, 8 gradients an example: references differ from each other, places are stratified over them."""
    model, x, data = reader()
    exact = gl.explain(model, x, 1, baseline=gl.baselines.FromData(data), steps=16, rule=gl.rules.GaussLegendre).values[
        0
    ]
    many = x.repeat(SAMPLES // 8, 1)
    ours = gl.explain(model, many, 1, baseline=gl.baselines.FromData(data, draws=8), steps=1, rule=gl.rules.Stratified)
    assert ours.evaluations.tolist() == [8] * len(many)
    theirs = GradientShap(model).attribute(many, data, n_samples=8, target=1)
    for draws in (ours.values, theirs):
        mean, error = mean_and_error(draws)
        assert ((mean - exact).abs() <= MOST * error).all()
    assert ours.values.var(0).sum() < 0.8 * theirs.var(0).sum()


def test_captum_draws_from_the_global_random_numbers_and_we_do_not() -> None:
    model, x, data = reader()

    def states() -> tuple[bytes, bytes]:
        return np.random.get_state()[1].tobytes(), torch.get_rng_state().numpy().tobytes()

    before = states()
    baseline = gl.baselines.FromData(data, draws=3)
    first, second = (gl.explain(model, x, 1, baseline=baseline).values for _ in range(2))
    assert states() == before
    assert torch.equal(first, second)
    first, second = (GradientShap(model).attribute(x, data, n_samples=3, target=1) for _ in range(2))
    assert states() != before
    assert not torch.equal(first, second)
