"""What rounding does to maps in half precision: measured, averaged as it averages, and never called converged."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

import gradline as gl
from gradline.core.flow import Trace
from gradline.engine.precision import Noise

HALVES = (torch.bfloat16, torch.float16)


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(60, 64), nn.GELU(), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 3)).eval()


class Encoder(nn.Module):
    """Its layer norms make the path steep near zero: rounding there weighs most."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        layer = nn.TransformerEncoderLayer(16, 4, 32, 0.0, "gelu", batch_first=True)
        self.encoder, self.head = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(x).mean(1))


CASES = {
    "network": lambda: (network(), torch.randn(6, 60, generator=torch.Generator().manual_seed(1))),
    "transformer": lambda: (Encoder().eval(), torch.randn(6, 8, 16, generator=torch.Generator().manual_seed(1))),
}


def off(values: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    a, b = values.double().flatten(1), right.double().flatten(1)
    return (a - b).norm(dim=1) / b.norm(dim=1)


def halved(model: nn.Module, dtype: torch.dtype) -> tuple[nn.Module, nn.Module]:
    """The model in half precision, and in float32 with the same rounded weights."""
    low = copy.deepcopy(model).to(dtype)
    return low, copy.deepcopy(low).float()


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("steps", [8, 32])
def test_the_rounding_that_is_told_is_the_rounding_there_is(name, dtype, steps):
    """Against a float32 copy at the same nodes, where nothing but rounding differs."""
    model, x = CASES[name]()
    low, wide = halved(model, dtype)
    a = gl.explain(low, x.to(dtype), 1, steps=steps)
    true = off(a.values, gl.explain(wide, x.to(dtype).float(), 1, steps=steps).values)
    ratio = torch.tensor(a.details["rounding_error"]) / true
    assert 0.7 < float(ratio.median()) < 1.5
    assert a.error_estimate.isnan().all(), "a fixed number of steps has no estimate"


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", CASES)
def test_the_estimate_of_a_half_precision_map_is_that_of_all_its_errors(name, dtype):
    """Rounding and quadrature together, against many nodes in float32; and 1 % can be had in bfloat16."""
    model, x = CASES[name]()
    low, wide = halved(model, dtype)
    right = gl.explain(wide, x.to(dtype).float(), 1, steps=400, rule=gl.rules.GaussLegendre).values
    a = gl.explain(low, x.to(dtype), 1, tol=0.01)
    true = off(a.values, right)
    assert set(a.status) == {gl.Status.CONVERGED}
    assert float(true.max()) <= 0.01
    assert float((a.error_estimate / true).min()) > 0.6
    assert float((a.error_estimate / true).median()) < 5


@pytest.mark.parametrize("dtype", HALVES)
def test_what_rounding_makes_too_large_is_not_called_converged(dtype):
    """At a tolerance below the rounding of the whole map."""
    model, x = CASES["network"]()
    low, wide = halved(model, dtype)
    rounding = float(
        off(
            gl.explain(low, x.to(dtype), 1, steps=8).values, gl.explain(wide, x.to(dtype).float(), 1, steps=8).values
        ).min()
    )
    a = gl.explain(low, x.to(dtype), 1, tol=rounding / 20, max_evaluations=16)
    assert gl.Status.CONVERGED not in a.status
    assert (a.error_estimate > rounding / 20).all()
    assert "GL106" in [f.code for f in a.findings]


def test_float32_and_float64_are_left_alone():
    model, x = CASES["network"]()
    for dtype in (torch.float32, torch.float64):
        a = gl.explain(copy.deepcopy(model).to(dtype), x.to(dtype), 1)
        assert "rounding_error" not in a.details
        assert a.findings == ()


def test_a_map_of_noise_averages_as_the_formula_says():
    """n nodes of one size s: s √(ρ + (1 − ρ)/n); K draws of n nodes as K·n nodes."""
    one = torch.ones(1, 1, dtype=torch.float64)

    def error(rho: float, n: int, draws: int = 1) -> float:
        noise = Noise(0.01 * one, 2 * one, rho * one, one)
        trace = Trace(np.linspace(0, 1, n), np.full(n, 1 / n), np.zeros(n), np.full(n, 3.0))
        return noise.of_map(0, 0, [trace] * draws) * (1 + 0.01**2) ** 0.5

    assert error(0, 16) == pytest.approx(0.06 / 4)
    assert error(1, 16) == pytest.approx(0.06)
    assert error(0.5, 4) == pytest.approx(0.06 * (0.5 + 0.5 / 4) ** 0.5)
    assert error(0.3, 8, 4) == pytest.approx(error(0.3, 32))


def test_sums_are_kept_in_float32():
    """512 steps of bfloat16 readings, each 1: a sum in bfloat16 would stop at 256."""
    x = torch.ones(1, 4, dtype=torch.bfloat16)
    a = gl.explain(lambda x: x.sum(1), x, steps=512)
    assert a.values.dtype == torch.float32
    torch.testing.assert_close(a.values, torch.ones(1, 4))


def test_without_a_copy_the_rounding_is_said_to_be_unknown():
    weight = network()[0].weight.detach().bfloat16()
    a = gl.explain(lambda x: torch.tanh(x @ weight.T), torch.ones(1, 60).bfloat16(), 1, tol=0.1)
    (found,) = [f for f in a.findings if f.code == "GL106"]
    assert "not known" in found.detail
    assert "rounding_error" not in a.details
    assert float(a.error_estimate[0]) >= torch.finfo(torch.bfloat16).eps / 4, "the precision itself is the least"


def test_a_copy_that_does_not_fit_the_memory_is_not_made():
    low = network().bfloat16()
    size = sum(4 * p.numel() for p in low.parameters())
    a = gl.explain(low, torch.ones(1, 60).bfloat16(), 1, steps=2, memory=size - 1)
    assert "a float32 copy of the model takes" in next(f for f in a.findings if f.code == "GL106").detail


@pytest.mark.parametrize("method", [gl.methods.conductance, gl.methods.internal_influence])
def test_rounding_is_measured_where_gradients_are_read(method):
    """Gradients times pushed moves, or alone: in the units of the values."""
    low, wide = halved(network(), torch.bfloat16)
    x = torch.randn(4, 60, generator=torch.Generator().manual_seed(2)).bfloat16()
    a = gl.explain(low, x, 1, method=method(gl.Layer("1")), steps=16)
    right = gl.explain(wide, x.float(), 1, method=method(gl.Layer("1")), steps=16)
    ratio = torch.tensor(a.details["rounding_error"]) / off(a.values, right.values)
    assert 0.5 < float(ratio.median()) < 2


def test_each_of_several_targets_has_a_rounding_of_its_own():
    low = network().bfloat16()
    x = torch.randn(2, 60, generator=torch.Generator().manual_seed(3)).bfloat16()
    both = gl.explain(low, x, [0, 1], steps=8)
    alone = [gl.explain(low, x, k, steps=8) for k in (0, 1)]
    for mine, single in zip(both, alone, strict=True):
        assert mine.details["rounding_error"] == pytest.approx(single.details["rounding_error"], rel=0.2)
    assert both[0].details["rounding_error"] != both[1].details["rounding_error"]


def test_the_model_is_as_it_was():
    low = network().bfloat16().train()
    before = {k: v.clone() for k, v in low.state_dict().items()}
    gl.explain(low, torch.ones(1, 60).bfloat16(), 1)
    assert all(v.dtype == torch.bfloat16 and torch.equal(v, before[k]) for k, v in low.state_dict().items())
    assert low.training


def test_a_method_without_a_path_says_that_rounding_is_not_known() -> None:
    """… and not that it is nothing."""
    net = nn.Linear(4, 2).bfloat16().eval()
    (found,) = gl.explain(net, torch.randn(2, 4).bfloat16(), 1, method=gl.methods.gradient()).findings
    assert found.code == "GL106"
    assert "not known" in found.detail
    assert "gl.doctor" in found.detail
