"""Gradients without autograd: differences and smoothing, against truths in closed form, and what they cost."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from derivative_cases import FD, Smooth, explained, stumps
from torch import nn

import gradline as gl

X = torch.tensor([[1.0, -2.0, 0.5, 3.0]], dtype=torch.float64)
W = torch.tensor([0.7, 0.1, -1.1, 0.4], dtype=torch.float64)


# ------------------------------------------------------------------------------------------------ differences


def test_differences_of_a_quadratic_are_its_gradient():
    """The odd terms of a quadratic's change are the gradient: no error but rounding. A_i = ½ x_i (M x)_i."""
    matrix = torch.tensor([[2.0, -1, 0, 0.5], [-1, 1, 0.3, 0], [0, 0.3, -1.5, 1], [0.5, 0, 1, 0.2]]).double()
    a = explained(lambda x: 0.5 * ((x @ matrix) * x).sum(1), X, FD(0.3), tol=0.01)
    torch.testing.assert_close(a.values, 0.5 * X * (X @ matrix), rtol=1e-9, atol=1e-12)
    assert a.status == (gl.Status.CONVERGED,)


def test_the_error_of_differences_falls_with_the_square_of_the_step():
    """F = Σ x_i⁵: the central difference is 5x⁴ + 10 x² h² + h⁴, and from zero A_i = x⁵ + 10/3 x³ h² + x h⁴."""
    errors = []
    for h in (0.4, 0.2, 0.1, 0.05):
        a = explained(lambda x: (x**5).sum(1), X, FD(h), steps=8, rule=gl.rules.GaussLegendre)
        torch.testing.assert_close(a.values, X**5 + 10 / 3 * X**3 * h**2 + X * h**4, rtol=1e-9, atol=1e-9)
        errors.append(float((a.values - X**5).norm()))
    orders = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert orders == pytest.approx([2, 2, 2], abs=0.05)


def test_differences_agree_with_autograd_on_a_network():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3)).double().eval()
    right = gl.explain(model, X, 1, tol=0.001)
    a = gl.attribute(gl.Score(model, 1, derivative=FD(1e-3)), X, tol=0.001)
    torch.testing.assert_close(a.values, right.values, rtol=1e-5, atol=1e-7)
    assert a.evaluations.tolist() == right.evaluations.tolist()
    assert a.completeness_gap.abs().max() < 1e-4


def test_the_step_is_what_the_precision_makes_of_it():
    """At 1000 a float32 step of 0.001 is off by up to 3 %: dividing by what was asked for would be too."""
    x = torch.tensor([[1000.0, 1000.5]])
    a = explained(lambda x: 3.0 * x.double().sum(1), x, FD(1e-3), steps=4)
    torch.testing.assert_close(a.values, 3 * x, rtol=1e-6, atol=0)
    with pytest.raises(gl.InputError, match="step that changes x in its precision"):
        explained(lambda x: x.sum(1), 1e6 * x, FD(1e-3), steps=4)


# ------------------------------------------------------------------------------------------------ what it costs


@pytest.mark.parametrize(("derivative", "each"), [(FD(0.1), 8), (Smooth(0.5, 32), 32)])
@pytest.mark.parametrize("arguments", [{"steps": 5}, {"tol": 0.3, "max_evaluations": 8}])
def test_forwards_are_counted_as_documented(derivative, each, arguments):
    """2 D forward rows beside a gradient row for differences, `samples` for smoothing: counted, and made."""
    rows = []

    def model(x):
        rows.append(len(x))
        return torch.tanh(x).sum(1)

    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    a = explained(model, x, derivative, **arguments)
    assert a.evaluations.tolist() == [arguments.get("steps", 8)] * 3
    assert (a.forward_evaluations == each * a.evaluations).all()
    assert derivative.forwards(4) == each
    centre = 1 if isinstance(derivative, FD) else 0
    ends = 3 * 2 * (1 if isinstance(derivative, FD) else each)
    made = int(((each + centre) * a.evaluations).sum()) + ends
    assert sum(rows) <= made + 8, "beside these only the survey of the model"


def test_value_probes_of_a_smoothed_score_are_counted_in_full():
    a = explained(
        lambda x: torch.tanh(x).sum(1), torch.ones(1, 3), Smooth(0.5, 16), steps=8, rule=gl.rules.ByOutputChange()
    )
    b = explained(lambda x: torch.tanh(x).sum(1), torch.ones(1, 3), Smooth(0.5, 16), steps=8)
    extra = int((a.forward_evaluations - b.forward_evaluations)[0])
    assert extra > 0
    assert extra % 16 == 0


# ------------------------------------------------------------------------------------------------ the same numbers


@pytest.mark.parametrize("derivative", [FD(0.01), Smooth(0.4, 16, 3)])
def test_numbers_do_not_depend_on_batches_order_or_memory(derivative):
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(1)).double()
    names = [f"row {i}" for i in range(5)]

    def model(p):
        return torch.sin(p).sum(1) + (p[:, 0] > 0.2)

    whole = explained(model, x, derivative, steps=6, names=names)
    order = torch.tensor([3, 0, 4, 2, 1])
    turned = explained(model, x[order], derivative, steps=6, names=[names[i] for i in order])
    small = explained(model, x, derivative, steps=6, names=names, memory=40_000)
    alone = torch.cat(
        [explained(model, x[i : i + 1], derivative, steps=6, names=names[i : i + 1]).values for i in range(5)]
    )
    for other in (turned.values[torch.argsort(order)], small.values, alone):
        torch.testing.assert_close(other, whole.values, rtol=1e-12, atol=1e-14)


def test_seeds_and_examples_have_random_numbers_of_their_own():
    function, x, _ = stumps(3)
    one, again, other = (explained(function, x, Smooth(0.3, 8, seed), steps=4).values for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.allclose(one, other)
    twice = explained(function, torch.cat([x, x]), Smooth(0.3, 8), steps=4).values
    assert not torch.allclose(twice[0], twice[1]), "two examples never share a draw"


def test_the_global_random_state_is_left_alone():
    function, x, _ = stumps(3)
    before = torch.get_rng_state()
    explained(function, x, Smooth(0.3, 8), steps=4)
    assert torch.equal(torch.get_rng_state(), before)


# ------------------------------------------------------------------------------------------------ which models


def test_models_that_take_one_row_at_a_time_are_asked_one_row_at_a_time():
    rows = []

    def model(x):
        rows.append(len(x))
        return torch.sin(x.reshape(1, 4)).sum(1)

    for derivative in (FD(0.01), Smooth(0.2, 8)):
        rows.clear()
        a = explained(model, X, derivative, steps=3)
        assert [f.code for f in a.findings if f.code < "GL2"] == ["GL103"]
        assert sorted(set(rows)) == [1, 2]
        assert rows.count(2) == 1, "the two-row check alone"


@pytest.mark.parametrize("derivative", [FD(0.01), Smooth(0.3, 64)])
def test_models_that_refuse_tensors_with_a_gradient_work(derivative):
    def model(x):
        return torch.from_numpy(np.tanh(x.numpy()) @ np.ones((4, 2)))

    a = gl.attribute(gl.Score(model, 1, derivative=derivative), X, steps=16)
    assert bool(torch.isfinite(a.values).all())
    if isinstance(derivative, FD):
        torch.testing.assert_close(a.values, torch.tanh(X), rtol=1e-3, atol=1e-3)
    with pytest.raises(gl.ModelError, match="numpy"):
        gl.explain(model, X, 1, steps=4)


def test_differences_are_taken_where_the_path_is_driven():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double().eval()
    site = gl.Layer("0")
    right = gl.explain(model, X, 1, site=site, steps=8)
    a = gl.attribute(gl.Score(model, 1, site=site, derivative=FD(1e-4)), X, steps=8)
    torch.testing.assert_close(a.values, right.values, rtol=1e-6, atol=1e-9)


def test_several_inputs_and_several_targets_share_the_differences():
    def model(a, b):
        return torch.stack([(a * b).sum(1), (a**3).sum(1)], 1)

    x = X, X.flip(1)
    both = gl.attribute(gl.Score(model, [0, 1], derivative=FD(1e-3)), x, steps=8, rule=gl.rules.GaussLegendre)
    for k, a in enumerate(both):
        right = gl.explain(model, x, k, steps=8, rule=gl.rules.GaussLegendre)
        for mine, theirs in zip(a.values, right.values, strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-7)


# ------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("derivative", "said"),
    [
        (FD(0), "step as a positive number"),
        (FD(-1.0), "step as a positive number"),
        (FD(float("inf")), "step as a positive number"),
        (FD("small"), "step as a positive number"),
        (Smooth(0.0), "sigma as a positive number"),
        (Smooth(True), "sigma as a positive number"),
        (Smooth(0.1, 7), "even number of at least 4"),
        (Smooth(0.1, 2), "even number of at least 4"),
        (Smooth(0.1, 8.0), "even number of at least 4"),
        (Smooth, "a derivative of gl.derivatives"),
        ("finite differences", "a derivative of gl.derivatives"),
    ],
)
def test_wrong_arguments_are_refused_in_words(derivative, said):
    with pytest.raises(gl.InputError, match=said):
        explained(lambda x: x.sum(1), X, derivative, steps=4)


def test_reading_at_another_layer_is_refused():
    model = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 3)).double()
    with pytest.raises(gl.InputError, match="where the path is driven"):
        gl.attribute(gl.Score(model, 1, derivative=FD()), X, gl.methods.conductance(gl.Layer("0")), steps=4)
