"""Gaussian smoothing against truths in closed form: unbiased, its chance in the estimate, and not chased."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import torch
from derivative_cases import Smooth, explained, ridge_step, stumps
from scipy.stats import chi2, norm
from torch import Tensor

import gradline as gl


def wilson(hits: int, of: int, z: float = 1.96) -> tuple[float, float]:
    centre, half = (hits + z * z / 2) / (of + z * z), z / (of + z * z) * math.sqrt(hits * (of - hits) / of + z * z / 4)
    return centre - half, centre + half


def show(capsys: pytest.CaptureFixture[str], text: str) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n{text} ")


# ------------------------------------------------------------------------------------------------ smoothing: truths


def tree(p: Tensor) -> Tensor:
    """A tree of depth two, in numpy, as such models come: no gradient, no tensors with one."""
    a = p.numpy()
    left = np.where(a[:, 1] > 0.5, 2.0, -1.0)
    right = np.where(a[:, 2] > 0.8, 3.0, 0.5)
    return torch.from_numpy(np.where(a[:, 0] > 0.6, right, left))


def tree_truth(x: np.ndarray, sigma: float) -> Tensor:
    """Smoothed, a leaf is a product of Φ; its Integrated Gradients are integrals of products, by 400 Gauss nodes."""
    node, weight = np.polynomial.legendre.leggauss(400)
    p = (node[:, None] + 1) / 2 * x
    cut = (p - np.array([0.6, 0.5, 0.8])) / sigma
    above, density = norm.cdf(cut), norm.pdf(cut) / sigma
    left, right = -1 + 3 * above[:, 1], 0.5 + 2.5 * above[:, 2]
    gradient = np.stack(
        [density[:, 0] * (right - left), (1 - above[:, 0]) * 3 * density[:, 1], above[:, 0] * 2.5 * density[:, 2]], 1
    )
    return torch.from_numpy((weight[:, None] / 2 * gradient).sum(0) * x)[None]


CASES = {
    "indicator of 2": (*ridge_step(2), 0.5, 64, 0.2),
    "indicator of 10": (*ridge_step(10), 0.5, 128, 0.15),
    "indicator of 40": (*ridge_step(40), 0.8, 512, 0.2),
    "stumps": (*stumps(5), 0.3, 128, 0.15),
    "tree": (
        tree,
        torch.tensor([[1.2, 1.1, 1.4]]).double(),
        lambda s: tree_truth(np.array([1.2, 1.1, 1.4]), s),
        0.3,
        64,
        0.15,
    ),
}
RUNS = 12


@pytest.fixture(scope="module")
def runs():
    """Every case explained with 12 seeds: relative error of the map, its estimate, status."""
    seen = {}
    for name, (function, x, truth, sigma, samples, tol) in CASES.items():
        right = truth(sigma)
        for seed in range(RUNS):
            a = explained(function, x, Smooth(sigma, samples, seed), tol=tol)
            error = float((a.values - right).norm() / a.values.norm())
            seen[name, seed] = error, float(a.error_estimate[0]), a.status[0], tol, a.findings
    return seen


def test_converged_maps_of_steps_and_trees_are_within_the_tolerance(runs, capsys):
    """95 % of at least 60 seeded runs, with the Wilson interval printed."""
    told = [(error <= tol) for error, _, status, tol, _ in runs.values() if status is gl.Status.CONVERGED]
    low, high = wilson(sum(told), len(told))
    show(capsys, f"sampled gradients: {sum(told)}/{len(told)} converged maps within tol [{low:.1%}, {high:.1%}]")
    assert len(told) >= 60
    assert sum(told) / len(told) >= 0.95


def test_the_estimate_covers_the_error_at_the_confidence_of_a_standard_error(runs, capsys):
    """`error_estimate` is a root mean square. A map is within it times √(χ²₉₅(k)/k), 1.96 at the most (k = 1)."""
    ratios = np.array([error / estimate for error, estimate, *_ in runs.values()])
    within = int((ratios <= math.sqrt(chi2.ppf(0.95, 1))).sum())
    low, high = wilson(within, len(ratios))
    inside = f"{within}/{len(ratios)} [{low:.1%}, {high:.1%}]"
    show(capsys, f"within 1.96 estimates {inside}, within one {np.mean(ratios <= 1):.0%}")
    assert within / len(ratios) >= 0.95
    assert 0.7 < np.median(1 / ratios) < 1.5
    for name in CASES:
        own = [estimate / error for (case, _), (error, estimate, *_) in runs.items() if case == name]
        assert 0.6 < np.median(own) < 1.8, name


def test_smoothing_is_unbiased():
    """The mean of 150 maps is within four of its own standard errors of the truth, feature by feature."""
    function, x, truth = stumps(5)
    maps = torch.cat([explained(function, x, Smooth(0.3, 4, seed), steps=16).values for seed in range(150)])
    off = (maps.mean(0) - truth(0.3)[0]) / (maps.std(0) / math.sqrt(len(maps)))
    assert off.abs().max() < 4
    assert off.square().mean() < 3


def test_four_times_the_samples_halve_error_and_estimate():
    """With 64 gradients each."""
    function, x, truth = ridge_step(10)
    size, errors, estimates = truth(0.5).norm(), [], []
    for samples, tol in ((64, 0.1), (256, 0.05)):
        found = [explained(function, x, Smooth(0.5, samples, s), tol=tol, max_evaluations=64) for s in range(16)]
        assert {int(a.evaluations[0]) for a in found} == {64}
        errors.append(torch.stack([(a.values - truth(0.5)).norm() / size for a in found]).square().mean().sqrt())
        known = torch.stack([a.error_estimate[0] * a.values.norm() / size for a in found])
        estimates.append(known.square().mean().sqrt())
    assert float(errors[0] / errors[1]) == pytest.approx(2, rel=0.25)
    assert float(estimates[0] / estimates[1]) == pytest.approx(2, rel=0.25)
    assert all(0.7 < float(a / b) < 1.5 for a, b in zip(estimates, errors, strict=True))


def test_scores_are_those_of_the_smoothed_model():
    """F_σ(x) = Φ((w·x − c)/σ), within four standard errors of 4096 samples."""
    function, x, _ = ridge_step(6)
    a = explained(function, x, Smooth(0.5, 4096), steps=2)
    for score, z in ((a.score, 2.0), (a.baseline_score, 0.0)):
        due = norm.cdf((z - 0.9) / 0.5)
        assert abs(float(score[0]) - due) < 4 * math.sqrt(due * (1 - due) / 2048)


# ------------------------------------------------------------------------------------------------ the controller


def test_a_noisy_gradient_is_not_chased(runs):
    """No run ends because a path "cannot be resolved further", and few need many nodes: noise is no jump."""
    assert not [f for *_, findings in runs.values() for f in findings if "resolved" in f.detail]


def test_too_few_samples_are_said_to_be_too_few_and_early():
    function, x, _ = ridge_step(10)
    a = explained(function, x, Smooth(0.5, 8), tol=0.01)
    (found,) = a.findings
    assert a.status == (gl.Status.BUDGET_EXHAUSTED,)
    assert found.code == "GL204"
    assert "give the derivative more samples" in found.detail
    assert int(a.evaluations[0]) < 64, "it is hopeless, and known to be so early"


def test_a_step_between_nodes_is_not_overlooked():
    """σ is a hundredth of the path: hardly a node sees the gradient, and the score says that there is one."""
    a = explained(lambda p: (p[:, 0] > 0.513).double(), torch.ones(1, 1).double(), Smooth(0.01, 128), tol=0.1)
    assert float(a.values[0, 0]) == pytest.approx(1, abs=0.1) or a.status[0] is gl.Status.BUDGET_EXHAUSTED
    assert float(a.score[0] - a.baseline_score[0]) == 1
