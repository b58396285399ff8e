"""Where Captum 0.9.0 is not right: values derived on paper, ours, and by how much theirs are off."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import (
    IntegratedGradients,
    InternalInfluence,
    LayerConductance,
    LayerGradientShap,
    LayerIntegratedGradients,
    NeuronIntegratedGradients,
)
from torch import Tensor, nn

import gradline as gl

X = torch.tensor([[1.0, 2.0, -1.0]], dtype=torch.float64)
W = torch.tensor([[0.5, -2.0, 3.0], [1.5, 0.25, -1.0]], dtype=torch.float64)
"""h = W x = (−6.5, 3)."""


class Power(nn.Module):
    def __init__(self, power: int) -> None:
        super().__init__()
        self.power = power

    def forward(self, x: Tensor) -> Tensor:
        return x**self.power


class Ridge(nn.Module):
    """F(x) = Σ_j v_j h_j^p + u·x with h = W x, v = (2, −1): a layer `h`, and a way round it if u is not zero."""

    def __init__(self, power: int, past: float = 0.0) -> None:
        super().__init__()
        self.h, self.power = nn.Linear(3, 2, bias=False).double(), Power(power)
        self.h.weight.data, self.past = W.clone(), past

    def forward(self, x: Tensor) -> Tensor:
        v = torch.tensor([2.0, -1.0], dtype=torch.float64)
        return (v * self.power(self.h(x)) + self.past * x.sum(1, keepdim=True)).sum(1, keepdim=True)


# ------------------------------------------------------------------------------------------------ rules


@pytest.mark.parametrize("steps", [2, 5, 20])
def test_captums_trapezoid_is_short_by_one_step(steps: int) -> None:
    """F = w·x + 3 has the map w x whatever the nodes; Captum's weights, 1/n and 1/2n at the ends, sum to 1 − 1/n."""

    def model(z: Tensor) -> Tensor:
        return (z * W[:1]).sum(1, keepdim=True) + 3

    exact = torch.tensor([[0.5, -4.0, -3.0]], dtype=torch.float64)
    theirs = IntegratedGradients(model).attribute(X, target=0, n_steps=steps, method="riemann_trapezoid")
    ours = gl.explain(model, X, 0, steps=steps, rule=gl.rules.Trapezoid)
    assert torch.allclose(theirs.double(), exact * (1 - 1 / steps), rtol=1e-6)
    assert torch.allclose(ours.values, exact, rtol=1e-14)


@pytest.mark.parametrize("steps", [2, 9])
def test_captums_trapezoid_is_short_inside_as_well(steps: int) -> None:
    """F = 2 h₁ − h₂: layer IG (−13, −3), internal influence (2, −1), and h₁ = (0.5, −4, −3) by x."""
    model, share = Ridge(1), 1 - 1 / steps
    short: dict[str, Any] = {"n_steps": steps, "method": "riemann_trapezoid"}
    full: dict[str, Any] = {"steps": steps, "rule": gl.rules.Trapezoid}
    layer = torch.tensor([[-13.0, -3.0]], dtype=torch.float64)
    theirs = LayerIntegratedGradients(model, model.h).attribute(X, target=0, **short)
    assert torch.allclose(theirs.double(), share * layer, rtol=1e-6)
    assert torch.allclose(gl.explain(model, X, site=gl.Layer("h"), **full).values, layer, rtol=1e-12)
    influence = torch.tensor([[2.0, -1.0]], dtype=torch.float64)
    theirs = InternalInfluence(model, model.h).attribute(X, target=0, **short)
    method = gl.methods.internal_influence(gl.Layer("h"))
    assert torch.allclose(theirs.double(), share * influence, rtol=1e-6)
    assert torch.allclose(gl.explain(model, X, method=method, **full).values, influence, rtol=1e-12)
    neuron = torch.tensor([[0.5, -4.0, -3.0]], dtype=torch.float64)
    theirs = NeuronIntegratedGradients(model, model.h).attribute(X, 0, **short)
    assert torch.allclose(theirs.double(), share * neuron, rtol=1e-6)
    assert torch.allclose(gl.explain(model, X, gl.Neuron("h", 0), **full).values, neuron, rtol=1e-12)


def test_captums_weights_are_float32_whatever_the_model() -> None:
    """Three weights of 1/3 in float32 are 3 · 11184811 / 2²⁵ = 1 + 2⁻²⁵; ours sum to one in float64."""
    exact = torch.tensor([[0.5, -4.0, -3.0]], dtype=torch.float64)

    def model(z: Tensor) -> Tensor:
        return (z * W[:1]).sum(1, keepdim=True)

    theirs = IntegratedGradients(model).attribute(X, target=0, n_steps=3, method="riemann_middle")
    assert theirs.dtype == torch.float64
    assert torch.allclose(theirs / exact - 1, torch.full_like(exact, 2.0**-25), rtol=1e-6)
    assert torch.allclose(gl.explain(model, X, steps=3).values, exact, rtol=1e-15)


# ------------------------------------------------------------------------------------------------ conductance

LOST = {
    ("gausslegendre", 1): 1 - 1 / math.sqrt(3),  # two nodes, 1/√3 apart: 42 % lost
    ("gausslegendre", 2): 1 - math.sqrt(3 / 5),  # three nodes, √(3/5) from the first to the last: 23 %
    ("gausslegendre", 50): 1 - np.polynomial.legendre.leggauss(51)[0][-1],  # the default: 0.11 %
    ("riemann_middle", 50): 1 / 51,
    ("riemann_left", 50): 1 / 51,
    ("riemann_right", 50): 1 / 51,
    ("riemann_trapezoid", 50): 0.0,
}


@pytest.mark.parametrize(("method", "steps"), LOST)
def test_captums_conductance_leaves_out_both_end_pieces(method: str, steps: int) -> None:
    """F = 2 h₁ − h₂ has the conductance (2 h₁, −h₂) = (−13, −3). Captum takes the n differences between n + 1 nodes and
    so has h(t_last) − h(t_first) in place of h(1) − h(0): short by 1 − (t_last − t_first)."""
    model, exact = Ridge(1), torch.tensor([[-13.0, -3.0]], dtype=torch.float64)
    theirs = LayerConductance(model, model.h).attribute(X, target=0, n_steps=steps, method=method)
    ours = gl.explain(model, X, method=gl.methods.conductance(gl.Layer("h")), steps=1)
    assert torch.allclose(theirs.detach(), exact * (1 - LOST[method, steps]), rtol=1e-7)
    assert torch.allclose(ours.values, exact, rtol=1e-14)


@pytest.mark.parametrize("steps", [1, 4, 50])
def test_captums_conductance_is_of_first_order_and_ours_is_not(steps: int) -> None:
    """F = 2 h₁² − h₂² has the conductance (2 h₁², −h₂²) = (84.5, −9). On nodes a_k, where h = a h(x), Captum has

    Σ 2 a_k (a_{k+1} − a_k) = a_n² − a_0² − Σ (a_{k+1} − a_k)² of it: 1 − 1/n on closed equal steps, 1/√3 − 1/3 = 0.24
    on two Gauss–Legendre nodes. The integrand is 2 t, linear: one midpoint is exact.
    """
    model, exact = Ridge(2), torch.tensor([[84.5, -9.0]], dtype=torch.float64)
    theirs = LayerConductance(model, model.h)
    closed = theirs.attribute(X, target=0, n_steps=steps, method="riemann_trapezoid").detach()
    assert torch.allclose(closed, exact * (1 - 1 / steps), rtol=1e-6, atol=1e-12)
    a = (1 + np.polynomial.legendre.leggauss(steps + 1)[0]) / 2
    share = a[-1] ** 2 - a[0] ** 2 - (np.diff(a) ** 2).sum()
    default = theirs.attribute(X, target=0, n_steps=steps).detach()
    assert torch.allclose(default, exact * share, rtol=1e-10)
    if steps == 1:
        assert math.isclose(share, 1 / math.sqrt(3) - 1 / 3)
    ours = gl.explain(model, X, method=gl.methods.conductance(gl.Layer("h")), steps=1)
    assert torch.allclose(ours.values, exact, rtol=1e-14)
    assert ours.completeness_gap is not None
    assert abs(float(ours.completeness_gap)) < 1e-12


def test_captums_conductance_keeps_the_graph_and_ours_does_not() -> None:
    model = Ridge(2)
    assert LayerConductance(model, model.h).attribute(X, target=0, n_steps=3).requires_grad
    assert not gl.explain(model, X, method=gl.methods.conductance(gl.Layer("h")), steps=3).values.requires_grad


def test_captums_layer_gradient_shap_does_not_add_up() -> None:
    """F = Σ v h² with h = z², from 0: both layer IG and conductance are v x⁴. LayerGradientShap takes the gradient on
    the line at the input, 2 v (t x)², times the whole h(x) = x²: ∫ 2 t² dt = 2/3 of it, however many samples."""
    model = nn.Sequential(Power(2), Power(2))
    x, exact = torch.tensor([[1.0, 2.0]], dtype=torch.float64), torch.tensor([[1.0, 16.0]], dtype=torch.float64)

    def summed(z: Tensor) -> Tensor:
        y: Tensor = model(z).sum(1, keepdim=True)
        return y

    np.random.seed(0)
    draws = LayerGradientShap(summed, model[0]).attribute(x.repeat(4000, 1), torch.zeros(2, 2).double(), n_samples=1)
    error = draws.std(0) / math.sqrt(4000)
    assert ((draws.mean(0) - 2 / 3 * exact).abs() <= 4 * error).all()
    assert (error < 0.02 * exact).all()
    start = gl.baselines.FromData(torch.zeros(2, 2).double())
    inside = gl.explain(summed, x, baseline=start, site=gl.Layer(model[0]), steps=1)
    method = gl.methods.conductance(gl.Layer(model[0]))
    through = gl.explain(summed, x, method=method, baseline=start, steps=2, rule=gl.rules.GaussLegendre)
    assert torch.allclose(inside.values, exact, rtol=1e-14)
    assert torch.allclose(through.values, exact, rtol=1e-14)
