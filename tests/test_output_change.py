"""The rule that looks at the score first: nodes where it changes, forwards counted apart, memory kept to."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

import gradline as gl
from gradline.core.fixed import fixed
from gradline.core.flow import Need
from gradline.core.paths import Straight
from gradline.core.rules import ByOutputChange, Midpoint
from gradline.testing import drive, frame, rule_laws
from gradline.testing.drive import OpenRoom

RULE = ByOutputChange()
GRID = np.linspace(0, 1, 17)
SHAPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "step at .8": lambda t: 1 / (1 + np.exp(-200 * (t - 0.8))),
    "root": np.sqrt,
    "wave": lambda t: np.sin(9 * t),
    "spike": lambda t: np.exp(-((t - 0.31) ** 2) * 400),
    "huge": lambda t: 1e300 * t**3,
    "tiny": lambda t: 1e-300 * t**3,
}

every_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


def place(value: np.ndarray, n: int, rule: ByOutputChange = RULE) -> tuple[np.ndarray, np.ndarray]:
    (t,), (w,) = rule.table(n, ("only",), 0, values=value[None])
    return t, w


def steep(x: Tensor) -> Tensor:
    """A sigmoid in the first feature that rises at 0.8, and the other features' product with it."""
    return torch.sigmoid(60 * (x[:, :1] - 0.8)) * (1 + x[:, 1:].sum(1, keepdim=True))


@every_shape
@pytest.mark.parametrize("n", [1, 2, 3, 8, 50])
def test_the_laws_hold_whatever_the_score_did(shape: Callable[[np.ndarray], np.ndarray], n: int) -> None:
    rule_laws.weights_sum_to_one(RULE, n, shape(GRID))
    rule_laws.exact_to_degree(RULE, n, 1, shape(GRID))


@every_shape
def test_every_cell_holds_an_equal_mass_of_the_density(shape: Callable[[np.ndarray], np.ndarray]) -> None:
    """The node is the middle of its cell, its weight the width, and the density's integral over it is 1/n."""
    n = 12
    value = shape(GRID)
    t, w = place(value, n)
    edges = np.concatenate([[0], np.cumsum(w)])
    assert t == pytest.approx((edges[1:] + edges[:-1]) / 2, abs=1e-14)
    change = np.sqrt(np.abs(np.diff(value)))
    density = 0.75 * 16 * change / change.sum() + 0.25

    def mass(a: float, b: float) -> float:
        overlap = np.minimum(b, GRID[1:]) - np.maximum(a, GRID[:-1])
        return float((np.maximum(overlap, 0) * density).sum())

    assert [mass(a, b) for a, b in pairwise(edges)] == pytest.approx([1 / n] * n, rel=1e-9)


def test_three_nodes_by_hand() -> None:
    """One change in the last of two cells: the density is 1/4 before the middle and 7/4 after it."""
    t, w = place(np.array([0.0, 0.0, 5.0]), 4, ByOutputChange(2))
    edges = [0, 0.5 + 0.125 / 1.75, 0.5 + 0.375 / 1.75, 0.5 + 0.625 / 1.75, 1]  # masses 1/4, 1/2, 3/4
    assert w == pytest.approx(np.diff(edges))
    assert t == pytest.approx([(a + b) / 2 for a, b in pairwise(edges)])


@pytest.mark.parametrize("bad", [np.zeros(17), np.full(17, np.nan), np.full(17, 3.0), np.where(GRID == 0.5, np.inf, 1)])
def test_a_score_that_says_nothing_gives_equal_cells(bad: np.ndarray) -> None:
    t, w = place(bad, 7)
    assert t == pytest.approx((np.arange(7) + 0.5) / 7, abs=1e-15)
    assert w == pytest.approx(np.full(7, 1 / 7), abs=1e-15)


def test_without_the_score_it_is_the_midpoint_rule() -> None:
    for ours, theirs in zip(RULE.table(5, ("a", "b"), 0), Midpoint().table(5, ("a", "b"), 0), strict=True):
        assert (ours == theirs).all()


def test_rows_are_independent() -> None:
    values = np.stack([shape(GRID) for shape in SHAPES.values()])
    names = tuple(SHAPES)
    t, w = RULE.table(9, names, 0, values=values)
    for row in range(len(names)):
        alone = RULE.table(9, ("other",), 5, draw=3, values=values[row : row + 1])
        assert (t[row] == alone[0][0]).all()
        assert (w[row] == alone[1][0]).all()


@pytest.mark.parametrize("probes", [0, 1, -3])
def test_too_few_probes_are_refused(probes: int) -> None:
    with pytest.raises(gl.InputError, match=f"at least 2 probes.*got probes={probes}"):
        gl.explain(steep, torch.ones(1, 3), 0, steps=8, rule=ByOutputChange(probes))


@pytest.mark.parametrize("n", [4, 8, 12, 16])
def test_it_beats_the_midpoints_on_a_steep_rise(n: int) -> None:
    """A rise of width 1/60 at .8, too narrow for so few midpoints (from 24 on they resolve it, and win)."""
    x = torch.tensor([[1.0, 0.4, -0.2]], dtype=torch.float64)
    exact = gl.explain(steep, x, 0, steps=4000).values
    error = {
        rule: float((gl.explain(steep, x, 0, steps=n, rule=rule).values - exact).norm() / exact.norm())
        for rule in (Midpoint, ByOutputChange)
    }
    assert error[ByOutputChange] < error[Midpoint] / 3


def test_the_median_node_lies_on_the_rise_and_does_not_drift_to_the_baseline() -> None:
    """Decision gradients as released slide to 0.13 where the steep part is at .8: cells without nodes count as well."""
    t, _ = place(SHAPES["step at .8"](GRID), 50)
    assert np.median(t) == pytest.approx(0.8, abs=0.03)


def test_forwards_are_counted_apart_and_the_ends_are_not_asked_again() -> None:
    x = torch.tensor([[1.0, 0.4], [0.3, 2.0], [0.9, 0.9]])
    a = gl.explain(steep, x, 0, steps=10, rule=ByOutputChange)
    assert a.evaluations.tolist() == [10] * 3
    assert a.forward_evaluations.tolist() == [15] * 3
    several = gl.explain(steep, x, 0, steps=10, rule=ByOutputChange(4), baseline=gl.baselines.Each(0.0, 0.1))
    assert several.forward_evaluations.tolist() == [6] * 3


def test_every_example_and_every_draw_has_the_nodes_that_it_has_alone() -> None:
    x = torch.tensor([[1.0, 0.4], [0.3, 2.0], [0.9, 0.9]], dtype=torch.float64)
    batch = gl.explain(steep, x, 0, steps=10, rule=ByOutputChange)
    for row in range(3):
        alone = gl.explain(steep, x[row : row + 1], 0, steps=10, rule=ByOutputChange)
        assert (alone.curve[0].t == batch.curve[row].t).all()
        assert torch.allclose(alone.values[0], batch.values[row], rtol=1e-12)
    assert len({batch.curve[row].t.tobytes() for row in range(3)}) == 3


@pytest.mark.parametrize("width", [1, 2, 3, 7, 45, 1000])
def test_probes_go_out_in_chunks_and_the_chunks_change_nothing(width: int) -> None:
    x = torch.tensor([[1.0, 0.4], [0.3, 2.0], [0.9, 0.9]], dtype=torch.float64)
    start = torch.stack([torch.zeros_like(x), torch.full_like(x, -0.5)], 1)
    told = [
        drive(fixed(frame(steep, x, start, room=OpenRoom(w)), Straight(), RULE, 6), steep, x) for w in (width, 10**6)
    ]
    assert torch.allclose(told[0].values, told[1].values, rtol=1e-13)
    assert told[0].outcome.spread == pytest.approx(told[1].outcome.spread, rel=1e-12)
    asked = [p for p in told[0].probes if p.need is Need.VALUE]
    assert sum(len(p.points) for p in asked) == 2 * 3 * 15
    assert all(len(p.points) <= max(width, 3) for p in told[0].probes)
    for a, b in zip(*(t.outcome.trace for t in told), strict=True):
        for one, other in zip(a, b, strict=True):
            assert (one.t == other.t).all()


def test_a_score_that_is_not_finite_on_the_way_leaves_the_cells_equal_and_is_noted_where_it_is_read() -> None:
    def model(x: Tensor) -> Tensor:
        return torch.where((x[:, :1] > 0.4) & (x[:, :1] < 0.6), x[:, :1] / 0, x[:, :1] ** 2)

    a = gl.explain(model, torch.ones(1, 2), 0, steps=10, rule=ByOutputChange)
    assert a.curve[0].t == pytest.approx((np.arange(10) + 0.5) / 10)
    assert a.status == ("nonfinite",)
