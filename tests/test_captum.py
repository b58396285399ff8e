"""Where Captum is right, the same numbers; where it is not, the right ones."""

from collections.abc import Callable

import pytest
import torch
from captum.attr import InputXGradient, IntegratedGradients, Saliency
from torch import Tensor, nn

import gradline as gl

RULES = {
    "gausslegendre": gl.rules.GaussLegendre,
    "riemann_middle": gl.rules.Midpoint,
    "riemann_left": gl.rules.LeftRiemann,
    "riemann_right": gl.rules.RightRiemann,
}
TARGETS = {"one": 2, "each": torch.tensor([1, 0, 3])}


def mlp() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4)), torch.randn(3, 6)


def conv() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 6, 3), nn.GELU(), nn.Flatten(),
        nn.Linear(24, 4),
    )  # fmt: skip
    return model, torch.randn(3, 3, 8, 8)


every_net = pytest.mark.parametrize("make", [mlp, conv])
every_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
every_target = pytest.mark.parametrize("target", TARGETS)


def case(make: Callable[[], tuple[nn.Module, Tensor]], dtype: torch.dtype) -> tuple[nn.Module, Tensor]:
    model, x = make()
    return model.to(dtype).eval(), x.to(dtype)


def distance(ours: Tensor, theirs: Tensor) -> float:
    assert ours.dtype == theirs.dtype
    return float(((ours - theirs).flatten(1).norm(dim=1) / theirs.flatten(1).norm(dim=1)).max())


@every_net
@every_dtype
@every_target
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("steps", "rows"), [(2, None), (7, 5), (50, None)])
def test_integrated_gradients_equal_captums(
    make: Callable[[], tuple[nn.Module, Tensor]],
    dtype: torch.dtype,
    target: str,
    rule: str,
    steps: int,
    rows: int | None,
) -> None:
    model, x = case(make, dtype)
    baseline = x.flip(0) / 4 + 0.1
    theirs = IntegratedGradients(model).attribute(
        x, baseline, target=TARGETS[target], n_steps=steps, method=rule, internal_batch_size=rows
    )
    ours = gl.explain(model, x, TARGETS[target], baseline=baseline, steps=steps, rule=RULES[rule])
    assert distance(ours.values, theirs.to(dtype)) <= 1e-5
    assert set(ours.status) == {"fixed"}


@every_net
@every_dtype
def test_convergence_deltas_equal_captums(make: Callable[[], tuple[nn.Module, Tensor]], dtype: torch.dtype) -> None:
    model, x = case(make, dtype)
    _, delta = IntegratedGradients(model).attribute(x, target=1, n_steps=12, return_convergence_delta=True)
    ours = gl.explain(model, x, 1, steps=12, rule=gl.rules.GaussLegendre)
    assert ours.completeness_gap is not None
    size = float(ours.score.abs().max())
    assert (ours.completeness_gap - delta.double()).abs().max() <= 1e-5 * size


@pytest.mark.parametrize("steps", [2, 5, 20])
def test_captums_trapezoid_is_short_by_one_step_and_ours_is_right(steps: int) -> None:
    """F = w·x + 3 has the map w x whatever the nodes; Captum's weights sum to 1 − 1/n."""
    w = torch.tensor([0.5, -2.0, 3.0], dtype=torch.float64)

    def model(z: Tensor) -> Tensor:
        return (z * w).sum(1, keepdim=True) + 3

    x = torch.tensor([[1.0, 2.0, -1.0]], dtype=torch.float64)
    exact = torch.tensor([[0.5, -4.0, -3.0]], dtype=torch.float64)
    theirs = IntegratedGradients(model).attribute(x, target=0, n_steps=steps, method="riemann_trapezoid")
    ours = gl.explain(model, x, 0, steps=steps, rule=gl.rules.Trapezoid)
    assert torch.allclose(theirs.double(), exact * (1 - 1 / steps), rtol=1e-5)
    assert torch.allclose(ours.values, exact, rtol=1e-14)


@every_net
@every_dtype
@every_target
def test_gradients_equal_captums(make: Callable[[], tuple[nn.Module, Tensor]], dtype: torch.dtype, target: str) -> None:
    model, x = case(make, dtype)
    leaf = x.clone().requires_grad_()
    for theirs, method in (
        (Saliency(model).attribute(leaf, target=TARGETS[target], abs=False), gl.methods.gradient()),
        (InputXGradient(model).attribute(leaf, target=TARGETS[target]), gl.methods.gradient_x_input()),
    ):
        ours = gl.explain(model, x, TARGETS[target], method=method)
        assert distance(ours.values, theirs.detach()) <= 1e-5
        assert set(ours.status) == {"no_claim"}
        assert ours.evaluations.tolist() == [1, 1, 1]


def test_a_tolerance_is_met_where_captums_default_steps_are_not_enough() -> None:
    """Many kinks and a start far away: 50 Gauss–Legendre nodes miss 1e-3, the tolerance is kept."""
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2)).double().eval()
    x = 4 * torch.randn(5, 4, dtype=torch.float64)
    exact = gl.explain(model, x, 0, steps=20_000).values
    theirs = IntegratedGradients(model).attribute(x, target=0, n_steps=50)
    ours = gl.explain(model, x, 0, tol=1e-3, max_evaluations=4096)
    assert distance(theirs, exact) > 1e-3
    assert set(ours.status) == {"converged"}
    assert distance(ours.values, exact) <= 1e-3
