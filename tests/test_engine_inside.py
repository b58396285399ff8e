"""The engine at layers and over several inputs: how often it asks, whose rows go where, and under which modes."""

import pytest
import torch
from torch import nn

import gradline as gl
from gradline.core.baselines import AtSite, Each

LAYER = gl.Layer("layer")
BUDGETS = [pytest.param({"tol": 0.02}, id="tol"), pytest.param({"steps": 24}, id="steps")]


def inputs(rows, features=4, seed=0):
    return torch.randn(rows, features, generator=torch.Generator().manual_seed(rows + seed), dtype=torch.float64)


class Net(nn.Module):
    """Remembers of which examples the rows of every forward were; h = tanh of a linear map at "layer"."""

    def __init__(self, dtype=torch.float64):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.layer, self.last, self.rows = nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3), []
        self.to(dtype).eval()

    def forward(self, x, row=None):
        self.rows.append(torch.zeros(len(x)).long() if row is None else row)
        h = self.layer(self.first(x))
        return self.last(h**2) + x.sum(1, keepdim=True) ** 2


# ------------------------------------------------------------------------------------------------ counting


@pytest.mark.parametrize(
    ("arguments", "ends", "first"),
    [
        pytest.param({"site": LAYER, "steps": 7}, 3, 3, id="driven"),
        pytest.param({"site": LAYER, "tol": 0.005}, 3, 3, id="driven to a tolerance"),
        pytest.param({"site": LAYER, "steps": 7, "baseline": AtSite(0.0)}, 2, 3, id="from a start at the site"),
        pytest.param({"site": LAYER, "steps": 5, "baseline": Each(0.0, 1.0)}, 5, 3, id="two baselines"),
        pytest.param({"site": LAYER, "method": gl.methods.gradient()}, 1, 3, id="one gradient"),
        pytest.param({"method": gl.methods.conductance(LAYER), "steps": 7}, 2, 2, id="conductance"),
        pytest.param({"method": gl.methods.conductance(LAYER), "tol": 0.02}, 2, 2, id="conductance to a tolerance"),
        pytest.param({"method": gl.methods.internal_influence(LAYER), "steps": 7}, 2, 2, id="influence"),
        pytest.param({"target": gl.Neuron("layer", 1), "steps": 7}, 2, 2, id="target inside"),
        pytest.param({"rule": gl.rules.ByOutputChange(), "steps": 7}, 2, 2, id="by output change"),
    ],
)
@pytest.mark.parametrize("memory", [None, 40_000])
def test_evaluations_are_the_rows_the_model_saw(arguments, ends, first, memory):
    """Rows of an example less its ends: F(x), and for each start F(x'), and, unless it is given at the site, what the
    layer shows there. The first example is the one of the two-row check, and is asked once more at x where a layer is
    driven. Tangents are carried to a layer by forwards of their own, one a node.
    """
    model, x = Net(), inputs(9) * torch.linspace(0.1, 3, 9, dtype=torch.float64).unsqueeze(1)
    a = gl.explain(model, x, **{"target": 0, "context": {"row": torch.arange(9)}, "memory": memory, **arguments})
    seen = torch.bincount(torch.cat(model.rows), minlength=9)
    seen[0] -= first
    assert torch.equal(a.evaluations + a.forward_evaluations, seen - ends)
    pushed = a.provenance["method_name"] == "conductance"
    probes = 15 if "rule" in arguments else 0
    assert torch.equal(a.forward_evaluations, a.evaluations * pushed + probes)


@pytest.mark.parametrize("place", [{"site": LAYER}, {"method": gl.methods.conductance(LAYER)}], ids=["driven", "read"])
def test_a_list_of_targets_runs_every_point_once(place):
    model, x, wanted = Net(), inputs(5), [0, gl.Probability(2), gl.Neuron("last", 1)]
    one = gl.explain(model, x, 0, steps=16, **place)
    alone = sum(map(len, model.rows))
    model.rows.clear()
    together = gl.explain(model, x, wanted, steps=16, **place)
    nodes = alone - int(one.forward_evaluations.sum())
    assert sum(map(len, model.rows)) <= nodes + len(wanted) * int(one.forward_evaluations.sum())
    for target, a in zip(wanted, together, strict=True):
        due = gl.explain(model, x, target, steps=16, **place)
        torch.testing.assert_close(a.values, due.values, rtol=0, atol=1e-12)
        assert a.evaluations.tolist() == [16] * 5


def test_many_examples_share_model_calls_at_a_layer():
    model, x = Net(), inputs(200)
    gl.explain(model, x, 1, site=LAYER, steps=24)
    assert len(model.rows) <= 10


# ------------------------------------------------------------------------------------------------ whose rows go where


class Linear(nn.Module):
    """F = Σ h · (weight + table[ids]) with h = 2x at "layer", plus what x and the flag say beside it."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4, bias=False).double()
        self.layer.weight.data = 2 * torch.eye(4, dtype=torch.float64)
        self.table = torch.tensor([0.5, -1.0, 3.0], dtype=torch.float64)
        self.eval()

    def forward(self, x, ids, weight, flag):
        return (self.layer(x) * (weight + self.table[ids])).sum(1) + torch.where(flag, x.sum(1), 0.0)


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("memory", [None, 12_000])
@pytest.mark.parametrize("starts", [(0.0,), (0.0, 1.0, -3.0)], ids=["one", "three"])
@pytest.mark.parametrize("form", ["tuple", "dict"])
@pytest.mark.parametrize("inside", [False, True], ids=["input", "layer"])
def test_what_is_held_goes_with_its_example(budget, memory, starts, form, inside):
    """A_i = h_i − h'_i times the example's own weight and its ids' share; one row too far, and it is another's."""
    model, x, ids = Linear(), inputs(7), torch.arange(28).reshape(7, 4) % 3
    weight, flag = inputs(7, seed=9) + torch.arange(7).double().unsqueeze(1), torch.arange(7) % 2 == 0
    given = (x, ids) if form == "tuple" else {"x": x, "ids": ids}
    a = gl.explain(
        model,
        given,
        context={"weight": weight, "flag": flag},
        site=LAYER if inside else None,
        baseline=Each(*starts),
        memory=memory,
        **budget,
    )
    share, start = weight + model.table[ids], sum(starts) / len(starts)
    due = 2 * (x - start) * share + (0 if inside else flag.double().unsqueeze(1) * (x - start))
    values = a.values if inside else a.values[0 if form == "tuple" else "x"]
    torch.testing.assert_close(values, due)
    beside = torch.where(flag, x.sum(1), 0.0)
    torch.testing.assert_close(a.score, (2 * x * share).sum(1) + beside)
    there = beside if inside else torch.where(flag, torch.full((7,), 4 * start).double(), 0.0)
    torch.testing.assert_close(a.baseline_score, (2 * start * share).sum(1) + there)


@pytest.mark.parametrize("budget", BUDGETS)
def test_several_inputs_are_one_point_in_a_larger_space(budget):
    """The map of F(a, b) is that of F on (a, b) side by side: same nodes, same estimate, same values."""
    random = torch.Generator().manual_seed(3)
    first, second = torch.randn(10, 8, generator=random).double(), torch.randn(8, 1, generator=random).double()

    def model(a, b):
        return torch.tanh(torch.cat([a.flatten(1), b[:, None]], 1) @ first) @ second

    a, b = inputs(5, 9).reshape(5, 3, 3), inputs(5, 1)[:, 0]
    whole = torch.cat([a.flatten(1), b[:, None]], 1)
    due = gl.explain(lambda x: torch.tanh(x @ first) @ second, whole, **budget)
    for given in ((a, b), {"a": a, "b": b}):
        got = gl.explain(model, given, **budget)
        parts = got.values if isinstance(given, tuple) else tuple(got.values.values())
        torch.testing.assert_close(torch.cat([parts[0].flatten(1), parts[1][:, None]], 1), due.values)
        torch.testing.assert_close(got.error_estimate, due.error_estimate, equal_nan=True, rtol=1e-6, atol=1e-12)
        assert got.evaluations.tolist() == due.evaluations.tolist()
        assert got.status == due.status


class Squared(nn.Module):
    """Ids to vectors at "embed", their squares k at "square", F = Σ w k² over the words that the mask leaves."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.square, self.weight = nn.Embedding(5, 3).double(), Square(), torch.tensor([2.0, -1.0, 0.5])
        self.eval()

    def forward(self, ids, mask):
        seen = self.square(self.embed(ids)) ** 2 * self.weight.double()
        return (seen * mask.unsqueeze(2)).sum((1, 2))


class Square(nn.Module):
    def forward(self, x):
        return x**2


IDS = torch.tensor([[1, 2], [4, 3]])
MASK = torch.tensor([[True, False], [True, True]])


def test_a_path_driven_at_one_layer_is_read_at_a_later_one():
    """From padding to the words at the embedding, read at k = e²: A = w (k² − k0²), and nothing where the mask is."""
    model = Squared()
    a = gl.explain(
        model,
        {"ids": IDS, "mask": MASK},
        site=gl.Layer("embed"),
        method=gl.methods.conductance(gl.Layer("square")),
        baseline={"ids": torch.zeros(1, 2).long()},
        steps=3,
        rule=gl.rules.GaussLegendre,
    )
    with torch.no_grad():
        k, k0 = model.embed(IDS) ** 2, model.embed.weight[0] ** 2
    torch.testing.assert_close(a.values, model.weight.double() * (k**2 - k0**2) * MASK.unsqueeze(2))
    torch.testing.assert_close(a.completeness_gap, torch.zeros(2).double(), rtol=0, atol=1e-9)
    assert [f.code for f in a.findings] == []
    assert a.provenance["site"] == "'square'"


def test_a_layer_in_front_of_the_one_that_is_driven_cannot_be_read():
    method = gl.methods.conductance(gl.Layer("embed"))
    arguments = {"site": gl.Layer("square"), "method": method, "steps": 2, "baseline": AtSite(0.0)}
    with pytest.raises(gl.SiteError, match="no differentiable way from output 0 of layer 'embed'"):
        gl.explain(Squared(), {"ids": IDS, "mask": MASK}, **arguments)


class SequenceFirst(nn.Module):
    """A layer that shows (time, rows, channels), as recurrent layers do by default."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.weight = nn.Linear(4, 2).double(), torch.tensor([2.0, -1.0], dtype=torch.float64)
        self.eval()

    def forward(self, x):
        h = self.layer(x.transpose(0, 1))
        return (self.weight * h**2).sum((0, 2))


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_layer_with_its_batch_axis_elsewhere_is_driven_row_by_row(steps):
    """A = w (h² − h0²) for sequences of any length, also of one and of two steps, where axes look alike."""
    model, x = SequenceFirst(), inputs(3, 4 * steps).reshape(3, steps, 4)
    a = gl.explain(model, x, site=LAYER, steps=2)
    with torch.no_grad():
        exact = model.weight * (model.layer(x) ** 2 - model.layer(0 * x) ** 2)
    torch.testing.assert_close(a.values.reshape(3, steps, 2), exact)
    assert [f.code for f in a.findings] == ["GL103"]


# ------------------------------------------------------------------------------------------------ modes of the caller's

PLACES = [
    pytest.param({"site": LAYER}, id="driven"),
    pytest.param({"method": gl.methods.conductance(LAYER)}, id="conductance"),
    pytest.param({"target": gl.Neuron("layer", 2)}, id="target inside"),
]


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("place", PLACES)
def test_gradients_are_on_whatever_the_caller_switched_off(mode, budget, place):
    model = Net()

    def call():
        return gl.explain(model, inputs(3), **{"target": 0, "baseline": inputs(1) / 9, **place, **budget})

    usual = call()
    with mode():
        a = call()
        assert not torch.is_grad_enabled()
    assert torch.equal(a.values, usual.values)
    assert not a.values.requires_grad
    assert not a.values.is_inference()


@pytest.mark.parametrize("place", PLACES)
def test_the_default_device_and_dtype_are_of_no_concern(place):
    model, x = Net(torch.float32), {"x": inputs(3).float()}
    calls = [{"tol": 0.05}, {"steps": 4}, {"steps": 4, "baseline": gl.baselines.Uniform(-1.0, 1.0, draws=2)}]

    def values():
        found = (gl.explain(model, x, **{"target": 0, **place, **arguments}).values for arguments in calls)
        return [v["x"] if isinstance(v, dict) else v for v in found]

    usual = values()
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    try:
        others = values()
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    assert all(torch.equal(a, b) for a, b in zip(usual, others, strict=True))


@pytest.mark.parametrize("place", PLACES)
def test_frozen_weights_change_nothing(place):
    free, frozen = Net(), Net().requires_grad_(False)
    maps = [gl.explain(model, inputs(3), **{"target": 0, "steps": 5, **place}).values for model in (free, frozen)]
    torch.testing.assert_close(*maps, rtol=0, atol=1e-12)
