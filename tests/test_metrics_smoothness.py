"""Total variation over scales, against scikit-image's pyramid and a transcription of the published definition."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor

import gradline as gl
from gradline.evaluation.judge import evaluate
from gradline.metrics.base import Evaluation
from gradline.metrics.shape.smoothness import Normalised, TotalVariation, pyramid, reduced, saliency, simpson, variation


def judge(metric: TotalVariation, maps: Tensor, channels: int = 1) -> Evaluation:
    """The maps of a model of which nothing matters here."""
    x = torch.zeros(len(maps), channels, *maps.shape[-2:])
    return evaluate(metric, gl.Score(lambda z: z.flatten(1), 0), x, maps)


def test_variation_by_hand() -> None:
    """Rows 0 1 0 / 0 1 1 / 0 0 0: across 2 + 1 + 0, down (0, 0, 1) + (0, 1, 1): 6 over 9 pixels."""
    assert float(variation(torch.tensor([[[0.0, 1, 0], [0, 1, 1], [0, 0, 0]]]))) == pytest.approx(6 / 9)


def test_saliency_by_hand() -> None:
    """|a| = 1, 2, 3, 5; the median is 2.5; less 1, over 1.5, clipped: 0, 2/3, 1, 1."""
    sizes = saliency(torch.tensor([[[-1.0, 2.0], [-3.0, 5.0]]]).double(), 0.5)
    torch.testing.assert_close(sizes, torch.tensor([[[0.0, 2 / 3], [1.0, 1.0]]]).double())


def test_weights_of_the_area() -> None:
    """6 levels: the mean of (1/3, 4/3, 2/3, 4/3, 1/3 + 1/2, 1/2) and its mirror is (5, 13, 12, 12, 13, 5) / 12."""
    assert [Fraction(w).limit_denominator(100) for w in simpson(6).tolist()] == [
        Fraction(k, 12) for k in (5, 13, 12, 12, 13, 5)
    ]
    torch.testing.assert_close(simpson(5), torch.tensor([1, 4, 2, 4, 1]).double() / 3)
    assert simpson(2).tolist() == [0.5, 0.5]
    assert all(float(simpson(n).sum()) == pytest.approx(n - 1) for n in range(2, 12))


def test_levels_of_224_pixels() -> None:
    """ceil(side / 1.5) down to 30: 224, 150, 100, 67, 45, 30, as in the paper."""
    assert [level.shape[1] for level in pyramid(torch.zeros(1, 224, 224), 30)] == [224, 150, 100, 67, 45, 30]
    assert [tuple(level.shape[1:]) for level in pyramid(torch.zeros(1, 60, 44), 30)] == [(60, 44), (40, 30)]


@pytest.mark.parametrize("size", [(48, 48), (45, 61), (31, 30), (7, 2)])
def test_a_level_is_scikit_images(size: tuple[int, int]) -> None:
    """`pyramid_reduce` with factor 1.5 and its defaults."""
    from skimage.transform import pyramid_reduce

    maps = torch.randn(2, *size, generator=torch.manual_seed(0), dtype=torch.float64)
    for own, image in zip(reduced(maps), maps, strict=True):
        expected = pyramid_reduce(image.numpy(), downscale=1.5, preserve_range=True)
        torch.testing.assert_close(own, torch.from_numpy(expected), atol=1e-12, rtol=0)


def published(heat: np.ndarray, least: int, once: bool) -> tuple[float, list[float]]:
    """The definition in plain loops over NumPy and scikit-image; the even rule written as the mean of two rules."""
    from skimage.transform import pyramid_reduce

    def normalise(image: np.ndarray) -> np.ndarray:
        sizes = np.abs(image)
        sizes = sizes - sizes.min()
        return np.clip(sizes / np.percentile(sizes, 99), 0, 1)

    image, curve = normalise(heat) if once else heat, []
    while min(image.shape) >= least:
        sizes, total = image if once else normalise(image), 0.0
        height, width = sizes.shape
        for i in range(height):
            for j in range(width):
                total += abs(sizes[i, j + 1] - sizes[i, j]) if j + 1 < width else 0.0
                total += abs(sizes[i + 1, j] - sizes[i, j]) if i + 1 < height else 0.0
        curve.append(total / (height * width))
        image = pyramid_reduce(image, downscale=1.5, preserve_range=True)

    def odd(y: list[float]) -> float:
        return sum((a + 4 * b + c) / 3 for a, b, c in zip(y[:-2:2], y[1::2], y[2::2], strict=True))

    if len(curve) % 2:
        return odd(curve), curve
    first, last = odd(curve[:-1]) + sum(curve[-2:]) / 2, sum(curve[:2]) / 2 + odd(curve[1:])
    return (first + last) / 2, curve


@pytest.mark.parametrize("normalised", list(Normalised))
@pytest.mark.parametrize("least", [8, 20])
def test_against_the_definition(normalised: Normalised, least: int) -> None:
    """Maps of three channels, summed first; 5 and 2 levels of 32 x 40 pixels."""
    maps = torch.randn(3, 3, 32, 40, generator=torch.manual_seed(2), dtype=torch.float64)
    kept = maps.clone()
    found = judge(TotalVariation(normalised, least=least), maps, 3)
    for i, heat in enumerate(maps.sum(1).numpy()):
        value, curve = published(heat, least, normalised is Normalised.ONCE)
        assert float(found.values[i]) == pytest.approx(value, abs=1e-10)
        assert found.curve is not None
        assert found.curve[i].tolist() == pytest.approx(curve, abs=1e-10)
    torch.testing.assert_close(found.parts["mean"], found.curve.mean(1))
    assert torch.equal(maps, kept)
    assert normalised.value in found.settings


def test_the_two_variants_differ() -> None:
    """A signed map loses its stripes when it shrinks, sizes do not: +1 and −1 in turn are a constant size."""
    maps = torch.randn(1, 48, 48, generator=torch.manual_seed(3), dtype=torch.float64)
    each, once = (float(judge(TotalVariation(n), maps).values) for n in Normalised)
    assert abs(each - once) > 0.01


def test_smooth_is_low_and_scale_and_batch_do_not_matter() -> None:
    """A ramp is smoother than noise; 100 a and −a read as a; each example as alone."""
    noise = torch.randn(2, 48, 48, generator=torch.manual_seed(4), dtype=torch.float64)
    ramp = torch.linspace(0, 1, 48, dtype=torch.float64).expand(1, 48, 48)
    maps, metric = torch.cat([noise, ramp]), TotalVariation()
    found = judge(metric, maps).values
    assert float(found[2]) < 0.2 * float(found[:2].min())
    torch.testing.assert_close(judge(metric, -100 * maps).values, found)
    torch.testing.assert_close(torch.cat([judge(metric, maps[i : i + 1]).values for i in range(3)]), found)


def test_maps_without_an_answer() -> None:
    """Constant and NaN maps have no value; one pixel among 48² reads 0 at the first level, as a note says."""
    maps = torch.zeros(4, 48, 48)
    maps[1] = 3.0
    maps[2, 5, 5] = math.nan
    maps[3, 20, 20] = 1.0
    found = judge(TotalVariation(), maps)
    assert found.values.isnan().tolist() == [True, True, True, False]
    assert [note.split()[2] for note in found.notes[:3]] == ["is"] * 3
    assert "constant" in found.notes[0]
    assert "not finite" in found.notes[2]
    assert "smallest size" in found.notes[3]
    assert found.curve is not None
    assert float(found.curve[3, 0]) == 0.0


def test_bad_input() -> None:
    """Small images, no images, and bad fields are refused with the remedy."""
    with pytest.raises(gl.InputError, match=r"two levels.*28 x 28.*smaller least"):
        judge(TotalVariation(), torch.rand(1, 28, 28))
    assert judge(TotalVariation(least=8), torch.rand(1, 28, 28)).values.isfinite().all()
    with pytest.raises(gl.InputError, match=r"images \(N, C, H, W\)"):
        evaluate(TotalVariation(), gl.Score(lambda z: z, 0), torch.ones(1, 4), torch.ones(1, 4))
    for bad in ({"least": 1}, {"quantile": 0}, {"quantile": 1.5}, {"normalised": "once"}):
        with pytest.raises(gl.InputError):
            TotalVariation(**bad)  # type: ignore[arg-type]
