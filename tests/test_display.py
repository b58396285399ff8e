"""What a report is given of a photo: condensed maps, pictures of both ends, maps from other baselines."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import gradline as gl
from gradline.adapters.display import SIDE, STAGES, condensed, in_words, other_baselines


@pytest.mark.parametrize(("height", "width"), [(112, 112), (224, 224), (225, 100), (600, 337), (5, 1000)])
def test_condensed_maps_are_sums_over_square_blocks(height: int, width: int) -> None:
    maps = torch.randn(2, height, width, generator=torch.Generator().manual_seed(0)).double()
    got = condensed(maps)
    side = -(-max(height, width) // SIDE)
    assert got.shape == (2, -(-height // side), -(-width // side))
    assert max(got.shape[1:]) <= SIDE
    np.testing.assert_allclose(got.sum((1, 2)), maps.sum((1, 2)).numpy(), rtol=1e-4, atol=1e-4)
    assert float(got[1, 0, 0]) == pytest.approx(float(maps[1, :side, :side].sum()), rel=1e-5)


@pytest.fixture(scope="module")
def a() -> gl.Attribution:
    return gl.explain_image(gl.demo_photo(), steps=4)


def test_an_explained_photo_knows_how_it_looks(a: gl.Attribution) -> None:
    (photo,) = a.shown
    assert isinstance(photo, gl.report.Photo)
    assert (photo.name, photo.model, photo.title) == ("coffee.png", "efficientnet-lite0", "espresso")
    assert photo.start is not None
    assert not photo.start.any()  # black
    assert (photo.baseline, photo.straight, photo.paths) == ("black", True, 1)
    assert [round(sum(p for _, p in photo.candidates), 2), len(photo.candidates)] == [0.98, 5]
    assert a.parts == {}
    assert photo.stages is not None
    assert photo.stages.shape == (STAGES, 112, 112)
    whole = condensed(a.values[0].sum(0, keepdim=True))[0]
    np.testing.assert_allclose(photo.stages[-1], whole, atol=1e-4 * np.abs(whole).max())


def test_baselines_have_names_unless_they_are_made_of_others() -> None:
    b = gl.baselines
    assert [in_words(part) for part in (b.Black(), b.PixelNoise(), b.Blur(3.0))] == ["black", "pixel noise", "blur"]
    assert in_words(b.Each(b.Black(), b.White())) == ""


def test_what_is_known_of_the_path_is_a_fact_of_the_photo() -> None:
    several = gl.explain_image(gl.demo_photo(), baseline=gl.baselines.PixelNoise(draws=2), steps=2).shown[0]
    assert (several.paths, several.baseline, several.straight) == (2, "pixel noise", True)
    gradient = gl.explain_image(gl.demo_photo(), method=gl.methods.gradient()).shown[0]
    assert (gradient.paths, gradient.baseline, gradient.straight) == (1, "", False)


def test_a_method_that_was_moved_keeps_its_baseline() -> None:
    moved = gl.methods.integrated_gradients().starting_at(gl.baselines.White())
    by_method = gl.explain_image(gl.demo_photo(), method=moved, steps=2)
    by_argument = gl.explain_image(gl.demo_photo(), baseline=gl.baselines.White(), steps=2)
    assert torch.equal(by_method.values, by_argument.values)
    assert by_method.shown[0].start.min() == 255  # type: ignore[attr-defined]
    black = gl.explain_image(gl.demo_photo(), method=moved, baseline=gl.baselines.Black(), steps=2)
    assert black.shown[0].start.max() == 0  # type: ignore[attr-defined]


def test_other_baselines_are_maps_of_the_same_question(a: gl.Attribution) -> None:
    case = gl.image_case(gl.demo_photo())
    method = gl.methods.integrated_gradients()
    wanted = {"black": case.baseline(), "noise": case.baseline(gl.baselines.PixelNoise())}
    same, noise = other_baselines(case, a, None, method, wanted, tol=0.5, seed=3)
    assert same.name == "black"
    assert same.agreement > 0.3  # a map of 4 nodes against one of 8 and more
    assert abs(noise.agreement) < 0.1
    assert noise.start.shape == (224, 224, 3)
    assert 120 < noise.start.mean() < 135
    np.testing.assert_array_equal(noise.start, case.pixels_of(case.start(wanted["noise"], 3)))
