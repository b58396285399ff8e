"""Ways to break the library, each of which some law must notice. Every law passes on the library as it is."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import gradline as gl
from gradline.core import adaptive, error_bar, rules
from gradline.core.accumulators import GradientTimesMove
from gradline.core.paths import Curve, Straight
from gradline.core.random import generator
from gradline.core.rules import Rule, Table
from gradline.testing import FIELDS, laws, rule_laws

IG = gl.methods.integrated_gradients()
Law = Callable[[], None]
Patch = tuple[object, str, Any]


def net(dtype: torch.dtype = torch.float64) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 1)).to(dtype).eval()


def batch(dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(3, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(dtype)


# ----------------------------------------------------------------------------------------- laws that only mutants need


def tolerance_is_kept(tol: float = 0.02) -> None:
    """Every analytic field that converges is within the tolerance."""
    for field in FIELDS:
        a = gl.explain(field.function, field.x, 0, tol=tol)
        error = float((a.values - field.values).norm())
        assert error <= tol * float(field.values.norm()), f"{field}: off by {error:.2g}, {a.status[0]}"


def error_bar_is_honest() -> None:
    """Of 120 ReLU ridges with 100 kinks on the path, 95 % of those that converge are within the tolerance."""
    random = torch.Generator().manual_seed(0)
    x = torch.randn(120, 30, generator=random, dtype=torch.float64)
    w = torch.randn(120, 100, 30, generator=random, dtype=torch.float64)
    c = torch.randn(120, 100, generator=random, dtype=torch.float64)
    along = (w * x.unsqueeze(1)).sum(2)
    b = -torch.rand(120, 100, generator=random, dtype=torch.float64) * along

    def model(x: Tensor, w: Tensor, b: Tensor, c: Tensor) -> Tensor:
        return (c * torch.relu((w * x.unsqueeze(1)).sum(2) + b)).sum(1, keepdim=True)

    a = gl.explain(model, x, 0, tol=0.02, context={"w": w, "b": b, "c": c})
    rise = c * (torch.relu(along + b) - torch.relu(b)) / along
    exact = (rise.unsqueeze(2) * w).sum(1) * x
    error = ((a.values - exact).norm(dim=1) / exact.norm(dim=1))[[s == "converged" for s in a.status]]
    share = float((error <= 0.02).double().mean())
    assert len(error) >= 100
    assert share >= 0.95, f"{share:.0%} of {len(error)} within the tolerance"


def jump_in_a_crowd_is_found() -> None:
    """F = Σ ±x_i²/50 + twice a step in x_0, over 2500 features: A_i = ±1/50, and 2 more for the first.

    The signs cancel, so F rises by the step alone; the features change together, so the step looks like an error that
    is spread over 2500 of them, 2/50 of the map's norm of one. Only the guard (the cell's gap is too large for the
    tolerance, or for what its map explains) says that it is not.
    """
    sign = torch.ones(2500, dtype=torch.float64)
    sign[1::2] = -1
    a = gl.explain(
        lambda z: (sign * z**2).sum(1, keepdim=True) / 50 + 2 * torch.sigmoid(400 * (z[:, :1] - 0.513)),
        torch.ones(1, 2500, dtype=torch.float64),
        0,
        tol=0.1,
    )
    exact = sign.unsqueeze(0) / 50
    exact[0, 0] += 2
    error = float((a.values - exact).norm() / exact.norm())
    assert error <= 0.1, f"off by {error:.2g}, {a.status[0]} on {int(a.evaluations)} nodes"


@dataclass(frozen=True)
class Radau(Rule):
    """Two nodes with different weights: 0 counts ¼ and ⅔ counts ¾, exact for degree 2."""

    def nodes(self, n: int, random: torch.Generator) -> Table:
        return np.array([0, 2 / 3]), np.array([1 / 4, 3 / 4])


def radau_is_exact() -> None:
    """F = x + y² + z³ is integrated without error."""
    x, p = torch.tensor([[2.0, 3.0, 0.5]], dtype=torch.float64), torch.tensor([1, 2, 3])
    a = gl.explain(lambda z: (z**p).sum(1, keepdim=True), x, 0, steps=2, rule=Radau)
    assert torch.allclose(a.values, x**p, rtol=1e-12), f"{a.values.tolist()}"


@dataclass(frozen=True)
class Bent(Curve):
    """γ_i(t) = x'_i + t^(i+1) (x_i − x'_i)."""

    def point(self, start: Tensor, end: Tensor, t: Tensor) -> Tensor:
        p = torch.arange(1, end.shape[1] + 1)
        return start.unsqueeze(1) + t.to(start).unsqueeze(2) ** p * (end - start).unsqueeze(1)

    def move(self, start: Tensor, end: Tensor, t: Tensor) -> Tensor:
        p = torch.arange(1, end.shape[1] + 1)
        return p * t.to(start).unsqueeze(2) ** (p - 1) * (end - start).unsqueeze(1)


BENT = gl.Method("bent", Bent(), GradientTimesMove(), gl.baselines.Zero())


def bent_map_is_exact() -> None:
    """F = x y along (t, t²): A_x = ∫ t² dt = ⅓ and A_y = ∫ t · 2t dt = ⅔ of x y, to a tolerance."""
    x = torch.tensor([[3.0, 5.0]], dtype=torch.float64)
    a = gl.explain(lambda z: z[:, :1] * z[:, 1:], x, 0, method=BENT, tol=1e-3)
    assert torch.allclose(a.values, torch.tensor([[5.0, 10.0]]).double(), rtol=1e-3), f"{a.values.tolist()}"


# ------------------------------------------------------------------------------------------------------- the mutants


def chord(self: Bent, start: Tensor, end: Tensor, t: Tensor) -> Tensor:
    return (end - start).unsqueeze(1)


def repeated(self: Straight, start: Tensor, end: Tensor, t: Tensor) -> Tensor:
    """The flat rows begin at baselines 0, 1, 2, 0, 1, 2 … where 0, 0, …, 1, 1, … are due."""
    rows, m = t.shape
    mixed = start.repeat(m, *[1] * (start.ndim - 1)).reshape(rows, m, *start.shape[1:])
    return torch.lerp(mixed, end.unsqueeze(1), t.to(start).reshape(rows, m, *[1] * (start.ndim - 1)))


table, bar = Rule.table, adaptive.error_bar


def reversed_table(self: Rule, *args: Any) -> Table:
    t, w = table(self, *args)
    return t, w[:, ::-1].copy()


def reversed_bar(*args: Any) -> error_bar.Bar:
    found = bar(*args)
    return replace(found, weight=found.weight[:, ::-1].copy())


def bar_without_factor(*args: Any) -> error_bar.Bar:
    found = bar(*args)
    return replace(found, factor=np.ones_like(found.factor))


class NarrowTorch:
    """torch, but for the precision that a sum is promoted to."""

    def __getattr__(self, name: str) -> Any:
        return (lambda one, other: one) if name == "promote_types" else getattr(torch, name)


ENGINE = sys.modules["gradline.engine.answer"]
CHORD = [(Bent, "move", chord)]
REPEATED = [(Straight, "point", repeated)]
REVERSED_TABLE = [(Rule, "table", reversed_table)]
REVERSED_BAR = [(adaptive, "error_bar", reversed_bar)]
NO_FACTOR = [(adaptive, "error_bar", bar_without_factor)]
NO_GUARD = [(error_bar, "_jumps", lambda seen, gap, tol: np.zeros(gap.shape, bool)), (error_bar, "SURPRISE", np.inf)]
NO_SCORE = [(error_bar, "_gaps", lambda seen, integral: np.zeros_like(integral))]
NARROW = [(ENGINE, "torch", NarrowTorch())]
SHARED = [(rules, "generator", lambda seed, name, part, draw=0: generator(seed, "anyone", part, draw))]

MUTANTS: dict[str, tuple[list[Patch], Law]] = {
    "chord for increment, values add up": (CHORD, partial(laws.values_add_up, BENT, net(), batch())),
    "chord for increment, analytic": (CHORD, bent_map_is_exact),
    "baseline repeated where it should be tiled, rows": (
        REPEATED,
        partial(laws.rows_are_independent, IG, net(), batch(), baseline=batch().flip(0) / 2),
    ),
    "baseline repeated where it should be tiled, sum": (
        REPEATED,
        partial(laws.values_add_up, IG, net(), batch(), baseline=batch().flip(0) / 2),
    ),
    "weights of a rule reversed, degree": (REVERSED_TABLE, partial(rule_laws.exact_to_degree, Radau(), 2, 2)),
    "weights of a rule reversed, analytic": (REVERSED_TABLE, radau_is_exact),
    "weights of the controller reversed": (REVERSED_BAR, tolerance_is_kept),
    "safety factor dropped": (NO_FACTOR, error_bar_is_honest),
    "guard dropped": (NO_GUARD, jump_in_a_crowd_is_found),
    "everything that the score says dropped": (NO_SCORE, tolerance_is_kept),
    "accumulation in the model's dtype, sum": (
        NARROW,
        partial(laws.sums_are_wide, IG, net(torch.bfloat16), batch(torch.bfloat16)),
    ),
    "accumulation in the model's dtype, result": (
        NARROW,
        partial(laws.values_have_working_precision, IG, net(torch.bfloat16), batch(torch.bfloat16)),
    ),
    "noise shared by two examples": (SHARED, partial(laws.noise_is_keyed, IG, net(), batch())),
}


def assert_killed(patches: list[Patch], law: Law, monkeypatch: pytest.MonkeyPatch) -> None:
    """The law holds, breaks under the patches, and holds again."""
    law()
    with monkeypatch.context() as patch:
        for place, name, value in patches:
            patch.setattr(place, name, value)
        with pytest.raises(AssertionError):
            law()
    law()


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_law_kills_the_mutant_and_spares_the_library(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_killed(*MUTANTS[mutant], monkeypatch)
