"""Baselines: every one against values worked out by hand, and refusals that say what to do."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

import gradline as gl
from gradline.core.baselines import (
    Baseline,
    Black,
    Blur,
    Constant,
    Each,
    Given,
    Mean,
    PixelSpace,
    White,
    Zero,
    as_baseline,
)

PIXELS = PixelSpace((-1.0, -2.0, -3.0), (1.0, 2.0, 4.0))


def start(baseline: Baseline, x: Tensor) -> Tensor:
    """The starts of the whole batch `(N, K, *F)`, checked as the engine does."""
    baseline.check(x)
    return baseline.start(x, torch.arange(len(x)))


def images(n: int = 2, side: int = 5, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(n, 3, side, side + 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)


X = torch.tensor([[1.0, 2.0, 6.0], [0.0, -4.0, 1.0]])


def test_zero_and_constant() -> None:
    assert start(Zero(), X).tolist() == [[[0, 0, 0]], [[0, 0, 0]]]
    assert start(Constant(0.5), X).tolist() == [[[0.5, 0.5, 0.5]], [[0.5, 0.5, 0.5]]]


def test_a_given_tensor_belongs_to_its_rows_or_to_all() -> None:
    own = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert start(Given(own), X)[:, 0].tolist() == own.tolist()
    assert Given(own).start(X[1:], torch.tensor([1]))[:, 0].tolist() == [[4, 5, 6]]
    assert start(Given(own[1:]), X)[:, 0].tolist() == [[4, 5, 6], [4, 5, 6]]


def test_a_given_tensor_takes_the_precision_of_x() -> None:
    assert start(Given(torch.full((1, 3), 0.1, dtype=torch.float64)), X).dtype == torch.float32


def test_mean_is_each_examples_own() -> None:
    assert start(Mean(), X)[:, 0].tolist() == [[3, 3, 3], [-1, -1, -1]]


def test_mean_of_an_image_is_its_mean_colour() -> None:
    x = torch.stack([torch.full((3, 2, 2), float(k)) for k in range(2)])
    x[1, 2] = torch.tensor([[1.0, 2.0], [3.0, 6.0]])
    got = start(Mean(), x)[:, 0]
    assert got[0].unique().tolist() == [0]
    assert [channel.unique().tolist() for channel in got[1]] == [[1], [1], [3]]


def test_mean_of_a_sequence_is_over_all_its_features() -> None:
    assert start(Mean(), torch.arange(12.0).reshape(1, 4, 3)).unique().tolist() == [5.5]


def test_black_and_white_are_what_the_model_is_given_for_them() -> None:
    for part, colour in ((Black(PIXELS), PIXELS.black), (White(PIXELS), PIXELS.white)):
        got = start(part, images())[:, 0]
        assert got.shape == images().shape
        assert [channel.unique().tolist() for channel in got[0]] == [[value] for value in colour]


@pytest.mark.parametrize("part", [Black, White])
def test_black_and_white_need_to_know_the_pixel_space(part: type[Black] | type[White]) -> None:
    with pytest.raises(gl.BaselineError, match=rf"{part.__name__}\(PixelSpace\("):
        start(part(), images())
    known = part().within(PIXELS)
    assert known == part(PIXELS)
    other = PixelSpace((0.0,) * 3, (9.0,) * 3)
    assert known.within(other) == known, "what is said stays"
    assert Each(part(), 0.5).within(PIXELS) == Each(part(PIXELS), 0.5)


@pytest.mark.parametrize("shape", [(2, 3), (2, 4, 5, 5), (2, 3, 5)])
def test_a_colour_needs_images_of_its_channels(shape: tuple[int, ...]) -> None:
    with pytest.raises(gl.BaselineError, match=r"expected images \(N, 3, H, W\) for Black, got shape"):
        start(Black(PIXELS), torch.zeros(shape))


# ---------------------------------------------------------------------------------------------------------------- blur


@pytest.mark.parametrize("sigma", [0.5, 0.8, 1.0, 1.5, 2.0, 3.5, 10.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_blur_is_scipys_gaussian(sigma: float, dtype: torch.dtype) -> None:
    x = images(side=21, dtype=dtype)
    due = gaussian_filter(x.double().numpy(), (0, 0, sigma, sigma), mode="nearest", truncate=3)
    got = start(Blur(sigma), x)[:, 0]
    assert got.dtype == dtype
    assert np.abs(got.double().numpy() - due).max() <= 1e-5


def test_blur_keeps_constants() -> None:
    x = torch.full((1, 3, 9, 4), 0.7)
    assert torch.allclose(start(Blur(4.0), x)[:, 0], x, rtol=1e-6)


def test_blur_keeps_the_brightness_of_what_is_far_from_the_edge() -> None:
    x = torch.zeros(1, 1, 41, 41, dtype=torch.float64)
    x[0, 0, 18:23, 20] = torch.tensor([1.0, 5.0, 2.0, -1.0, 3.0], dtype=torch.float64)
    got = start(Blur(2.0), x)
    assert float(got.sum()) == pytest.approx(10, rel=1e-6)
    assert float(got.max()) < 2


def test_blur_of_a_point_is_a_gaussian() -> None:
    """A point becomes exp(−r²/2σ²) / Σ in every direction: at σ = 2 it falls by e^(−1/8) over one pixel."""
    x = torch.zeros(1, 1, 31, 31, dtype=torch.float64)
    x[0, 0, 15, 15] = 1
    got = start(Blur(2.0), x)[0, 0, 0]
    assert torch.allclose(got, got.T)
    assert float(got[15, 16] / got[15, 15]) == pytest.approx(math.exp(-1 / 8), rel=1e-6)
    assert float(got[16, 17] / got[15, 15]) == pytest.approx(math.exp(-5 / 8), rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_blur_works_in_low_precision(dtype: torch.dtype) -> None:
    x = images(dtype=dtype)
    got = start(Blur(1.0), x)
    assert got.dtype == dtype
    assert torch.allclose(got.double(), start(Blur(1.0), x.double()), atol=0.02)


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, math.inf])
def test_blur_needs_a_width(sigma: float) -> None:
    with pytest.raises(gl.BaselineError, match=f"expected sigma > 0 for Blur, got sigma={sigma}"):
        start(Blur(sigma), images())


def test_blur_needs_images() -> None:
    with pytest.raises(gl.BaselineError, match=r"expected images \(N, C, H, W\) for Blur, got shape \(2, 3\)"):
        start(Blur(1.0), X)


# ---------------------------------------------------------------------------------------------------- several, refusals


def test_each_puts_its_parts_side_by_side() -> None:
    parts = Each(0, Each(Constant(1), torch.tensor([[2.0, 2.0, 2.0]])), Mean())
    assert parts.draws == 4
    assert start(parts, X)[0].tolist() == [[0, 0, 0], [1, 1, 1], [2, 2, 2], [3, 3, 3]]


def test_each_of_nothing_is_refused() -> None:
    with pytest.raises(gl.BaselineError, match="at least one baseline in Each"):
        Each()


@pytest.mark.parametrize("shape", [(2, 4), (3, 3), (3,), (2, 3, 1), ()])
def test_wrong_shapes_are_refused(shape: tuple[int, ...]) -> None:
    for baseline in (torch.zeros(shape), Each(Zero(), torch.zeros(shape))):
        with pytest.raises(gl.BaselineError) as refusal:
            gl.explain(lambda z: z.sum(1, keepdim=True), X, 0, baseline=baseline)
        assert f"expected a baseline of shape {tuple(X.shape)} (that of x) or (1, 3)" in str(refusal.value)
        assert f"got shape {shape}" in str(refusal.value)


@pytest.mark.parametrize(("bad", "words"), [(math.nan, "1 NaN"), (math.inf, "1 NaN or infinite")])
def test_values_that_are_not_finite_are_refused(bad: float, words: str) -> None:
    given = torch.zeros(1, 3)
    given[0, 1] = bad
    with pytest.raises(gl.BaselineError, match=f"expected a finite baseline, got {words}"):
        start(Given(given), X)
    with pytest.raises(gl.BaselineError, match=f"expected a finite value for Constant, got {bad}"):
        start(Constant(bad), X)


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool])
def test_integers_are_refused(dtype: torch.dtype) -> None:
    with pytest.raises(gl.BaselineError, match=rf"expected a floating-point baseline, got {dtype}; .*\.float\(\)"):
        start(Given(torch.zeros(1, 3).to(dtype)), X)


@pytest.mark.parametrize("value", ["black", True, [0.0], np.zeros((1, 3))])
def test_what_is_no_baseline_is_refused(value: object) -> None:
    with pytest.raises(gl.BaselineError, match=f"expected a baseline such as .*got {type(value).__name__}"):
        as_baseline(value)


def test_a_class_is_told_from_a_part() -> None:
    with pytest.raises(gl.BaselineError, match=r"got the class Blur; write Blur\(\.\.\.\)"):
        as_baseline(Blur)


def test_a_method_without_a_path_has_no_baseline_to_replace() -> None:
    with pytest.raises(gl.InputError, match="gradient has no baseline: leave baseline= out"):
        gl.explain(lambda z: z.sum(1, keepdim=True), X, 0, method=gl.methods.gradient(), baseline=0)


def test_parts_are_values() -> None:
    assert Blur(2.0) == Blur(2.0) != Blur(3.0)
    assert as_baseline(0.5) == as_baseline(Constant(0.5)) == Constant(0.5)
    assert repr(Each(Zero(), 0.5)) == "Each(parts=(Zero(), Constant(value=0.5)))"


# ----------------------------------------------------------------------------------------------------- seen in the maps


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
    """F = Σ x_i² has A_i = x_i² − x'_i²; two midpoints are exact."""
    a = gl.explain(lambda z: (z**2).sum(1, keepdim=True), X[:1], 0, baseline=baseline, steps=2)
    due = [x**2 - b**2 for x, b in zip([1, 2, 6], start_of_path, strict=True)]
    assert a.values[0].tolist() == pytest.approx(due)
    assert a.baseline_score is not None
    assert float(a.baseline_score) == pytest.approx(sum(b**2 for b in start_of_path))
