"""What the two sides of a split map are made of."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import pytest
import torch

import gradline as gl
from gradline.post import Composition, composition

SPLIT = gl.methods.split_integrated_gradients


def bent(x: torch.Tensor) -> torch.Tensor:
    return x[:, :1] + x[:, 1:] ** 2


def made(left: list[float], right: list[float], t: float = 0.5) -> gl.Attribution:
    """An attribution with these sides."""
    a = gl.explain(bent, torch.ones(1, 2).double(), method=SPLIT(), steps=2)
    parts = {"left": torch.tensor([left]).double(), "right": torch.tensor([right]).double()}
    return replace(a, parts=parts, details={"saturation_point": [t]})


def values(found: Composition) -> dict[str, float]:
    return {f.name: float(getattr(found, f.name)) for f in fields(found)}


def test_the_statistics_on_paper() -> None:
    """L = (3, −4), R = (0, 2), A = (3, −2): norms 5, 2, √13; sums −1, 2; L·R = −8, L·A = 17, R·A = −4."""
    found = values(composition(made([3, -4], [0, 2], 0.3)))
    assert found == pytest.approx(
        {
            "norm_ratio": 2 / 5,
            "l1_ratio": 2 / 7,
            "sum_ratio": -2,
            "cosine_left_right": -8 / 10,
            "cosine_left_whole": 17 / (5 * math.sqrt(13)),
            "cosine_right_whole": -4 / (2 * math.sqrt(13)),
            "path_share": 0.3,
        }
    )


def test_of_a_path_on_paper() -> None:
    """F = x₁ + x₂² with t + t² = 2φ = 3/4 at t* = ½: L = (½, ¼), R = (½, ¾)."""
    x = torch.ones(3, 2).double()
    found = composition(gl.explain(bent, x, method=SPLIT(0.375), tol=1e-4))
    assert all(getattr(found, f.name).shape == (3,) for f in fields(found))
    assert all(getattr(found, f.name).dtype == torch.float64 for f in fields(found))
    assert found.norm_ratio.tolist() == pytest.approx([math.sqrt(13 / 5)] * 3, rel=1e-3)
    assert found.sum_ratio.tolist() == pytest.approx([5 / 3] * 3, rel=1e-3)  # (1 − φ) / φ
    assert found.cosine_left_right.tolist() == pytest.approx([7 / math.sqrt(5 * 13)] * 3, rel=1e-3)
    assert found.path_share.tolist() == pytest.approx([0.5] * 3, abs=1e-6)


def test_zero_sides_have_no_cosine_and_no_share_of_nothing() -> None:
    for left, right, ratio in (([0, 0], [1, 2], math.inf), ([1, 2], [0, 0], 0.0), ([0, 0], [0, 0], math.nan)):
        found = values(composition(made(left, right)))
        for name in ("norm_ratio", "l1_ratio", "sum_ratio"):
            assert found[name] == pytest.approx(ratio, nan_ok=True)
        assert math.isnan(found["cosine_left_right"])
        assert math.isnan(found["cosine_left_whole"]) == (left == [0, 0])
        assert math.isnan(found["cosine_right_whole"]) == (right == [0, 0])
        assert found["path_share"] == 0.5
    opposed = values(composition(made([1, -1], [2, 5])))
    assert opposed["sum_ratio"] == math.inf
    cancelled = values(composition(made([1, -1], [-1, 1])))
    assert cancelled["cosine_left_right"] == pytest.approx(-1)
    assert math.isnan(cancelled["cosine_left_whole"])


def test_it_takes_saved_ones_and_those_with_images(tmp_path) -> None:
    score = gl.Score(lambda x: torch.tanh(x).sum((1, 2, 3)))
    a = gl.attribute(score, torch.rand(2, 3, 4, 4), SPLIT(0.5), tol=0.01)
    found, again = composition(a), composition(gl.load(a.save(tmp_path / "a.safetensors")))
    for f in fields(found):
        torch.testing.assert_close(getattr(found, f.name), getattr(again, f.name), rtol=0, atol=0)
    assert ((found.path_share > 0) & (found.path_share < 1)).all()


def test_attributions_without_sides_are_refused() -> None:
    plain = gl.explain(bent, torch.ones(1, 2).double(), steps=2)
    with pytest.raises(gl.InputError, match="integrated-gradients, with parts none"):
        composition(plain)
    left = gl.explain(bent, torch.ones(1, 2).double(), method=gl.methods.left_integrated_gradients(), steps=2)
    with pytest.raises(gl.InputError, match="left-integrated-gradients, with parts none"):
        composition(left)
    with pytest.raises(gl.InputError, match="an attribution"):
        composition(torch.ones(2, 2))
