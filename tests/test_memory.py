"""Memory is a budget: parsed, measured, booked, kept to, and survived when the device has less than that."""

import gc
import math
import weakref

import pytest
import torch
from torch import nn

import gradline as gl
from gradline.core.adaptive import adaptive
from gradline.core.paths import Straight
from gradline.core.store import HALF_ROUNDING, GradientStore
from gradline.engine.memory import DEFAULT, MOST_ROWS, Memory, parse
from gradline.testing import drive, frame
from gradline.testing.drive import OpenRoom

CPU = torch.device("cpu")


def inputs(rows, features, dtype=torch.float32):
    return torch.randn(rows, features, generator=torch.Generator().manual_seed(rows), dtype=dtype)


class Recording(nn.Module):
    """Remembers how many rows every call had; `allowed(rows)` may refuse first."""

    def __init__(self, function, allowed=lambda rows: None):
        super().__init__()
        self.function, self.allowed, self.sizes = function, allowed, []
        self.eval()

    def forward(self, x):
        self.sizes.append(len(x))
        self.allowed(len(x))
        return self.function(x)


# ------------------------------------------------------------------------------------------------ bytes in words


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (None, DEFAULT),
        (1, 1),
        (123_456, 123_456),
        ("64", 64),
        ("64 b", 64),
        ("500 MB", 500_000_000),
        ("2GiB", 2 * 2**30),
        (" 1.5 kib ", 1536),
        ("0.5GB", 500_000_000),
    ],
)
def test_bytes_are_read(said, meant):
    assert parse(said, CPU) == meant


@pytest.mark.parametrize(
    "said",
    [
        *(0, -1, True, 1.5, math.nan, b"2GiB", [1]),
        *("lots", "", " ", "GiB", "1e9", "-5", "-2GiB", "2GiBs", "1,000", "2 TiB", "nan", "1.5.1 MB", "0", "0 GiB"),
    ],
)
def test_what_is_no_amount_of_memory_is_refused(said):
    with pytest.raises(gl.InputError, match=r'bytes or a text such as "2GiB", got '):
        parse(said, CPU)


# ------------------------------------------------------------------------------------------------ the ledger


def test_rows_are_what_fits_beside_what_is_kept():
    memory = Memory(1000)
    assert memory.rows() == 1, "nothing measured yet"
    memory.row_bytes = 100.0
    assert memory.rows() == 10
    assert memory.keep(650)
    assert memory.rows() == 3
    assert not memory.keep(300), "one row must still fit"
    assert memory.rows() == 3, "what was refused is not booked"
    assert memory.keep(250)
    assert memory.rows() == 1
    assert memory.keep(-900)
    assert memory.rows() == 10


def test_there_is_always_one_row_and_never_too_many():
    memory = Memory(1000)
    memory.row_bytes = 5000.0
    assert memory.rows() == 1
    memory.row_bytes = 1e-6
    assert memory.rows() == MOST_ROWS


def test_a_batch_that_failed_is_halved_for_good_and_one_row_is_the_end():
    memory = Memory(10**9)
    memory.row_bytes = 1.0
    for failed, then in ((100, 50), (50, 25), (25, 12), (3, 1)):
        memory.shrink(failed)
        assert memory.rows() == then
    with pytest.raises(gl.MemoryBudgetError, match=r"single row.*smaller input, or another device"):
        memory.shrink(1)


# ------------------------------------------------------------------------------------------------ memory runs out

OUT_OF_MEMORY = [
    pytest.param(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), id="gpu"),
    pytest.param(RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 800 bytes."), id="cpu"),
    pytest.param(MemoryError(), id="host"),
]


def refuse(above, error):
    def allowed(rows):
        if rows > above:
            raise error

    return allowed


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
@pytest.mark.parametrize("above", [1, 7])
@pytest.mark.parametrize(
    "arguments", [{"tol": 0.01}, {"steps": 50}, {"method": gl.methods.gradient()}], ids=["tol", "steps", "gradient"]
)
def test_out_of_memory_is_survived_with_smaller_batches(error, above, arguments):
    x = inputs(20, 5, torch.float64)
    model = Recording(lambda x: torch.sin(3 * x).sum(1), refuse(above, error))
    a = gl.explain(model, x, **arguments)
    failed = [k for k, rows in enumerate(model.sizes) if rows > above]
    assert failed
    assert len(failed) <= math.ceil(math.log2(MOST_ROWS / above))
    for k in failed:
        assert max(model.sizes[k + 1 :]) <= model.sizes[k] // 2
    usual = gl.explain(Recording(model.function), x, **arguments)
    close = 2 * arguments.get("tol", 1e-12) * usual.values.norm(dim=1)
    assert ((a.values - usual.values).norm(dim=1) <= close).all()
    assert set(a.status) == set(usual.status)
    rows_seen = sum(rows for k, rows in enumerate(model.sizes) if k not in failed)
    ends = 40 if usual.baseline_score is not None else 20
    assert int(a.evaluations.sum()) == rows_seen - ends, "rows that failed are not counted"


class NeedsMemoryBackwards(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.sum(1)

    @staticmethod
    def backward(ctx, grad):
        if len(grad) > 3:
            raise torch.OutOfMemoryError("out of memory on the way back")
        return grad.unsqueeze(1).expand(-1, 4)


def test_out_of_memory_on_the_way_back_is_survived():
    x = inputs(6, 4)
    torch.testing.assert_close(gl.explain(NeedsMemoryBackwards.apply, x, steps=8).values, x)


def test_what_a_failed_batch_held_is_let_go_before_the_next_try():
    held = []

    def model(x):
        assert all(ref() is None for ref in held), "the tensors of a failed batch are still alive"
        if len(x) > 4:
            activations = x * 2
            held.append(weakref.ref(activations))
            raise torch.OutOfMemoryError("out of memory")
        return x.sum(1)

    gl.explain(model, inputs(30, 4), steps=10)
    assert len(held) >= 2


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
@pytest.mark.parametrize("calls", [0, 1, 2, 5])
def test_memory_that_does_not_do_for_one_row_is_an_error_that_helps(error, calls):
    """From the first call, or all of a sudden."""

    def model(x):
        nonlocal left
        left -= 1
        if left < 0:
            raise error
        return x.sum(1)

    left = calls
    with pytest.raises(gl.MemoryBudgetError, match=r"single row.*smaller input, or another device"):
        gl.explain(model, inputs(3, 4), steps=400, memory=2_000)
    assert left >= -20, "it did not go on for ever"


def test_other_errors_are_not_tried_again():
    model = Recording(lambda x: x.sum(1), refuse(1, RuntimeError("shapes do not match")))
    with pytest.raises(gl.ModelError, match="shapes do not match"):
        gl.explain(model, inputs(4, 4), steps=4)
    assert model.sizes == [1, 3]


# ------------------------------------------------------------------------------------------------ a row is measured


def wide(hidden):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, hidden), nn.Tanh(), nn.Linear(hidden, 2))


def saved_bytes(model, rows):
    """What autograd keeps for a batch, weights aside."""
    kept = {}
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}

    def pack(t):
        if t.untyped_storage().data_ptr() not in weights:
            kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        model(torch.ones(rows, 8, requires_grad=True))
    return sum(kept.values())


def largest_batch(model, **arguments):
    recording = Recording(model)
    gl.explain(recording, inputs(20, 8), 0, **arguments)
    return max(recording.sizes)


@pytest.mark.parametrize("hidden", [16, 256, 4096])
@pytest.mark.parametrize("budget", [{"steps": 400}, {"tol": 0.001}], ids=["steps", "tol"])
def test_the_batch_keeps_to_the_budget(hidden, budget):
    model = wide(hidden)
    largest = largest_batch(model, memory="1MiB", **budget)
    assert saved_bytes(model, largest) <= 2**20
    if "steps" in budget:
        assert saved_bytes(model, 8 * largest) > 2**20 or largest == MOST_ROWS, "and does not waste it"


def test_a_wider_model_gets_smaller_batches():
    narrow, middle, broad = (largest_batch(wide(h), steps=400, memory="1MiB") for h in (16, 256, 4096))
    assert narrow > 4 * middle > 16 * broad


@pytest.mark.parametrize("trained", [True, False], ids=["free", "frozen"])
def test_weights_are_not_activations(trained):
    """8 MB of weights, 4 MiB allowed: a batch is many rows, whether the model is a module or a function around one."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 1000), nn.Tanh(), nn.Linear(1000, 2000), nn.Tanh(), nn.Linear(2000, 2))
    model.requires_grad_(trained)
    as_module = largest_batch(model, steps=40, memory="4MiB")
    as_function = largest_batch(lambda x: model(x)[:, :1], steps=40, memory="4MiB")
    assert as_module > 50
    assert as_function > as_module / 2


# ---------------------------------------------------------------------------------------------- a fixed number of steps


def test_a_batch_is_no_larger_for_more_steps():
    sizes = {steps: largest_batch(wide(256), steps=steps, memory="200KiB") for steps in (64, 512, 4096)}
    assert len(set(sizes.values())) == 1
    assert sizes[64] < 20 * 64


def test_what_is_alive_does_not_grow_with_the_steps():
    """Numbers held in points, gradients, terms, … at the moments when the model is called."""

    def peak(steps):
        most = 0

        def model(x):
            nonlocal most
            alive = [t for t in gc.get_objects() if type(t) is torch.Tensor and t.shape[-1:] == (313,)]
            most = max(most, sum(t.numel() for t in alive))
            return torch.sin(x).sum(1)

        gl.explain(Recording(model), inputs(3, 313), steps=steps, memory="200KB")
        return most

    assert peak(160) == peak(40)


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
    for maps in (10_000, 1000, 500, 300, 250, 225, 200, 175, 150, 100, 70, 50, 35, 25, 16, 9, 2):
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


@pytest.mark.parametrize(("targets", "rows"), [([0], 16), ([0, 1, 2], 4)], ids=["one-target", "three-targets"])
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
