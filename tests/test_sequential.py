"""Sequential Integrated Gradients: values derived on paper, what each row owes, the author's algorithm written out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import gradline as gl

SEQUENTIAL, IG = gl.methods.sequential_integrated_gradients, gl.methods.integrated_gradients


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Mixer(nn.Module):
    """Rows `(N, T, D)` that look at each other, and a mask, to a score."""

    def __init__(self, kind: type[nn.Module] = nn.Tanh, size: int = 4) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.mix, self.bend, self.last = nn.Linear(size, 8).double(), kind(), nn.Linear(8, 1).double()
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        mask = torch.ones(x.shape[:2], dtype=torch.bool) if mask is None else mask
        seen = (x @ x.mT).masked_fill(~mask[:, None], -torch.inf).softmax(2) @ x
        h = self.bend(self.mix(x + seen)) * mask[..., None]
        return self.last(h.sum(1))


def replaced(model: Any, x: Tensor, start: Tensor) -> Tensor:
    """F(x) − F(x with row i at x'), `(N, T)`, from forwards."""
    due = torch.empty(x.shape[:2], dtype=torch.float64)
    for i in range(x.shape[1]):
        other = x.clone()
        other[:, i] = start[:, i]
        due[:, i] = (model(x) - model(other)).squeeze(1)
    return due


# ------------------------------------------------------------------------------------------------ on paper


def test_a_product() -> None:
    """F = a b at (3, −2). From zero each row owes −6, together −12 = 2 F(x), where F(x) − F(0) is −6. From (1, 1):
    (3 − 1)(−2) = −4 and (−2 − 1) 3 = −9."""
    x = torch.tensor([[[3.0], [-2.0]]], dtype=torch.float64)
    for start, due, without in ((0, [-6, -6], [0, 0]), (1, [-4, -9], [-2, 3])):
        a = gl.explain(lambda p: p[:, 0] * p[:, 1], x, method=SEQUENTIAL(), baseline=start, steps=3)
        torch.testing.assert_close(a.values.flatten(), torch.tensor(due, dtype=torch.float64))
        assert a.details["replaced_scores"] == [without]
        assert float(a.completeness_gap) == pytest.approx(0, abs=1e-12)
        assert a.evaluations.tolist() == [6]
        assert a.forward_evaluations.tolist() == [2]
        assert a.baseline_score.tolist() == [start]


def test_of_a_sum_over_rows_it_is_integrated_gradients() -> None:
    """F = Σ_i h_i(x_i): nothing that the others do changes what a row does."""
    x, weight = numbers(3, 5, 4), numbers(5, 4, seed=1)

    def additive(p: Tensor) -> Tensor:
        return (p * weight).sum(2).tanh().sum(1, keepdim=True)

    one, other = (gl.explain(additive, x, method=m, steps=9) for m in (SEQUENTIAL(), IG()))
    torch.testing.assert_close(one.values, other.values)
    torch.testing.assert_close(one.completeness_gap, other.completeness_gap)
    assert one.evaluations.tolist() == [45] * 3


# ------------------------------------------------------------------------------------------------ what it owes


@pytest.mark.parametrize("kind", [nn.Tanh, nn.ReLU])
def test_each_row_owes_the_change_of_the_score_without_it(kind: type[nn.Module]) -> None:
    model, x, start = Mixer(kind), numbers(3, 5, 4), numbers(3, 5, 4, seed=1)
    due = replaced(model, x, start)
    a = gl.explain(model, x, method=SEQUENTIAL(), baseline=start, steps=300)
    torch.testing.assert_close(a.values.sum(2), due, atol=4e-3, rtol=0)
    gap = a.values.flatten(1).sum(1) - due.sum(1)
    torch.testing.assert_close(a.completeness_gap, gap)
    assert bool((a.completeness_gap.abs() < 8e-3).all())
    whole = (a.score - a.baseline_score - due.sum(1)).abs()
    assert bool((whole > 0.03).all())  # the difference that the author's code compares with is another one
    torch.testing.assert_close(a.score[:, None] - torch.tensor(a.details["replaced_scores"]).double(), due)


def test_the_gap_is_there_where_nodes_are_few() -> None:
    model, x = Mixer(), numbers(2, 4, 4)
    a = gl.explain(model, x, method=SEQUENTIAL(), steps=1)
    due = replaced(model, x, torch.zeros_like(x)).sum(1)
    torch.testing.assert_close(a.completeness_gap, a.values.flatten(1).sum(1) - due)
    assert bool((a.completeness_gap.abs() > 1e-3).all())


def test_read_elsewhere_the_whole_owes_the_same() -> None:
    model, x = Mixer(), numbers(2, 4, 4)
    method = gl.Method("inside", gl.paths.Sequential(), gl.accumulators.GradientTimesMove(), gl.baselines.Zero())
    a = gl.explain(model, x, method=replace(method, read=gl.Layer("mix")), steps=60)
    due = replaced(model, x, torch.zeros_like(x)).sum(1)
    torch.testing.assert_close(a.values.flatten(1).sum(1), due, atol=1e-3, rtol=0)


def test_several_baselines_are_averaged() -> None:
    model, x = Mixer(), numbers(2, 4, 4)
    starts = [numbers(2, 4, 4, seed=s) for s in (1, 2)]
    both = gl.explain(model, x, method=SEQUENTIAL(), baseline=gl.baselines.Each(*starts), steps=8)
    each = [gl.explain(model, x, method=SEQUENTIAL(), baseline=s, steps=8) for s in starts]
    torch.testing.assert_close(both.values, (each[0].values + each[1].values) / 2)
    torch.testing.assert_close(both.completeness_gap, (each[0].completeness_gap + each[1].completeness_gap) / 2)


# ------------------------------------------------------------------------------------------------ to a tolerance


@pytest.mark.parametrize("kind", [nn.Tanh, nn.ReLU])
def test_to_a_tolerance_the_map_is_that_right(kind: type[nn.Module]) -> None:
    model, x = Mixer(kind), numbers(3, 5, 4)
    a = gl.explain(model, x, method=SEQUENTIAL(), tol=0.02, max_evaluations=1000)
    fine = gl.explain(model, x, method=SEQUENTIAL(), steps=300).values
    error = (a.values - fine).flatten(1).norm(dim=1) / fine.flatten(1).norm(dim=1)
    assert a.status == (gl.Status.CONVERGED,) * 3
    assert bool((error < 0.02).all())
    assert bool((a.error_estimate < 0.02).all())
    assert bool((a.evaluations <= 1000).all())
    torch.testing.assert_close(a.completeness_gap, a.values.flatten(1).sum(1) - replaced(model, x, 0 * x).sum(1))


def test_a_row_that_hardly_counts_does_not_hold_up_the_map() -> None:
    """Row 1 is a wiggle of a thousandth of the map: it runs out of evaluations, and the map is right all the same."""
    x = torch.ones(1, 2, 1, dtype=torch.float64)

    def score(p: Tensor) -> Tensor:
        return p[:, 0] + 1e-5 * torch.sin(60 * p[:, 1])

    a = gl.explain(score, x, method=SEQUENTIAL(), tol=0.01, max_evaluations=32)
    assert a.status == (gl.Status.CONVERGED,)
    alone = gl.explain(lambda p: 1e-5 * torch.sin(60 * p[:, 1]), x, method=SEQUENTIAL(), tol=0.01, max_evaluations=16)
    assert alone.status == (gl.Status.BUDGET_EXHAUSTED,)


def test_too_few_evaluations_for_all_rows_are_refused() -> None:
    with pytest.raises(gl.InputError, match="max_evaluations of at least 48, 8 for each of 6 rows"):
        gl.explain(Mixer(), numbers(1, 6, 4), method=SEQUENTIAL(), max_evaluations=40)


@pytest.mark.parametrize("more", [{"steps": 6}, {"tol": 0.1}])
def test_padding_and_company_change_nothing(more: dict[str, Any]) -> None:
    """Rows that stay at their baseline cost nothing."""
    model, x = Mixer(), numbers(3, 5, 4)
    mask = torch.ones(3, 5, dtype=torch.bool)
    mask[1, 3:] = False
    start = torch.where(mask[..., None], 0.0, x)
    together = gl.explain(model, x, method=SEQUENTIAL(), baseline=start, context={"mask": mask}, **more)
    for i, length in enumerate((5, 3, 5)):
        own, context = (slice(i, i + 1), slice(length)), {"mask": mask[i : i + 1, :length]}
        alone = gl.explain(model, x[own], method=SEQUENTIAL(), baseline=start[own], context=context, **more)
        torch.testing.assert_close(alone.values, together.values[own])
        assert alone.evaluations[0] == together.evaluations[i]
        assert alone.forward_evaluations[0] == together.forward_evaluations[i] == length
        torch.testing.assert_close(alone.completeness_gap, together.completeness_gap[i : i + 1])
    assert not together.values[1, 3:].any()
    assert together.details["replaced_scores"][1][3:] == [float(together.score[1])] * 2


# ------------------------------------------------------------------------------------------------ as published


def test_the_published_form_is_the_authors_algorithm() -> None:
    """50 Gauss–Legendre nodes for a token, one after the other; of the gradient its own row is kept."""
    model, x, start = Mixer(), numbers(2, 4, 4), numbers(2, 4, 4, seed=1)
    node, weight = np.polynomial.legendre.leggauss(50)
    due = torch.zeros_like(x)
    for i in range(4):
        for t, w in zip((node + 1) / 2, weight / 2, strict=True):
            point = x.clone()
            point[:, i] = start[:, i] + t * (x[:, i] - start[:, i])
            point.requires_grad_()
            (grad,) = torch.autograd.grad(model(point).sum(), point)
            due[:, i] += w * grad[:, i] * (x[:, i] - start[:, i])
    a = gl.explain(model, x, method=SEQUENTIAL(as_published=True), baseline=start)
    torch.testing.assert_close(a.values, due, atol=1e-6, rtol=1e-6)
    assert a.evaluations.tolist() == [200] * 2
    assert bool((a.completeness_gap.abs() < 1e-6).all())


# ------------------------------------------------------------------------------------------------ the rest


def test_the_curve_has_the_rows_one_after_the_other() -> None:
    a = gl.explain(Mixer(), numbers(2, 4, 4), method=SEQUENTIAL(), steps=6)
    for curve in a.curve:
        assert len(curve.t) == 24
        assert bool((np.diff(curve.t) > 0).all())
        assert curve.weight.sum() == pytest.approx(1)


@pytest.mark.parametrize("more", [{"steps": 4}, {}])
def test_what_is_not_finite_is_said(more: dict[str, Any]) -> None:
    """√(b − 0.6) on the way of the second example's second row alone."""
    x = torch.tensor([[[2.0], [1.0]], [[2.0], [0.5]]], dtype=torch.float64)
    a = gl.explain(lambda p: p[:, 0] ** 2 + (p[:, 1] - 0.6).sqrt(), x, method=SEQUENTIAL(), baseline=1, **more)
    assert a.status[0] is (gl.Status.FIXED if more else gl.Status.CONVERGED)
    assert a.status[1] is gl.Status.NONFINITE
    assert [(f.code, f.examples) for f in a.findings if f.code == "GL202"] == [("GL202", (1,))]


def test_there_are_no_stages() -> None:
    with pytest.raises(gl.InputError, match="a path that says where it is"):
        gl.explain(Mixer(), numbers(1, 3, 4), method=SEQUENTIAL().in_stages(3), steps=4)
