"""Ways to break what happens at layers, over several inputs and over rows of a batch; some law must notice each."""

import __future__

import inspect
import textwrap
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from test_mutants import Law, Patch, assert_killed
from torch import Tensor, nn

import gradline as gl
from gradline.core.baselines import Each, Uniform
from gradline.core.record import Record
from gradline.engine import answer, starts
from gradline.question import inputs, views
from gradline.question.bound import BoundScore
from gradline.question.rows import Rows
from gradline.question.sites import Ear
from gradline.question.views import View
from gradline.testing import laws

IG = gl.methods.integrated_gradients()
X = torch.tensor([[1.0, -2.0], [3.0, 0.5], [-1.5, 2.5]], dtype=torch.float64)
W = torch.tensor([2.0, -3.0], dtype=torch.float64)
LAYER = gl.Layer("layer")


class Net(nn.Module):
    """h = 2x − 1 at "layer", then whatever `after(h, x)` says."""

    def __init__(self, after: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.layer, self.after = nn.Linear(2, 2).double(), after
        self.layer.weight.data = 2 * torch.eye(2, dtype=torch.float64)
        self.layer.bias.data = torch.full((2,), -1.0, dtype=torch.float64)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.layer(x), x)


def explain(model: Any, x: Any = X, **arguments: Any) -> gl.Attribution:
    a = gl.explain(model, x, 0, **({"steps": 2} | arguments))
    assert isinstance(a, gl.Attribution)
    return a


def assert_is(values: Tensor, exact: Tensor) -> None:
    assert torch.allclose(values, exact, rtol=1e-9, atol=1e-9), f"{values.tolist()} where {exact.tolist()} is due"


H, H0 = 2 * X - 1, torch.tensor([-1.0, -1.0], dtype=torch.float64)

# ------------------------------------------------------------------------------------------------------- laws, on paper


def what_is_written_over_is_heard_before() -> None:
    """F = Σ w (3h)², tripled in place: driven at h, A = 9 w (h² − h0²); two midpoints are exact."""
    a = explain(Net(lambda h, x: (W * h.mul_(3) ** 2).sum(1, keepdim=True)), site=LAYER)
    assert_is(a.values, 9 * W * (H**2 - H0**2))


def what_is_written_over_is_read_before() -> None:
    """F = Σ w (3h)²: read at h, ∫ ∂F/∂h dt = 9 w (h + h0)."""
    net = Net(lambda h, x: (W * h.mul_(3) ** 2).sum(1, keepdim=True))
    assert_is(explain(net, method=gl.methods.internal_influence(LAYER)).values, 9 * W * (H + H0))


def bypass_sees_x() -> None:
    """F = Σ h x: driven at h, x stays x, so A = (h − h0) x."""
    a = explain(Net(lambda h, x: (h * x).sum(1, keepdim=True)), site=LAYER)
    assert_is(a.values, (H - H0) * X)
    assert a.baseline_score is not None
    assert_is(a.baseline_score, (H0 * X).sum(1))


def conductance_is_along_the_curve() -> None:
    """F = Σ w h² with h = x²: A = ∫ 2wh dh = w x⁴; ten Gauss nodes are exact. The chord x² would give ⅔ of it."""
    net = Net(lambda h, x: (W * h**2).sum(1, keepdim=True))
    net.layer = Square()  # type: ignore[assignment]
    method = gl.methods.conductance(LAYER)
    assert_is(explain(net, method=method, steps=10, rule=gl.rules.GaussLegendre).values, W * X**4)


def regions_are_an_examples_own() -> None:
    """The same F: of the region of one entry, that of the neuron behind it, w x⁴, and the region holds as much of F."""
    net = Net(lambda h, x: (W * h**2).sum(1, keepdim=True))
    net.layer = Square()  # type: ignore[assignment]
    masks = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    for budget in ({"steps": 10, "rule": gl.rules.GaussLegendre}, {"tol": 1e-3, "max_evaluations": 4096}):
        a = gl.neurons.region(gl.Score(net), X, LAYER, masks, **budget)  # type: ignore[arg-type]
        due = W * X**4 * masks
        assert ((a.values - due).norm(dim=1) <= 2e-3 * due.norm(dim=1)).all(), f"{a.values} in place of {due}"
        gap = (a.values.sum(1) - a.parts["share"][:, 0]).abs()
        assert (gap <= 1e-9 * due.norm(dim=1)).all(), f"the region's share is {a.parts['share']}"


class Square(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x**2


def bypass_is_no_reason_to_go_on() -> None:
    """F = Σ w h² + 100 Σ x²: what goes past the layer is smooth, so eight nodes do for the layer's share."""
    net = Net(lambda h, x: (W * h**2 + 100 * x**2).sum(1, keepdim=True))
    a = explain(net, method=gl.methods.conductance(LAYER), steps=None, tol=0.01)
    assert a.status == ("converged",) * 3, f"{a.status}"
    assert a.evaluations.tolist() == [8] * 3, f"{a.evaluations.tolist()} gradients"
    assert_is(a.values, W * (H**2 - H0**2))


def what_goes_past_is_told() -> None:
    """Without a bypass there is nothing to say; with one, GL206 says it, under a tolerance as with fixed steps."""
    through, past = (Net(lambda h, x, s=s: (W * h**2 + s * x**2).sum(1, keepdim=True)) for s in (0, 10))
    for budget in ({"tol": 0.05, "steps": None}, {"steps": 8}):
        for net, due in ((through, []), (past, ["GL206"])):
            found = [f.code for f in explain(net, method=gl.methods.conductance(LAYER), **budget).findings]
            assert found == due, f"{found} where {due} is due"


def starts_stay_with_their_examples(inside: bool) -> None:
    """F = Σ w h² from two random starts an example, keyed by its name: alone it has the map that it has in a batch."""
    net, drawn = Net(lambda h, x: (W * h**2).sum(1, keepdim=True)), Uniform(-1.0, 1.0, draws=2)
    arguments = {"baseline": drawn, "site": LAYER if inside else None}
    batch = explain(net, **arguments).values
    for i in range(3):
        assert_is(batch[i : i + 1], explain(net, X[i : i + 1], names=[str(i)], **arguments).values)


def starts_are_averaged() -> None:
    """F = Σ w h² from given starts, two an example: A is the mean of w (h² − h_k²)."""
    one, other = X.roll(1, 0) / 3, X.flip(0) - 1
    a = explain(Net(lambda h, x: (W * h**2).sum(1, keepdim=True)), site=LAYER, baseline=Each(one, other))
    assert_is(a.values, sum(W * (H**2 - (2 * start - 1) ** 2) for start in (one, other)) / 2)


TABLE, IDS = torch.tensor([0.5, 2.0, -3.0, 7.0], dtype=torch.float64), torch.tensor([[1, 2], [3, 0], [0, 3]])


def ids_stay_with_their_examples() -> None:
    """F = Σ x² table[ids]: A = x² table[ids] for the ids that the example has; they have no values."""
    values, held = explain(lambda x, ids: (x**2 * TABLE[ids]).sum(1, keepdim=True), (X, IDS)).values
    assert_is(values, X**2 * TABLE[IDS])
    assert held is None


class Mixed(nn.Module):
    """h = x + table[ids] at "sum", F = Σ w h²."""

    def __init__(self) -> None:
        super().__init__()
        self.sum = nn.Identity()
        self.eval()

    def forward(self, x: Tensor, ids: Tensor) -> Tensor:
        return (W * self.sum(x + TABLE[ids]) ** 2).sum(1, keepdim=True)


def ids_are_held_where_floats_start() -> None:
    """From x = 0 with the ids as they are: A = w ((x + table)² − table²) at the layer that sees both."""
    for x in ({"x": X, "ids": IDS}, (X, IDS)):
        a = explain(Mixed(), x, site=gl.Layer("sum"))
        assert_is(a.values, W * ((X + TABLE[IDS]) ** 2 - TABLE[IDS] ** 2))


class Twice(nn.Module):
    """z = s(s(x)²) with s(x) = 2x − 1, F = Σ w z²."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = Net(lambda h, x: h).layer
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return (W * self.shared(self.shared(x) ** 2) ** 2).sum(1, keepdim=True)


def the_call_that_is_meant_is_driven() -> None:
    """At the second call: A = w (z² − z0²), z = 2(2x − 1)² − 1."""
    a = explain(Twice(), site=gl.Layer("shared", call=1))
    assert_is(a.values, W * ((2 * H**2 - 1) ** 2 - (2 * H0**2 - 1) ** 2))


def the_call_that_is_meant_is_read() -> None:
    """∫ ∂F/∂z dt = ∫ 2 w z dt at the second call, z quadratic in t: Gauss nodes are exact."""
    arguments = {"steps": 4, "rule": gl.rules.GaussLegendre}
    a = explain(Twice(), method=gl.methods.internal_influence(gl.Layer("shared", call=1)), **arguments)
    t = torch.linspace(0, 1, 20_001, dtype=torch.float64).reshape(-1, 1, 1)
    z = 2 * (2 * t * X - 1) ** 2 - 1
    exact = torch.trapezoid(2 * W * z, t, dim=0)
    assert torch.allclose(a.values, exact, rtol=1e-6), f"{a.values.tolist()} where {exact.tolist()} is due"


class Pair(nn.Module):
    """F = Σ w a b of a = x, b = x², which the layer "split" returns together."""

    def __init__(self) -> None:
        super().__init__()
        self.split = Split()
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        one, other = self.split(x)
        return (W * one * other).sum(1, keepdim=True)


class Split(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x**2


def the_tensor_that_is_meant_is_driven() -> None:
    """From 2: driven at a, A = w (x − 2) x²; driven at b, A = w x (x² − 4)."""
    one, other = (explain(Pair(), site=gl.Layer("split", output=k), baseline=2.0).values for k in (0, 1))
    assert_is(one, W * (X - 2) * X**2)
    assert_is(other, W * X * (X**2 - 4))


def inputs_share_no_noise() -> None:
    """F = Σ (a − b)² with a = b: the map is zero only if both inputs start at the same random place."""
    a = explain(lambda a, b: ((a - b) ** 2).sum(1), {"a": X, "b": X}, baseline=Uniform(-1.0, 1.0, draws=2))
    assert bool(a.values["a"].any()), "two inputs share their random numbers"


def rows_that_see_each_other_are_explained_alone() -> None:
    laws.rows_are_independent(IG, lambda z: torch.tanh(z + 0.5 * z.mean(0)).sum(1, keepdim=True), X)


# ---------------------------------------------------------------------------------------------------------- the mutants


def edited(function: Callable[..., Any], old: str, new: str) -> Any:
    """The function with a piece of its source replaced."""
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(old) == 1, f"{old!r} stands {source.count(old)} times in {function.__qualname__}"
    code = compile(source.replace(old, new), f"<mutant of {function.__qualname__}>", "exec", FUTURE, dont_inherit=True)
    made: dict[str, Any] = {}
    exec(code, function.__globals__, made)
    return made[function.__name__]


FUTURE = __future__.annotations.compiler_flag


def mutant(owner: Any, name: str, old: str, new: str) -> Callable[[], list[Patch]]:
    return lambda: [(owner, name, edited(getattr(owner, name), old, new))]


NO_CLONE = mutant(Ear, "__call__", "passed = self.heard.clone()", "passed = self.heard")
POINTS_AS_X = mutant(BoundScore, "forward", "if self.drive is None else {}", "if True else {}")
CHORD = lambda: [(views, "push", lambda lift, points, tangent: (lift(points), lift(tangent)))]  # noqa: E731
NO_SLOPE = mutant(Record, "_slopes", "if reading.slope is not None:", "if False:")
SLOPE_UNTOLD = mutant(Record, "tell", "grad[:, 0], slope,", "grad[:, 0], None,")
SHARES_MIXED = mutant(Record, "tell", "self.shares[r, node]", "self.shares[r, 0 * node]")
WHOLE_MOVES = mutant(View, "parted", "move * rows.to(", "move * torch.ones_like(rows).to(")
OTHERS_MASK = mutant(View, "parted", "mask[owner.to(mask.device)]", "mask[:1]")
MIXED_INSIDE = mutant(
    starts.Starts,
    "_pushed",
    "lifted.reshape(len(rows), draws, *lifted.shape[1:])",
    "lifted.reshape(draws, len(rows), *lifted.shape[1:]).transpose(0, 1)",
)
MIXED_AT_INPUT = mutant(
    starts.Starts,
    "_packed",
    "packed.reshape(len(rows), draws, *packed.shape[1:])",
    "packed.reshape(draws, len(rows), *packed.shape[1:]).transpose(0, 1)",
)
FIRST_START = mutant(starts.Starts, "of", "torch.cat(starts, 1)", "torch.cat(starts[:1] * len(starts), 1)")
FIRST_ROWS = mutant(inputs, "_rows", "value[owner.to(value.device)]", "value[torch.arange(len(owner)) % len(value)]")
IDS_MOVE = mutant(
    starts.Starts, "_moved", "able = [*inputs.attributed]", "able = [*inputs.attributed, *inputs.integers]"
)
FIRST_CALL = mutant(Ear, "__call__", "self.calls != self.tap.call + 1", "self.calls != 1")
FIRST_TENSOR = mutant(Ear, "_place", "return found[self.tap.output]", "return found[0]")
ONE_NOISE = lambda: [(starts.Starts, "_key", lambda self, name: "")]  # noqa: E731
NO_COMPARISON = lambda: [(answer, "compare_rows", lambda *_: (Rows.INDEPENDENT, ""))]  # noqa: E731

MUTANTS: dict[str, tuple[Callable[[], list[Patch]], Law]] = {
    "clone at the hook dropped, driven": (NO_CLONE, what_is_written_over_is_heard_before),
    "clone at the hook dropped, read": (NO_CLONE, what_is_written_over_is_read_before),
    "points go in as x too": (POINTS_AS_X, bypass_sees_x),
    "chord for the tangent that is carried": (CHORD, conductance_is_along_the_curve),
    "all of x moves, whatever the region": (WHOLE_MOVES, regions_are_an_examples_own),
    "the first example's region for all": (OTHERS_MASK, regions_are_an_examples_own),
    "the share of one node told of all": (SHARES_MIXED, regions_are_an_examples_own),
    "slope dropped from the guard": (NO_SLOPE, bypass_is_no_reason_to_go_on),
    "slope dropped from what is told": (SLOPE_UNTOLD, what_goes_past_is_told),
    "starts mixed between draws, at a layer": (MIXED_INSIDE, partial(starts_stay_with_their_examples, True)),
    "starts mixed between draws, at the input": (MIXED_AT_INPUT, partial(starts_stay_with_their_examples, False)),
    "the first start alone": (FIRST_START, starts_are_averaged),
    "held inputs of other examples": (FIRST_ROWS, ids_stay_with_their_examples),
    "held inputs start elsewhere": (IDS_MOVE, ids_are_held_where_floats_start),
    "the first call, whichever is meant, driven": (FIRST_CALL, the_call_that_is_meant_is_driven),
    "the first call, whichever is meant, read": (FIRST_CALL, the_call_that_is_meant_is_read),
    "the first tensor, whichever is meant": (FIRST_TENSOR, the_tensor_that_is_meant_is_driven),
    "noise shared by two inputs": (ONE_NOISE, inputs_share_no_noise),
    "two-row check dropped": (NO_COMPARISON, rows_that_see_each_other_are_explained_alone),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_law_kills_the_mutant_and_spares_the_library(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    patches, law = MUTANTS[mutant]
    assert_killed(patches(), law, monkeypatch)
