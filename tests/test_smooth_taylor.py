"""SmoothTaylor: Stein's identity, the factor 2, what chance does, and a transcription with the same roots.

Chance is judged over N examples that are equal but for their names, so that their maps are N independent samples.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import gradline as gl
from gradline.core import random
from gradline.core.accumulators import Gradient, Maximum
from gradline.core.paths import GaussianRoots

A = torch.tensor([[2.0, -1.0, 0.5], [-1.0, -3.0, 0.0], [0.5, 0.0, 0.0]]).double()
B = torch.tensor([0.7, -0.2, 1.1]).double()
X = torch.tensor([[0.4, -0.6, 1.2]]).double()
W = torch.tensor([1.5, -2.0, 0.0, 0.3])


def quadratic(x: Tensor) -> Tensor:
    return ((x @ A) * x).sum(1) / 2 + x @ B


def samples(f: Callable[[Tensor], Tensor], x: Tensor, sigma: float, count: int, roots: int) -> gl.Attribution:
    """`count` independent maps of the same example."""
    return gl.attribute(gl.Score(f), x.expand(count, -1), gl.methods.smooth_taylor(sigma, roots))


def deviations(maps: Tensor, expected: Tensor) -> Tensor:
    """How many standard errors the mean of independent maps is off; 0 where they do not scatter."""
    error = maps.std(0) / len(maps) ** 0.5
    return torch.where(error > 0, (maps.mean(0) - expected) / error, maps.mean(0) - expected)


# ------------------------------------------------------------------------------------------------------ expectation


@pytest.mark.parametrize("sigma", [0.3, 1.0])
def test_the_map_of_a_quadratic_is_its_curvature(sigma: float) -> None:
    """−σ² A_ii over 300 · 10 roots, within 4 standard errors."""
    maps = samples(quadratic, X, sigma, 300, 10).values
    assert deviations(maps, -(sigma**2) * A.diagonal()).abs().max() < 4


def test_the_sum_of_a_quadratic_is_twice_the_difference() -> None:
    """2 (F(x) − E F(x + ε)), with E F(x + ε) = F(x) + σ² tr A / 2; 400 · 10 roots, within 4 standard errors."""
    a = samples(quadratic, X, 0.5, 400, 10)
    mean = quadratic(X) + 0.25 * A.trace() / 2
    assert deviations(a.values.sum(1), 2 * (quadratic(X) - mean)).abs() < 4
    assert deviations(a.values.sum(1), quadratic(X) - mean).abs() > 4
    assert a.completeness_gap is None
    assert a.baseline_score is None


@pytest.mark.parametrize("sigma", [0.2, 0.9])
def test_steins_identity(sigma: float) -> None:
    """−σ² E ∂²F/∂x_i²(x + ε) of sin(w x_1) + x_2² x_3 + x_3⁴: σ² w² exp(−w² σ² / 2) sin(w x_1), −2 σ² x_3 and
    −12 σ² (x_3² + σ²). 400 · 10 roots, within 4 standard errors."""
    w = 1.7
    maps = samples(lambda x: torch.sin(w * x[:, 0]) + x[:, 1] ** 2 * x[:, 2] + x[:, 2] ** 4, X, sigma, 400, 10).values
    wave = (w * sigma) ** 2 * torch.exp(torch.tensor(-((w * sigma) ** 2) / 2).double()) * torch.sin(w * X[0, 0])
    expected = torch.stack([wave, -2 * sigma**2 * X[0, 2], -12 * sigma**2 * (X[0, 2] ** 2 + sigma**2)])
    assert deviations(maps, expected).abs().max() < 4


def test_the_map_of_a_linear_score_is_noise() -> None:
    """Nothing in expectation, with standard deviation σ |w_i| / √R: 800 maps of 8 roots, 4 / √1600 off."""
    a = samples(lambda x: x @ W.double(), torch.ones(1, 4).double(), 0.6, 800, 8)
    assert deviations(a.values, torch.zeros(4)).abs().max() < 4
    ratio = a.values.std(0)[W != 0] / (0.6 * W.abs() / 8**0.5)[W != 0]
    assert (ratio - 1).abs().max() < 0.1
    assert torch.equal(a.values[:, 2], torch.zeros(800).double())


# ------------------------------------------------------------------------------------------------------ definition


def net(x: Tensor) -> Tensor:
    return torch.tanh(x @ A + B) @ torch.tensor([1.0, -2.0, 0.5]).double()


def transcribed(x: Tensor, name: str, sigma: float, roots: int, seed: int = 0) -> Tensor:
    """1/R Σ (x − z) ∂F/∂x(z) of one example, root by root."""
    total = torch.zeros_like(x)
    for r in range(roots):
        noise = torch.randn(x.shape, generator=random.generator(seed, name, "GaussianRoots", r)).double()
        z = (x + sigma * noise).requires_grad_()
        (grad,) = torch.autograd.grad(net(z[None]).sum(), z)
        total += (x - z.detach()) * grad
    return total / roots


def test_the_map_is_that_of_its_definition() -> None:
    x = torch.randn(3, 3, generator=torch.manual_seed(1)).double()
    a = gl.attribute(gl.Score(net), x, gl.methods.smooth_taylor(0.4, 37), names=["a", "b", "c"], seed=8)
    expected = torch.stack([transcribed(x[i], name, 0.4, 37, 8) for i, name in enumerate("abc")])
    torch.testing.assert_close(a.values, expected, atol=1e-13, rtol=0)
    assert a.evaluations.tolist() == [37] * 3
    assert a.forward_evaluations.tolist() == [0] * 3
    assert a.status == (gl.Status.FIXED,) * 3
    torch.testing.assert_close(a.score, net(x))


def test_relative_noise_is_scaled_by_the_range_of_each_example() -> None:
    x = torch.tensor([[0.0, 1.0, 3.0], [-2.0, 0.0, 2.0]]).double()
    a = gl.attribute(gl.Score(net), x, gl.methods.smooth_taylor(0.1, 9, relative=True))
    expected = torch.stack([transcribed(x[i], str(i), 0.1 * width, 9) for i, width in enumerate((3.0, 4.0))])
    torch.testing.assert_close(a.values, expected, atol=1e-13, rtol=0)


def test_a_constant_example_has_no_relative_noise() -> None:
    a = gl.attribute(gl.Score(net), torch.ones(1, 3).double(), gl.methods.smooth_taylor(0.1, 9, relative=True))
    assert torch.equal(a.values, torch.zeros(1, 3).double())
    assert a.status == (gl.Status.FLAT,)
    assert a.error_estimate is not None
    assert a.error_estimate.tolist() == [0.0]


@pytest.mark.parametrize("tol", [None, 0.5])
def test_maps_depend_on_names_alone_not_on_batches_order_or_memory(tol: float | None) -> None:
    """17 examples at once; in another order, four at a time; with room for one row at a time."""
    x = torch.randn(17, 3, generator=torch.manual_seed(2)).double()
    names = [f"n{i}" for i in range(17)]
    options: dict[str, Any] = {"method": gl.methods.smooth_taylor(0.5, 40), "tol": tol}
    whole = gl.attribute(gl.Score(net), x, names=names, **options)
    narrow = gl.attribute(gl.Score(net), x, names=names, memory=1100 if tol is None else "1MiB", **options)
    torch.testing.assert_close(narrow.values, whole.values, atol=1e-13, rtol=0)
    assert torch.equal(narrow.evaluations, whole.evaluations)
    for rows in torch.split(torch.randperm(17, generator=torch.manual_seed(3)), 4):
        part = gl.attribute(gl.Score(net), x[rows], names=[names[i] for i in rows], **options)
        torch.testing.assert_close(part.values, whole.values[rows], atol=1e-13, rtol=0)
        assert torch.equal(part.evaluations, whole.evaluations[rows])


def test_seeds_and_names_have_roots_of_their_own_and_all_sigmas_the_same() -> None:
    def noise(sigma: float, **options: Any) -> Tensor:
        a = gl.attribute(gl.Score(lambda x: x @ W), torch.ones(1, 4), gl.methods.smooth_taylor(sigma, 3), **options)
        found: Tensor = (a.values / sigma)[0, W != 0]
        return found

    base = noise(0.5)
    torch.testing.assert_close(noise(2.0), base, atol=1e-5, rtol=0)
    assert not torch.isclose(noise(0.5, seed=1), base).any()
    assert not torch.isclose(noise(0.5, names=["other"]), base).any()


def test_gradients_alone_make_smoothgrad() -> None:
    """Another accumulator: the mean gradient over the roots, or its maximum."""
    x = torch.randn(2, 3, generator=torch.manual_seed(4)).double()
    grads = []
    for i in range(2):
        sources = [random.generator(0, str(i), "GaussianRoots", r) for r in range(25)]
        z = torch.stack([x[i] + 0.3 * torch.randn(3, generator=s).double() for s in sources]).requires_grad_()
        grads.append(torch.autograd.grad(net(z).sum(), z)[0])
    for accumulator, expected in (
        (Gradient(), torch.stack([g.mean(0) for g in grads])),
        (Maximum(), torch.stack([g.amax(0) for g in grads])),
    ):
        a = gl.attribute(gl.Score(net), x, gl.Method("smooth", GaussianRoots(0.3, 25), accumulator, None))
        torch.testing.assert_close(a.values, expected, atol=1e-13, rtol=0)


# ------------------------------------------------------------------------------------------------------ error bar


def test_the_standard_error_is_honest() -> None:
    """400 maps of 12 roots: the mean square of the error that is reported is that of the true one, within 12 %."""
    a = samples(quadratic, X, 0.5, 400, 12)
    assert a.error_estimate is not None
    reported = a.error_estimate * a.values.norm(dim=1)
    true = (a.values + 0.25 * A.diagonal()).norm(dim=1)
    assert float((reported**2).mean() / (true**2).mean()) == pytest.approx(1, abs=0.12)
    one = gl.attribute(gl.Score(quadratic), X, gl.methods.smooth_taylor(0.5, 1)).error_estimate
    assert one is not None
    assert bool(one.isnan().all())


@pytest.mark.parametrize("features", [1, 30])
def test_an_accuracy_draws_roots_until_it_is_met(features: int) -> None:
    """F = 3 Σ x_i² over the first `features` of 30, one of them or all: the map is −6 σ² there. Of 60 maps that say
    converged at least 95 % are."""
    x = torch.full((60, 30), 0.2).double()
    method = gl.methods.smooth_taylor(0.5)
    a = gl.attribute(gl.Score(lambda z: 3 * (z[:, :features] ** 2).sum(1)), x, method, tol=0.3, max_evaluations=4096)
    expected = torch.zeros_like(x)
    expected[:, :features] = -6 * 0.25
    error = (a.values - expected).norm(dim=1) / a.values.norm(dim=1)
    assert a.status == (gl.Status.CONVERGED,) * 60
    assert float((error <= 0.3).double().mean()) >= 0.95
    assert a.error_estimate is not None
    assert float(a.error_estimate.max()) < 0.3
    assert len(set(a.evaluations.tolist())) > 1
    assert set((a.evaluations % 16).tolist()) == {0}
    coarse = gl.attribute(gl.Score(lambda z: 3 * (z[:, :features] ** 2).sum(1)), x, method, tol=0.6)
    assert bool((coarse.evaluations < a.evaluations).all())


def test_an_accuracy_that_is_not_met_is_said_to_be() -> None:
    """The map of a linear score is nothing but chance: its error is as large as itself, whatever is spent."""
    a = gl.attribute(gl.Score(lambda x: x @ W), torch.ones(2, 4), gl.methods.smooth_taylor(), tol=0.1)
    assert a.status == (gl.Status.BUDGET_EXHAUSTED,) * 2
    assert a.evaluations.tolist() == [512] * 2
    assert a.error_estimate is not None
    assert bool((a.error_estimate > 0.3).all())
    assert [f.code for f in a.findings] == ["GL201"]


def test_a_score_that_is_not_finite_at_a_root_is_said_to_be() -> None:
    """log x of roots below zero; an example far from there is not touched."""
    x = torch.tensor([[0.1], [50.0]])
    for tol in (None, 0.5):
        a = gl.attribute(gl.Score(lambda z: z.log().sum(1) + z[:, 0] ** 2), x, gl.methods.smooth_taylor(1.0), tol=tol)
        assert a.status[0] is gl.Status.NONFINITE
        assert a.status[1] in (gl.Status.FIXED, gl.Status.BUDGET_EXHAUSTED)
        assert bool(a.values[1].isfinite().all())
        assert any("root" in str(f) and f.examples == (0,) for f in a.findings)


# ------------------------------------------------------------------------------------------------------ names, refusals


def test_the_first_versions_name_is_the_same_method() -> None:
    assert gl.methods.smooth_integrated_gradients is gl.methods.smooth_taylor
    assert gl.methods.by_name("smooth-integrated-gradients") == gl.methods.by_name("smooth-taylor")
    assert gl.methods.smooth_taylor().path == GaussianRoots(0.5, 150, False)
    assert gl.methods.smooth_taylor().cites == ("goh2020",)


@pytest.mark.parametrize("sigma", [0, 0.0, -0.5, float("nan"), float("inf"), True, "0.5", None])
def test_a_sigma_that_is_no_width_is_refused(sigma: Any) -> None:
    with pytest.raises(gl.InputError, match="finite sigma > 0"):
        gl.methods.smooth_taylor(sigma)


@pytest.mark.parametrize("roots", [0, -1, 2.5, True, "150"])
def test_no_roots_are_refused(roots: Any) -> None:
    with pytest.raises(gl.InputError, match="roots as a whole number of at least 1"):
        gl.methods.smooth_taylor(0.5, roots)


def test_what_belongs_to_a_path_is_refused() -> None:
    refused: tuple[dict[str, Any], ...] = ({"steps": 10}, {"baseline": 0.0}, {"rule": gl.rules.Midpoint})
    for options in refused:
        with pytest.raises(gl.InputError, match="smooth-taylor"):
            gl.attribute(gl.Score(net), X, gl.methods.smooth_taylor(), **options)
