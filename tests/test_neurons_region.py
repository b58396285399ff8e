"""The neurons behind a region: sums, additivity, conductance, closed forms, the authors' differences."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import gradline as gl

torch.manual_seed(0)


def net() -> nn.Sequential:
    torch.manual_seed(3)
    made = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.Tanh(),
        nn.Conv2d(4, 3, 3, stride=2),
        nn.GELU(),
        nn.Flatten(),
        nn.Linear(27, 3),
    )
    return made.double().eval()


X = torch.randn(2, 2, 8, 8, dtype=torch.float64)
BOX = torch.zeros(8, 8)
BOX[2:5, 1:6] = 1
SCORE = gl.Score(net(), gl.Probability(1))


@pytest.mark.parametrize("budget", [{"steps": 7}, {"steps": 5, "rule": gl.rules.GaussLegendre}, {"tol": 0.01}])
def test_neurons_sum_to_the_regions_integrated_gradients(budget: dict[str, Any]) -> None:
    start = torch.full_like(X, 0.3)
    a = gl.neurons.region(SCORE, X, "1", BOX, baseline=start, **budget)
    assert a.values.shape == (2, 4, 8, 8)
    torch.testing.assert_close(a.values.flatten(1).sum(1), a.parts["share"][:, 0], rtol=0, atol=1e-12)
    assert (a.completeness_gap.abs() < 1e-12).all()
    if "steps" in budget:
        ig = gl.attribute(SCORE, X, baseline=start, **budget)
        torch.testing.assert_close(a.parts["share"][:, 0], (ig.values * BOX).flatten(1).sum(1), rtol=0, atol=1e-12)
    else:
        assert (a.error_estimate <= 0.01).all()
        truth = gl.neurons.region(SCORE, X, "1", BOX, baseline=start, steps=2000)
        assert ((a.values - truth.values).flatten(1).norm(dim=1) <= 0.01 * truth.values.flatten(1).norm(dim=1)).all()


def test_additive_over_disjoint_regions_and_the_whole_is_conductance() -> None:
    soft = torch.rand(2, 1, 8, 8)
    layers = ["1", gl.Layer("3")]
    masks = [BOX, 1 - BOX, torch.ones(8, 8), soft, 1 - soft]
    for of_layer in gl.neurons.regions(SCORE, X, layers, masks, steps=9):
        inside, outside, whole, some, rest = (a.values for a in of_layer)
        torch.testing.assert_close(inside + outside, whole, rtol=0, atol=1e-12)
        torch.testing.assert_close(some + rest, whole, rtol=0, atol=1e-12)
        assert inside.norm() > 0.01
    for layer, of_layer in zip(layers, gl.neurons.regions(SCORE, X, layers, masks[:3], steps=9), strict=True):
        method = gl.methods.conductance(gl.Layer("1") if layer == "1" else layer)
        torch.testing.assert_close(of_layer[2].values, gl.attribute(SCORE, X, method, steps=9).values)
        alone = gl.neurons.region(SCORE, X, layer, BOX, steps=9)
        torch.testing.assert_close(of_layer[0].values, alone.values)
        assert of_layer[0].values.shape == alone.values.shape
        assert alone.evaluations.tolist() == [9, 9]


def test_one_linear_layer_is_the_closed_form() -> None:
    """F = Σ h_j² / 2 with h = W x from zero: A_j(S) = ∫ t h_j (W (x ⊙ S))_j dt = h_j (W x_S)_j / 2."""

    class Squares(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.h = nn.Linear(5, 4, bias=False).double()

        def forward(self, x: Tensor) -> Tensor:
            return self.h(x).square().sum(1, keepdim=True) / 2

    model = Squares()
    x = torch.randn(3, 5, dtype=torch.float64)
    mask = torch.tensor([1.0, 0, 0.5, 0, 1], dtype=torch.float64)
    a = gl.neurons.region(gl.Score(model), x, "h", mask, steps=4)
    with torch.no_grad():
        torch.testing.assert_close(a.values, model.h(x) * model.h(x * mask) / 2)


def test_the_authors_differences_are_their_loop_and_err_like_one_over_steps() -> None:
    exact = gl.neurons.region(SCORE, X, "1", BOX, steps=3000).values
    errors = []
    for steps in (16, 64, 256):
        found = gl.neurons.region_as_published(SCORE, X, "1", BOX, steps=steps).values
        torch.testing.assert_close(found, transcription(steps), rtol=0, atol=1e-12)
        errors.append(float((found - exact).norm()))
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.15)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.15)


def transcription(steps: int) -> Tensor:
    """Four forwards a step, as in the authors' listing."""
    model = net()
    front, back = model[:2], model[2:]
    delta = X / steps
    found = torch.zeros(2, 4, 8, 8, dtype=torch.float64)
    for k in range(steps):
        x_k = k * delta
        with torch.no_grad():
            moved = front(x_k + delta * BOX) - front(x_k)
        h = front(x_k + delta).detach().requires_grad_()
        (w,) = torch.autograd.grad(back(h).softmax(1)[:, 1].sum(), h)
        found += w * moved
    return found


def test_what_goes_past_the_layer_is_said() -> None:
    class Skip(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.way = nn.Linear(4, 4).double()

        def forward(self, x: Tensor) -> Tensor:
            return (self.way(x) + x).tanh()

    a = gl.neurons.region(
        gl.Score(Skip(), 1), torch.randn(2, 4, dtype=torch.float64), "way", torch.tensor([1, 1, 0, 0])
    )
    assert "GL206" in [f.code for f in a.findings]


def test_tuple_inputs_and_token_spans() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.h = nn.Linear(7, 3).double()

        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return self.h(torch.cat([x, y], 1)).tanh().sum(1, keepdim=True)

    x, y = torch.randn(2, 3, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)
    score = gl.Score(Two())
    a = gl.neurons.region(score, (x, y), "h", (torch.tensor([1.0, 0, 0]), torch.zeros(4)), steps=5)
    ig = gl.attribute(score, (x, y), steps=5)
    torch.testing.assert_close(a.values.sum(1), ig.values[0][:, 0])

    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.mix = nn.Embedding(9, 6).double(), nn.Linear(6, 5).double()
            self.attend = nn.MultiheadAttention(6, 2, batch_first=True).double()

        def forward(self, ids: Tensor) -> Tensor:
            e = self.embed(ids)
            return self.mix(self.attend(e, e, e)[0]).tanh().sum((1, 2))[:, None]

    ids = torch.randint(0, 9, (2, 4))
    score = gl.Score(Words().eval(), site=gl.Layer("embed"))
    span = torch.tensor([0.0, 1, 1, 0])
    a = gl.neurons.region(score, ids, "mix", span, steps=6)
    ig = gl.attribute(score, ids, steps=6)
    torch.testing.assert_close(a.values.flatten(1).sum(1), ig.values[:, 1:3].flatten(1).sum(1))


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (torch.zeros(8, 8), "a region that covers something"),
        (torch.ones(7, 8), r"broadcasts to \(2, 8, 8\)"),
        (2 * torch.ones(8, 8), "values in \\[0, 1\\]"),
        (torch.full((8, 8), torch.nan), "values in \\[0, 1\\]"),
        (torch.ones(3, 2, 8, 8), "one for each example"),
        ([[1.0]], "mask"),
        ("box", "a mask as a tensor"),
        (torch.stack([torch.ones(2, 8, 8), torch.zeros(2, 8, 8)]), "in example 1"),
    ],
)
def test_wrong_masks_are_refused(mask: object, said: str) -> None:
    with pytest.raises(gl.InputError, match=said):
        gl.neurons.region(SCORE, X, "1", mask, steps=2)


def test_wrong_layers_and_scores_are_refused() -> None:
    with pytest.raises(gl.SiteError, match=r"there are|did you mean"):
        gl.neurons.region(SCORE, X, "conv9", BOX)
    with pytest.raises(gl.SiteError, match="a layer"):
        gl.neurons.region(SCORE, X, 3, BOX)  # type: ignore[arg-type]
    with pytest.raises(gl.InputError, match="one target"):
        gl.neurons.region(gl.Score(net(), [0, 1]), X, "1", BOX)
    with pytest.raises(gl.InputError, match=r"site=gl\.Layer"):
        gl.neurons.region(
            gl.Score(nn.Sequential(nn.Embedding(4, 2), nn.Flatten()), 0), torch.zeros(1, 3).long(), "0", BOX
        )
    with pytest.raises(gl.SiteError, match="no differentiable way"):
        gl.neurons.region(gl.Score(nn.Sequential(nn.Linear(3, 3), Rounding()), 0), torch.ones(1, 3), "0", torch.ones(3))


class Rounding(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.detach().round()


def test_rounding_in_half_precision_is_not_taken_for_a_bypass() -> None:
    half = net().to(torch.bfloat16)
    a = gl.neurons.region(gl.Score(half, 1), X.to(torch.bfloat16), "1", BOX, steps=8)
    assert "GL206" not in [f.code for f in a.findings]
    assert a.values.dtype == torch.float32


def test_a_neuron_is_explained_by_the_neurons_before_it() -> None:
    """Neuron conductance, and a neuron's Integrated Gradients, are compositions: the target is the neuron."""
    score = gl.Score(net(), gl.Neuron("3", (0, 1, 1)))
    before = gl.attribute(score, X, gl.methods.conductance(gl.Layer("1")), steps=40, rule=gl.rules.GaussLegendre)
    at_input = gl.attribute(score, X, steps=40, rule=gl.rules.GaussLegendre)
    rise = before.score - before.baseline_score
    for values in (before.values, at_input.values):
        torch.testing.assert_close(values.flatten(1).sum(1), rise, rtol=0, atol=1e-9)
    whole = gl.neurons.region(score, X, "1", torch.ones(8, 8), steps=40, rule=gl.rules.GaussLegendre)
    torch.testing.assert_close(whole.values, before.values)
