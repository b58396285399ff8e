"""The memory budget at layers inside: measured behind the layer, kept to, and survived when there is less than that."""

import gc
import math

import pytest
import torch
from torch import nn

import gradline as gl
from gradline.engine.memory import MOST_ROWS

STEPS, TOL = {"steps": 24}, {"tol": 0.01}


def inputs(rows, features, dtype=torch.float32):
    return torch.randn(rows, features, generator=torch.Generator().manual_seed(rows), dtype=dtype)


class Guarded(nn.Module):
    """Does nothing but remember how many rows came by; refuses more than `most` of them, where `when` is true."""

    def __init__(self):
        super().__init__()
        self.most, self.when, self.sizes = math.inf, lambda x: True, []

    def forward(self, x):
        self.sizes.append(len(x))
        if len(x) > self.most and self.when(x):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return x


class Net(nn.Module):
    """A guard in front of the layer "inside", one behind it, and x itself beside."""

    def __init__(self, features=5, hidden=6, dtype=torch.float64):
        super().__init__()
        torch.manual_seed(0)
        self.front, self.inside, self.behind = Guarded(), nn.Linear(features, hidden), Guarded()
        self.last = nn.Sequential(nn.Tanh(), nn.Linear(hidden, 2))
        self.to(dtype).eval()

    def forward(self, x):
        return self.last(self.behind(self.inside(self.front(x)))) + x.sum(1, keepdim=True)


INSIDE = gl.Layer("inside")
DRIVEN = {"site": INSIDE}
CONDUCTANCE = {"method": gl.methods.conductance(INSIDE)}
INFLUENCE = {"method": gl.methods.internal_influence(INSIDE)}
PLACES = pytest.mark.parametrize(
    "place", [DRIVEN, CONDUCTANCE, INFLUENCE], ids=["site", "conductance", "internal-influence"]
)
BUDGETS = pytest.mark.parametrize("budget", [STEPS, TOL], ids=["steps", "tol"])


def close(a, b, tol=1e-12):
    room = 2 * tol * b.values.norm(dim=1)
    return bool(((a.values - b.values).norm(dim=1) <= room).all())


# ------------------------------------------------------------------------------------------------ chunks do not matter


@PLACES
@pytest.mark.parametrize("memory", [1, 2_000, 20_000])
def test_a_small_memory_changes_the_batches_and_not_the_map(place, memory):
    x, baseline = inputs(5, 5, torch.float64), inputs(1, 5, torch.float64)
    wide, narrow = Net(), Net()
    usual = gl.explain(wide, x, 1, baseline=baseline, steps=16, **place)
    small = gl.explain(narrow, x, 1, baseline=baseline, steps=16, memory=memory, **place)
    assert max(narrow.behind.sizes[4:]) < max(wide.behind.sizes)
    assert close(small, usual)
    assert torch.equal(small.evaluations, usual.evaluations)


# ------------------------------------------------------------------------------------------------ a row is measured


def largest(net, **arguments):
    gl.explain(net, inputs(9, net.inside.in_features), 0, **arguments)
    return max(net.behind.sizes)


def test_a_row_driven_at_a_layer_costs_what_is_behind_it():
    """In front of the layer nothing is kept for the way back: a wide front does not make batches smaller, a wide
    back does; reading at the layer a path that is driven at the input costs both."""
    budget = {"steps": 300, "memory": "1MiB"}
    front = nn.Sequential(nn.Linear(5, 4000), nn.Tanh(), nn.Linear(4000, 5))

    def net(wide_front, hidden):
        made = Net(hidden=hidden, dtype=torch.float32)
        made.front = nn.Sequential(front, made.front) if wide_front else made.front
        return made

    narrow, in_front, behind = (
        largest(net(*how), **DRIVEN, **budget) for how in ((False, 6), (True, 6), (False, 4000))
    )
    read = largest(net(True, 6), **INFLUENCE, **budget)
    assert narrow == in_front > 20 * behind
    assert narrow > 20 * read


@pytest.mark.parametrize("hidden", [64, 1024])
def test_batches_at_a_layer_keep_to_the_budget(hidden):
    """What autograd saves for the largest batch, weights aside, fits into the memory allowed."""
    net = Net(hidden=hidden, dtype=torch.float32)
    rows = largest(net, **DRIVEN, steps=300, memory="512KiB")
    weights, kept = {p.data_ptr() for p in net.parameters()}, {}

    def pack(t):
        if t.untyped_storage().data_ptr() not in weights:
            kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        net.last(torch.ones(rows, hidden, requires_grad=True))
    assert sum(kept.values()) <= 2**19
    assert sum(kept.values()) > 2**15, "and does not waste it"


@PLACES
def test_a_batch_is_no_larger_for_more_steps(place):
    sizes = {
        steps: largest(Net(dtype=torch.float32), memory="100KiB", steps=steps, **place) for steps in (64, 512, 2048)
    }
    assert len(set(sizes.values())) == 1
    assert sizes[64] < 9 * 64


@PLACES
def test_what_is_alive_does_not_grow_with_the_steps(place):
    """Numbers held in points, gradients, pushed tangents, … of the layer's size when the model is called."""

    def peak(steps):
        net, most = Net(features=211, hidden=313, dtype=torch.float32), 0

        def look(module, arguments):
            nonlocal most
            alive = [t for t in gc.get_objects() if type(t) is torch.Tensor and t.shape[-1:] in ((313,), (211,))]
            most = max(most, sum(t.numel() for t in alive if not isinstance(t, nn.Parameter)))

        net.last.register_forward_pre_hook(look)
        gl.explain(net, inputs(3, 211), 0, steps=steps, memory="300KB", **place)
        return most

    gc.collect()
    gc.freeze()  # what was there before is not looked at
    try:
        assert peak(96) == peak(32)
    finally:
        gc.unfreeze()


# ------------------------------------------------------------------------------------------------ memory runs out


@PLACES
@BUDGETS
@pytest.mark.parametrize("guard", ["front", "behind"])
@pytest.mark.parametrize("most", [1, 6])
def test_out_of_memory_at_a_layer_is_survived_with_smaller_batches(place, budget, guard, most):
    """In front of the layer, where baselines are pushed and tangents are carried; behind it, where gradients are."""
    x, net = inputs(20, 5, torch.float64), Net()
    watched = getattr(net, guard)
    watched.most = most
    a = gl.explain(net, x, 0, **place, **budget)
    failed = [k for k, rows in enumerate(watched.sizes) if rows > most]
    assert failed
    assert len(failed) <= math.ceil(math.log2(MOST_ROWS / most))
    for k in failed:
        assert max(watched.sizes[k + 1 :]) <= max(most, watched.sizes[k] // 2)
    usual = gl.explain(Net(), x, 0, **place, **budget)
    assert close(a, usual, budget.get("tol", 1e-12))
    assert torch.equal(a.evaluations, usual.evaluations), "rows that failed are not counted"
    assert set(a.status) == set(usual.status)


def test_out_of_memory_while_baselines_are_pushed_is_survived():
    """Starts alone are zero in front of the layer; memory is short for them and for nothing else."""
    x, net = inputs(20, 5, torch.float64).abs() + 1, Net()
    net.front.most, net.front.when = 3, lambda x: bool((x == 0).all())
    a = gl.explain(net, x, 0, site=INSIDE, steps=8)
    failed = [rows for rows in net.front.sizes if rows > 3]
    assert failed
    assert close(a, gl.explain(Net(), x, 0, site=INSIDE, steps=8))


def test_out_of_memory_while_tangents_are_carried_is_survived():
    """Forward mode, and nothing else, needs more than there is: points there carry a tangent."""
    x, net = inputs(6, 5, torch.float64), Net()
    net.front.most, net.front.when = 3, lambda x: torch.autograd.forward_ad.unpack_dual(x).tangent is not None
    a = gl.explain(net, x, 0, steps=8, **CONDUCTANCE)
    assert max(net.front.sizes) > 3
    assert close(a, gl.explain(Net(), x, 0, steps=8, **CONDUCTANCE))


@pytest.mark.parametrize("guard", ["front", "behind"])
@PLACES
def test_memory_that_does_not_do_for_one_row_is_an_error_that_helps(place, guard):
    net = Net()
    getattr(net, guard).most = 0
    with pytest.raises(gl.MemoryBudgetError, match=r"single row.*smaller input, or another device"):
        gl.explain(net, inputs(3, 5, torch.float64), 0, steps=4, **place)
    assert not any(m._forward_hooks for m in net.modules())


@pytest.mark.parametrize(
    "derivative",
    [gl.derivatives.FiniteDifferences(1e-4), gl.derivatives.GaussianSmoothing(0.1, samples=32)],
    ids=["differences", "smoothing"],
)
@pytest.mark.parametrize("most", [2, 7])
def test_out_of_memory_inside_a_derivative_is_survived(derivative, most):
    """The forwards that stand in for a gradient are what memory is too short for, not the gradient rows."""
    guard, x = Guarded(), inputs(3, 20, torch.float64)

    def explained(model):
        return gl.attribute(gl.Score(lambda x: torch.sin(model(x)).sum(1), derivative=derivative), x, steps=4)

    guard.most = most
    a = explained(guard)
    failed = [rows for rows in guard.sizes if rows > most]
    assert failed
    assert len(failed) <= 12
    assert max(guard.sizes[-20:]) > most // 2, "and what there is is used"
    torch.testing.assert_close(a.values, explained(Guarded()).values, rtol=0, atol=1e-9)


# ------------------------------------------------------------------------------------------------ gradients kept


def test_pairs_of_maps_are_kept_in_half_precision_when_memory_is_short():
    """A path that is read elsewhere keeps two maps a node, the gradient and where it moved; rounding is in the
    estimate, and the tolerance is kept."""
    torch.manual_seed(1)
    width, workspace = 500, 2 * 8 * 8 * 1000
    net = nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 1)).eval()
    x, method = inputs(1, 4), gl.methods.conductance(gl.Layer("1"))
    plenty = gl.explain(net, x, method=method, tol=0.005)
    kept = int(plenty.evaluations) * 2 * 4 * width
    short = gl.explain(net, x, method=method, tol=0.005, memory=workspace + int(0.8 * kept))
    exact = gl.explain(net.double(), x.double(), steps=4000, method=method).values
    for a in (plenty, short):
        assert a.status == (gl.Status.CONVERGED,)
        assert float((a.values.double() - exact).norm() / exact.norm()) <= 0.005
    assert float(short.error_estimate) > float(plenty.error_estimate), "rounding is in the estimate"
