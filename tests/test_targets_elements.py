"""One number of an output or of a layer: which one, for whom, and what does not fit."""

import pytest
import torch
from torch import nn

import gradline as gl
from gradline.question.targets import Element, Neuron

N, T, V = 3, 5, 2
SERIES = torch.arange(float(N * T * V)).reshape(N, T, V)
EVERY = torch.arange(N)


def picked(target, output=SERIES):
    return target.freeze(output, N).pick(output, EVERY)


@pytest.mark.parametrize("make", [lambda *at: Element(*at), lambda *at: Neuron("fc1", at)], ids=["Element", "Neuron"])
def test_an_element_is_the_number_at_its_place(make):
    each = torch.tensor([0, 4, 2])
    assert torch.equal(picked(make(3, 0)), SERIES[:, 3, 0])
    assert torch.equal(picked(make(torch.tensor(3), 0)), SERIES[:, 3, 0])
    assert torch.equal(picked(make(each, 1)), SERIES[EVERY, each, 1])
    assert torch.equal(picked(make(4, each % 2)), SERIES[EVERY, 4, each % 2])
    assert torch.equal(picked(make(each, each % 2)), SERIES[EVERY, each, each % 2])
    cube = SERIES.reshape(N, 5, 1, 2)
    assert torch.equal(picked(make(each, 0, each % 2), cube), cube[EVERY, each, 0, each % 2])


def test_one_axis_or_none():
    assert torch.equal(picked(Neuron("fc1", 3), SERIES[..., 0]), SERIES[:, 3, 0])
    assert torch.equal(picked(Neuron("fc1", torch.tensor([1, 2, 0])), SERIES[..., 0]), SERIES[EVERY, [1, 2, 0], 0])
    assert torch.equal(picked(Element(), SERIES[:, 0, 0]), SERIES[:, 0, 0])


def test_a_direction_in_a_layer():
    direction = torch.tensor([1.0, -2.0])
    assert torch.equal(picked(Neuron("fc1", lambda h: h[:, 0] @ direction)), SERIES[:, 0, 0] - 2 * SERIES[:, 0, 1])


def channel_mean(h):
    return h[:, 1].mean(1)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Element(3, 0), "element (3, 0) of the output"),
        (Element(torch.tensor([0, 4, 2]), 1), "element (4, 1) of the output"),
        (Element(3), "element 3 of the output"),
        (Element(), "the output"),
        (Neuron("fc1", (3, 1, 2)), "neuron (3, 1, 2) of fc1"),
        (Neuron("blocks.4", 7), "neuron 7 of blocks.4"),
        (Neuron(nn.Linear(2, 2), 0), "neuron 0 of Linear"),
        (Neuron("fc1", channel_mean), "channel_mean of fc1"),
    ],
    ids=lambda v: v if isinstance(v, str) else type(v).__name__,
)
def test_in_words(target, words):
    assert target.describe(1) == words


def test_arguments_are_kept_and_shown():
    assert repr(Element(3, 0)) == "Element(3, 0)"
    assert Element(3, 0).index == (3, 0)
    assert Element(3, 0).layer is None
    neuron = Neuron("fc1", 3)
    assert (neuron.layer, neuron.index) == ("fc1", 3)
    with pytest.raises(TypeError):
        Neuron("fc1")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Element(3), ["2 indices", "of the output, of shape (3, 5, 2)", "got 1"]),
        (Element(3, 0, 0), ["2 indices", "(3, 5, 2)", "got 3"]),
        (Element(5, 0), ["from 0 to 4 on axis 1", "(3, 5, 2)", "got 5"]),
        (Element(0, -1), ["from 0 to 1 on axis 2", "got -1"]),
        (Element(torch.tensor([0, 1, -1]), 0), ["from 0 to 4 on axis 1", "got -1"]),
        (Element(torch.tensor([0, 1]), 0), ["3 targets, one for each example", "shape (2,)"]),
        (Element(1.0, 0), ["index or a tensor of them", "1.0"]),
        (Element(True, 0), ["index or a tensor of them", "True"]),
        (Element(torch.tensor([0.0, 1.0, 2.0]), 0), ["integer", "float32"]),
        (Neuron("fc1", 3), ["2 indices", "output of fc1", "(3, 5, 2)", "got 1"]),
        (Neuron("fc1", (5, 0)), ["from 0 to 4", "output of fc1", "got 5"]),
        (Neuron("fc1", ("a", 0)), ["index or a tensor of them", "'a'"]),
        (Neuron(None, 3), ["a layer", 'gl.Layer("fc1")', "None"]),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(target, words):
    with pytest.raises(gl.TargetError) as caught:
        target.freeze(SERIES, N)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_an_output_of_another_batch_is_refused():
    with pytest.raises(gl.TargetError, match=r"output of shape \(2, …\), got shape \(3, 5, 2\)"):
        Element(3, 0).freeze(SERIES, 2)


def test_a_function_of_a_layer_gives_one_number_a_row():
    with pytest.raises(gl.TargetError, match=r"shape \(3,\), from the neuron's function, got shape \(3, 5\)"):
        Neuron("fc1", lambda h: h[..., 0]).pick(SERIES, EVERY)


def test_explained_forecast():
    """The model is linear, so A is x times the row of weights of that step and variable."""
    weight = torch.linspace(-1, 1, 3 * T * V, dtype=torch.float64).reshape(3, T * V)
    x = torch.tensor([[1.0, -2.0, 0.5], [2.0, 0.0, 1.0]], dtype=torch.float64)
    a = gl.explain(lambda x: (x @ weight).reshape(-1, T, V), x, Element(torch.tensor([3, 1]), 0), steps=2)
    torch.testing.assert_close(a.values, x * weight[:, [3 * V, V]].T)
    assert a.explained == ("element (3, 0) of the output", "element (1, 0) of the output")


def test_explained_neuron():
    """A hidden unit in front of its activation is linear: A_i = w_i x_i."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    x = torch.randn(2, 3, dtype=torch.float64)
    a = gl.explain(net, x, Neuron(gl.sites.Layer("0"), torch.tensor([1, 3])), steps=2)
    torch.testing.assert_close(a.values, x * net[0].weight[[1, 3]].detach())
    assert a.explained == ("neuron 1 of 0", "neuron 3 of 0")
