"""Scores that have no gradient, and what the tests of gradients without autograd share."""

from __future__ import annotations

import torch
from scipy.stats import norm
from torch import Tensor

import gradline as gl

FD, Smooth = gl.derivatives.FiniteDifferences, gl.derivatives.GaussianSmoothing


def explained(function, x, derivative, **options):
    return gl.attribute(gl.Score(function, derivative=derivative), x, **options)


def ridge_step(features: int, seed: int = 5):
    """F = [w·x > c], smoothed h(z) = Φ((z − c)/σ‖w‖); A_i = w_i x_i (h(w·x) − h(0)) / (w·x)."""
    g = torch.Generator().manual_seed(seed)
    w, x = torch.randn(features, generator=g).double(), torch.randn(1, features, generator=g).double()
    w /= w.norm()
    x = 2 * x / (x @ w)

    def truth(sigma: float) -> Tensor:
        rise = norm.cdf((2 - 0.9) / sigma) - norm.cdf((0 - 0.9) / sigma)
        return w * x / 2 * rise

    return lambda p: (p @ w > 0.9).double(), x, truth


def stumps(features: int):
    """F = Σ v_i [x_i > c_i], and A_i = v_i (Φ((x_i − c_i)/σ) − Φ(−c_i/σ))."""
    g = torch.Generator().manual_seed(3)
    v, x = torch.randn(features, generator=g).double(), 1 + torch.rand(1, features, generator=g).double()
    c = x[0] * (0.2 + 0.6 * torch.rand(features, generator=g).double())

    def truth(sigma: float) -> Tensor:
        return v * torch.from_numpy(norm.cdf((x - c).numpy() / sigma) - norm.cdf(-c.numpy() / sigma))

    return lambda p: (p > c).double() @ v, x, truth
