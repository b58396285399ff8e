"""Baseline sensitivity: agreement, spread and signs by hand, and on a network."""

import math

import pytest
import torch
from scipy import stats
from torch import Tensor, nn

import gradline as gl
from gradline.core.baselines import PixelSpace
from gradline.errors import BaselineError, InputError
from gradline.sanity import baseline_sensitivity


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network() -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return nn.Sequential(nn.Conv2d(3, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(72, 3)).double()


def linear(x: Tensor) -> Tensor:
    return x @ torch.tensor([1.0, 2, 3, 4], dtype=x.dtype)


def test_a_linear_score_by_hand() -> None:
    """IG is w (x − x') with w = (1, 2, 3, 4) and x of ones: from 0 (1, 2, 3, 4); from 2 (−1, −2, −3, −4); from
    (0, 0, 2, 1) (1, 2, −3, 0). Agreements −1; 1 − 6 · 14 / 60 = −0.4, since the ranks are (3, 4, 1, 2), d = (2, 2, 2,
    2): 1 − 6 · 16 / 60 = −0.6; and its opposite 0.6. Mean (−1 − 0.6 + 0.6) / 3. Mean map (1, 2, −3, 0) / 3, norm
    √14 / 3; the squares around it: 30 + 30 + 14 − 3 · 14 / 9 = 208 / 3, over 3 baselines 208 / 9. No sign stays."""
    x = torch.ones(1, 4, dtype=torch.float64)
    own = torch.tensor([[0.0, 0, 2, 1]], dtype=torch.float64)
    found = baseline_sensitivity(gl.Score(linear), x, {"zero": 0, "two": 2, "own": own}, steps=2)
    expected = torch.tensor([[1, -1, -0.6], [-1, 1, 0.6], [-0.6, 0.6, 1]], dtype=torch.float64)
    torch.testing.assert_close(found.rank_agreement[0], expected)
    assert float(found.agreement) == pytest.approx(-1 / 3)
    assert float(found.spread) == pytest.approx(math.sqrt(208 / 9) / (math.sqrt(14) / 3))
    assert float(found.stable) == 0
    assert "maps from zero, two, own" in repr(found)
    assert "0: mean rank agreement -0.3333" in repr(found).replace("−", "-")


def test_signs_that_stay_and_zeros() -> None:
    """From 0 and from (½, 1, 1, 2) maps of x of ones: (1, 2, 3, 4) and (½, 0, 0, −4): one unit of four keeps its sign.
    From (1, 1, 1, 1) and once more all are 0: signs stay, there is no spread to speak of, and no order."""
    x = torch.ones(1, 4, dtype=torch.float64)
    some = torch.tensor([[0.5, 1, 1, 2]], dtype=torch.float64)
    assert float(baseline_sensitivity(gl.Score(linear), x, {"a": 0, "b": some}, steps=1).stable) == 0.25
    same = baseline_sensitivity(gl.Score(linear), x, {"a": 1, "b": 1.0}, steps=1)
    assert float(same.stable) == 1
    assert same.spread.isnan().all()
    assert same.agreement.isnan().all()


def test_images_as_the_definition_has_it() -> None:
    """The same numbers from maps made one by one, channels summed, loops written plainly."""
    model, x = network(), noise(3, 3, 8, 8)
    baselines = {"zero": gl.baselines.Zero(), "blur": gl.baselines.Blur(sigma=2), "uniform": gl.baselines.Uniform()}
    found = baseline_sensitivity(gl.Score(model, 1), x, baselines, steps=6)
    maps = [gl.explain(model, x, 1, baseline=b, steps=6).values.sum(1).flatten(1) for b in baselines.values()]
    for i in range(3):
        own = [m[i] for m in maps]
        pairs = [(0, 1), (0, 2), (1, 2)]
        agreement = [stats.spearmanr(own[j].numpy(), own[k].numpy()).statistic for j, k in pairs]
        mean = sum(own[1:], own[0]) / 3
        spread = math.sqrt(sum(float((m - mean).square().sum()) for m in own) / 3) / float(mean.norm())
        stable = sum(len({math.copysign(1, float(m[u])) for m in own}) == 1 for u in range(64)) / 64
        assert [float(found.rank_agreement[i, j, k]) for j, k in pairs] == pytest.approx(agreement)
        assert float(found.agreement[i]) == pytest.approx(sum(agreement) / 3)
        assert float(found.spread[i]) == pytest.approx(spread)
        assert float(found.stable[i]) == pytest.approx(stable)
    assert tuple(found.attributions) == ("zero", "blur", "uniform")
    assert len(found) == 3
    assert found.names == ("0", "1", "2")


def test_baselines_that_are_one_agree() -> None:
    found = baseline_sensitivity(gl.Score(network(), 1), noise(2, 3, 8, 8), {"a": 0, "b": gl.baselines.Zero()}, steps=3)
    torch.testing.assert_close(found.rank_agreement, torch.ones(2, 2, 2).double())
    torch.testing.assert_close(found.spread, torch.zeros(2).double())
    torch.testing.assert_close(found.stable, torch.ones(2).double())


def test_black_and_white_are_told() -> None:
    pixels = PixelSpace((-1.0, -2.0, -3.0), (1.0, 2.0, 3.0))
    baselines = {"black": gl.baselines.Black(), "white": gl.baselines.White()}
    x = noise(1, 3, 8, 8)
    found = baseline_sensitivity(gl.Score(network(), 1), x, baselines, pixels=pixels, steps=3)
    made = gl.explain(network(), x, 1, baseline=gl.baselines.Black(pixels), steps=3)
    torch.testing.assert_close(found.attributions["black"].values, made.values)
    with pytest.raises(BaselineError, match="colour"):
        baseline_sensitivity(gl.Score(network(), 1), x, baselines, steps=3)


def test_several_inputs_layers_and_rows_alone() -> None:
    def both(a: Tensor, b: Tensor) -> Tensor:
        return (a * b).sum(1) ** 2

    a, b = noise(3, 4), noise(3, 4, seed=1)
    baselines = {"zero": 0, "half": 0.5}
    whole = baseline_sensitivity(gl.Score(both), (a, b), baselines, steps=4)
    alone = [baseline_sensitivity(gl.Score(both), (a[i : i + 1], b[i : i + 1]), baselines, steps=4) for i in range(3)]
    torch.testing.assert_close(torch.cat([one.spread for one in alone]), whole.spread)
    torch.testing.assert_close(torch.cat([one.rank_agreement for one in alone]), whole.rank_agreement)
    score = gl.Score(network(), 1, site=gl.Layer("0"))
    inside = baseline_sensitivity(score, noise(1, 3, 8, 8), baselines, steps=3)
    assert inside.attributions["zero"].values.shape == (1, 2, 6, 6)
    assert inside.spread.isfinite().all()


def test_refusals() -> None:
    score, x = gl.Score(linear), torch.ones(1, 4)
    for wrong in ({"zero": 0}, [0, 1]):
        with pytest.raises(InputError, match="two baselines or more"):
            baseline_sensitivity(score, x, wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="has no baseline"):
        baseline_sensitivity(score, x, {"a": 0, "b": 1}, gl.methods.gradient())
    with pytest.raises(InputError, match="one target"):
        baseline_sensitivity(gl.Score(network(), [0, 1]), noise(1, 3, 8, 8), {"a": 0, "b": 1})
