"""Differences of targets, entries of structured outputs, and losses against a reference."""

from collections import namedtuple
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional

import gradline as gl
from gradline.question.targets import Box, Contrast, Element, Entry, Logit, Loss, Neuron, Predicted, Probability, Region

TABLE = torch.tensor([[1.0, 3.0, 2.0, -1.0], [0.0, 0.5, -2.0, 4.0]], dtype=torch.float64)
EVERY = torch.arange(2)


def picked(target, output=TABLE):
    return target.freeze(output, 2).pick(output, EVERY)


# ------------------------------------------------------------------------------------------------ Contrast


def test_a_contrast_is_a_difference():
    assert picked(Contrast(1, Logit(torch.tensor([0, 3])))).tolist() == [2.0, -3.5]
    got = picked(Contrast(lambda y: y[:, 1].square(), Probability(0)))
    torch.testing.assert_close(got, TABLE[:, 1].square() - torch.softmax(TABLE, 1)[:, 0])


def test_both_sides_are_frozen_at_x():
    contrast = Contrast(None, 0).freeze(TABLE, 2)
    assert contrast.pick(TABLE, EVERY).tolist() == [2.0, 4.0]
    assert contrast.pick(-TABLE, EVERY).tolist() == [-2.0, -4.0]
    assert [contrast.describe(i) for i in range(2)] == [
        "logit of class 1 less logit of class 0",
        "logit of class 3 less logit of class 0",
    ]


def test_a_contrast_is_bounded_if_both_are():
    assert Contrast(Probability(0), Predicted(Probability)).bounded
    assert not Contrast(Probability(0), 0).bounded


def test_a_contrast_reads_one_layer():
    contrast = Contrast(Neuron("fc1", 0), Neuron("fc1", 3))
    assert contrast.layer == "fc1"
    assert picked(contrast).tolist() == [2.0, -4.0]
    assert Contrast(0, 1).layer is None
    for first, second in ((Neuron("fc1", 0), Neuron("fc2", 0)), (Neuron("fc1", 0), 0), (0, Neuron("fc1", 0))):
        with pytest.raises(gl.TargetError, match=r"read the same layer, .* got .*(fc1 and |and fc1)"):
            Contrast(first, second).freeze(TABLE, 2)


def test_a_contrast_of_what_is_no_target():
    with pytest.raises(gl.TargetError, match=r"a class index, .* got str"):
        Contrast(0, "dog").freeze(TABLE, 2)
    with pytest.raises(gl.TargetError, match="from 0 to 3, got 4"):
        Contrast(4, 0).freeze(TABLE, 2)


# ------------------------------------------------------------------------------------------------ Entry

Pair = namedtuple("Pair", "mean spread")
TREE = {"heads": [TABLE, {"deep": 2 * TABLE}], "out": TABLE, "flag": True}


@pytest.mark.parametrize(
    ("target", "output", "factor"),
    [
        (Entry("out", 1), TREE, 1),
        (Entry("heads", Entry(0, 1)), TREE, 1),
        (Entry("heads", Entry(1, Entry("deep", 1))), TREE, 2),
        (Entry("spread", 1), Pair(TABLE, 3 * TABLE), 3),
        (Entry(1, 1), Pair(TABLE, 3 * TABLE), 3),
        (Entry("a", 1), SimpleNamespace(a=TABLE, b=TABLE), 1),
        (Entry(7, 1), {7: TABLE, 8: TABLE}, 1),
        (Entry("items", 1), {"items": TABLE}, 1),
        (Entry("out", lambda y: y[:, 1]), TREE, 1),
    ],
    ids=range(9),
)
def test_an_entry_is_a_target_of_a_part(target, output, factor):
    assert torch.equal(picked(target, output), factor * TABLE[:, 1])


def test_entries_in_words_and_bounds():
    nested = Entry("heads", Entry(1, Entry("deep", Predicted(Probability))))
    assert nested.bounded
    assert nested.freeze(TREE, 2).describe(1) == "probability of class 3 of output 'deep' of output 1 of output 'heads'"
    assert not Entry("out").bounded
    assert picked(Entry("out"), TREE).tolist() == [3.0, 4.0]


@pytest.mark.parametrize(
    ("target", "output", "words"),
    [
        (Entry("logits", 1), TREE, ["an entry 'logits'", "(2, 4)", "there are 'heads', 'out'"]),
        (Entry(2, 1), (TABLE, TABLE), ["an entry 2", "tuple", "there are 0, 1"]),
        (Entry(-1, 1), (TABLE, TABLE), ["an entry -1", "there are 0, 1"]),
        (Entry(0, 1), TREE, ["an entry 0", "there are 'heads', 'out'"]),
        (Entry("T", 1), TABLE, ["an entry 'T'", "tensor of shape (2, 4)", "leave the Entry out"]),
        (Entry("out", 1), None, ["an entry 'out'", "NoneType", "holds no tensor"]),
        (Entry("out", 9), TREE, ["from 0 to 3", "got 9"]),
        (Entry("flag", 1), TREE, ["a tensor from the model", "bool"]),
        (Entry(True, 1), TREE, ["the name or the position", "True"]),
        (Entry(None, 1), TREE, ["the name or the position", "None"]),
        (Entry("out", Neuron("fc1", 1)), TREE, ["reads layer fc1", "leave the Entry out"]),
    ],
    ids=range(11),
)
def test_an_entry_that_is_not_there(target, output, words):
    with pytest.raises(gl.TargetError) as caught:
        target.freeze(output, 2)
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize("inner", [Element(1), Box((0, 0, 1, 1), 0), Contrast(1, 0)], ids=str)
def test_a_wrong_output_is_refused_inside_an_entry_too(inner):
    with pytest.raises(gl.TargetError):
        Entry("flag", inner).freeze(TREE, 2)


# ------------------------------------------------------------------------------------------------ Loss


def squared_error(output, reference):
    return (output - reference).square().mean(1)


def test_a_loss_has_its_own_reference_for_every_row():
    reference = torch.tensor([[1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    loss = Loss(squared_error, reference)
    assert picked(loss).tolist() == [(0 + 4 + 1 + 4) / 4, (0.25 + 4 + 16) / 4]
    owner = torch.tensor([1, 1, 0])
    assert loss.pick(TABLE[owner], owner).tolist() == [5.0625, 5.0625, 2.25]
    assert loss.describe(0) == "squared_error against the reference"
    assert not loss.bounded


def test_a_loss_of_class_numbers_and_of_structured_outputs():
    labels = torch.tensor([1, 3])
    got = picked(Loss(lambda y, k: functional.cross_entropy(y, k, reduction="none"), labels))
    torch.testing.assert_close(got, -torch.log_softmax(TABLE, 1)[EVERY, labels])
    got = picked(Loss(lambda y, r: (y["out"] - r).abs().sum(1), TABLE), {"out": 2 * TABLE})
    torch.testing.assert_close(got, TABLE.abs().sum(1))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (
            Loss(functional.mse_loss, TABLE),
            ["one scalar a row, shape (2,), from the loss", "shape ()", 'reduction="none"'],
        ),
        (Loss(lambda y, r: y - r, TABLE), ["one scalar a row", "shape (2, 4)", "reduce the output"]),
        (Loss(lambda y, r: y @ r, TABLE), ["the loss failed", "RuntimeError"]),
        (Loss(squared_error, TABLE[:1]), ["a reference with 2 rows", "shape (1, 4)"]),
        (Loss(squared_error, TABLE.sum()), ["a reference with 2 rows", "shape ()"]),
        (Loss(squared_error, [1, 2]), ["as a tensor, one row for each example", "list"]),
        (Loss("mse", TABLE), ["a function of the model's output and the reference", "'mse'"]),
    ],
    ids=range(7),
)
def test_a_loss_that_cannot_be_used(target, words):
    with pytest.raises(gl.TargetError) as caught:
        picked(target)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_running_out_of_memory_is_not_the_targets_fault():
    def greedy(output, reference):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        picked(Loss(greedy, TABLE))


# ------------------------------------------------------------------------------------------------ end to end

X = torch.tensor([[1.0, 2.0], [-0.5, 1.5]], dtype=torch.float64)
WEIGHT = torch.tensor([[1.0, 2.0, -1.0], [0.5, -1.0, 3.0]], dtype=torch.float64)


def linear(x):
    return x @ WEIGHT


def test_explained_contrast_of_a_linear_model():
    a = gl.explain(linear, X, Contrast(1, 2), steps=2)
    torch.testing.assert_close(a.values, (WEIGHT[:, 1] - WEIGHT[:, 2]) * X)
    assert a.explained == ("logit of class 1 less logit of class 2",) * 2


def test_explained_entry_of_several_outputs():
    outputs = [Entry("maps", Region(1, torch.eye(2))), Entry("scores", torch.tensor([2, 0]))]
    a, b = gl.explain(
        lambda x: {"maps": x[:, :, None, None].expand(-1, -1, 2, 2), "scores": linear(x)}, X, outputs, steps=2
    )
    torch.testing.assert_close(a.values, X * torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(b.values, X * WEIGHT[:, [2, 0]].T)


def test_explained_reconstruction_error():
    """½‖x‖² as the loss of the identity against zero: A_i = ½ x_i²; against x itself: A_i = −½ x_i²."""

    def half(output, reference):
        return (output - reference).square().sum(1) / 2

    torch.testing.assert_close(gl.explain(lambda x: x, X, Loss(half, 0 * X), steps=2).values, X.square() / 2)
    torch.testing.assert_close(gl.explain(lambda x: x, X, Loss(half, X), steps=2).values, -X.square() / 2)
