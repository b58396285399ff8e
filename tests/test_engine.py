"""The engine: what it asks of a model, how often, and that nothing depends on how it asks."""

import pytest
import torch
from torch import nn

import gradline as gl


class Recording(nn.Module):
    """A model that remembers every batch it was asked for, and of which examples (`context={"row": …}`)."""

    def __init__(self, function):
        super().__init__()
        self.function, self.batches, self.rows = function, [], []
        self.eval()

    def forward(self, x, row=None):
        self.batches.append(x.detach().clone())
        if row is not None:
            self.rows.append(row)
        return self.function(x)


def waves(columns=3, features=6, dtype=torch.float64):
    """A smooth function that is far from linear, `(R, features) -> (R, columns)`."""
    random = torch.Generator().manual_seed(7)
    first = torch.randn(features, 16, generator=random, dtype=torch.float64).to(dtype)
    second = torch.randn(16, columns, generator=random, dtype=torch.float64).to(dtype)
    return lambda x: torch.tanh(x @ first) @ second


def inputs(rows, features=6, dtype=torch.float64):
    random = torch.Generator().manual_seed(rows)
    return torch.randn(rows, features, generator=random, dtype=torch.float64).to(dtype)


BUDGETS = [pytest.param({"tol": 0.02}, id="tol"), pytest.param({"steps": 24}, id="steps")]


# ------------------------------------------------------------------------------------------------ pooling


@pytest.mark.parametrize("budget", BUDGETS)
def test_many_small_examples_share_model_calls(budget):
    """They take hardly more calls than the one of them that takes most."""
    model, x, alone, most = Recording(waves()), inputs(200), [], 0
    together = gl.explain(model, x, 1, **budget)
    calls, rows = len(model.batches), sum(map(len, model.batches))
    assert rows == int(together.evaluations.sum()) + 2 * 200 + 2, "F(x), F(x') and the two-row check"
    for example in x.split(1):
        model.batches.clear()
        alone.append(gl.explain(model, example, 1, **budget))
        most = max(most, len(model.batches))
    assert calls <= most + 1 + rows / 2500
    torch.testing.assert_close(together.values, torch.cat([a.values for a in alone]), rtol=0, atol=1e-12)
    assert together.evaluations.tolist() == [int(a.evaluations[0]) for a in alone]
    assert together.status == tuple(a.status[0] for a in alone)


def test_examples_that_are_done_leave_the_batch():
    """Half of the rows are linear and need the least; the others go on without them."""
    model = Recording(
        lambda x: torch.where(x[:, :1] > 0, x.sum(1, keepdim=True), torch.sin(9 * x).sum(1, keepdim=True))
    )
    x = inputs(8).abs() * torch.tensor([1.0, -1.0] * 4, dtype=torch.float64).unsqueeze(1)
    a = gl.explain(model, x, 0, tol=0.01, baseline=x / 100)
    assert set(a.evaluations[::2].tolist()) == {8}
    assert (a.evaluations[1::2] > 16).all()
    assert all(len(batch) < 8 * 8 for batch in model.batches[-3:])


def test_a_list_of_targets_runs_every_point_forward_once():
    model, x, wanted = Recording(waves()), inputs(5), [0, gl.Probability(2), lambda output: output.square().sum(1)]
    together = gl.explain(model, x, wanted, steps=16)
    assert sum(map(len, model.batches)) == 5 + 5 + 2 + 5 * 16, "F(x), F(x'), the two-row check, 16 nodes each"
    assert isinstance(together, list)
    for target, a in zip(wanted, together, strict=True):
        alone = gl.explain(model, x, target, steps=16)
        torch.testing.assert_close(a.values, alone.values, rtol=0, atol=1e-12)
        torch.testing.assert_close(a.score, alone.score)
        torch.testing.assert_close(a.baseline_score, alone.baseline_score)
        assert a.evaluations.tolist() == [16] * 5
        assert a.provenance["target"] == alone.provenance["target"]


def test_a_list_of_targets_under_a_tolerance_costs_less_than_one_after_the_other():
    model, x = Recording(waves()), inputs(5)
    together = gl.attribute(gl.Score(model, (0, 1, 2)), x, tol=0.01)
    cost = sum(map(len, model.batches))
    model.batches.clear()
    alone = [gl.attribute(gl.Score(model, k), x, tol=0.01) for k in range(3)]
    assert cost < sum(map(len, model.batches))
    for a, b in zip(together, alone, strict=True):
        torch.testing.assert_close(a.values, b.values, rtol=0, atol=1e-12)
        assert torch.equal(a.evaluations, b.evaluations)


def test_one_target_in_a_list_gives_a_list():
    results = gl.explain(waves(), inputs(2), [1], steps=2)
    assert isinstance(results, list)
    assert len(results) == 1


# ------------------------------------------------------------------------------------------------ counting


@pytest.mark.parametrize(
    ("arguments", "ends"),
    [
        pytest.param({"tol": 0.005}, 2, id="tol"),
        pytest.param({"tol": 0.05, "max_evaluations": 9}, 2, id="exhausted"),
        pytest.param({"steps": 7}, 2, id="steps"),
        pytest.param({"tol": 0.02, "baseline": gl.baselines.Each(0.0, 1.0, -0.5)}, 4, id="three-baselines"),
        pytest.param({"steps": 5, "baseline": gl.baselines.Each(0.0, 1.0, -0.5)}, 4, id="three-baselines-steps"),
        pytest.param({"method": gl.methods.gradient()}, 1, id="gradient"),
    ],
)
@pytest.mark.parametrize("memory", [None, 40_000])
def test_evaluations_are_the_rows_the_model_saw(arguments, ends, memory):
    """Each example's rows, less F(x) once and F(x') once a baseline; small and large inputs need different numbers.

    The first example is the one of the two-row check.
    """
    model, x = Recording(waves()), inputs(9) * torch.linspace(0.1, 3, 9, dtype=torch.float64).unsqueeze(1)
    a = gl.explain(model, x, 0, context={"row": torch.arange(9)}, memory=memory, **arguments)
    seen = torch.bincount(torch.cat(model.rows), minlength=9)
    seen[0] -= 2
    assert torch.equal(a.evaluations, seen - ends)
    assert a.forward_evaluations.tolist() == [0] * 9
    assert a.evaluations.dtype == a.forward_evaluations.dtype == torch.int64


def test_max_evaluations_is_the_most_an_example_costs():
    a = gl.explain(lambda x: torch.sin(40 * x).sum(1), inputs(6), tol=0.001, max_evaluations=29)
    assert a.evaluations.tolist() == [29] * 6


# ------------------------------------------------------------------------------------------------ context


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("memory", [None, 12_000])
@pytest.mark.parametrize("starts", [(0.0,), (0.0, 1.0, -3.0)], ids=["one", "three"])
def test_context_goes_with_its_example(budget, memory, starts):
    """A linear model has A_i = w_i (x_i − x'_i) with each example's own w; one row too far, and it is another's."""
    x, own = inputs(7), inputs(7, features=6) + torch.arange(7, dtype=torch.float64).unsqueeze(1)
    flags = torch.arange(7) % 2 == 0

    def model(x, weight, flag):
        return torch.where(flag, (x * weight).sum(1), (2 * x * weight).sum(1))

    a = gl.explain(
        model,
        x,
        context={"weight": own, "flag": flags},
        baseline=gl.baselines.Each(*starts),
        memory=memory,
        **budget,
    )
    slope, start = own * torch.where(flags, 1.0, 2.0).unsqueeze(1).double(), sum(starts) / len(starts)
    torch.testing.assert_close(a.values, (x - start) * slope)
    torch.testing.assert_close(a.score, (x * slope).sum(1))
    torch.testing.assert_close(a.baseline_score, (start * slope).sum(1))


# ------------------------------------------------------------------------------------------------ precision and modes


@pytest.mark.parametrize(
    ("dtype", "values", "close"),
    [
        (torch.float64, torch.float64, 1e-12),
        (torch.float32, torch.float32, 1e-4),
        (torch.bfloat16, torch.float32, 0.05),
        (torch.float16, torch.float32, 0.01),
    ],
)
@pytest.mark.parametrize("baseline", [0.25, gl.baselines.Each(0.0, 1.0)], ids=["one", "two"])
@pytest.mark.parametrize("budget", [{"tol": 0.1}, {"steps": 16}], ids=["tol", "steps"])
def test_every_precision_gives_wide_values(dtype, values, close, baseline, budget):
    x = inputs(3).to(torch.bfloat16)
    a = gl.explain(waves(dtype=dtype), x.to(dtype), 0, baseline=baseline, **budget)
    exact = gl.explain(waves(), x.double(), 0, baseline=baseline, steps=40, rule=gl.rules.GaussLegendre)
    assert a.values.dtype == values
    assert a.score.dtype == a.baseline_score.dtype == a.completeness_gap.dtype == torch.float64
    error = (a.values.double() - exact.values).norm(dim=1) / exact.values.norm(dim=1)
    assert (error <= close + (0.1 if "tol" in budget else 0.01)).all()


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("budget", BUDGETS)
def test_gradients_are_on_whatever_the_caller_switched_off(mode, budget):
    def model(x, shift):
        return waves()(x + shift)

    def call():
        x, baseline, shift = inputs(3), torch.full((1, 6), 0.1).double(), inputs(3) / 9
        return gl.explain(model, x, 0, baseline=baseline, context={"shift": shift}, **budget)

    usual = call()
    with mode():
        a = call()
        assert not torch.is_grad_enabled()
    assert torch.equal(a.values, usual.values)
    assert not a.values.requires_grad
    assert not a.values.is_inference()


def test_an_input_that_wants_a_gradient_gets_none():
    leaf = inputs(3).requires_grad_()
    baseline = torch.zeros(1, 6, dtype=torch.float64, requires_grad=True)
    for x in (leaf, leaf * 2):
        a = gl.explain(waves(), x, 0, baseline=baseline, steps=4)
        assert not a.values.requires_grad
        assert a.values.grad_fn is None
    assert leaf.grad is None
    assert baseline.grad is None


def test_the_default_device_and_dtype_are_of_no_concern():
    """`torch.set_default_device("cuda")` is common; here the default is a device on which nothing can be computed."""
    model, x = nn.Linear(6, 2).eval(), inputs(3, dtype=torch.float32)
    usual = [gl.explain(model, x, 0, **budget).values for budget in ({"tol": 0.05}, {"steps": 4})]
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    try:
        others = [gl.explain(model, x, 0, **budget).values for budget in ({"tol": 0.05}, {"steps": 4})]
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    assert all(torch.equal(a, b) for a, b in zip(usual, others, strict=True))


# ------------------------------------------------------------------------------------------------ reproducible

RUNS = [
    pytest.param({"tol": 0.02}, id="tol"),
    pytest.param({"steps": 9}, id="midpoint"),
    pytest.param({"steps": 9, "rule": gl.rules.MonteCarlo, "seed": 3}, id="monte-carlo"),
    pytest.param({"method": gl.methods.gradient_x_input()}, id="gradient-x-input"),
]


@pytest.mark.parametrize("arguments", RUNS)
def test_two_runs_are_equal_to_the_bit(arguments):
    x = inputs(5, dtype=torch.float32)
    a, b = (gl.explain(waves(dtype=torch.float32), x, 0, **arguments) for _ in range(2))
    assert torch.equal(a.values, b.values)
    assert torch.equal(a.score, b.score)
    assert torch.equal(a.evaluations, b.evaluations)
    if a.error_estimate is not None:
        assert torch.equal(a.error_estimate.nan_to_num(), b.error_estimate.nan_to_num())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("arguments", RUNS[1:])
def test_batch_order_and_memory_do_not_change_a_map(arguments, dtype):
    model, x = waves(dtype=dtype), inputs(80, dtype=dtype)
    names = [f"row {i}" for i in range(80)]
    usual = gl.explain(model, x, 0, names=names, **arguments).values
    order = torch.randperm(80, generator=torch.Generator().manual_seed(1))
    shuffled = gl.explain(model, x[order], 0, names=[names[i] for i in order], **arguments).values
    torch.testing.assert_close(shuffled, usual[order], rtol=1e-5, atol=1e-5)
    some = torch.cat([gl.explain(model, x[i : i + 1], 0, names=[names[i]], **arguments).values for i in (0, 41, 79)])
    torch.testing.assert_close(some, usual[[0, 41, 79]], rtol=1e-5, atol=1e-5)
    short = gl.explain(model, x, 0, names=names, memory=4_000, **arguments).values
    torch.testing.assert_close(short, usual, rtol=1e-5, atol=1e-5)


def test_the_seed_and_the_name_choose_the_random_nodes():
    x, arguments = inputs(1).expand(2, 6), {"steps": 3, "rule": gl.rules.MonteCarlo}
    a = gl.explain(waves(), x, 0, **arguments)
    assert not torch.equal(a.values[0], a.values[1])
    assert not torch.equal(a.values, gl.explain(waves(), x, 0, seed=1, **arguments).values)
    assert not torch.equal(a.values, gl.explain(waves(), x, 0, names=["a", "b"], **arguments).values)
