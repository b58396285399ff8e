"""Features of dictionaries: closed forms, completeness with any dictionary, the authors' sum and signs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import gradline as gl
from gradline.neurons.dictionaries import dictionary

torch.manual_seed(0)


class Net(nn.Module):
    """The layer returns a tuple, as blocks of transformers do."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.way = nn.Linear(3, 4)

        def forward(self, x: Tensor) -> tuple[Tensor, str]:
            return self.way(x).tanh(), "rest"

    def __init__(self) -> None:
        super().__init__()
        self.block, self.head = self.Block(), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.block(x)[0].square().mean(1))


class Dictionary(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.into, self.back, self.drop = nn.Linear(4, 7), nn.Linear(7, 4), nn.Dropout(0.5)

    def encode(self, h: Tensor) -> Tensor:
        return self.into(h).relu()

    def decode(self, f: Tensor) -> Tensor:
        return self.back(f)


MODEL, SAE = Net().double().eval(), Dictionary().double().eval()
X, PATCH = torch.randn(2, 5, 3, dtype=torch.float64), torch.randn(2, 5, 3, dtype=torch.float64)
SCORE = gl.Score(MODEL, gl.Probability(1))


def state(x: Tensor) -> tuple[Tensor, Tensor]:
    h = MODEL.block(x)[0]
    f = SAE.encode(h)
    return f.detach(), (h - SAE.decode(f)).detach()


def metric(f: Tensor, e: Tensor) -> Tensor:
    return MODEL.head((SAE.decode(f) + e).square().mean(1)).softmax(1)[:, 1]


@pytest.mark.parametrize("patched", [True, False])
def test_features_and_error_add_up_and_are_the_paths_integral(patched: bool) -> None:
    a = dictionary(SCORE, X, "block", SAE.encode, SAE.decode, patch=PATCH if patched else None, steps=40)
    (f, e), (f0, e0) = state(X), state(PATCH)
    if not patched:
        f0, e0 = torch.zeros_like(f), torch.zeros_like(e)
    assert a.values.shape == (2, 5, 7)
    assert a.parts["error"].shape == (2, 5)
    expected, error = integral(f, e, f0, e0, [(k + 0.5) / 40 for k in range(40)])
    torch.testing.assert_close(a.values, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(a.parts["error"], error, rtol=0, atol=1e-12)
    total = a.values.sum((1, 2)) + a.parts["error"].sum(1)
    with torch.no_grad():
        torch.testing.assert_close(total, metric(f, e) - metric(f0, e0), rtol=0, atol=1e-4)
        torch.testing.assert_close(a.score, MODEL(X).softmax(1)[:, 1], rtol=0, atol=1e-12)
        if patched:
            torch.testing.assert_close(a.baseline_score, MODEL(PATCH).softmax(1)[:, 1], rtol=0, atol=1e-12)
    torch.testing.assert_close(total - (a.score - a.baseline_score), a.completeness_gap, rtol=0, atol=1e-9)


def integral(f: Tensor, e: Tensor, f0: Tensor, e0: Tensor, nodes: list[float]) -> tuple[Tensor, Tensor]:
    features, error = torch.zeros_like(f), torch.zeros_like(e)
    for t in nodes:
        at_f, at_e = (f0 + t * (f - f0)).requires_grad_(), (e0 + t * (e - e0)).requires_grad_()
        by_f, by_e = torch.autograd.grad(metric(at_f, at_e).sum(), (at_f, at_e))
        features, error = features + by_f * (f - f0) / len(nodes), error + by_e * (e - e0) / len(nodes)
    return features, error.sum(-1)


def test_as_published_walks_from_the_clean_state_to_the_patch() -> None:
    a = dictionary(SCORE, X, gl.Layer("block"), SAE.encode, SAE.decode, patch=PATCH, as_published=True)
    (f, e), (f0, e0) = state(X), state(PATCH)
    features, error = integral(f0, e0, f, e, [k / 10 for k in range(10)])
    torch.testing.assert_close(a.values, features, rtol=0, atol=1e-12)
    torch.testing.assert_close(a.parts["error"], error, rtol=0, atol=1e-12)
    assert a.evaluations.tolist() == [10, 10]
    total = a.values.sum((1, 2)) + a.parts["error"].sum(1)
    torch.testing.assert_close(total - (a.score - a.baseline_score), a.completeness_gap, rtol=0, atol=1e-9)
    with torch.no_grad():
        torch.testing.assert_close(a.score, metric(f0, e0), rtol=0, atol=1e-9)


def test_a_linear_model_behind_a_linear_dictionary_is_the_closed_form() -> None:
    """F = w·(D f + e): A_j = (Dᵀw)_j f_j, and the error has w·e."""
    way, head = nn.Linear(3, 4).double(), nn.Linear(4, 1, bias=False).double()
    into, back = torch.randn(6, 4, dtype=torch.float64), torch.randn(4, 6, dtype=torch.float64)
    x = torch.randn(3, 3, dtype=torch.float64)
    a = dictionary(gl.Score(nn.Sequential(way, head)), x, "0", lambda h: h @ into.T, lambda f: f @ back.T, steps=1)
    with torch.no_grad():
        h, w = way(x), head.weight[0]
        f = h @ into.T
        torch.testing.assert_close(a.values, f * (back.T @ w))
        torch.testing.assert_close(a.parts["error"], (h - f @ back.T) @ w)
    assert (a.completeness_gap.abs() < 1e-12).all()


def test_a_tolerance_and_modules_in_training_mode() -> None:
    class Encoder(nn.Module):
        def forward(self, h: Tensor) -> Tensor:
            return nn.functional.dropout(SAE.encode(h), 0.5, self.training)

    noisy = Encoder()
    a = dictionary(SCORE, X, "block", noisy, SAE.decode, tol=0.01)
    exact = dictionary(SCORE, X, "block", SAE.encode, SAE.decode, steps=400)
    assert (a.error_estimate <= 0.01).all()
    assert noisy.training
    assert not MODEL.block._forward_hooks
    assert ((a.values - exact.values).flatten(1).norm(dim=1) <= 0.01 * exact.values.flatten(1).norm(dim=1)).all()


def test_refusals() -> None:
    def ask(layer: Any, encode: Any, decode: Any, **options: Any) -> None:
        dictionary(SCORE, X, layer, encode, decode, steps=2, **options)

    with pytest.raises(gl.InputError, match=r"decode to give back shape \(1, 5, 4\), got tensor \(1, 5, 7\)"):
        ask("block", SAE.encode, lambda f: f)
    with pytest.raises(gl.InputError, match=r"encode to give \(1, 5, features\)"):
        ask("block", lambda h: h.sum(1), SAE.decode)
    with pytest.raises(gl.SiteError, match="did you mean 'block"):
        ask("blok", SAE.encode, SAE.decode)
    with pytest.raises(gl.SiteError, match="tensor 1 in what layer 'block' returns"):
        ask(gl.Layer("block", output=1), SAE.encode, SAE.decode)
    with pytest.raises(gl.SiteError, match="call 2 of layer 'block' in a forward of the model, got 1 calls"):
        ask(gl.Layer("block", call=2), SAE.encode, SAE.decode)
    with pytest.raises(gl.InputError, match="got steps beside it"):
        ask("block", SAE.encode, SAE.decode, as_published=True)
