"""Integrated Gradients split where the score saturates: sides derived on paper, and the laws of the two parts."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import gradline as gl
from gradline.core.accumulators import GradientTimesMove
from gradline.core.flow import Need
from gradline.core.paths import FixedBudget, Saturation, ToleranceBudget
from gradline.testing import drive, frame
from gradline.testing.drive import OpenRoom

T = gl.paths.Threshold
SPLIT, LEFT = gl.methods.split_integrated_gradients, gl.methods.left_integrated_gradients
RULES = [r() for r in gl.rules.RULES]

torch.manual_seed(0)
NET = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 1)).double().eval().requires_grad_(False)
X = 2 * torch.randn(5, 6, dtype=torch.float64)
ANY = {"method": SPLIT(0.6, threshold=T.ABSOLUTE)}


def row(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


def bent(x: Tensor) -> Tensor:
    """F = x₁ + x₂²: at t (1, 1) it is t + t², of which x₁ made t and x₂ made t²."""
    return x[:, :1] + x[:, 1:] ** 2


def along(h):
    """A score of one feature, so that F(t) = h(t) on the way from 0 to 1."""
    return lambda x: h(x[:, :1])


# ------------------------------------------------------------------------------------------------ on paper


@pytest.mark.parametrize("budget", [{"steps": 60}, {"tol": 0.001}], ids=str)
@pytest.mark.parametrize("phi", [0.05, 0.9])
def test_the_sides_are_what_they_are_on_paper(budget, phi: float) -> None:
    """t + t² = 2φ at t* = (√(1 + 8φ) − 1) / 2; left (t*, t*²), right (1 − t*, 1 − t*²)."""
    a = gl.explain(bent, row(1, 1), method=SPLIT(phi), **budget)
    t = (sqrt(1 + 8 * phi) - 1) / 2
    assert a.details["saturation_point"] == pytest.approx([t], abs=1e-7)
    assert a.details["saturation_score"] == pytest.approx([2 * phi], abs=1e-6)
    assert a.details["path_scores"][0] == pytest.approx([k / 32 + (k / 32) ** 2 for k in range(33)])
    torch.testing.assert_close(a.parts["left"], row(t, t * t), atol=2e-3, rtol=1e-3)
    torch.testing.assert_close(a.parts["right"], row(1 - t, 1 - t * t), atol=2e-3, rtol=1e-3)
    torch.testing.assert_close(a.values, row(1, 1), atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("rule", RULES, ids=lambda r: type(r).__name__)
def test_of_a_linear_score_every_rule_gives_phi_and_the_rest(rule: gl.rules.Rule) -> None:
    """F = w·x: t* = φ, and each cell of a rule is shared out, so that the sides are φ w x and (1 − φ) w x exactly."""
    w = row(1.0, -2.0, 0.5)
    a = gl.explain(lambda x: x @ w.T, row(3, -1, 2), method=SPLIT(0.37), steps=9, rule=rule)
    assert a.details["saturation_point"] == pytest.approx([0.37], abs=1e-12)
    torch.testing.assert_close(a.parts["left"], 0.37 * row(3, 2, 1), atol=1e-12, rtol=0)
    torch.testing.assert_close(a.parts["right"], 0.63 * row(3, 2, 1), atol=1e-12, rtol=0)


def test_a_ridge_is_split_in_the_proportion_of_the_score() -> None:
    """F = (w·x)²: the gradient keeps its direction, so t* = √φ and left = φ A, whatever the features."""
    w = row(1.0, -2.0, 0.5, 1.0)
    a = gl.explain(lambda x: (x @ w.T) ** 2, row(1, -1, 2, 0), method=SPLIT(0.81), tol=0.001)
    assert a.details["saturation_point"] == pytest.approx([0.9], abs=1e-6)
    torch.testing.assert_close(a.parts["left"], 0.81 * a.values, atol=0, rtol=1e-5)


def test_only_the_first_crossing_counts() -> None:
    """t + sin 2πt is above ½ from 0.0686… on, falls back to it at ½, and ends at 1."""
    low, high = 0.0, 0.25
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (
            (low, middle) if middle + torch.sin(torch.tensor(6.283185307179586 * middle)) > 0.5 else (middle, high)
        )
    a = gl.explain(along(lambda t: t + torch.sin(2 * torch.pi * t)), row(1), method=SPLIT(0.5), tol=0.01)
    assert a.details["saturation_point"] == pytest.approx([low], abs=1e-5)
    assert float(a.parts["left"]) == pytest.approx(0.5, abs=0.01)


def test_a_crossing_and_a_return_within_one_cell_are_not_seen() -> None:
    """A bump at 0.55 of width 0.01 above a line: eight cells miss it, 400 do not."""
    bump = along(lambda t: t + torch.exp(-(((t - 0.55) / 0.01) ** 2)))
    method = SPLIT(0.9)
    for cells, where in ((8, 0.9), (400, 0.5399)):  # t + exp(−((t − .55)/.01)²) = 0.9
        method = replace(method, path=Saturation(0.9, cells=cells))
        a = gl.explain(bump, row(1), method=method, steps=50)
        assert a.details["saturation_point"] == pytest.approx([where], abs=1e-3)


@pytest.mark.parametrize("phi", [0.3, 0.9])
def test_without_bisections_the_crossing_lies_on_a_line_through_its_cell(phi: float) -> None:
    """F = t² in 4 cells: between t = a and a + ¼ the line through both meets φ."""
    a = gl.explain(
        along(lambda t: t**2), row(1), method=replace(SPLIT(), path=Saturation(phi, cells=4, bisections=0)), steps=9
    )
    begin = int(sqrt(phi) * 4) / 4
    t = begin + (phi - begin**2) / ((begin + 0.25) ** 2 - begin**2) / 4
    assert a.details["saturation_point"] == pytest.approx([t], abs=1e-9)
    assert a.details["saturation_score"] == pytest.approx([t * t], abs=1e-9)  # what is claimed is F there, not φ


# ------------------------------------------------------------------------------------------------ thresholds


def test_the_three_thresholds_on_paper() -> None:
    """4t(1 − t) + ½ begins and ends at ½: any rise is beyond φ · 0 at once; ⅚ of the maximum 3/2 is 5/4, at t = ¼."""
    hill = along(lambda t: 4 * t * (1 - t) + 0.5)
    found = {t: gl.explain(hill, row(1), method=SPLIT(5 / 6, threshold=t), steps=64) for t in T}
    points = {t: a.details["saturation_point"][0] for t, a in found.items()}
    assert points[T.MAXIMUM] == pytest.approx(0.25, abs=1e-6)
    assert points[T.ENDS] == pytest.approx(0, abs=1e-12)
    assert points[T.ABSOLUTE] == pytest.approx(0, abs=1e-12)
    low = gl.explain(hill, row(1), method=SPLIT(0.2, threshold=T.MAXIMUM), steps=64)  # 0.3 is below F(x') = 0.5
    assert low.details["saturation_point"] == [0.0]
    said = " ".join(f.detail for f in low.findings)
    assert "from the baseline on" in said
    assert "falls" not in said


def test_a_score_that_falls_is_split_by_its_size() -> None:
    """F = −t²: beyond the threshold at x' already, unless sizes are compared, when t* = √φ."""
    fall = along(lambda t: -(t**2))
    for method in (SPLIT(0.5), LEFT(0.5)):
        a = gl.explain(fall, row(1), method=method, tol=0.01)
        assert a.details["saturation_point"] == [0.0]
        assert any("Threshold.ABSOLUTE" in f.detail for f in a.findings)
        assert float(a.parts.get("left", a.values)) == 0
    assert a.status == (gl.Status.FLAT,)
    assert a.error_estimate.tolist() == [0]
    b = gl.explain(fall, row(1), method=SPLIT(0.5, threshold=T.ABSOLUTE), tol=0.01)
    assert b.details["saturation_point"] == pytest.approx([sqrt(0.5)], abs=1e-6)
    assert float(b.parts["left"]) == pytest.approx(-0.5, abs=0.01)
    assert not b.findings


def test_where_the_threshold_is_never_exceeded_all_is_left() -> None:
    """φ = 1 of a score that rises to its end."""
    for budget in ({"steps": 30}, {"tol": 0.01}):
        a = gl.explain(bent, row(1, 1), method=SPLIT(1.0), **budget)
        assert a.details["saturation_point"] == [1.0]
        assert torch.equal(a.parts["left"], a.values)
        assert not a.parts["right"].any()
        assert a.parts["right"].shape == a.values.shape
        assert not a.findings


def test_phi_one_ends_where_the_score_first_passes_its_end() -> None:
    """F = 4t(1 − t) + t has F(1) = 1, which it passes at t = ¼: 4t² − 5t + 1 = (4t − 1)(t − 1)."""
    a = gl.explain(along(lambda t: 4 * t * (1 - t) + t), row(1), method=SPLIT(1.0), tol=0.01)
    assert a.details["saturation_point"] == pytest.approx([0.25], abs=1e-6)


@pytest.mark.parametrize("budget", [{"steps": 8}, {"tol": 0.01}], ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_rounding_of_a_score_that_stays_the_same_is_no_crossing(budget, dtype: torch.dtype) -> None:
    x = torch.rand(3, 2, dtype=dtype)

    def flat(points: Tensor) -> Tensor:
        noise = torch.sin(1e4 * points.detach().sum(1, keepdim=True))
        return 0 * points.sum(1, keepdim=True) + 1 + 2 * torch.finfo(dtype).eps * noise

    for score, start in ((flat, 0.0), (lambda points: points.sum(1), x)):
        a = gl.explain(score, x, method=SPLIT(), baseline=start, **budget)
        assert a.details["saturation_point"] == [1.0] * 3
        assert not a.values.any()
        assert not a.parts["left"].any()
        assert not a.parts["right"].any()
        assert set(a.status) == {gl.Status.FLAT}


# ------------------------------------------------------------------------------------------------ laws


@pytest.mark.parametrize("rule", RULES, ids=lambda r: type(r).__name__)
def test_left_and_right_add_up_to_integrated_gradients(rule: gl.rules.Rule) -> None:
    starts = gl.baselines.Each(0, gl.baselines.Uniform(-1, 1, draws=2))
    budget = {"steps": 23, "rule": rule, "baseline": starts}
    a, whole = gl.explain(NET, X, **ANY, **budget), gl.explain(NET, X, **budget)
    torch.testing.assert_close(a.values, whole.values, atol=1e-12, rtol=0)
    torch.testing.assert_close(a.parts["left"] + a.parts["right"], whole.values, atol=1e-12, rtol=0)
    left = gl.explain(NET, X, method=LEFT(0.6, threshold=T.ABSOLUTE), **budget)
    torch.testing.assert_close(left.values, a.parts["left"], atol=1e-12, rtol=0)
    assert left.parts == {}


def sides_of(x: Tensor, t: float) -> tuple[Tensor, Tensor]:
    """Both sides of a path from zero by 200 Gauss–Legendre nodes each."""
    found = []
    for low, high in ((0.0, t), (t, 1.0)):
        node, weight = gl.rules.GaussLegendre().nodes(200, torch.Generator())
        points = (torch.from_numpy(low + (high - low) * node)[:, None] * x).requires_grad_()
        (grad,) = torch.autograd.grad(NET(points).sum(), points)
        found.append(x * ((torch.from_numpy(weight) * (high - low)) @ grad))
    return found[0], found[1]


@pytest.mark.parametrize("tol", [0.05, 0.002])
def test_to_a_tolerance_each_side_is_within_it(tol: float) -> None:
    a = gl.explain(NET, X, **ANY, tol=tol)
    assert set(a.status) == {gl.Status.CONVERGED}
    for i, t in enumerate(a.details["saturation_point"]):
        reached = float(NET(t * X[i : i + 1]) - NET(0 * X[i : i + 1]))
        assert reached == pytest.approx(0.6 * float(a.score[i] - a.baseline_score[i]), abs=1e-4)
        for part, due in zip(("left", "right"), sides_of(X[i], t), strict=True):
            assert (a.parts[part][i] - due).norm() <= tol * due.norm()
    torch.testing.assert_close(a.parts["left"] + a.parts["right"], a.values, atol=1e-12, rtol=0)
    left = gl.explain(NET, X, method=LEFT(0.6, threshold=T.ABSOLUTE), tol=tol)
    for i, t in enumerate(left.details["saturation_point"]):
        assert (left.values[i] - sides_of(X[i], t)[0]).norm() <= tol * left.values[i].norm()
    assert (left.error_estimate <= tol).all()
    off = {a: a.error_estimate * a.values.norm(dim=1) for a in (a, left)}  # of the whole it is at least that of a side
    assert (off[a] >= off[left] * (1 - 1e-9)).all()
    assert (off[left] > 0).all()


@pytest.mark.parametrize("budget", [{"steps": 16}, {"tol": 0.02}], ids=str)
def test_rows_are_independent(budget) -> None:
    assert len({round(t, 3) for t in gl.explain(NET, X, **ANY, **budget).details["saturation_point"]}) == len(X)
    for method in (SPLIT(0.6), LEFT(0.6, threshold=T.ABSOLUTE)):
        a = gl.explain(NET, X, method=method, **budget)
        for i in range(len(X)):
            one = gl.explain(NET, X[i : i + 1], method=method, names=[str(i)], **budget)
            torch.testing.assert_close(one.values, a[i].values, atol=1e-12, rtol=1e-9)
            assert one.details["saturation_point"] == pytest.approx(a[i].details["saturation_point"], abs=1e-9)
            for name, part in one.parts.items():
                torch.testing.assert_close(part, a[i].parts[name], atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("budget", [{"steps": 200}, {"tol": 0.002}], ids=str)
def test_the_mean_of_several_baselines(budget) -> None:
    """F = x² of one feature from 0 and from ½ to 1: sides φ and 1 − φ of 1 and ¾; t* √φ and 2√(¼ + ¾φ) − 1."""
    a = gl.explain(lambda x: x**2, row(1), method=SPLIT(0.64), baseline=gl.baselines.Each(0.0, 0.5), **budget)
    t = (0.8 + 2 * sqrt(0.25 + 0.75 * 0.64) - 1) / 2
    assert a.details["saturation_point"] == pytest.approx([t], abs=1e-6)
    assert float(a.parts["left"]) == pytest.approx(0.64 * 0.875, abs=2e-3)
    assert float(a.parts["right"]) == pytest.approx(0.36 * 0.875, abs=2e-3)
    assert abs(float(a.completeness_gap)) < 2e-3


def test_drawn_baselines_keep_their_tolerance_and_their_standard_error() -> None:
    """The same noise as Integrated Gradients meets, so the same standard error of the mean; both sides are told."""
    noise = gl.baselines.Uniform(-0.3, 0.3, draws=6)
    for budget in ({"tol": 0.1}, {"steps": 12}):
        a, whole = gl.explain(NET, X, **ANY, baseline=noise, **budget), gl.explain(NET, X, baseline=noise, **budget)
        assert a.details["standard_error"] == pytest.approx(whole.details["standard_error"], rel=0.05)
        left = gl.explain(NET, X, method=LEFT(0.6, threshold=T.ABSOLUTE), baseline=noise, **budget)
        torch.testing.assert_close(left.values, a.parts["left"], atol=1e-9, rtol=1e-9)
        assert all(0 < s < 1 for s in left.details["standard_error"])


def test_several_baselines_keep_the_tolerance() -> None:
    """Each side of each of 4 paths is taken to tol/2, so that the mean is within tol unless the maps are opposed."""
    starts = gl.baselines.Each(0.0, 0.2, -0.2, 0.4)
    a = gl.explain(lambda x: NET(8 * x), X, **ANY, baseline=starts, tol=0.02, max_evaluations=4000)
    assert set(a.status) == {gl.Status.CONVERGED}
    assert (a.error_estimate <= 0.02).all()


@pytest.mark.parametrize("budget", [FixedBudget(12, gl.rules.Midpoint()), ToleranceBudget(1e-4, 4000)], ids=repr)
@pytest.mark.parametrize("sides", [{}, {"right": False}], ids=["both", "left"])
def test_the_spread_is_that_of_the_maps_of_single_paths(budget, sides) -> None:
    """√(Σ‖A_k − Ā‖² / K(K − 1)) over K = 3 starts; from the first the score falls, and left there is nothing."""
    x, path = X[2:3], Saturation(0.6, **sides)
    starts = torch.stack([3 * x, 0 * x, 0.1 * X[1:2]], 1)
    assert (NET(starts[0])[:, 0] > NET(x)[:, 0]).tolist() == [True, False, False]
    whole = drive(path.flow(frame(NET, x, starts), budget), NET, x)
    maps = [drive(path.flow(frame(NET, x, starts[:, k : k + 1]), budget), NET, x).values[0] for k in range(3)]
    mean = sum(maps) / 3
    torch.testing.assert_close(whole.values[0], mean, atol=1e-9, rtol=1e-3)
    due = (sum((m - mean).norm() ** 2 for m in maps) / 6).sqrt()
    assert whole.outcome.spread == [pytest.approx(float(due), rel=1e-3)]
    if sides:
        assert not maps[0].any()


def test_the_gap_is_measured_against_what_each_side_claims() -> None:
    for budget in ({"steps": 5}, {"tol": 0.05}):
        for sides in ({}, {"right": False}, {"left": False}):
            method = replace(SPLIT(), path=Saturation(0.6, T.ABSOLUTE, **sides))
            a = gl.explain(NET, X, method=method, **budget)
            t = torch.tensor(a.details["saturation_point"], dtype=torch.float64)[:, None]
            there, begin, end = (NET(p)[:, 0] for p in (t * X, 0 * X, X))
            due = {(): end - begin, ("right",): there - begin, ("left",): end - there}[tuple(sides)]
            torch.testing.assert_close(a.completeness_gap, a.values.sum(1) - due, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("budget", [{"steps": 20}, {"tol": 0.02}], ids=str)
def test_at_a_layer_it_is_that_of_the_rest_of_the_network(budget) -> None:
    lower, upper = nn.Sequential(NET[0], NET[1]), NET[2]
    squared = nn.Sequential(lower, nn.Sequential(upper, nn.Softplus(4.0)))
    a = gl.explain(squared, X, site=gl.Layer("0"), method=SPLIT(0.6, threshold=T.ABSOLUTE), **budget)
    inside = lower(X)
    start = gl.baselines.Given(lower(0 * X))
    due = gl.explain(squared[1], inside, method=SPLIT(0.6, threshold=T.ABSOLUTE), baseline=start, **budget)
    for name in ("left", "right"):
        torch.testing.assert_close(a.parts[name], due.parts[name], atol=1e-10, rtol=1e-8)
    assert a.details["saturation_point"] == pytest.approx(due.details["saturation_point"], abs=1e-9)


@pytest.mark.parametrize("budget", [{"steps": 20}, {"tol": 0.02}], ids=str)
def test_read_at_a_layer_the_sides_add_up_to_conductance(budget) -> None:
    method = replace(SPLIT(0.6, threshold=T.ABSOLUTE), read=gl.Layer("1"))
    a, whole = (
        gl.explain(NET, X, method=method, **budget),
        gl.explain(NET, X, method=gl.methods.conductance(gl.Layer("1")), **budget),
    )
    assert a.values.shape == (5, 12)
    torch.testing.assert_close(a.parts["left"] + a.parts["right"], a.values, atol=1e-12, rtol=0)
    size = whole.values.norm(dim=1)
    assert ((a.values - whole.values).norm(dim=1) <= (1e-12 if "steps" in budget else 0.04) * size).all()
    assert (a.completeness_gap.abs() <= 0.05 * (a.score - a.baseline_score).abs()).all()
    assert not a.findings  # nothing goes past the layer


@pytest.mark.parametrize("budget", [{"steps": 64}, {"tol": 0.005}], ids=str)
def test_partial_maps_of_the_whole_and_of_a_side(budget) -> None:
    """F = t²: up to t the map is t²; of the left side alone it is t² up to t* = ¾ and stays 9/16; of the right none."""
    t = torch.arange(1, 9).double() / 8
    square = along(lambda x: x**2)
    whole = gl.explain(square, row(1), method=SPLIT(0.5625).in_stages(8), **budget)
    torch.testing.assert_close(whole.parts["stages"][0, :, 0], t**2, atol=1e-3, rtol=0)
    for sides, due in (({"right": False}, t.clamp(max=0.75) ** 2), ({"left": False}, t.clamp(min=0.75) ** 2 - 0.5625)):
        method = replace(SPLIT(), path=Saturation(0.5625, **sides)).in_stages(8)
        alone = gl.explain(square, row(1), method=method, **budget)
        torch.testing.assert_close(alone.parts["stages"][0, :, 0], due, atol=0.02, rtol=0)
        torch.testing.assert_close(alone.parts["stages"][:, -1], alone.values)


@pytest.mark.parametrize("sides", [{}, {"right": False}], ids=["both", "left"])
def test_a_rule_read_in_small_batches_is_shared_out_alike(sides) -> None:
    """The same sums whether all 30 nodes of two examples are read at once or one of each at a time."""
    path, budget = Saturation(0.6, T.ABSOLUTE, **sides), FixedBudget(30, gl.rules.GaussLegendre())
    start = torch.stack([0 * X[:2], 0.1 * X[1:3]], 1)
    folded = []
    for width in (200, 2):
        told = drive(path.flow(frame(NET, X[:2], start, room=OpenRoom(width)), budget), NET, X[:2])
        sums = {part: torch.zeros_like(X[:2]) for part in ("left", "right", "")}
        for step in told.steps:
            sums[step.part].index_add_(0, step.reading.owner, GradientTimesMove().term(step))
        folded.append((told.values, sums, told.outcome.spread))
    for part in folded[0][1]:
        torch.testing.assert_close(folded[0][1][part], folded[1][1][part], atol=1e-12, rtol=1e-9)
    torch.testing.assert_close(folded[0][0], folded[1][0], atol=1e-12, rtol=1e-9)
    assert folded[0][2] == pytest.approx(folded[1][2], rel=1e-9)


def test_steps_ascend_and_all_forwards_come_first() -> None:
    """31 inner edges of 32 cells, 6 bisections, and F(t*): 38 forward rows a path; then gradients alone."""
    x = X[:2]
    for budget in (ToleranceBudget(0.02, 512), FixedBudget(30, gl.rules.Midpoint())):
        given = frame(NET, x)
        told = drive(Saturation(0.6, T.ABSOLUTE).flow(given, budget), NET, x)
        needs = [p.need for p in told.probes]
        first = needs.index(Need.GRADIENT)
        assert Need.VALUE not in needs[first:]
        assert sum(len(p.owner) for p in told.probes[:first]) == 38 * len(x)
        for example in range(len(x)):
            places = [
                t
                for s in told.steps
                for o, t in zip(s.reading.owner.tolist(), s.t.tolist(), strict=True)
                if o == example
            ]
            assert places == sorted(places)
        assert all(sum(t.weight.sum() for t in traces) == pytest.approx(1) for traces in told.outcome.trace)


# ------------------------------------------------------------------------------------------------ trouble


@pytest.mark.parametrize("phi", [0, -0.5, 1.01, float("nan"), True])
def test_phi_outside_its_range_is_refused(phi: float) -> None:
    for make in (SPLIT, LEFT, Saturation):
        with pytest.raises(gl.InputError, match=r"phi in \(0, 1\]"):
            make(phi)


def test_other_refusals() -> None:
    for wrong, said in (
        ({"threshold": "ends"}, "gl.paths.Threshold"),
        ({"cells": 0}, "cells of at least 1"),
        ({"bisections": -1}, "bisections"),
        ({"left": False, "right": False}, "left, right or both"),
    ):
        with pytest.raises(gl.InputError, match=said):
            Saturation(**wrong)
    with pytest.raises(gl.InputError, match="at least 16"):
        gl.explain(NET, X, method=SPLIT(), max_evaluations=15)
    with pytest.raises(gl.InputError, match="no error estimate"):
        gl.explain(NET, X, method=SPLIT(as_published=True), tol=0.05)


@pytest.mark.parametrize("budget", [{"steps": 12}, {"tol": 0.02}], ids=str)
def test_scores_that_are_not_finite_are_said_and_do_not_stop_others(budget, tmp_path: Path) -> None:
    """x₁ < 0 makes √x₁ NaN; the other row is what it is alone."""

    def root(x: Tensor) -> Tensor:
        return x[:, :1].sqrt() * x[:, 1:]

    x = torch.tensor([[-1.0, 2.0], [4.0, 2.0]]).double()
    for method in (SPLIT(0.5), LEFT(0.5)):
        a = gl.explain(root, x, method=method, baseline=torch.full_like(x, 0.5), **budget)
        assert a.status[0] is gl.Status.NONFINITE
        assert a.status[1] in (gl.Status.CONVERGED, gl.Status.FIXED)
        one = gl.explain(root, x[1:], method=method, baseline=0.5, names=["1"], **budget)
        torch.testing.assert_close(a.values[1:], one.values, atol=1e-12, rtol=1e-9)
        assert gl.load(a.save(tmp_path / "a.safetensors")).status == a.status


def test_a_budget_that_ends_is_said_for_the_side_that_needed_more() -> None:
    jump = along(lambda t: t + torch.sigmoid(4000 * (t - 0.7131)))
    a = gl.explain(jump, row(1), method=SPLIT(0.9), tol=0.001, max_evaluations=20)
    assert a.status == (gl.Status.BUDGET_EXHAUSTED,)
    assert int(a.evaluations) <= 20


def test_parts_and_details_survive_a_file_and_an_index(tmp_path: Path) -> None:
    a = gl.explain(NET, X, **ANY, tol=0.02)
    b = gl.load(a.save(tmp_path / "split.safetensors"))
    assert b.details == a.details
    assert set(b.parts) == {"left", "right"}
    for i in (1, -1, slice(1, 3)):
        one, rows = b[i], range(5)[i] if isinstance(i, slice) else [range(5)[i]]
        assert one.details["saturation_point"] == [a.details["saturation_point"][k] for k in rows]
        for name, part in one.parts.items():
            assert torch.equal(part, a.parts[name][list(rows)])
