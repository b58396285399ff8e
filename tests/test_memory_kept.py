"""Gradients kept between rounds: within the budget, in half precision when it is short, and given back."""

import pytest
import torch
from test_memory import Recording, inputs
from torch import nn

import gradline as gl
from gradline.core.adaptive import adaptive
from gradline.core.paths import Straight
from gradline.core.store import HALF_ROUNDING, GradientStore
from gradline.testing import drive, frame
from gradline.testing.drive import OpenRoom

# ------------------------------------------------------------------------------------------------ gradients kept


def kinks(x):
    """20 kinks along the diagonal, and nothing of size saved: memory is what is kept of the gradients."""
    bends = torch.linspace(0.013, 0.987, 20, dtype=x.dtype)
    signs = torch.tensor([10.0, -10.0], dtype=x.dtype).repeat(10)
    spread = torch.linspace(0.5, 1.5, x.shape[1], dtype=x.dtype)
    return (signs * torch.relu(x.mean(1, keepdim=True) - bends)).sum(1) + (x * spread).mean(1).square()


TOL, FEATURES = 0.004, 1000
ONE = torch.ones(1, FEATURES)


@pytest.fixture(scope="module")
def by_memory():
    """What comes of one example under budgets from plenty to next to nothing: `{bytes: result or error}`."""
    found = {}
    for maps in (10_000, 300, 200, 70, 16, 2):
        memory = 4 * FEATURES * maps
        try:
            found[memory] = gl.explain(Recording(kinks), ONE, tol=TOL, memory=memory, max_evaluations=2000)
        except gl.MemoryBudgetError as error:
            found[memory] = error
    return found


def map_error(a):
    exact = gl.explain(kinks, ONE.double(), steps=3000).values
    return float((a.values.double() - exact).norm() / exact.norm())


def test_gradients_are_kept_in_half_precision_when_memory_is_short(by_memory):
    converged = {m: a for m, a in by_memory.items() if not isinstance(a, Exception) and a.status[0].is_sound}
    half = [a for memory, a in converged.items() if int(a.evaluations[0]) * FEATURES * 4 > memory]
    assert half, "gradients that did not fit in full precision did not stop it"
    assert all(map_error(a) <= float(a.error_estimate[0]) <= TOL for a in converged.values())


def test_when_memory_ends_the_map_so_far_is_told_and_a_finding_says_why(by_memory):
    exhausted = [
        a for a in by_memory.values() if not isinstance(a, Exception) and a.status[0] is gl.Status.BUDGET_EXHAUSTED
    ]
    assert exhausted
    for a in exhausted:
        assert 8 <= int(a.evaluations[0]) < 2000
        assert float(a.error_estimate[0]) > TOL / 2, "above the tolerance, safety factor included"
        assert map_error(a) <= float(a.error_estimate[0])
        (note,) = [f for f in a.findings if f.examples == (0,)]
        assert "memory" in note.detail
        assert "memory=" in str(note)
        assert float(a.curve[0].weight.sum()) == pytest.approx(1.0)


def test_a_first_round_that_does_not_fit_is_refused_with_the_way_out(by_memory):
    refused = {memory: e for memory, e in by_memory.items() if isinstance(e, gl.MemoryBudgetError)}
    assert refused
    assert all("raise memory=" in str(error) and "steps=" in str(error) for error in refused.values())
    for memory in refused:
        assert map_error(gl.explain(Recording(kinks), ONE, steps=500, memory=memory)) < 0.01


def test_more_memory_is_never_worse(by_memory):
    def rank(result):
        return -1 if isinstance(result, Exception) else int(result.status[0].is_sound)

    ranks = [rank(result) for result in by_memory.values()]
    assert ranks == sorted(ranks, reverse=True)
    assert ranks[0] == 1


class Bends(nn.Module):
    """Takes some hundred gradients at a tight tolerance and saves next to nothing for the way back."""

    def __init__(self):
        super().__init__()
        random = torch.Generator().manual_seed(3)
        self.register_buffer("first", 60 * torch.randn(FEATURES, 64, generator=random) / FEATURES**0.5)
        self.register_buffer("bend", 5 * torch.randn(64, generator=random))
        self.register_buffer("second", torch.randn(64, 3, generator=random))
        self.eval()

    def forward(self, x):
        return torch.relu(x @ self.first + self.bend) @ self.second


@pytest.mark.parametrize(("targets", "rows"), [([0], 4), ([0, 1, 2], 2)], ids=["one-target", "three-targets"])
def test_an_example_gets_its_memory_whoever_else_is_in_the_batch(targets, rows):
    """Each converges alone within the budget; together they must wait for each other instead of giving up."""
    model, x = Bends(), inputs(rows, FEATURES)
    arguments = {"tol": 0.001, "memory": 4 * FEATURES * 300, "max_evaluations": 4096}
    for i in range(rows):
        alone = gl.explain(model, x[i : i + 1], targets, **arguments)
        assert [a.status for a in alone] == [(gl.Status.CONVERGED,)] * len(targets)
    together = gl.explain(model, x, targets, **arguments)
    assert [a.status for a in together] == [(gl.Status.CONVERGED,) * rows] * len(targets)


# ----------------------------------------------------------------------------------------------- the store of gradients


def everything(store, rows, nodes):
    r, k = torch.meshgrid(torch.arange(rows), torch.arange(nodes), indexing="ij")
    return store.get(r.flatten().numpy(), k.flatten().numpy()).unflatten(0, (rows, nodes))


def test_the_store_returns_what_it_was_given_in_any_order():
    store, grads = GradientStore(OpenRoom()), torch.randn(3, 20, 4)
    for first, last in ((0, 8), (8, 9), (9, 20)):
        assert store.append(grads[:, first:last])
    rows, nodes = torch.tensor([2, 0, 1, 2]), torch.tensor([19, 0, 4, 8])
    assert torch.equal(store.get(rows.numpy(), nodes.numpy()), grads[rows, nodes])
    assert torch.equal(everything(store, 3, 20), grads)
    store.select(torch.tensor([2]).numpy())
    assert torch.equal(everything(store, 1, 20), grads[2:])
    assert not store.is_half


@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_half_precision_has_a_scale_for_every_node(size):
    """The rounding is relative to each node's largest element, however large or small all of them are."""
    grads = size * torch.randn(2, 16, 50) * torch.logspace(-3, 3, 16).reshape(1, 16, 1)
    store = GradientStore(OpenRoom(most=4 * grads.numel() - 1))
    assert store.append(grads[:, :8])
    assert not store.is_half
    assert store.append(grads[:, 8:])
    assert store.is_half
    rounding = (everything(store, 2, 16) - grads).abs().amax(2)
    assert (rounding <= HALF_ROUNDING * grads.abs().amax(2)).all()
    assert everything(store, 2, 16).dtype == torch.float32


def test_what_the_store_cannot_keep_it_does_not_take():
    grads = torch.randn(2, 24, 10)
    store = GradientStore(OpenRoom(most=2 * grads[:, :16].numel()))
    assert store.append(grads[:, :8])
    assert store.append(grads[:, 8:16])
    assert not store.append(grads[:, 16:])
    assert store.count == 16
    torch.testing.assert_close(everything(store, 2, 16), grads[:, :16], rtol=0, atol=1e-2)


def test_float64_gradients_are_never_rounded():
    grads = torch.randn(2, 16, 10, dtype=torch.float64)
    store = GradientStore(OpenRoom(most=8 * grads.numel() - 1))
    assert store.append(grads[:, :8])
    assert not store.append(grads[:, 8:])
    assert torch.equal(everything(store, 2, 8), grads[:, :8])


def test_all_memory_is_given_back_at_the_end():
    room, x = OpenRoom(width=8), inputs(5, 30, torch.float64)
    told = drive(adaptive(frame(lambda x: kinks(x).unsqueeze(1), x, room=room), Straight(), 0.01, 64), kinks, x)
    assert len(told.steps) > 0
    assert room.kept == 0
