"""What of the output is explained: every form of a target, frozen at x, and described in words."""

import pytest
import torch
from torch import nn

import gradline as gl
from gradline.question.targets import as_target

WEIGHT = torch.tensor([[1.0, 2.0, -1.0, 0.5], [0.0, -1.0, 3.0, 1.0], [-2.0, 0.5, 1.0, 1.0]], dtype=torch.float64)
X = torch.tensor([[1.0, 2.0, 0.5, -1.0], [0.2, -1.0, 2.0, 1.0], [-1.0, 0.1, 0.3, 2.0]], dtype=torch.float64)


def logits(*classes):
    return ", ".join(f"logit of class {k}" for k in classes)


def linear(x):
    """Three columns; column k has A_i = W_ki x_i, exactly."""
    return x @ WEIGHT.T


def contributions(*classes):
    return torch.stack([WEIGHT[k] * x for k, x in zip(classes, X, strict=True)])


@pytest.mark.parametrize(
    ("target", "classes", "words"),
    [
        pytest.param(2, (2, 2, 2), "logit of class 2", id="int"),
        pytest.param(0, (0, 0, 0), "logit of class 0", id="zero"),
        pytest.param(torch.tensor(1), (1, 1, 1), "logit of class 1", id="tensor-of-one"),
        pytest.param(torch.tensor([2, 0, 1]), (2, 0, 1), logits(2, 0, 1), id="one-each"),
        pytest.param(
            torch.tensor([2, 0, 1], dtype=torch.uint8),
            (2, 0, 1),
            logits(2, 0, 1),
            id="uint8",
        ),
        pytest.param(gl.Logit(1), (1, 1, 1), "logit of class 1", id="Logit"),
        pytest.param(gl.Logit(torch.tensor([0, 2, 2])), (0, 2, 2), logits(0, 2), id="Logit-one-each"),
        pytest.param(None, (0, 1, 2), logits(0, 1, 2), id="None"),
        pytest.param(gl.Predicted(), (0, 1, 2), logits(0, 1, 2), id="Predicted"),
    ],
)
@pytest.mark.parametrize("budget", [{"tol": 0.05}, {"steps": 3}], ids=["tol", "steps"])
def test_a_class_is_a_column_of_the_output(target, classes, words, budget):
    a = gl.explain(linear, X, target, **budget)
    torch.testing.assert_close(a.values, contributions(*classes))
    torch.testing.assert_close(a.score, linear(X)[torch.arange(3), list(classes)])
    torch.testing.assert_close(a.baseline_score, torch.zeros(3, dtype=torch.float64))
    assert list(dict.fromkeys(a.explained)) == a.provenance["target"].split(", ") == words.split(", ")


def test_a_list_keeps_its_order():
    results = gl.explain(linear, X, [1, None, torch.tensor([2, 2, 0]), gl.Logit(0)], steps=2)
    for a, classes in zip(results, [(1, 1, 1), (0, 1, 2), (2, 2, 0), (0, 0, 0)], strict=True):
        torch.testing.assert_close(a.values, contributions(*classes))


def test_probability_is_the_softmax():
    a = gl.explain(linear, X, gl.Probability(1), tol=0.001)
    torch.testing.assert_close(a.score, torch.softmax(linear(X), 1)[:, 1])
    torch.testing.assert_close(a.baseline_score, torch.full((3,), 1 / 3, dtype=torch.float64))
    torch.testing.assert_close(a.values.sum(1), a.score - 1 / 3, rtol=0, atol=1e-4)
    assert a.provenance["target"] == "probability of class 1"


def test_probabilities_of_all_classes_add_up():
    """Softmax columns add up to one, so their maps add up to zero."""
    maps = gl.explain(linear, X, [gl.Probability(k) for k in range(3)], steps=20)
    torch.testing.assert_close(sum(a.values for a in maps), torch.zeros_like(X), rtol=0, atol=1e-12)


def test_probability_of_each_examples_own_class():
    own = gl.explain(linear, X, gl.Probability(torch.tensor([2, 0, 1])), steps=8)
    for row, k in enumerate((2, 0, 1)):
        one = gl.explain(linear, X[row : row + 1], gl.Probability(k), steps=8)
        torch.testing.assert_close(own.values[row : row + 1], one.values)


@pytest.mark.parametrize("shape", [(-1, 1), (-1,)])
def test_probability_of_one_column_is_the_sigmoid(shape):
    """A ridge: A_i = w_i x_i (σ(w·x) − σ(0)) / (w·x)."""
    a = gl.explain(
        lambda x: (x @ WEIGHT[0]).reshape(shape), X, gl.Probability(0), steps=12, rule=gl.rules.GaussLegendre
    )
    along = (X @ WEIGHT[0]).unsqueeze(1)
    torch.testing.assert_close(a.values, WEIGHT[0] * X / along * (torch.sigmoid(along) - 0.5), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("shape", [(-1, 1), (-1,)])
@pytest.mark.parametrize("target", [None, 0, gl.Predicted()], ids=["None", "0", "Predicted"])
def test_one_column_needs_no_target(shape, target):
    a = gl.explain(lambda x: (x @ WEIGHT[2]).reshape(shape), X, target, steps=2)
    torch.testing.assert_close(a.values, contributions(2, 2, 2))


def test_the_predicted_class_is_the_one_at_x_also_where_another_one_leads():
    """Near the baseline class 1 is ahead of class 0; a maximum taken along the path would follow it."""

    def model(x):
        return torch.cat([x.square().sum(1, keepdim=True), x.sum(1, keepdim=True)], 1)

    x = torch.tensor([[2.0, 1.0], [0.5, 0.3]], dtype=torch.float64)
    assert model(x).argmax(1).tolist() == [0, 1]
    assert model(x / 10).argmax(1).tolist() == [1, 1]
    a = gl.explain(model, x, steps=16)
    torch.testing.assert_close(a.values, torch.stack([x[0].square(), x[1]]))
    assert a.explained == ("logit of class 0", "logit of class 1")


def test_the_predicted_class_is_frozen_example_by_example_whatever_the_batch():
    together = gl.explain(linear, X, steps=2)
    for i in range(3):
        assert torch.equal(gl.explain(linear, X[i : i + 1], steps=2).values, together.values[i : i + 1])


def squared_margin(output):
    return (output[:, 0] - output[:, 1]).square()


@pytest.mark.parametrize("target", [squared_margin, gl.Function(squared_margin)], ids=["callable", "Function"])
def test_any_function_of_the_output_is_a_target(target):
    """(d·x)² has A_i = d_i x_i (d·x)."""
    a = gl.explain(linear, X, target, steps=2)
    d = WEIGHT[0] - WEIGHT[1]
    torch.testing.assert_close(a.values, d * X * (X @ d).unsqueeze(1))
    assert a.provenance["target"] == "squared_margin"


def test_a_module_is_a_target_too():
    class Last(nn.Module):
        def forward(self, output):
            return output[:, -1]

    a = gl.explain(linear, X, Last(), steps=2)
    torch.testing.assert_close(a.values, contributions(2, 2, 2))
    assert a.provenance["target"] == "Last"


def test_targets_in_words():
    many = gl.explain(linear, torch.ones(12, 4).double(), 0, steps=1).provenance["target"]
    assert many == "logit of class 0"
    own = gl.explain(linear, torch.ones(12, 4).double(), torch.arange(12) % 3, steps=1).provenance["target"]
    assert own == logits(0, 1, 2)
    assert gl.Predicted().describe(0) == "predicted class"
    assert "lambda" in gl.Function(lambda output: output).describe(0)


def test_the_callers_tensor_of_targets_may_change_afterwards():
    wanted = torch.tensor([0, 1, 2])
    score = gl.Score(linear, wanted)
    a = gl.attribute(score, X, steps=2)
    wanted.zero_()
    torch.testing.assert_close(a.values, contributions(0, 1, 2))
    torch.testing.assert_close(gl.attribute(score, X, steps=2).values, contributions(0, 0, 0))


def test_only_probabilities_are_bounded():
    assert as_target(gl.Probability(0)).bounded
    assert not as_target(0).bounded
    assert not as_target(squared_margin).bounded
    assert not as_target(None).bounded
