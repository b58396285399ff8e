"""Baselines that are drawn: noise and data. Every example, draw and input has numbers of its own, whatever the batch.

Statistics are of fixed seeds: they were not chosen, and a test at level 1e-4 fails for one seed in ten thousand.
"""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

import gradline as gl
from gradline.core.baselines import (
    Baseline,
    Each,
    FromData,
    GaussianNoise,
    Group,
    PerInput,
    PixelNoise,
    PixelSpace,
    Uniform,
    Zero,
)
from gradline.core.random import generator

LEVEL = 1e-4


def group(x: Tensor, names: tuple[str, ...] | None = None, **more: Any) -> Group:
    names = tuple(str(i) for i in range(len(x))) if names is None else names
    return Group(x, torch.arange(len(x)), names, **{"seed": 0, **more})


def start(baseline: Baseline, x: Tensor, names: tuple[str, ...] | None = None, **more: Any) -> Tensor:
    baseline.check(x)
    return baseline.start(group(x, names, **more))


def data(rows: int = 10, dtype: torch.dtype = torch.float32) -> Tensor:
    """Rows that say their number: row m is (m, m, m)."""
    return torch.arange(rows).reshape(-1, 1).expand(-1, 3).to(dtype)


NOISES = [Uniform(draws=3), GaussianNoise(0.5, draws=3)]
X = torch.linspace(-2, 2, 24).reshape(4, 6)


# --------------------------------------------------------------------------------------------------------------- noise


def test_uniform_noise_is_uniform() -> None:
    """Kolmogorov–Smirnov on 60 000 numbers: 20 examples × 3 draws × 1000 features."""
    got = start(Uniform(-1.0, 3.0, draws=3), torch.zeros(20, 1000)).flatten().double().numpy()
    assert got.min() >= -1
    assert got.max() <= 3
    assert stats.kstest(got, stats.uniform(-1, 4).cdf).pvalue > LEVEL


def test_gaussian_noise_is_gaussian_around_x() -> None:
    """Kolmogorov–Smirnov on 60 000 numbers, and on the part of each of two features of x (30 000 each)."""
    x = torch.tensor([[-3.0, 5.0]]).repeat(20, 500)
    noise = (start(GaussianNoise(0.5, draws=3), x) - x.unsqueeze(1)).double()
    for some in (noise, noise[..., 0::2], noise[..., 1::2]):
        assert stats.kstest(some.flatten().numpy(), stats.norm(0, 0.5).cdf).pvalue > LEVEL


def test_pixel_noise_is_uniform_between_the_black_and_the_white_of_each_channel() -> None:
    """U(a, b) has mean (a + b) / 2 and variance (b − a)² / 12; 12 000 numbers a channel."""
    pixels = PixelSpace((-1.0, 0.0, 2.0), (1.0, 0.5, 10.0))
    got = start(PixelNoise(pixels, draws=3), torch.zeros(4, 3, 20, 50)).double()
    for channel, (low, high) in enumerate(zip(pixels.black, pixels.white, strict=True)):
        numbers = got[:, :, channel].flatten()
        assert low <= float(numbers.min()) < float(numbers.max()) <= high
        assert float(numbers.mean()) == pytest.approx((low + high) / 2, abs=4 * (high - low) / math.sqrt(12 * 12_000))
        assert float(numbers.var()) == pytest.approx((high - low) ** 2 / 12, rel=0.05)


@pytest.mark.parametrize("part", [Uniform(draws=40), GaussianNoise(1.0, draws=40)], ids=repr)
def test_features_draws_and_examples_are_independent(part: Baseline) -> None:
    """All pairs of 40 draws × 5 examples and of neighbouring features: |r| of 2000 numbers is below 5.5/√2000.

    19 900 pairs at 5.5 standard errors: one seed in a thousand would fail.
    """
    x = torch.zeros(5, 2000)
    rows = (start(part, x) - x.unsqueeze(1)).flatten(0, 1).numpy()
    r = np.corrcoef(rows) - np.eye(len(rows))
    assert np.abs(r).max() < 5.5 / math.sqrt(2000)
    beside = np.corrcoef(rows[:, :-1].ravel(), rows[:, 1:].ravel())[0, 1]
    assert abs(beside) < 5.5 / math.sqrt(rows.size)


def test_the_numbers_are_the_keyed_generators() -> None:
    """By hand: example "b", draw 1 of Uniform is torch.rand of the generator of that key; an input enters the key."""
    x = torch.zeros(2, 6)
    got = start(Uniform(-2.0, 2.0, draws=2), x, ("a", "b"), seed=7)
    assert torch.allclose(got[1, 1], 4 * torch.rand(6, generator=generator(7, "b", "Uniform", 1)) - 2)
    got = start(GaussianNoise(3.0), x + 1, ("a", "b"), seed=7, input="pixels", first=5)
    assert torch.allclose(got[0, 0], 1 + 3 * torch.randn(6, generator=generator(7, "a", "GaussianNoise/pixels", 5)))


@pytest.mark.parametrize("part", NOISES, ids=repr)
def test_noise_has_the_same_numbers_in_any_precision(part: Baseline) -> None:
    wide = start(part, X.double())
    for dtype, far in ((torch.float32, 1e-6), (torch.float16, 3e-3), (torch.bfloat16, 3e-2)):
        got = start(part, X.to(dtype))
        assert got.dtype == dtype
        assert torch.allclose(got.double(), wide, rtol=0, atol=far)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Uniform(1.0, 1.0), "finite low < high for Uniform, got low=1.0, high=1.0"),
        (lambda: Uniform(0.0, math.inf), "finite low < high for Uniform"),
        (lambda: Uniform(math.nan, 1.0), "finite low < high for Uniform"),
        (lambda: Uniform(draws=0), "a whole number draws >= 1 for Uniform, got draws=0"),
        (lambda: GaussianNoise(0.0), "finite sigma > 0 for GaussianNoise, got sigma=0.0"),
        (lambda: GaussianNoise(math.inf), "finite sigma > 0 for GaussianNoise"),
        (lambda: GaussianNoise(1.0, draws=2.5), "a whole number draws >= 1 for GaussianNoise, got draws=2.5"),
        (lambda: GaussianNoise(1.0, draws=True), "a whole number draws >= 1 for GaussianNoise, got draws=True"),
        (lambda: FromData(data(), draws=-1), "a whole number draws >= 1 for FromData, got draws=-1"),
        (lambda: FromData(data(0)), r"a tensor of data \(M, …\) for FromData, an example a row, got shape \(0, 3\)"),
        (lambda: FromData([1.0]), "a tensor of data .* for FromData, an example a row, got list"),
        (lambda: FromData({"a": 1.0}), "a tensor of data .* for input a for FromData, an example a row, got float"),
        (lambda: FromData(()), "as many rows of data for every input, got no data"),
        (lambda: FromData((data(3), data(4))), "as many rows of data for every input, got 0: 3, 1: 4"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(call: Any, words: str) -> None:
    with pytest.raises(gl.BaselineError, match=f"expected {words}"):
        call()


# ---------------------------------------------------------------------------------------------------------------- keys

DRAWN = [*NOISES, FromData(torch.randn(50, 6, generator=torch.Generator().manual_seed(1)), draws=3)]


@pytest.mark.parametrize("part", DRAWN, ids=lambda p: type(p).__name__)
def test_names_seeds_and_draws_have_numbers_of_their_own(part: Baseline) -> None:
    assert part.random
    x = torch.zeros(2, 6)
    pair = start(part, x, ("one", "other"))
    assert len({tuple(row) for row in pair.flatten(0, 1).tolist()}) == 6, "2 examples × 3 draws"
    assert not torch.equal(pair, start(part, x, ("one", "other"), seed=1))
    assert torch.equal(start(part, x, ("other", "one")), pair.flip(0))


@pytest.mark.parametrize("part", NOISES, ids=repr)
def test_inputs_share_no_noise(part: Baseline) -> None:
    x = torch.zeros(2, 6)
    seen = [start(part, x, input=name) for name in ("", "0", "1", "pixels")]
    assert len({tuple(row) for some in seen for row in some.flatten(0, 1).tolist()}) == 24


@pytest.mark.parametrize("one", [Uniform(), GaussianNoise(1.0)], ids=repr)
def test_equal_parts_of_each_share_no_noise(one: Baseline) -> None:
    """Two parts of one draw are one part of two."""
    assert torch.equal(start(Each(one, one), X), start(type(one)(**{**vars(one), "draws": 2}), X))


def test_global_random_state_is_neither_read_nor_changed() -> None:
    for part in DRAWN:
        before = torch.get_rng_state()
        first = start(part, X)
        assert torch.equal(torch.get_rng_state(), before)
        torch.manual_seed(5)
        assert torch.equal(start(part, X), first)


# ---------------------------------------------------------------------------------------------------------------- data


@pytest.mark.parametrize("draws", [None, 10, 11])
def test_all_data_is_taken_once_and_nothing_is_random(draws: int | None) -> None:
    rows = data()
    part = FromData(rows, draws)
    assert (part.draws, part.random) == (10, False)
    got = start(part, torch.zeros(2, 3))
    assert got.shape == (2, 10, 3)
    assert got[:, :, 0].tolist() == [list(range(10))] * 2
    assert got.untyped_storage().data_ptr() == rows.untyped_storage().data_ptr(), "a view"


def test_rows_are_distinct_and_every_row_is_as_likely() -> None:
    """χ² over the rows of 3000 examples × 4 of 10 draws, and over the 45 pairs of the first two."""
    part = FromData(data(), draws=4)
    assert (part.draws, part.random) == (4, True)
    drawn = start(part, torch.zeros(3000, 3))[:, :, 0].long()
    assert all(len(set(row)) == 4 for row in drawn.tolist())
    for place in range(4):
        assert stats.chisquare(drawn[:, place].bincount(minlength=10).numpy()).pvalue > LEVEL
    low, high = drawn[:, :2].min(1).values, drawn[:, :2].max(1).values
    pairs = (10 * low + high).bincount(minlength=100).reshape(10, 10).numpy()[np.triu_indices(10, 1)]
    assert stats.chisquare(pairs).pvalue > LEVEL


def test_the_mean_over_draws_is_unbiased() -> None:
    """Of 4000 examples with 3 of 10 rows 0 … 9: the mean is 4.5 to 4 standard errors √(8.25 (1 − 3/10)/(3 · 0.9)/4000).

    The variance of the mean of n of M drawn without replacement is σ² (M − n)/(n (M − 1)).
    """
    mean = start(FromData(data(), draws=3), torch.zeros(4000, 3))[:, :, 0].mean(1).double()
    variance = 8.25 * (10 - 3) / (3 * (10 - 1))
    assert abs(float(mean.mean()) - 4.5) < 4 * math.sqrt(variance / 4000)
    assert float(mean.var()) == pytest.approx(variance, rel=0.1)


def test_one_draw_takes_the_same_row_of_every_input() -> None:
    pixels, age = data(30).reshape(30, 3, 1), data(30, torch.int64)[:, :1]
    for several in ({"pixels": pixels, "age": age}, (pixels, age)):
        part = FromData(several, draws=5)
        assert (part.draws, part.random, len(part.names)) == (5, True, 2)
        one, other = (part.of_input(name) for name in part.names)
        assert one is not None
        assert other is not None
        assert (one.draws, other.draws) == (5, 5)
        rows = start(one, torch.zeros(4, 3, 1), input=part.names[0])[:, :, 0, 0].long()
        ids = start(other, torch.zeros(4, 1, dtype=torch.int64), input=part.names[1])
        assert ids.dtype == torch.int64
        assert torch.equal(rows, ids[:, :, 0])
        assert part.of_input("weight") is None
        with pytest.raises(gl.BaselineError, match="expected data for one input, got data for inputs"):
            part.start(group(torch.zeros(4, 3, 1)))


def test_the_same_rows_also_within_other_parts() -> None:
    table = FromData({"a": data(30), "b": -data(30)}, draws=4)
    part = Each(Zero(), table, FromData(data(30), draws=2))
    a, b = part.of_input("a"), part.of_input("b")
    assert a is not None
    assert b is not None
    one, other = (start(own, torch.zeros(3, 3), input=name) for own, name in ((a, "a"), (b, "b")))
    assert torch.equal(one[:, 1:5], -other[:, 1:5])
    assert torch.equal(one[:, 5:], other[:, 5:])
    apart = PerInput({"a": FromData(data(30), draws=4), "b": FromData(-data(30), draws=4)})
    one, other = (start(own, torch.zeros(3, 3), input=n) for n in "ab" if (own := apart.of_input(n)) is not None)
    assert torch.equal(one, -other)


def test_equal_data_in_each_is_drawn_anew() -> None:
    part = FromData(data(1000), draws=4)
    got = start(Each(part, part), torch.zeros(1, 3))[0, :, 0]
    assert not torch.equal(got[:4], got[4:])


def test_data_takes_the_precision_of_x_and_is_not_copied_whole() -> None:
    wide = data(100_000, torch.float64)
    got = start(FromData(wide, draws=2), torch.zeros(3, 3))
    assert got.dtype == torch.float32
    assert got.untyped_storage().nbytes() == 3 * 2 * 3 * 4


@pytest.mark.parametrize(
    ("rows", "x", "words"),
    [
        (data(), torch.zeros(2, 4), r"data of shape \(M, 4\), got shape \(10, 3\)"),
        (data(), torch.zeros(2, 3, 1), r"data of shape \(M, 3, 1\), got shape \(10, 3\)"),
        (data(dtype=torch.int64), torch.zeros(2, 3), "a floating-point data set, as x is, got torch.int64"),
        (data(), torch.zeros(2, 3).long(), "an integer data set, as x is, got torch.float32"),
        (data() / 0, torch.zeros(2, 3), "a finite data set, got 30 NaN or infinite values in torch.float32"),
        (data() * 1e4, torch.zeros(2, 3).half(), "a finite data set, got 9 NaN or infinite values in torch.float16"),
    ],
)
def test_data_that_does_not_fit_is_refused(rows: Tensor, x: Tensor, words: str) -> None:
    with pytest.raises(gl.BaselineError, match=f"expected {words}"):
        FromData(rows).check(x)
