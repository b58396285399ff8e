"""Wrong calls: the project's own error, in words that help, and nothing changed."""

import re
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn

import gradline as gl


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm, self.last = nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)

    def forward(self, x, shift=0.0):
        return self.last(torch.tanh(self.norm(self.first(x + shift))))


NET, X = Net(), torch.linspace(-1, 1, 8).reshape(2, 4)
HOLE = X.clone()
HOLE[1, 2] = float("nan")
INFINITE = X.clone()
INFINITE[0, 3] = -float("inf")


def case(error, words, /, **arguments):
    """Arguments that differ from a good call; `words` of the message: what was expected, what came, the remedy."""
    said = re.sub(r"\n *| at 0x\w+", "", ", ".join(f"{k}={v!r}" for k, v in arguments.items()))
    return pytest.param(arguments, error, words, id=said[:60])


TARGETS = [
    case(gl.TargetError, ["a class index from 0 to 2", "got 3"], target=3),
    case(gl.TargetError, ["a class index from 0 to 2", "got -1"], target=-1),
    case(gl.TargetError, ["from 0 to 2", "got 5"], target=torch.tensor([1, 5])),
    case(gl.TargetError, ["from 0 to 2", "got -2"], target=torch.tensor([-2, 1])),
    case(gl.TargetError, ["from 0 to 2", "got 7"], target=torch.tensor(7)),
    case(gl.TargetError, ["2 targets, one for each example", "shape (3,)"], target=torch.tensor([0, 1, 2])),
    case(gl.TargetError, ["2 targets, one for each example", "shape (2, 1)"], target=torch.tensor([[0], [1]])),
    case(gl.TargetError, ["integer class indices", "float32"], target=torch.tensor([0.0, 1.0])),
    case(gl.TargetError, ["integer class indices", "bool"], target=torch.tensor([True, False])),
    case(gl.TargetError, ["a class index", "got bool"], target=True),
    case(gl.TargetError, ["gl.Probability(3)", "Probability"], target=gl.Probability),
    case(gl.TargetError, ["a class index", "got str"], target="dog"),
    case(gl.TargetError, ["a class index", "got float"], target=1.0),
    case(gl.TargetError, ["a class index", "got dict"], target={"class": 1}),
    case(gl.TargetError, ["a class index", "got float"], target=[1, 2.0]),
    case(gl.InputError, ["at least one target", "an empty list"], target=[]),
    case(gl.TargetError, ["from 0 to 2", "9"], target=gl.Probability(9)),
    case(gl.TargetError, ["one scalar a row", "shape (2, 3)", "reduce the output"], target=lambda output: output),
    case(gl.TargetError, ["one scalar a row", "shape ()", "reduce the output"], target=lambda output: output.sum()),
    case(gl.TargetError, ["one scalar a row", "got float"], target=lambda output: 1.0),
]

INPUTS = [
    case(gl.InputError, ["a finite x", "1 NaN or infinite", "(1, 2)"], x=HOLE),
    case(gl.InputError, ["a finite x", "1 NaN or infinite", "(0, 3)"], x=INFINITE),
    case(gl.InputError, ["floating-point x", "torch.int64", ".float()"], x=torch.ones(2, 4, dtype=torch.int64)),
    case(gl.InputError, ["floating-point x", "torch.bool"], x=torch.ones(2, 4, dtype=torch.bool)),
    case(gl.InputError, ["floating-point x", "complex64"], x=torch.ones(2, 4, dtype=torch.complex64)),
    case(gl.InputError, ["x", "sparse"], x=X.to_sparse()),
    case(gl.InputError, ["torch.Tensor", "ndarray", "torch.as_tensor(x)"], x=X.numpy()),
    case(gl.InputError, ["torch.Tensor", "a tuple of list"], x=X.tolist()),
    case(gl.InputError, ["torch.Tensor", "NoneType", "batch axis first"], x=None),
    case(gl.InputError, ["(N, …)", "(4,)", "unsqueeze(0)"], x=X[0]),
    case(gl.InputError, ["(N, …)", "()", "reshape(1, 1)"], x=X[0, 0]),
    case(gl.InputError, ["at least one example", "(0, 4)"], x=X[:0]),
    case(gl.InputError, ["at least one feature", "(2, 0)"], x=X[:, :0]),
]

BASELINES = [
    case(gl.BaselineError, ["(2, 4)", "(1, 4)", "got shape (2, 3)"], baseline=torch.zeros(2, 3)),
    case(gl.BaselineError, ["(2, 4)", "got shape (4,)", "batch axis"], baseline=torch.zeros(4)),
    case(gl.BaselineError, ["(2, 4)", "got shape (3, 4)"], baseline=torch.zeros(3, 4)),
    case(gl.BaselineError, ["(2, 4)", "got shape (1, 1, 4)"], baseline=torch.zeros(1, 1, 4)),
    case(gl.BaselineError, ["finite baseline", "1 NaN"], baseline=HOLE),
    case(gl.BaselineError, ["finite baseline", "1 NaN or infinite"], baseline=INFINITE),
    case(gl.BaselineError, ["finite value", "nan"], baseline=float("nan")),
    case(gl.BaselineError, ["finite value", "inf"], baseline=gl.baselines.Constant(float("inf"))),
    case(gl.BaselineError, ["floating-point baseline", "int64", ".float()"], baseline=torch.zeros(1, 4).long()),
    case(gl.BaselineError, ["a baseline", "the class Blur", "write Blur(...)"], baseline=gl.baselines.Blur),
    case(gl.BaselineError, ["a baseline such as", "got str"], baseline="black"),
    case(gl.BaselineError, ["a tensor of x's shape", "got ndarray"], baseline=np.zeros((2, 4))),
    case(gl.BaselineError, ["a baseline such as", "got bool"], baseline=False),
    case(gl.BaselineError, ["a baseline such as", "got list"], baseline=[0.0, 1.0]),
    case(gl.BaselineError, ["images (N, C, H, W)", "(2, 4)"], baseline=gl.baselines.Blur(sigma=2)),
    case(gl.BaselineError, ["Black", "black and white", "explain_image"], baseline=gl.baselines.Black()),
    case(gl.BaselineError, ["got shape (2, 3)"], baseline=gl.baselines.Each(0.0, torch.zeros(2, 3))),
    case(gl.InputError, ["no baseline", "leave baseline= out"], method=gl.methods.gradient(), baseline=0.0),
]

BUDGETS = [
    *(case(gl.InputError, ["tol between 0 and 1", repr(t), "tol=0.05"], tol=t) for t in (0, 1, -0.1, 2, 0.0, 1.0)),
    *(case(gl.InputError, ["tol between 0 and 1", repr(t)], tol=t) for t in (float("nan"), "0.05", True, [0.1])),
    case(gl.InputError, ["either tol=", "or steps=", "not both"], tol=0.05, steps=10),
    *(case(gl.InputError, ["steps", "at least 1", repr(s)], steps=s) for s in (0, -1, 2.5, "8", True)),
    case(gl.InputError, ["steps >= 2 for Trapezoid", "steps=1"], steps=1, rule=gl.rules.Trapezoid),
    case(gl.InputError, ["odd number", "steps=4", "steps=5"], steps=4, rule=gl.rules.Simpson()),
    case(gl.InputError, ["steps= together with rule="], rule=gl.rules.GaussLegendre),
    case(gl.InputError, ["steps= together with rule="], tol=0.1, rule=gl.rules.GaussLegendre),
    case(gl.InputError, ["one of gl.rules", "'midpoint'"], steps=4, rule="midpoint"),
    case(gl.InputError, ["one of gl.rules", "Zero"], steps=4, rule=gl.baselines.Zero),
    case(gl.InputError, ["one of gl.rules"], steps=4, rule=50),
    case(gl.InputError, ["one of gl.rules"], steps=4, rule=gl.rules.Rule),
    case(gl.InputError, ["gradient", "leave tol= out"], method=gl.methods.gradient(), tol=0.1),
    case(gl.InputError, ["gradient-x-input", "steps="], method=gl.methods.gradient_x_input(), steps=8),
    *(case(gl.InputError, ["max_evaluations", "at least 8", repr(m)], max_evaluations=m) for m in (7, 0, -3, 99.0)),
    case(gl.InputError, ["at least 16", "15"], max_evaluations=15, baseline=gl.baselines.Each(0.0, 1.0)),
]

OTHERS = [
    case(gl.InputError, ["a Method", "call it", "gl.methods.gradient()"], method=gl.methods.gradient),
    case(gl.InputError, ["a Method", "'gradient'"], method="gradient"),
    case(gl.InputError, ["a model that can be called", "int"], model=7),
    case(gl.InputError, ["a model that can be called", "OrderedDict"], model=OrderedDict(weight=X)),
    case(gl.InputError, ["context", "dict", "got Tensor"], context=torch.zeros(2, 4)),
    case(gl.InputError, ["context['shift']", "2 rows", "(3, 4)"], context={"shift": torch.zeros(3, 4)}),
    case(gl.InputError, ["context['shift']", "2 rows", "list"], context={"shift": [0.5, 0.5]}),
    case(gl.InputError, ["context['shift']", "2 rows", "ndarray"], context={"shift": np.zeros((2, 4))}),
    case(gl.InputError, ["context['shift']", "sparse", "to_dense()"], context={"shift": X.to_sparse()}),
    case(gl.ModelError, ["unexpected keyword argument", "mask", "(1, 4)"], context={"mask": torch.zeros(2, 4)}),
    case(gl.InputError, ["2 different names", "['a', 'a']"], names=["a", "a"]),
    case(gl.InputError, ["2 different names", "1: ['a']"], names=["a"]),
    case(gl.InputError, ["2 different names", "3"], names=range(3)),
    case(gl.InputError, ["2 different names", "['both']"], names="both"),
    case(gl.InputError, ["names", "5"], names=5),
    case(gl.InputError, ["seed", "whole number", "0.5"], seed=0.5),
    case(gl.InputError, ["seed", "whole number", "'0'"], seed="0"),
    case(gl.InputError, ["memory", '"2GiB"', "'lots'"], memory="lots"),
    case(gl.InputError, ["memory", '"2GiB"', "-1"], memory=-1),
    case(gl.InputError, ["memory", '"2GiB"', "1.5"], memory=1.5),
]


@pytest.mark.parametrize(("arguments", "error", "words"), TARGETS + INPUTS + BASELINES + BUDGETS + OTHERS)
def test_a_wrong_argument_is_refused_in_words_that_help(arguments, error, words):
    before = {name: value.clone() for name, value in NET.state_dict().items()}, X.clone()
    with pytest.raises(gl.GradlineError) as caught:
        gl.explain(**{"model": NET, "x": X, "target": 0, **arguments})
    assert type(caught.value) is error
    assert isinstance(caught.value, RuntimeError if error is gl.ModelError else ValueError)
    for word in words:
        assert word in str(caught.value)
    assert all(torch.equal(value, before[0][name]) for name, value in NET.state_dict().items())
    assert all(module.training for module in NET.modules())
    assert torch.equal(X, before[1])


@pytest.mark.parametrize(
    ("make", "got"),
    [
        (lambda: gl.Logit(2.5), r"2\.5|float"),
        (lambda: gl.Logit("1"), "'1'|str"),
        (lambda: gl.Logit(True), "True|bool"),
        (lambda: gl.Logit(None), "None"),
        (lambda: gl.Probability([0, 1]), "list|0, 1"),
        (lambda: gl.Function(3), "3|int"),
    ],
    ids=["Logit(2.5)", "Logit('1')", "Logit(True)", "Logit(None)", "Probability([0, 1])", "Function(3)"],
)
def test_a_target_made_of_the_wrong_thing_is_refused(make, got):
    with pytest.raises(gl.TargetError, match=f"expected .*, got .*({got})"):
        gl.explain(NET, X, make(), steps=2)


def test_a_constant_baseline_is_a_number():
    with pytest.raises(gl.BaselineError, match=r"expected .*Constant.*, got .*(white|str)"):
        gl.explain(NET, X, 0, baseline=gl.baselines.Constant("white"), steps=2)


def test_a_target_function_that_fails_is_an_error_with_its_cause():
    with pytest.raises(gl.GradlineError, match="logits") as caught:
        gl.explain(lambda x: {"scores": x}, X, lambda output: output["logits"][:, 0], steps=2)
    assert isinstance(caught.value.__cause__, KeyError)


def test_the_model_is_not_bothered_with_what_can_be_refused_without_it():
    def model(x):
        raise AssertionError("called")

    for arguments in (
        {"tol": 3},
        {"steps": 0},
        {"names": ["a"]},
        {"memory": "lots"},
        {"baseline": "black"},
        {"seed": 1.5},
    ):
        with pytest.raises(gl.InputError):
            gl.explain(model, X, **arguments)


@pytest.mark.parametrize("score", [NET, None, lambda x: x.sum(1), "efficientnet-lite0", gl.Score])
def test_attribute_wants_a_score(score):
    with pytest.raises(gl.InputError, match=r"a Score, such as gl\.Score"):
        gl.attribute(score, X)


LINES = nn.Linear(4, 3)

CUT = {
    "constant": (lambda x: torch.ones(len(x), 3), ""),
    "constant with parameters": (lambda x: LINES.bias.expand(len(x), 3), ""),
    "detached": (lambda x: LINES(x.detach()), "Tensor.detach"),
    "detached output": (lambda x: LINES(x).detach(), "Tensor.detach"),
    "argmax": (lambda x: LINES(x).argmax(1), "Tensor.argmax"),
    "integers": (lambda x: (100 * LINES(x)).long(), "Tensor.long"),
    "no_grad": (torch.no_grad()(lambda x: LINES(x)), "under no_grad()"),
    "numpy inside": (lambda x: torch.from_numpy(np.tanh(x.detach().numpy())), "Tensor.detach"),
    "items": (lambda x: torch.tensor([[row.sum().item()] * 3 for row in x]), "Tensor.item"),
}


@pytest.mark.parametrize("what", CUT)
@pytest.mark.parametrize(
    "arguments", [{}, {"steps": 3}, {"method": gl.methods.gradient()}], ids=["tol", "steps", "gradient"]
)
def test_a_score_that_is_cut_off_from_x_is_named_with_the_cut(what, arguments):
    """The operation that cuts, where one is found; the likely ones where x is not used at all; what to do."""
    model, cut = CUT[what]
    with pytest.raises(gl.ModelError, match="does not depend on x") as caught:
        gl.explain(model, X, None if what == "argmax" else 1, **arguments)
    said = str(caught.value)
    if cut:
        assert f"the path is cut by {cut}" in said or (cut.startswith("under") and cut in said)
    else:
        for likely in ("detach()", "no_grad()", "argmax", ".long()", ".item()"):
            assert likely in said
    assert "site=gl.Layer(…)" in said
    assert "derivative=" in said


def test_one_cut_target_in_a_list_is_found():
    with pytest.raises(gl.ModelError, match="does not depend on x"):
        gl.explain(LINES, X, [0, lambda output: output.detach()[:, 0]], steps=2)


@pytest.mark.parametrize("target", [gl.Probability(1), gl.Predicted(), 1], ids=["probability", "predicted", "logit"])
def test_whole_numbers_as_output_are_a_cut_for_every_target(target):
    with pytest.raises(gl.GradlineError, match=r"does not depend on x|floating"):
        gl.explain(CUT["integers"][0], X, target, steps=2)
