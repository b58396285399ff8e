"""What a report is given of a photo: condensed maps, pictures of both ends, maps from other baselines."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import gradline as gl
from gradline.adapters.display import SIDE, STAGES, condensed, other_baselines


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
    assert [round(sum(p for _, p in photo.candidates), 2), len(photo.candidates)] == [0.98, 5]
    assert a.parts == {}
    assert photo.stages is not None
    assert photo.stages.shape == (STAGES, 112, 112)
    whole = condensed(a.values[0].sum(0, keepdim=True))[0]
    np.testing.assert_allclose(photo.stages[-1], whole, atol=1e-4 * np.abs(whole).max())


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
