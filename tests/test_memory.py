"""Memory is a budget: parsed, measured, booked, kept to, and survived when the device has less than that."""

import gc
import math
import weakref

import pytest
import torch
from torch import nn

import gradline as gl
from gradline.engine.memory import DEFAULT, MOST_ROWS, Memory, parse

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
    compared = 2 if above >= 2 else 0
    assert int(a.evaluations.sum()) == rows_seen - ends - compared, "rows that failed are not counted"


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
    model = Recording(lambda x: x.sum(1), refuse(2, RuntimeError("shapes do not match")))
    with pytest.raises(gl.ModelError, match="shapes do not match"):
        gl.explain(model, inputs(4, 4), steps=4)
    assert model.sizes == [1, 2, 3]


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

    gc.collect()
    gc.freeze()  # what was there before is not looked at
    try:
        assert peak(160) == peak(40)
    finally:
        gc.unfreeze()
