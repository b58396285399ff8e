"""Baselines: every one against values worked out by hand, and refusals that say what to do."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

import gradline as gl
from gradline.core.baselines import (
    AtSite,
    Baseline,
    Black,
    Blur,
    Boundary,
    Constant,
    Each,
    FromData,
    GaussianNoise,
    Given,
    Group,
    Mean,
    PerInput,
    PixelNoise,
    PixelSpace,
    Uniform,
    White,
    Zero,
    as_baseline,
)

PIXELS = PixelSpace((-1.0, -2.0, -3.0), (1.0, 2.0, 4.0))


def group(x: Tensor, rows: Tensor | None = None, **more: Any) -> Group:
    """The group of these rows of a batch, all of x by default, named as in a call without names."""
    rows = torch.arange(len(x)) if rows is None else rows
    return Group(x, rows, tuple(str(int(i)) for i in rows), **{"seed": 0, **more})


def start(baseline: Baseline, x: Tensor, **more: Any) -> Tensor:
    """The starts of the whole batch `(N, K, *F)`, checked as the engine does."""
    baseline.check(x)
    return baseline.start(group(x, **more))


def images(n: int = 2, side: int = 5, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(n, 3, side, side + 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)


X = torch.tensor([[1.0, 2.0, 6.0], [0.0, -4.0, 1.0]])


def test_zero_and_constant() -> None:
    assert start(Zero(), X).tolist() == [[[0, 0, 0]], [[0, 0, 0]]]
    assert start(Constant(0.5), X).tolist() == [[[0.5, 0.5, 0.5]], [[0.5, 0.5, 0.5]]]


def test_a_given_tensor_belongs_to_its_rows_or_to_all() -> None:
    own = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert start(Given(own), X)[:, 0].tolist() == own.tolist()
    assert Given(own).start(group(X[1:], torch.tensor([1])))[:, 0].tolist() == [[4, 5, 6]]
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


@pytest.mark.parametrize("part", [Black, White, PixelNoise])
def test_black_and_white_need_to_know_the_pixel_space(part: type[Black] | type[White] | type[PixelNoise]) -> None:
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
        Blur(sigma)


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
    for baseline in (Given(torch.zeros(shape)), Each(Zero(), torch.zeros(shape)), AtSite(torch.zeros(shape))):
        with pytest.raises(gl.BaselineError) as refusal:
            baseline.check(X)
        assert f"expected a baseline of shape {tuple(X.shape)} (that of x) or (1, 3)" in str(refusal.value)
        assert f"got shape {shape}" in str(refusal.value)


@pytest.mark.parametrize(("bad", "words"), [(math.nan, "1 NaN"), (math.inf, "1 NaN or infinite")])
def test_values_that_are_not_finite_are_refused(bad: float, words: str) -> None:
    given = torch.zeros(1, 3)
    given[0, 1] = bad
    with pytest.raises(gl.BaselineError, match=f"expected a finite baseline, got {words}"):
        start(Given(given), X)
    with pytest.raises(gl.BaselineError, match=f"expected a finite value in torch.float32 for Constant, got {bad}"):
        start(Constant(bad), X)


@pytest.mark.parametrize("value", [1e39, -(10**400)])
def test_values_that_are_not_finite_in_the_dtype_of_x_are_refused(value: float) -> None:
    with pytest.raises(gl.BaselineError, match=r"finite value in torch\.float32 for Constant"):
        start(Constant(value), X)
    assert start(Constant(1e39), X.double())[0, 0, 0] == 1e39
    with pytest.raises(gl.BaselineError, match=r"expected a finite baseline, got 3 NaN .* in torch\.float32"):
        start(Given(torch.full((1, 3), 1e39, dtype=torch.float64)), X)


@pytest.mark.parametrize("value", ["white", True, None])
def test_a_constant_is_a_number(value: Any) -> None:
    with pytest.raises(gl.BaselineError, match=f"expected a finite value for Constant, got {value!r}"):
        start(Constant(value), X)


@pytest.mark.parametrize("value", ["black", True, [0.0], np.zeros((1, 3))])
def test_what_is_no_baseline_is_refused(value: object) -> None:
    with pytest.raises(gl.BaselineError, match=f"expected a baseline such as .*got {type(value).__name__}"):
        as_baseline(value)


def test_a_class_is_told_from_a_part() -> None:
    with pytest.raises(gl.BaselineError, match=r"got the class Blur; write Blur\(\.\.\.\)"):
        as_baseline(Blur)


def test_parts_are_values() -> None:
    assert Blur(2.0) == Blur(2.0) != Blur(3.0)
    assert as_baseline(0.5) == as_baseline(Constant(0.5)) == Constant(0.5)
    assert repr(Each(Zero(), 0.5)) == "Each(parts=(Zero(), Constant(value=0.5)))"


# ------------------------------------------------------------------------------------------------------------ integers

IDS = torch.tensor([[3, 7, 2], [101, 0, 5]])


def test_integers_start_at_integers() -> None:
    assert start(Zero(), IDS).tolist() == [[[0, 0, 0]], [[0, 0, 0]]]
    for part in (Constant(103), Constant(103.0), Given(torch.full((1, 3), 103, dtype=torch.int32))):
        got = start(part, IDS)
        assert got.dtype == torch.int64
        assert got[:, 0].tolist() == [[103] * 3] * 2
    assert start(Constant(1), IDS > 3).tolist() == [[[True] * 3]] * 2


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(0.5, torch.int64), (256, torch.uint8), (-1, torch.uint8), (2, torch.bool), (2**63, torch.int64)],
)
def test_a_constant_for_integers_is_whole_and_fits(value: float, dtype: torch.dtype) -> None:
    with pytest.raises(gl.BaselineError, match=rf"that fits {dtype} for Constant, got {value}"):
        start(Constant(value), IDS.to(dtype))


@pytest.mark.parametrize(
    ("x", "given", "words"),
    [
        (X, torch.int64, r"a floating-point baseline, as x is, got torch.int64; convert it with \.float\(\)"),
        (X, torch.bool, r"a floating-point baseline, as x is, got torch.bool; convert it with \.float\(\)"),
        (IDS, torch.float32, r"an integer baseline, as x is, got torch.float32; convert it with \.long\(\)"),
        (IDS, torch.bool, r"an integer baseline, as x is, got torch.bool; convert it with \.long\(\)"),
        (IDS > 3, torch.int64, r"a boolean baseline, as x is, got torch.int64; convert it with \.bool\(\)"),
    ],
)
def test_a_tensor_is_of_the_kind_of_x(x: Tensor, given: torch.dtype, words: str) -> None:
    with pytest.raises(gl.BaselineError, match=f"expected {words}"):
        start(Given(torch.zeros(1, 3).to(given)), x)


def test_integers_are_not_wrapped() -> None:
    with pytest.raises(gl.BaselineError, match=r"expected a baseline that fits torch\.uint8, got 2 values beyond"):
        start(Given(torch.tensor([[300, 5, -1]])), IDS.to(torch.uint8))


@pytest.mark.parametrize(
    "part", [Mean(), Blur(), Black(PIXELS), Uniform(), GaussianNoise(1.0), Boundary()], ids=lambda p: type(p).__name__
)
def test_what_needs_floating_point_says_so(part: Baseline) -> None:
    words = f"expected a floating-point input, which {type(part).__name__} needs, got torch.int64; use Zero"
    with pytest.raises(gl.BaselineError, match=words):
        part.check(torch.zeros(2, 3, 4, 4, dtype=torch.int64))


# ------------------------------------------------------------------------------------------------------ several inputs


def test_one_baseline_for_each_input() -> None:
    part = as_baseline({"pixels": 0.5, "age": torch.tensor([[40.0]]), "sex": None})
    assert part == PerInput({"sex": None, "age": part.parts["age"], "pixels": Constant(0.5)})
    assert (part.draws, part.random, part.at_site, part.names) == (1, False, False, ("pixels", "age", "sex"))
    assert part.of_input("pixels") == Constant(0.5)
    assert start(part.of_input("age"), torch.zeros(2, 1)).tolist() == [[[40]], [[40]]]
    assert part.of_input("sex") is part.of_input("weight") is None, "held at x"


def test_a_tuple_is_by_position() -> None:
    part = as_baseline((Zero(), None, 2))
    assert part.names == ("0", "1", "2")
    assert [part.of_input(name) for name in part.names] == [Zero(), None, Constant(2)]
    assert repr(part) == "PerInput(parts={'0': Zero(), '1': None, '2': Constant(value=2)})"
    assert hash(part) == hash(PerInput({"2": 2, "0": Zero(), "1": None}))


def test_a_plain_baseline_holds_for_every_input() -> None:
    for part in (Zero(), Given(X), Uniform(), Each(0, 1), AtSite(0)):
        assert part.names == ()
        assert type(part.of_input("age")) is type(part)


def test_a_single_start_goes_with_every_draw_of_another_input() -> None:
    part = PerInput({"a": Each(1, 2, 3), "b": 7})
    assert part.draws == 3
    for name, due in (("a", [1, 2, 3]), ("b", [7, 7, 7])):
        own = part.of_input(name)
        assert own is not None
        assert own.draws == 3
        assert start(own, X)[0].tolist() == [[float(v)] * 3 for v in due]


def test_each_over_inputs_keeps_draws_side_by_side() -> None:
    part = Each(PerInput({"a": Each(1, 2), "b": 3}), 0, {"a": 4})
    assert (part.draws, part.names) == (4, ("a", "b"))
    for name, due in (("a", [1, 2, 0, 4]), ("b", [3, 3, 0, None])):
        own = part.of_input(name)
        assert own is not None
        assert own.draws == part.draws
        held = X[0].tolist()
        assert start(own, X)[0].tolist() == [held if v is None else [float(v)] * 3 for v in due]
    ids = PerInput({"c": Each(5, 6), "a": 0}).of_input("c")
    assert ids is not None
    assert start(ids, IDS)[1].tolist() == [[5, 5, 5], [6, 6, 6]]
    held_twice = Each({"a": Each(1, 2)}, 0).of_input("b")
    assert held_twice is not None
    assert start(held_twice, X)[1].tolist() == [X[1].tolist()] * 2 + [[0.0] * 3]
    both_held = Each({"a": 1}, {"a": 2}).of_input("b")
    assert both_held is None


def test_black_and_white_reach_the_parts() -> None:
    assert PerInput((Black(), None)).within(PIXELS) == PerInput((Black(PIXELS), None))


@pytest.mark.parametrize("call", ["start", "check"])
def test_one_baseline_each_input_does_not_fit_one_tensor(call: str) -> None:
    x = group(X) if call == "start" else X
    with pytest.raises(gl.BaselineError, match="expected one baseline for one input, got one for each of inputs 0, 1"):
        getattr(PerInput((0, 1)), call)(x)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ((), "a baseline for at least one input, got none"),
        ({}, "a baseline for at least one input, got none"),
        ((None, None), "a baseline for at least one input, got 2 of None"),
        ((Each(1, 2, 3), Each(1, 2)), "as many draws for every input, got 0: 3, 1: 2; ask for draws=3"),
        ((Uniform(draws=2), Uniform()), "as many draws for every input, got 0: 2, 1: 1; ask for draws=2"),
        ((0, (0, 1)), "a plain baseline for input 1, got PerInput; write it outermost"),
        ({"a": AtSite(0)}, "a plain baseline for input a, got AtSite; write it outermost"),
        ({"a": Each(0, Boundary())}, "a plain baseline for input a, got Boundary"),
        ({"a": FromData({"a": X})}, "a plain baseline for input a, got FromData"),
        ({"a": "zero"}, "a baseline such as .*got str"),
    ],
)
def test_parts_that_do_not_go_together_are_refused(parts: Any, words: str) -> None:
    with pytest.raises(gl.BaselineError, match=f"expected {words}"):
        as_baseline(parts)


# --------------------------------------------------------------------------------------------------------- at the site


def test_at_the_site_the_part_sees_the_site() -> None:
    site = torch.randn(2, 4, 3)
    for part, due in ((AtSite(0.0), torch.zeros_like(site)), (AtSite(site), site), (AtSite(Mean()), None)):
        assert part.at_site
        assert torch.equal(start(part, site)[:, 0], start(Mean(), site)[:, 0] if due is None else due)
    assert not any(part.at_site for part in (Zero(), Each(0, 1), PerInput((0,)), Uniform(), Boundary()))
    assert AtSite(Each(0, 1)).draws == 2
    assert AtSite(Uniform(draws=2)).random
    assert AtSite(0.0) == AtSite(Constant(0.0))
    with pytest.raises(gl.BaselineError, match=r"baseline of shape \(2, 4, 3\)"):
        AtSite(X).check(site)


@pytest.mark.parametrize("part", [AtSite(0), PerInput((0,)), Boundary(), Each(0, Boundary())])
def test_what_needs_the_input_is_not_at_the_site(part: Baseline) -> None:
    with pytest.raises(gl.BaselineError, match="expected a plain baseline for the site"):
        AtSite(part)


def test_each_says_which_part_is_asked_for_whom() -> None:
    each = Each(AtSite(0.0), Each(Zero(), Uniform(draws=3)), Boundary())
    assert each.parts == (AtSite(0.0), Zero(), Uniform(draws=3), Boundary())
    shares = list(each.shares(group(X, first=10)))
    assert [part for part, _ in shares] == list(each.parts)
    assert [share.first for _, share in shares] == [10, 11, 12, 15]
    assert all(share.x is X and share.names == ("0", "1") for _, share in shares)
    with pytest.raises(TypeError, match=r"Boundary needs the model: drive its search\(frame\)"):
        each.start(group(X))
