"""At equal nodes the same numbers as Captum 0.9.0, at the model's inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from captum.attr import InputXGradient, IntegratedGradients, Saliency
from captum_cases import RULES, distance
from torch import Tensor, nn

import gradline as gl

TARGETS = {"one": 2, "each": torch.tensor([1, 0, 3])}
GAUSS = {"steps": 12, "rule": gl.rules.GaussLegendre}


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


BASELINES: dict[str, Callable[[Tensor], Any]] = {
    "none": lambda x: None,
    "number": lambda x: 0.3,
    "one for all": lambda x: 0.2 * torch.ones_like(x[:1]),
    "one each": lambda x: x.flip(0) / 4,
}


@every_net
@pytest.mark.parametrize("baseline", BASELINES)
def test_whatever_captum_takes_for_a_baseline_is_taken(
    make: Callable[[], tuple[nn.Module, Tensor]], baseline: str
) -> None:
    model, x = case(make, torch.float32)
    given = BASELINES[baseline](x)
    theirs = IntegratedGradients(model).attribute(x, given, target=1, n_steps=12)
    assert distance(gl.explain(model, x, 1, baseline=given, **GAUSS).values, theirs) <= 1e-5


@every_net
@pytest.mark.parametrize("together", [gl.baselines.Each, gl.baselines.FromData], ids=["Each", "FromData"])
def test_several_baselines_are_the_mean_of_captums_maps(
    make: Callable[[], tuple[nn.Module, Tensor]], together: type
) -> None:
    model, x = case(make, torch.float32)
    starts = [-0.5 * torch.ones_like(x[:1]), 0.2 * torch.ones_like(x[:1]), x[1:2] / 3]
    theirs = [IntegratedGradients(model).attribute(x, start, target=TARGETS["each"], n_steps=12) for start in starts]
    baseline = together(*starts) if together is gl.baselines.Each else together(torch.cat(starts))
    ours = gl.explain(model, x, TARGETS["each"], baseline=baseline, **GAUSS)
    assert distance(ours.values, torch.stack(theirs).mean(0)) <= 1e-5
    assert ours.evaluations.tolist() == [36, 36, 36]


class Pair(nn.Module):
    """A row of numbers, a small grid, categories; a scale and a power as further arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.row, self.grid, self.kind = nn.Linear(4, 8), nn.Linear(6, 8), nn.Embedding(5, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, row: Tensor, grid: Tensor, kind: Tensor, scale: Tensor | None = None, power: int = 1) -> Tensor:
        h = torch.tanh(self.row(row) + self.grid(grid.flatten(1)) + self.kind(kind))
        y: Tensor = self.head(h)
        return y if scale is None else (y * scale) ** power


@every_dtype
@pytest.mark.parametrize("baseline", [None, (0.1, -0.2), "tensors"], ids=["none", "numbers", "mixed"])
def test_several_inputs_and_further_arguments_equal_captums(dtype: torch.dtype, baseline: Any) -> None:
    """Integers, which Captum cannot have among its inputs, are held wherever they stand."""
    torch.manual_seed(3)
    model = Pair().to(dtype).eval()
    row, grid, kind = torch.randn(3, 4, dtype=dtype), torch.randn(3, 2, 3, dtype=dtype), torch.tensor([0, 4, 2])
    scale = torch.rand(3, 1, dtype=dtype) + 0.5
    given = (row.flip(0) / 3, 0.4) if baseline == "tensors" else baseline
    target = torch.tensor([2, 0, 1])
    theirs = IntegratedGradients(model).attribute(
        (row, grid), given, target=target, additional_forward_args=(kind, scale, 2), n_steps=12
    )
    context = {"scale": scale, "power": 2}
    start = None if given is None else (*given, None)
    ours = gl.explain(model, (row, grid, kind), target, context=context, baseline=start, **GAUSS)
    named = gl.explain(
        model,
        {"grid": grid, "row": row},
        target,
        context=context | {"kind": kind},
        baseline=None if given is None else dict(zip(("row", "grid"), given, strict=True)),
        **GAUSS,
    )
    assert ours.values[2] is None
    for place, name in enumerate(("row", "grid")):
        assert distance(ours.values[place], theirs[place].to(dtype)) <= 1e-5
        assert distance(named.values[name], theirs[place].to(dtype)) <= 1e-5


class Series(nn.Module):
    """Outputs `(N, 3, 4)`."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(6, 8), nn.Linear(8, 12)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.outer(torch.tanh(self.inner(x))).reshape(-1, 3, 4)
        return y


def test_tuples_of_indices_are_elements() -> None:
    torch.manual_seed(4)
    model, x = Series().eval(), torch.randn(3, 6)
    theirs = IntegratedGradients(model).attribute(x, target=(2, 1), n_steps=12)
    assert distance(gl.explain(model, x, gl.Element(2, 1), **GAUSS).values, theirs) <= 1e-5
    theirs = IntegratedGradients(model).attribute(x, target=[(2, 1), (0, 3), (1, 1)], n_steps=12)
    each = gl.Element(torch.tensor([2, 0, 1]), torch.tensor([1, 3, 1]))
    assert distance(gl.explain(model, x, each, **GAUSS).values, theirs) <= 1e-5


@pytest.mark.parametrize("column", [True, False], ids=["column", "no axis"])
def test_one_score_a_row_needs_no_target(column: bool) -> None:
    torch.manual_seed(5)
    inner, x = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1)).eval(), torch.randn(3, 6)

    def model(z: Tensor) -> Tensor:
        y: Tensor = inner(z)
        return y if column else y[:, 0]

    theirs = IntegratedGradients(model).attribute(x, n_steps=12)
    assert distance(gl.explain(model, x, **GAUSS).values, theirs) <= 1e-5


@every_net
@every_dtype
@pytest.mark.parametrize(
    ("target", "scaled"),
    [
        (gl.Probability(2), lambda y: y.softmax(1)[:, 2]),
        (gl.LogProbability(2), lambda y: y.log_softmax(1)[:, 2]),
        (gl.LabelProbability(2), lambda y: y.sigmoid()[:, 2]),
        (gl.Margin(2, other=0), lambda y: y[:, 2] - y[:, 0]),
    ],
    ids=["probability", "log-probability", "label", "margin"],
)
def test_targets_are_the_functions_that_captums_users_wrap_models_in(
    make: Callable[[], tuple[nn.Module, Tensor]],
    dtype: torch.dtype,
    target: gl.Target,
    scaled: Callable[[Tensor], Tensor],
) -> None:
    model, x = case(make, dtype)
    theirs = IntegratedGradients(lambda z: scaled(model(z))).attribute(x, n_steps=12)
    assert distance(gl.explain(model, x, target, **GAUSS).values, theirs) <= 1e-5
    assert distance(gl.explain(model, x, scaled, **GAUSS).values, theirs) <= 1e-5


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
        assert distance(ours.values, theirs) <= 1e-5
        assert set(ours.status) == {"no_claim"}
        assert ours.evaluations.tolist() == [1, 1, 1]


@every_net
@every_dtype
@every_target
def test_the_gradient_alone_equals_captums_local_attribution(
    make: Callable[[], tuple[nn.Module, Tensor]], dtype: torch.dtype, target: str
) -> None:
    """`multiply_by_inputs=False`: the mean gradient along the path."""
    model, x = case(make, dtype)
    theirs = IntegratedGradients(model, multiply_by_inputs=False).attribute(x, target=TARGETS[target], n_steps=12)
    method = gl.Method("mean-gradient", gl.paths.Straight(), gl.accumulators.Gradient(), gl.baselines.Zero())
    ours = gl.explain(model, x, TARGETS[target], method=method, **GAUSS)
    assert distance(ours.values, theirs.to(dtype)) <= 1e-5
    assert ours.completeness_gap is None


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
