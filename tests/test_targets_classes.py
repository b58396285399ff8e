"""Classes on every scale, margins, and the outputs that a class is found in; values derived by hand."""

import math
from collections import namedtuple
from types import SimpleNamespace

import pytest
import torch

import gradline as gl
from gradline.question import targets

EVERY = torch.arange(2)
TABLE = torch.tensor([[1.0, 3.0, 2.0, -1.0], [0.0, 0.5, -2.0, 4.0]], dtype=torch.float64)


def picked(target, output=TABLE):
    """The scalars of a target at the output that it was frozen at."""
    rows = torch.arange(len(TABLE))
    return target.freeze(output, len(TABLE)).pick(output, rows)


def words(target, output=TABLE):
    frozen = target.freeze(output, len(TABLE))
    return [frozen.describe(i) for i in range(len(TABLE))]


def test_log_probability_is_the_logit_less_the_log_of_the_sum_of_exponentials():
    expected = [1 - math.log(sum(map(math.exp, row))) for row in ([1, 3, 2, -1],)]
    assert picked(targets.LogProbability(0))[0].item() == pytest.approx(expected[0], rel=1e-14)
    assert words(targets.LogProbability(torch.tensor([0, 3]))) == [
        "log-probability of class 0",
        "log-probability of class 3",
    ]


def test_log_probability_does_not_overflow_or_vanish():
    steep = torch.tensor([[1000.0, 0.0], [-1000.0, 0.0]])
    assert picked(targets.LogProbability(1), steep).tolist() == [-1000.0, 0.0]
    assert picked(targets.LogProbability(0), steep[:, :1]).tolist() == [0.0, -1000.0]


def test_log_probability_of_one_column_is_that_of_its_sigmoid():
    torch.testing.assert_close(picked(targets.LogProbability(0), TABLE[:, 0]), torch.sigmoid(TABLE[:, 0]).log())


def test_label_probability_is_the_sigmoid_of_its_own_column():
    expected = [1 / (1 + math.exp(-3)), 1 / (1 + math.exp(2))]
    assert picked(targets.LabelProbability(torch.tensor([1, 2]))).tolist() == pytest.approx(expected)
    assert words(targets.LabelProbability(2)) == ["probability of label 2"] * 2


def test_margin_over_a_given_class():
    assert picked(targets.Margin(0, 2)).tolist() == [-1.0, 2.0]
    assert picked(targets.Margin(torch.tensor([1, 3]), torch.tensor([0, 1]))).tolist() == [2.0, 3.5]
    assert words(targets.Margin(3, torch.tensor([1, 0]))) == [
        "margin of class 3 over class 1",
        "margin of class 3 over class 0",
    ]


def test_margin_over_the_best_other_class_which_stays_that_of_x():
    margin = targets.Margin(torch.tensor([1, 0])).freeze(TABLE, 2)
    assert margin.pick(TABLE, EVERY).tolist() == [1.0, -4.0]
    assert [margin.describe(i) for i in range(2)] == [
        "margin of class 1 over class 2",
        "margin of class 0 over class 3",
    ]
    assert margin.pick(-TABLE, EVERY).tolist() == [-1.0, 4.0]
    assert targets.Margin(1).describe(0) == "margin of class 1 over the best other class"


@pytest.mark.parametrize("k", range(4))
def test_the_best_other_class_is_never_the_class_itself(k):
    for row in ([0.0] * 4, [-math.inf] * 4, [math.inf] * 4):
        assert targets.Margin(k).freeze(torch.tensor([row]), 1).other.item() != k


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (targets.Margin(1, 1), ["two different classes", "class 1 twice"]),
        (targets.Margin(torch.tensor([0, 1]), torch.tensor([3, 1])), ["two different classes", "class 1 twice"]),
        (targets.Margin(1, torch.tensor([0, 1])), ["two different classes", "class 1 twice"]),
        (targets.Margin(1, 4), ["a class index from 0 to 3", "got 4"]),
        (targets.Margin(1, True), ["a class index", "True"]),
        (targets.Predicted(3), ["gl.Predicted(gl.Probability)", "got 3"]),
        (targets.Predicted(targets.Function), ["gl.Predicted(gl.Probability)", "Function"]),
    ],
    ids=str,
)
def test_what_a_class_target_refuses(target, words):
    with pytest.raises(gl.TargetError) as caught:
        target.freeze(TABLE, 2)
    assert all(word in str(caught.value) for word in words)


def test_one_column_has_no_margin():
    with pytest.raises(gl.TargetError, match=r"at least two classes .* got one output column; .*gl\.Logit\(0\)"):
        targets.Margin(0).freeze(TABLE[:, :1], 2)


def test_the_predicted_class_on_any_scale():
    assert picked(targets.Predicted()).tolist() == [3.0, 4.0]
    torch.testing.assert_close(picked(targets.Predicted(targets.Probability)), torch.softmax(TABLE, 1).amax(1))
    assert picked(targets.Predicted(targets.Margin)).tolist() == [1.0, 3.5]
    assert targets.Predicted(targets.Probability).bounded
    assert not targets.Predicted().bounded
    assert words(targets.Predicted(targets.LogProbability)) == [
        "log-probability of class 1",
        "log-probability of class 3",
    ]


KINDS = [targets.Logit, targets.Probability, targets.LogProbability, targets.Margin]


@pytest.mark.parametrize("kind", KINDS)
def test_the_margin_of_a_class_is_over_the_best_other_one(kind):
    for target in (kind(1), kind(1).freeze(TABLE, 2)):
        assert picked(target.margin()).tolist() == [1.0, -3.5]


def test_margins_of_other_targets():
    assert picked(targets.Predicted().margin()).tolist() == [1.0, 3.5]
    assert picked(targets.Predicted(targets.Probability).margin()).tolist() == [1.0, 3.5]
    assert picked(targets.LabelProbability(2).margin()).tolist() == [2.0, -2.0]
    assert picked(targets.Entry(0, 1).margin(), (TABLE,)).tolist() == [1.0, -3.5]
    region = targets.Region(mask=torch.ones(4)).freeze(TABLE, 2)
    for target in (targets.Element(1), targets.Function(len), targets.Contrast(0, 1), targets.Neuron("fc", 1), region):
        with pytest.raises(
            gl.TargetError, match=f"class has rivals, got {type(target).__name__}, which has none; .*gl.Logit"
        ):
            target.margin()


Pair = namedtuple("Pair", "score aside")

HELD = {
    "mapping": {"loss": TABLE.sum(), "logits": TABLE, "hidden": TABLE[:, None]},
    "object": SimpleNamespace(logits=TABLE, hidden=TABLE[:, None]),
    "tuple of one": (TABLE,),
    "list of one": [TABLE],
    "named tuple": Pair(TABLE, None),
    "tuple with more": (TABLE, {"hidden": TABLE}, "note"),
}


@pytest.mark.parametrize("form", HELD)
@pytest.mark.parametrize("kind", [*KINDS, targets.LabelProbability])
def test_a_class_is_found_in_what_models_return(form, kind):
    assert torch.equal(picked(kind(3), HELD[form]), picked(kind(3)))
    assert torch.equal(picked(targets.Predicted(kind), HELD[form]), picked(targets.Predicted(kind)))


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ({"pooled": TABLE, "hidden": TABLE[:, None]}, ["(2, 4)", "(2, 1, 4)", "gl.targets.Entry('pooled', 3)"]),
        ((TABLE, TABLE), ["tuple", "(2, 4)", "gl.targets.Entry(0, 3)"]),
        (SimpleNamespace(a=TABLE), ["SimpleNamespace", "gl.targets.Entry('a', 3)"]),
        ({"heads": [TABLE]}, ["gl.targets.Entry('name', 3)"]),
        ([{"boxes": TABLE, "labels": EVERY}] * 2, ["gl.targets.Box("]),
        ({}, ["got dict", "pass a function"]),
        (None, ["got NoneType", "pass a function"]),
        (TABLE[:, :, None, None], ["(2, 4, 1, 1)", "gl.targets.Region(0)", "gl.targets.Element(0, 0, 0)"]),
        (TABLE[:, :, None], ["(2, 4, 1)", "gl.targets.Element(0, 0)"]),
        (TABLE.T, ["(2, classes)", "(4, 2)", "batch axis first"]),
        (TABLE.sum(), ["(2, classes)", "shape ()", "batch axis first"]),
        (TABLE[:, :0], ["(2, 0)", "without a class"]),
        (TABLE.cfloat(), ["real numbers", "complex64"]),
    ],
    ids=range(13),
)
@pytest.mark.parametrize("target", [targets.Logit(3), targets.Predicted(), targets.Margin(3)], ids=str)
def test_an_output_without_one_table_is_refused_in_words_that_help(output, words, target):
    with pytest.raises(gl.TargetError) as caught:
        target.freeze(output, 2)
    assert all(word in str(caught.value) for word in words)


def test_a_frozen_target_has_its_own_copy_of_the_classes():
    wanted = torch.tensor([0, 1])
    frozen = targets.Logit(wanted).freeze(TABLE, 2)
    wanted.zero_()
    assert frozen.pick(TABLE, EVERY).tolist() == [1.0, 0.5]


def test_half_precision_is_widened_before_exponentials_and_differences():
    half = TABLE.bfloat16()
    for kind in (targets.Probability, targets.LogProbability, targets.LabelProbability, targets.Margin):
        assert torch.equal(picked(kind(1), half), picked(kind(1), half.float()))
    assert torch.equal(picked(targets.Logit(1), half), half[:, 1])


def linear(x):
    """Column k of the output is w_k · x."""
    return x @ torch.tensor([[1.0, 2.0, -1.0], [0.5, -1.0, 3.0]], dtype=torch.float64)


X = torch.tensor([[1.0, 2.0], [-0.5, 1.5]], dtype=torch.float64)


def test_explained_margin_of_a_linear_model():
    """A_i = (w_ki − w_ji) x_i."""
    a = gl.explain(linear, X, targets.Margin(1, 2), steps=2)
    torch.testing.assert_close(a.values, torch.tensor([3.0, -4.0], dtype=torch.float64) * X)
    assert a.explained == ("margin of class 1 over class 2",) * 2


@pytest.mark.parametrize("target", [None, 2, targets.Probability(1), targets.Entry("logits", 0)], ids=str)
def test_explained_output_of_a_mapping(target):
    a = gl.explain(lambda x: {"logits": linear(x), "hidden": x[:, None]}, X, target, steps=4)
    plain = target.target if isinstance(target, targets.Entry) else target
    torch.testing.assert_close(a.values, gl.explain(linear, X, plain, steps=4).values)
