"""Partial maps along the path: what they are on paper, and that keeping them changes nothing."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import gradline as gl

IG = gl.methods.integrated_gradients()


def squares(x: torch.Tensor) -> torch.Tensor:
    return (x**2).flatten(1).sum(1, keepdim=True)


@pytest.mark.parametrize("rule", [gl.rules.Midpoint, gl.rules.GaussLegendre, gl.rules.Trapezoid])
def test_the_partial_map_of_a_square_is_the_square_of_t(rule: type[gl.rules.Rule]) -> None:
    """F = Σ x², so g = 2 t x, linear in t, and A_i(t) = t² x_i² exactly, wherever the nodes are."""
    x = torch.tensor([[1.0, -2.0, 3.0], [0.5, 0.0, 4.0]], dtype=torch.float64)
    a = gl.explain(squares, x, method=IG.in_stages(4), steps=7, rule=rule)
    t = torch.tensor([0.25, 0.5, 0.75, 1.0], dtype=torch.float64)
    torch.testing.assert_close(a.parts["stages"], t[None, :, None] ** 2 * x[:, None] ** 2)


@pytest.mark.parametrize("tol", [0.3, 0.05, 1e-3])
def test_partial_maps_add_up_to_what_the_score_has_gained(tol: float) -> None:
    """Completeness up to t: Σ A(t) = F(γ(t)) − F(x'), here with a smooth rule that has negative weights at 1e-3."""

    def score(x: torch.Tensor) -> torch.Tensor:
        return (torch.sin(x) * torch.tensor([1.0, 2.0, 3.0])).sum(1, keepdim=True)

    x = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64)
    a = gl.explain(score, x, method=IG.in_stages(8), tol=tol)
    gained = torch.cat([score(x * k / 8) for k in range(1, 9)])[:, 0]
    assert torch.allclose(a.parts["stages"][0].sum(1), gained, atol=0.015 * float(gained.abs().max()))
    torch.testing.assert_close(a.parts["stages"][:, -1], a.values)


def test_nodes_that_lie_close_together_are_not_followed_far() -> None:
    """A jump read by two nodes at its foot must not be extrapolated to the end of the path."""
    jump = gl.explain(
        lambda x: torch.sigmoid(400 * (x - 0.1)), torch.ones(1, 1).double(), method=IG.in_stages(8), tol=0.01
    )
    stages = jump.parts["stages"][0, :, 0]
    assert ((stages > 0.95) & (stages < 1.05)).all()


def test_one_node_speaks_for_the_whole_path() -> None:
    """One midpoint node of x² is the whole map; stages see it spread evenly."""
    x = torch.tensor([[2.0]], dtype=torch.float64)
    a = gl.explain(squares, x, method=IG.in_stages(5), steps=1)
    torch.testing.assert_close(a.parts["stages"][0, :, 0], torch.tensor([0.8, 1.6, 2.4, 3.2, 4.0]).double())


@pytest.mark.parametrize("budget", [{"tol": 0.02}, {"steps": 7}, {"steps": 6, "rule": gl.rules.GaussLegendre}], ids=str)
@pytest.mark.parametrize("draws", [1, 3])
def test_the_last_stage_is_the_map_and_nothing_else_changes(budget: dict[str, object], draws: int) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 2)).double()
    x = torch.randn(5, 6).double()
    baseline = gl.baselines.Uniform(-1, 1, draws=draws)
    plain = gl.explain(model, x, [0, 1], baseline=baseline, **budget)
    staged = gl.explain(model, x, [0, 1], method=IG.in_stages(6), baseline=baseline, **budget)
    for a, b in zip(plain, staged, strict=True):
        assert torch.equal(a.values, b.values)
        assert torch.equal(a.evaluations, b.evaluations)
        assert a.parts == {}
        assert b.parts["stages"].shape == (5, 6, 6)
        torch.testing.assert_close(b.parts["stages"][:, -1], b.values)


def test_stages_of_two_paths_are_the_mean_of_their_stages() -> None:
    x, other = torch.tensor([[3.0]]).double(), torch.tensor([[1.0]]).double()
    both = gl.explain(squares, x, method=IG.in_stages(3), baseline=gl.baselines.Each(0.0, other), steps=6)
    alone = [gl.explain(squares, x, method=IG.in_stages(3), baseline=b, steps=6) for b in (0.0, other)]
    torch.testing.assert_close(both.parts["stages"], sum(a.parts["stages"] for a in alone) / 2)


def test_stages_at_a_layer_have_its_shape() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 7), nn.Tanh(), nn.Linear(7, 2))
    a = gl.explain(model, torch.randn(2, 4), 1, method=gl.methods.conductance(gl.Layer("0")).in_stages(3))
    assert a.parts["stages"].shape == (2, 3, 7)


@pytest.mark.parametrize("count", [-1, 1.5, True, "4"])
def test_a_wrong_number_of_stages_is_refused(count: object) -> None:
    with pytest.raises(gl.InputError, match="stages"):
        gl.explain(squares, torch.ones(1, 2), method=IG.in_stages(count))  # type: ignore[arg-type]


def test_what_has_no_stages_says_so() -> None:
    with pytest.raises(gl.InputError, match="no path"):
        gl.explain(squares, torch.ones(1, 2), method=gl.methods.gradient().in_stages(3))
    with pytest.raises(gl.InputError, match="one tensor"):
        gl.explain(lambda a, b: squares(a + b), (torch.ones(1, 2), torch.ones(1, 2)), method=IG.in_stages(3))
