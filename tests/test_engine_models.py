"""Models of many kinds: callables, scripts, gradients of one's own, models that fail or mix their rows."""

import warnings
from functools import partial

import pytest
import torch
from test_engine import BUDGETS, Recording, inputs, waves
from torch import nn

import gradline as gl

# ------------------------------------------------------------------------------------------------ kinds of models


class Method:
    def score(self, x):
        return waves(1)(x)


class TimesThree(torch.autograd.Function):
    """Says of itself that its derivative is 3, which it is not."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    def backward(ctx, grad):
        return 3 * grad + 0 * ctx.saved_tensors[0]


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(waves(1), id="function"),
        pytest.param(lambda x: waves(1)(x).squeeze(1), id="one-dimensional"),
        pytest.param(Recording(waves(1)), id="module"),
        pytest.param(partial(lambda x, shift: waves(1)(x) + shift, shift=4.0), id="partial"),
        pytest.param(Method().score, id="bound-method"),
    ],
)
def test_any_callable_with_one_column_needs_no_target(model):
    x = inputs(3)
    a = gl.explain(model, x, steps=8)
    torch.testing.assert_close(a.values, gl.explain(waves(1), x, 0, steps=8).values, rtol=0, atol=1e-12)
    torch.testing.assert_close(a.score, model(x).detach().reshape(-1))


def test_a_function_target_reads_any_output():
    x, plain = inputs(3), gl.explain(waves(), inputs(3), 1, steps=8)
    readers = [
        (lambda x: {"logits": waves()(x), "aux": None}, lambda output: output["logits"][:, 1]),
        (lambda x: (x, [waves()(x)]), lambda output: output[1][0][:, 1]),
        (lambda x: waves()(x).reshape(-1, 3, 1, 1), gl.Function(lambda output: output[:, 1].mean((1, 2)))),
    ]
    for model, target in readers:
        a = gl.explain(model, x, target, steps=8)
        torch.testing.assert_close(a.values, plain.values, rtol=0, atol=1e-12)
        torch.testing.assert_close(a.score, plain.score)
        torch.testing.assert_close(a.baseline_score, plain.baseline_score)


def test_the_gradient_of_a_custom_function_is_taken_at_its_word():
    x = inputs(4)
    a = gl.explain(lambda x: TimesThree.apply(x).sum(1), x, steps=5)
    torch.testing.assert_close(a.values, 3 * x)


def with_autograd(x):
    with torch.enable_grad():
        leaf = x if x.requires_grad else x.detach().requires_grad_()
        return torch.autograd.grad((leaf**3).sum(), leaf, create_graph=True)[0].sum(1)


def with_functions(x):
    return torch.func.vmap(torch.func.grad(lambda z: (z**3).sum()))(x).sum(1)


@pytest.mark.parametrize("model", [with_autograd, with_functions])
def test_a_model_that_differentiates_inside_is_explained(model):
    """F = Σ ∂(Σ z³)/∂z_i = Σ 3x_i², so A_i = 3x_i²."""
    x = inputs(3)
    torch.testing.assert_close(gl.explain(model, x, steps=4).values, 3 * x**2)


@pytest.mark.parametrize(
    "first", [nn.ReLU(inplace=True), lambda x: x.mul_(2), lambda x: x.clamp_(-0.5, 0.5)], ids=["relu", "mul", "clamp"]
)
def test_a_model_that_begins_in_place_is_explained(first):
    x = inputs(4)
    kept = x.clone()
    a = gl.explain(lambda x: waves()(first(x)), x, 0, steps=8)
    torch.testing.assert_close(a.values, gl.explain(lambda x: waves()(first(x.clone())), x, 0, steps=8).values)
    assert torch.equal(x, kept)


def test_an_input_may_be_a_view_of_any_kind():
    """Expanded, transposed, or the imaginary part of a conjugate, which only says that it is to be negated."""
    wave = torch.complex(inputs(3), inputs(3) + 1)
    for x in (inputs(1).expand(3, 6), inputs(6, 3).T, wave.conj().imag, wave.real, inputs(6)[::2]):
        a = gl.explain(waves(), x, 0, steps=4)
        torch.testing.assert_close(a.values, gl.explain(waves(), x.clone().contiguous(), 0, steps=4).values)


def test_a_module_with_a_sparse_buffer_is_explained():
    class Graph(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("adjacency", torch.diag(torch.tensor([1.0, 2.0, 3.0])).to_sparse())

        def forward(self, x):
            return torch.sparse.mm(self.adjacency, x.T).sum(0)

    a = gl.explain(Graph().eval(), torch.ones(2, 3), steps=2)
    torch.testing.assert_close(a.values, torch.tensor([[1.0, 2.0, 3.0]] * 2))


def test_a_frozen_script_is_explained():
    model = nn.Linear(3, 1).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        frozen = torch.jit.freeze(torch.jit.script(model))
        a = gl.explain(frozen, torch.ones(2, 3), steps=2)
    torch.testing.assert_close(a.values, model.weight.detach().expand(2, 3))


# ------------------------------------------------------------------------------------------------ models that fail


class Failing:
    """Works until its `at`-th call, then does something else."""

    def __init__(self, at, otherwise):
        self.at, self.otherwise, self.calls, self.shape = at, otherwise, 0, None

    def __call__(self, x):
        self.calls += 1
        if self.calls < self.at:
            return waves()(x)
        self.shape = tuple(x.shape)
        return self.otherwise(x)


def _raise(x):
    raise KeyError("a bug of the model's own")


@pytest.mark.parametrize("at", [1, 2, 3, 4, 5])
def test_a_model_that_raises_is_a_model_error_with_its_cause(at):
    model = Failing(at, _raise)
    with pytest.raises(gl.ModelError, match="a bug of the model's own") as caught:
        gl.explain(model, inputs(4), 0, tol=0.001)
    assert isinstance(caught.value.__cause__, KeyError)
    assert str(model.shape) in str(caught.value)
    assert model.calls == (3 if at == 2 else at), "two rows that fail are tried one by one"


class FailsBackwards(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.sum(1)

    @staticmethod
    def backward(ctx, grad):
        raise ZeroDivisionError("no way back")


def test_a_gradient_that_raises_is_a_model_error_with_its_cause():
    with pytest.raises(gl.ModelError, match=r"\(12, 6\).*no way back") as caught:
        gl.explain(FailsBackwards.apply, inputs(3), steps=4)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


WRONG = {
    "a row too many": lambda x: torch.cat([waves()(x), waves()(x[:1])]),
    "a scalar": lambda x: waves()(x).sum(),
    "transposed": lambda x: waves()(x).T,
    "three axes": lambda x: waves()(x).unsqueeze(2),
    "a dict": lambda x: {"scores": waves()(x)},
    "a tuple": lambda x: (waves()(x), waves()(x)),
    "numpy": lambda x: waves()(x).detach().numpy(),
    "nothing": lambda x: None,
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("at", [1, 2, 3, 5])
def test_an_output_of_the_wrong_kind_is_refused_in_words(what, rows, at):
    """At the first call or in the middle of the run; `memory` is so small that there are many calls."""
    with pytest.raises(gl.GradlineError, match=r"expected .*, got "):
        gl.explain(Failing(at, WRONG[what]), inputs(rows), 0, steps=300, memory=20_000)


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("at", [3, 5])
def test_one_row_for_all_is_refused_where_it_was_not_so_before(rows, at):
    with pytest.raises(gl.TargetError, match=r"expected .*, got "):
        gl.explain(Failing(at, lambda x: waves()(x).mean(0, keepdim=True)), inputs(rows), 0, steps=300, memory=20_000)


# ------------------------------------------------------------------------------------------------ rows of a batch

ALONE = {
    "normalised over the batch": (lambda x: waves()(x - x.mean(0)) if len(x) > 1 else waves()(x), "GL102"),
    "one row for all": (lambda x: waves()(x).mean(0, keepdim=True), "GL103"),
    "a batch of one written in": (lambda x: waves()(x.reshape(1, 6)), "GL103"),
    "refuses two": (lambda x: waves()(x) if len(x) == 1 else _raise(x), "GL103"),
}


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("what", ALONE)
def test_rows_that_cannot_stand_together_are_evaluated_alone(what, budget):
    """Every row alone is `waves`, whatever the model makes of several; a finding says that it is slow."""
    function, code = ALONE[what]
    model, x = Recording(function), inputs(4)
    a = gl.explain(model, x, 0, **budget)
    assert max(len(batch) for batch in model.batches[2:]) == 1
    assert [f.code for f in a.findings] == [code]
    torch.testing.assert_close(a.values, gl.explain(waves(), x, 0, **budget).values, rtol=0, atol=1e-12)
