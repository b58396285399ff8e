"""Baselines in a whole call: maps of formulas, worked out on paper."""

import pytest
import torch
from torch import Tensor, nn

import gradline as gl
from gradline.core.baselines import (
    AtSite,
    Boundary,
    Constant,
    Each,
    FromData,
    GaussianNoise,
    Group,
    Mean,
    Uniform,
    Zero,
)

X = torch.tensor([[1.0, 2.0, 6.0], [0.0, -4.0, 1.0]])


def square(z: Tensor) -> Tensor:
    """F = Σ x_i² has A_i = x_i² − x'_i²; two midpoints are exact."""
    return (z**2).sum(1, keepdim=True)


@pytest.mark.parametrize(
    ("baseline", "start_of_path"),
    [
        (Zero(), [0.0, 0.0, 0.0]),
        (Constant(-1), [-1.0, -1.0, -1.0]),
        (torch.tensor([[0.5, 1.0, 2.0]]), [0.5, 1.0, 2.0]),
        (Mean(), [3.0, 3.0, 3.0]),
    ],
    ids=["zero", "constant", "given", "mean"],
)
def test_the_map_of_a_square_is_the_difference_of_squares(baseline: object, start_of_path: list[float]) -> None:
    a = gl.explain(square, X[:1], 0, baseline=baseline, steps=2)
    due = [x**2 - b**2 for x, b in zip([1, 2, 6], start_of_path, strict=True)]
    assert a.values[0].tolist() == pytest.approx(due)
    assert a.baseline_score is not None
    assert float(a.baseline_score) == pytest.approx(sum(b**2 for b in start_of_path))


@pytest.mark.parametrize("shape", [(2, 4), (3, 3), (3,), (2, 3, 1), ()])
def test_wrong_shapes_are_refused(shape: tuple[int, ...]) -> None:
    for baseline in (torch.zeros(shape), Each(Zero(), torch.zeros(shape))):
        with pytest.raises(gl.BaselineError) as refusal:
            gl.explain(square, X, 0, baseline=baseline)
        assert f"expected a baseline of shape {tuple(X.shape)} (that of x) or (1, 3)" in str(refusal.value)
        assert f"got shape {shape}" in str(refusal.value)


def test_a_method_without_a_path_has_no_baseline_to_replace() -> None:
    with pytest.raises(gl.InputError, match="gradient has no baseline: leave baseline= out"):
        gl.explain(square, X, 0, method=gl.methods.gradient(), baseline=0)


def test_all_of_a_data_set() -> None:
    """A_i = x_i² − E d_i² over the data, F(x') = E Σ d_i²."""
    data = torch.tensor([[1.0, 0.0, 2.0], [3.0, 1.0, -1.0], [0.0, 0.0, 0.0], [-2.0, 1.0, 1.0]])
    a = gl.explain(square, X, 0, baseline=FromData(data), steps=2)
    assert torch.allclose(a.values, X**2 - (data**2).mean(0))
    assert a.baseline_score is not None
    assert a.baseline_score.tolist() == pytest.approx([float((data**2).sum(1).mean())] * 2)


@pytest.mark.parametrize("part", [Uniform(-1, 1, draws=5), GaussianNoise(0.5, draws=5)], ids=repr)
def test_the_map_is_the_mean_over_the_draws(part: gl.baselines.Baseline) -> None:
    starts = part.start(Group(X, torch.arange(2), ("ann", "bob"), seed=4))
    a = gl.explain(square, X, 0, baseline=part, steps=2, names=["ann", "bob"], seed=4)
    assert torch.allclose(a.values, X**2 - (starts**2).mean(1), atol=1e-5)


def test_several_inputs_start_from_the_same_row() -> None:
    """F = Σ a b: joint rows have F(x') = mean a' b', which independent ones do not have."""
    one = torch.tensor([[1.0, 2.0], [-1.0, 3.0], [2.0, 2.0], [0.5, -1.0]])
    a = gl.explain(
        lambda a, b: (a * b).sum(1, keepdim=True), (X[:, :2], X[:, 1:]), 0, baseline=FromData((one, one)), steps=2
    )
    assert a.baseline_score is not None
    assert a.baseline_score.tolist() == pytest.approx([float((one**2).sum(1).mean())] * 2)


def test_an_input_without_a_baseline_is_held() -> None:
    """F = Σ a² + Σ b² with b held at x: A_a = a² − ¼, A_b = 0."""
    inputs = (X[:, :2].contiguous(), X[:, 1:].contiguous())
    a = gl.explain(lambda a, b: square(a) + square(b), inputs, 0, baseline=(0.5, None), steps=2)
    assert torch.allclose(a.values[0], inputs[0] ** 2 - 0.25)
    assert not a.values[1].any()


def test_a_start_at_the_site() -> None:
    """F = Σ h² of h = W x + b: from c at the layer, A_j = h_j² − c², and the mean with that from h(0) for both."""
    torch.manual_seed(0)
    layer = nn.Linear(3, 4)
    model = nn.Sequential(layer, nn.Identity())
    h = layer(X).detach()
    target = lambda out: (out**2).sum(1)  # noqa: E731
    a = gl.explain(model, X, target, baseline=AtSite(0.5), site=gl.Layer("0"), steps=2)
    assert torch.allclose(a.values, h**2 - 0.25, atol=1e-5)
    a = gl.explain(model, X, target, baseline=Each(AtSite(0.5), Zero()), site=gl.Layer("0"), steps=2)
    assert torch.allclose(a.values, h**2 - 0.125 - layer.bias.detach() ** 2 / 2, atol=1e-5)


def test_from_the_boundary_of_a_linear_model() -> None:
    """Class k leads its rival by m: x − x' = m (w_k − w_r) / ‖w_k − w_r‖², A = w_k ⊙ (x − x'); the mean with zero."""
    torch.manual_seed(1)
    model = nn.Linear(3, 3).double()
    x, w = X.double(), model.weight.detach()
    top, second = model(x).detach().topk(2, 1).indices.unbind(1)
    lead = model(x).detach().gather(1, top[:, None]) - model(x).detach().gather(1, second[:, None])
    normal = w[top] - w[second]
    due = w[top] * lead * normal / (normal**2).sum(1, keepdim=True)
    a = gl.explain(model, x, top, baseline=Boundary(), steps=2)
    assert torch.allclose(a.values, due, rtol=1e-3)
    both = gl.explain(model, x, top, baseline=Each(Boundary(), 0), steps=2)
    assert torch.allclose(both.values, (due + w[top] * x) / 2, rtol=1e-3)
