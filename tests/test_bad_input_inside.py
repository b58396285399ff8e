"""Wrong places in the network, wrong entries of tuples and dicts, baselines that do not fit them: refused in words."""

import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import gradline as gl
from gradline.core.baselines import AtSite, Boundary, Mean
from gradline.question import Layer


class Net(nn.Module):
    """Two layers, one that nobody calls, one of whole numbers, one called twice, one that the output does not use."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last, self.unused = nn.Linear(4, 8), nn.Linear(8, 3), nn.Linear(8, 3)
        self.whole, self.twice, self.aside = nn.Identity(), nn.Tanh(), nn.Linear(8, 8)

    def forward(self, x, shift=0.0, ids=None):
        hidden = self.twice(self.first(x + shift))
        self.whole(hidden.long())
        self.aside(hidden)
        return self.last(self.twice(hidden))


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.last = nn.Embedding(9, 4), nn.Linear(4, 3)

    def forward(self, ids, mask=None):
        seen = torch.tanh(self.embed(ids))
        return self.last((seen if mask is None else seen * mask.unsqueeze(2)).sum(1))


NET, WORDS, X, IDS = Net().eval(), Words().eval(), torch.linspace(-1, 1, 8).reshape(2, 4), torch.arange(6).reshape(2, 3)
HOLE = X.clone()
HOLE[1, 2] = float("nan")
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    SCRIPTED = nn.Sequential(torch.jit.script(nn.Linear(4, 4)), nn.Linear(4, 3))


def case(error, words, /, **arguments):
    """Arguments that differ from a good call; `words` of the message: what was expected, what came, the remedy."""
    said = re.sub(r"\n *| at 0x\w+", "", ", ".join(f"{k}={v!r}" for k, v in arguments.items()))
    return pytest.param(arguments, error, words, id=said[:60])


def words_case(error, words, /, **arguments):
    return case(error, words, **{"model": WORDS, "x": IDS, "site": Layer("embed"), **arguments})


INPUTS = [
    case(gl.InputError, ["a finite x['x']", "1 NaN or infinite", "(1, 2)"], x={"x": HOLE}),
    case(gl.InputError, ["a finite x[1]", "1 NaN or infinite", "(1, 2)"], x=(X, HOLE)),
    case(gl.InputError, ["the same number of rows", "{'0': 2, '1': 3}"], x=(X, torch.ones(3, 4))),
    case(gl.InputError, ["the same number of rows", "'ids': 1"], x={"x": X, "ids": IDS[:1]}),
    case(gl.InputError, ["at least one torch.Tensor in x", "nothing"], x=()),
    case(gl.InputError, ["at least one torch.Tensor in x", "nothing"], x={}),
    case(gl.InputError, ["at least one torch.Tensor in x", "a tuple of str, int"], x=("a", 3)),
    case(gl.InputError, ["at least one torch.Tensor in x", "a dict of ndarray"], x={"x": X.numpy()}),
    case(gl.InputError, ["a floating-point x['shift']", "complex64", "view_as_real"], x={"x": X, "shift": X + 0j}),
    case(gl.InputError, ["x['shift']", "(N, …)", "()"], x={"x": X, "shift": torch.tensor(0.5)}),
    case(gl.InputError, ["a dense x[1]", "sparse", "to_dense()"], x=(X, X.to_sparse())),
    case(gl.InputError, ["at least one example", "x['ids']", "(2, 0)"], x={"x": X, "ids": IDS[:, :0]}),
    case(gl.InputError, ["x[1]", "list"], x=(X, [X, X])),
    case(gl.InputError, ["x['shift']", "ndarray"], x={"x": X, "shift": X.numpy()}),
    case(gl.ModelError, ["unexpected keyword argument", "other", "(1, 4)"], x={"x": X, "other": X}),
    case(gl.ModelError, ["multiple values", "'x'"], context={"x": X}),
    case(gl.InputError, ["context", "'x'"], x={"x": X}, context={"x": X}),
    case(gl.InputError, ["context['ids']", "2 rows", "(3, 4)"], x={"x": X}, context={"ids": torch.zeros(3, 4).long()}),
    case(gl.InputError, ["floating-point x", "torch.int64", "site=gl.Layer(…)"], x=IDS),
    words_case(gl.InputError, ["floating-point x", "torch.int64", "site=gl.Layer('embed')"], site=None),
    words_case(gl.InputError, ["torch.bool and torch.int64", "'embed'"], site=None, x={"ids": IDS, "mask": IDS > 0}),
]

SITES = [
    case(gl.SiteError, ["site as gl.Layer(…) or gl.Input()", "'first'"], site="first"),
    case(gl.SiteError, ["site as gl.Layer(…) or gl.Input()"], site=gl.Input),
    case(gl.SiteError, ["the name of a layer", "'frist'", "did you mean 'first'"], site=Layer("frist")),
    case(gl.SiteError, ["the name of a layer", "'zzz'", "there are 'first', 'last'"], site=Layer("zzz")),
    case(gl.SiteError, ["the name of a layer, or the module itself", "int"], site=Layer(3)),
    case(gl.SiteError, ["a layer of the model", "a Linear that is not part of it"], site=Layer(nn.Linear(4, 8))),
    case(gl.SiteError, ["'unused' is never called", "unused"], site=Layer("unused")),
    case(gl.SiteError, ["'twice' is called several times", "gl.Layer(…, call=0)"], site=Layer("twice")),
    case(gl.SiteError, ["a call of layer 'twice' below 2", "call=2"], site=Layer("twice", call=2)),
    case(gl.SiteError, ["a call of layer 'first' below 1", "call=1"], site=Layer("first", call=1)),
    case(gl.SiteError, ["floating-point tensor 0", "'whole'", "tensor (1, 8)"], site=Layer("whole")),
    case(gl.SiteError, ["floating-point tensor 1", "'first'", "output= below 1"], site=Layer("first", output=1)),
    case(gl.SiteError, ["no differentiable way", "'aside'", "unused there"], site=Layer("aside")),
    *(case(gl.SiteError, ["output of a Layer", repr(v)], site=Layer("first", output=v)) for v in (-1, True, "0", 0.5)),
    *(case(gl.SiteError, ["call of a Layer", repr(v)], site=Layer("first", call=v)) for v in (-1, True, "0", 0.5)),
    case(gl.SiteError, ["torch.nn.Module", "function"], model=lambda x: NET(x), site=Layer("first")),
    case(gl.SiteError, ["'0' is a TorchScript module", "scripted from"], model=SCRIPTED, site=Layer("0")),
    case(gl.SiteError, ["read as gl.Layer(…)", "'first'"], method=gl.methods.conductance("first")),
    case(gl.SiteError, ["'frist'", "'first'"], method=gl.methods.internal_influence(Layer("frist"))),
    case(gl.SiteError, ["no differentiable way", "'aside'"], method=gl.methods.conductance(Layer("aside"))),
    case(gl.SiteError, ["'frist'", "'first'"], target=gl.Neuron("frist", 0)),
    case(gl.SiteError, ["'unused' is never called"], target=gl.Neuron(NET.unused, 0)),
    case(gl.SiteError, ["no differentiable way", "'last'"], site=Layer("last"), target=gl.Neuron("first", 0)),
]

AT_INPUT = gl.methods.gradient()

BASELINES = [
    case(gl.BaselineError, ["inputs out of ['0']", "'1'"], baseline=(0.0, 1.0)),
    case(gl.BaselineError, ["inputs out of ['0']", "'x'"], baseline={"x": 0.0}),
    case(gl.BaselineError, ["inputs out of ['x']", "'y'"], x={"x": X}, baseline={"x": 0.0, "y": 0.0}),
    case(gl.BaselineError, ["'ids'", "held at x", "leave it out"], x={"x": X, "ids": IDS}, baseline={"ids": 0}),
    case(gl.BaselineError, ["(2, 4)", "(2, 3)"], x={"x": X, "ids": IDS}, baseline={"x": torch.zeros(2, 3)}),
    case(gl.BaselineError, ["(2, 8)", "(1, 3)"], site=Layer("first"), baseline=AtSite(torch.zeros(1, 3))),
    case(gl.BaselineError, ["(2, 4)", "(1, 8)"], site=Layer("first"), baseline=torch.zeros(1, 8)),
    words_case(gl.BaselineError, ["whole number", "int64", "0.5"], baseline=0.5),
    words_case(gl.BaselineError, ["an integer baseline", "float32", ".long()"], baseline=torch.zeros(1, 3)),
    words_case(gl.BaselineError, ["floating-point", "Mean", "int64"], baseline=Mean()),
    words_case(gl.BaselineError, ["floating-point", "Boundary"], baseline=Boundary()),
    words_case(gl.BaselineError, ["['ids', 'mask']", "baseline={'ids': …}", "AtSite"], x={"ids": IDS, "mask": IDS}),
    case(gl.InputError, ["no read= for gradient", "site=gl.Layer(…)"], method=replace(AT_INPUT, read=Layer("first"))),
    words_case(gl.ModelError, ["index out of range"], baseline=torch.full((1, 3), 9)),
]


@pytest.mark.parametrize(("arguments", "error", "words"), INPUTS + SITES + BASELINES)
def test_a_wrong_place_or_entry_is_refused_in_words_that_help(arguments, error, words):
    with pytest.raises(gl.GradlineError) as caught:
        gl.explain(**{"model": NET, "x": X, "target": 0, **arguments})
    assert type(caught.value) is error
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("derivative", "words"),
    [
        (3, "a derivative of gl.derivatives.*3"),
        (gl.derivatives.FiniteDifferences, "a derivative of gl.derivatives"),
        (gl.derivatives.FiniteDifferences(step=0.0), r"step as a positive number.*0\.0"),
        (gl.derivatives.FiniteDifferences(step=True), "step as a positive number.*True"),
        (gl.derivatives.GaussianSmoothing(sigma=-1.0), r"sigma as a positive number.*-1\.0"),
        (gl.derivatives.GaussianSmoothing(sigma=np.inf), "sigma as a positive number.*inf"),
        *((gl.derivatives.GaussianSmoothing(1.0, n), f"even number of at least 4.*{n}") for n in (2, 5, 8.0, True)),
    ],
)
def test_a_derivative_that_cannot_be_is_refused(derivative, words):
    with pytest.raises(gl.InputError, match=words):
        gl.attribute(gl.Score(NET, 0, derivative=derivative), X, steps=2)


def test_gradients_of_a_stand_in_cannot_be_read_elsewhere():
    score = gl.Score(NET, 0, derivative=gl.derivatives.FiniteDifferences())
    with pytest.raises(gl.InputError, match="read where the path is driven"):
        gl.attribute(score, X, gl.methods.conductance(Layer("first")), steps=2)


@pytest.mark.parametrize("context", [{"shift": torch.zeros(())}, {"shift": 0.0}, {"ids": None}, {"shift": X[:1] * 0}])
def test_flags_and_one_row_for_all_are_context_too(context):
    a = gl.explain(NET, X, 0, context=context, steps=2)
    assert torch.equal(a.values, gl.explain(NET, X, 0, steps=2).values)


def test_the_model_is_not_bothered_with_a_place_that_does_not_exist():
    class Untouchable(nn.Linear):
        def forward(self, x):
            raise AssertionError("called")

    for arguments in (
        {"site": Layer("frist")},
        {"site": Layer(nn.Linear(4, 3))},
        {"method": gl.methods.conductance(Layer("frist"))},
        {"x": (X, X[:1])},
        {"context": {"shift": [1.0]}},
    ):
        with pytest.raises(gl.InputError):
            gl.explain(**{"model": Untouchable(4, 3), "x": X, "target": 0, **arguments})
