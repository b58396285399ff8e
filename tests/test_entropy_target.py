"""The entropy of a model's classes: values on paper, its gradient, outputs that have none."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

import gradline as gl
from gradline.core.flow import Of
from gradline.engine.aims import _other
from gradline.question import targets


def entropy(output: Any, **fields: Any) -> list[float]:
    rows = len(output) if isinstance(output, Tensor) else len(output.logits)
    target = gl.Entropy(**fields).freeze(output, rows)
    return target.pick(output, torch.arange(rows)).tolist()


def table(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize("classes", [2, 3, 10, 1000])
def test_equal_scores_have_all_the_entropy_there_can_be(classes: int) -> None:
    scores = torch.tensor([0.0, 7.5, -40.0], dtype=torch.float64)[:, None].expand(3, classes)
    assert entropy(scores) == pytest.approx([1.0] * 3, rel=1e-14)


def test_one_class_alone_has_none() -> None:
    """Of logits 0 and −g the second has p = e^−g, to first order, and H = (1 + g) e^−g; it underflows, and stays 0."""
    assert entropy(table([0, -20, -20, -20]))[0] == pytest.approx(3 * 21 * math.exp(-20) / math.log(4), rel=1e-6)
    assert entropy(table([0, -1e4, -1e4], [1e300, 0, 0])) == [0.0, 0.0]


def test_probabilities_of_a_quarter_and_three_quarters() -> None:
    """H = −(1/4) log(1/4) − (3/4) log(3/4) = 2 log 2 − (3/4) log 3, over log 2: 0.8113."""
    due = 2 - 0.75 * math.log(3) / math.log(2)
    assert due == pytest.approx(0.8113, abs=1e-4)
    assert entropy(table([0, math.log(3)], [math.log(3), 0])) == pytest.approx([due] * 2, rel=1e-14)


def test_one_column_is_a_sigmoid_with_two_outcomes() -> None:
    """σ(log 3) = 3/4: the entropy of two classes with logits 0 and log 3; and of a flat output `(R,)`."""
    due = 2 - 0.75 * math.log(3) / math.log(2)
    assert entropy(table([math.log(3)], [-math.log(3)], [0.0])) == pytest.approx([due, due, 1.0], rel=1e-14)
    assert entropy(torch.tensor([math.log(3)], dtype=torch.float64)) == pytest.approx([due], rel=1e-14)


def test_labels_have_each_an_entropy_and_the_mean_is_told() -> None:
    """σ = 1/2, 3/4 and 1: entropies 1, 0.8113 and 0 of log 2, each of its own; so a third of 1.8113."""
    due = (1 + 2 - 0.75 * math.log(3) / math.log(2)) / 3
    assert entropy(table([0, math.log(3), 800]), labels=True) == pytest.approx([due], rel=1e-14)
    assert entropy(table([-800.0, 800.0]), labels=True) == [0.0]
    assert entropy(table([5.0, 5.0])) == pytest.approx([1.0]), "for classes that exclude each other it is all"
    assert entropy(table([5.0, 5.0]), labels=True)[0] < 0.1


def test_the_gradient_is_that_on_paper() -> None:
    """∂H/∂z_c = −p_c (log p_c + H), for H in nats; for labels, of each alone: −z σ(z) (1 − σ(z)) over their number."""
    scores = 2 * torch.randn(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    p = scores.exp() / scores.exp().sum(1, keepdim=True)
    nats = -(p * p.log()).sum(1, keepdim=True)
    of_labels = -scores * torch.sigmoid(scores) * torch.sigmoid(-scores) / 4
    for due, unit, target in (
        (-p * (p.log() + nats), math.log(4), gl.Entropy()),
        (of_labels, math.log(2), gl.Entropy(labels=True)),
    ):
        leaf = scores.clone().requires_grad_()
        (grad,) = torch.autograd.grad(target.pick(leaf, torch.arange(5)).sum(), leaf)
        assert torch.allclose(grad * unit, due, rtol=1e-12, atol=1e-14)


def test_a_class_that_is_ruled_out_does_not_make_it_nan() -> None:
    """Logits of −∞: p = 0, and p log p is 0. Two equal classes of three have log 2 of log 3."""
    scores = table([0.0, 0.0, -math.inf]).requires_grad_()
    (value,) = gl.Entropy().pick(scores, torch.arange(1))
    assert float(value.detach()) == pytest.approx(math.log(2) / math.log(3))
    (grad,) = torch.autograd.grad(value, scores)
    assert grad.tolist() == [[0.0, 0.0, 0.0]]


def test_low_precision_outputs_are_widened() -> None:
    scores = torch.tensor([[1.0, 2.0, 4.0]])
    for dtype in (torch.float16, torch.bfloat16):
        value = gl.Entropy().pick(scores.to(dtype), torch.arange(1))
        assert value.dtype == torch.float32
        assert value.tolist() == pytest.approx(entropy(scores), rel=1e-6)


def test_outputs_with_logits_are_read() -> None:
    assert entropy(SimpleNamespace(logits=table([0.0, 0.0]), loss=None)) == [1.0]


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3, 4, 4), ()])
def test_an_output_without_classes_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(gl.TargetError, match=r"expected model output of shape \(2, classes\)"):
        gl.Entropy().freeze(torch.zeros(shape), 2)


def test_probabilities_are_refused_whose_softmax_would_be_nearly_even() -> None:
    """Of a one-hot row over 1000 classes the softmax has 0.9998 of the entropy, and the truth is 0."""
    sure = torch.eye(1000, dtype=torch.float64)[:3]
    assert gl.Entropy().pick(sure, torch.arange(3)).min() > 0.9995
    words = r"scores before the softmax.*got rows that add up to 1.*leave the model's softmax out, or pass a function"
    with pytest.raises(gl.TargetError, match=words):
        gl.Entropy().freeze(sure, 3)
    with pytest.raises(gl.TargetError, match=words):
        gl.explain(lambda x: torch.softmax(x, 1), torch.randn(2, 4), gl.Entropy())
    p = table([0.25, 0.75])
    assert entropy(p.log())[0] == pytest.approx(2 - 0.75 * math.log(3) / math.log(2)), "what the remedy says"
    for innocent in (table([0.25, 0.75], [2.0, 3.0]), table([1.5, -0.5])):
        entropy(innocent)
    entropy(p, labels=True)


def test_it_is_explained_like_any_other_score() -> None:
    """The map adds up to H(x) − H(x'), and the words say what it is of."""
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    a = gl.explain(lambda points: points * 2, x, gl.Entropy(), tol=1e-3)
    assert a.baseline_score is not None
    assert a.baseline_score.tolist() == pytest.approx([1.0] * 3), "equal scores at zero"
    assert a.values.sum(1).tolist() == pytest.approx((a.score - 1).tolist(), rel=1e-2)
    assert a.explained == ("entropy of the classes",) * 3
    assert gl.Entropy(labels=True).describe(0) == "mean entropy of the labels"
    assert gl.Entropy.bounded


def test_probes_ask_for_it_by_name() -> None:
    assert _other(targets.Logit(0), Of.ENTROPY) == gl.Entropy()
    assert _other(targets.Logit(0), Of.ENTROPIES) == gl.Entropy(labels=True)
