"""Baselines that are drawn: the mean map has a standard error, which is in the estimate and is as large as it says."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import gradline as gl

torch.manual_seed(0)
NET = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 2)).double().eval()
X = torch.randn(2, 5, dtype=torch.float64)
DATA = torch.randn(60, 5, dtype=torch.float64)


@pytest.mark.parametrize("budget", [{"tol": 0.02}, {"steps": 1, "rule": gl.rules.Stratified}], ids=["tol", "steps"])
def test_the_standard_error_is_what_draws_scatter_by(budget) -> None:
    """40 samples of 12 draws: the mean square of error over standard error is between 1 and Student's 11/9 = 1.22."""
    many = gl.explain(NET, X[:1], 1, baseline=gl.baselines.Uniform(-1.0, 1.0, draws=2000), steps=1).values
    names = [f"sample {k}" for k in range(40)]
    noise = gl.baselines.Uniform(-1.0, 1.0, draws=12)
    a = gl.explain(NET, X[:1].expand(40, -1).contiguous(), 1, baseline=noise, names=names, **budget)
    chance = torch.tensor(a.details["standard_error"]) * a.values.norm(dim=1)
    ratio = ((a.values - many).norm(dim=1) / chance) ** 2
    low, high = (float(ratio.mean()) + side * 4 * float(ratio.std()) / math.sqrt(len(ratio)) for side in (-1, 1))
    assert low <= 1.22
    assert high >= 1.0


def test_chance_is_in_the_estimate_and_a_tolerance_it_breaks_is_not_met() -> None:
    few = gl.explain(NET, X, 1, baseline=gl.baselines.FromData(DATA, draws=5), tol=0.05)
    assert set(few.status) == {gl.Status.BUDGET_EXHAUSTED}
    assert "GL207" in [f.code for f in few.findings]
    chance = torch.tensor(few.details["standard_error"], dtype=torch.float64)
    assert (few.error_estimate >= chance).all()
    assert (few.error_estimate <= torch.hypot(chance, torch.tensor(0.05))).all()
    every = gl.explain(NET, X, 1, baseline=gl.baselines.FromData(DATA), tol=0.05)  # no chance: all of the data
    assert set(every.status) == {gl.Status.CONVERGED}
    assert not every.details


def test_expected_gradients_are_the_mean_over_references_and_positions() -> None:
    """On F = x₁ x₂: E[(x₁ − r₁)(r₂ + α(x₂ − r₂))] over references r and α uniform has the mean ½ (x₁ − r₁)(x₂ + r₂)."""
    x, data = torch.tensor([[2.0, -1.0]], dtype=torch.float64), DATA[:, :2]
    due = torch.stack(
        [(x[0, 0] - data[:, 0]) * (x[0, 1] + data[:, 1]), (x[0, 1] - data[:, 1]) * (x[0, 0] + data[:, 0])]
    )
    due = due.mean(1) / 2

    def product(points):
        return points[:, :1] * points[:, 1:]

    exact = gl.explain(product, x, baseline=gl.baselines.FromData(data), steps=1).values[0]  # a midpoint is exact here
    torch.testing.assert_close(exact, due)
    some, names = gl.baselines.FromData(data, draws=20), [f"run {k}" for k in range(100)]
    many = gl.explain(
        product, x.expand(100, -1).contiguous(), baseline=some, steps=1, rule=gl.rules.Stratified, names=names
    )
    assert ((many.values.mean(0) - due).abs() <= 4 * many.values.std(0) / 10).all()  # 100 runs


def test_several_inputs_are_drawn_from_the_same_row_of_the_data() -> None:
    """Where the data has b = 2a in every row, every start has it too."""
    a = torch.randn(30, 2, dtype=torch.float64)
    seen = []

    def model(one, two):
        seen.append((one.detach(), two.detach()))
        return (one * two).sum(1, keepdim=True)

    x = (torch.ones(1, 2, dtype=torch.float64), 2 * torch.ones(1, 2, dtype=torch.float64))
    gl.explain(model, x, baseline=gl.baselines.FromData((a, 2 * a), draws=7), steps=2)
    for one, two in seen[2:]:  # but for the row beside which x is checked
        torch.testing.assert_close(two, 2 * one)
