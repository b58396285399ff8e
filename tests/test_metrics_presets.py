"""Published protocols against plain transcriptions of them, pixel by pixel; and the fills that they need."""

import inspect
import itertools
from dataclasses import replace

import numpy
import pytest
import torch
from torch import Tensor, nn

import gradline as gl
from gradline.core.baselines import Baseline, PixelSpace
from gradline.engine.inquiry import inquire
from gradline.errors import BaselineError
from gradline.evaluation.judge import evaluate
from gradline.metrics import presets
from gradline.metrics.base import Metric
from gradline.metrics.curves.fills import Grey, Minimum, ReflectedBlur, ZeroPaddedBlur
from gradline.metrics.curves.sweep import Steps

PIXELS = PixelSpace((-2.0, -1.5, -1.0), (2.0, 2.5, 3.0))
SIDE, COUNT, TARGET = 9, 81, 1


def network() -> nn.Module:
    torch.manual_seed(6)
    inner = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(4 * COUNT, 4))
    return inner.double().eval()


def images(count: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(7)
    shape = (count, 3, SIDE, SIDE)
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    return x, torch.randn(shape, generator=generator, dtype=torch.float64)


def values(metric: Metric) -> list[float]:
    x, maps = images()
    found: list[float] = evaluate(metric, gl.Score(network(), TARGET), x, maps, pixels=PIXELS).values.tolist()
    return found


def softmax(model: nn.Module, image: Tensor) -> float:
    with torch.no_grad():
        out: float = model(image.reshape(1, 3, SIDE, SIDE)).softmax(1)[0, TARGET].item()
    return out


def trapezoid(y: list[float], width: float) -> float:
    return sum((a + b) / 2 * width for a, b in itertools.pairwise(y))


def mixed(x: Tensor, fill: Tensor, filled: Tensor) -> Tensor:
    """x with the fill where `filled (H · W,)` says so, all channels."""
    return torch.where(filled, fill.flatten(1), x.flatten(1))


def first(order: list[int], number: int) -> Tensor:
    mask = torch.zeros(COUNT, dtype=torch.bool)
    mask[order[:number]] = True
    return mask


def descending(s: Tensor) -> list[int]:
    return sorted(range(s.numel()), key=lambda k: -s.flatten()[k].item())


def colour(level: float) -> Tensor:
    black, white = torch.tensor(PIXELS.black).double(), torch.tensor(PIXELS.white).double()
    return (black + level / 255 * (white - black)).view(3, 1, 1).expand(3, SIDE, SIDE)


def test_tmlr_idgi() -> None:
    """Into black, 5 % of 81 pixels at a time; trapezoids of width .05; divided by the probability at x.

    Of equal shares it is what is filled that is rounded, 81 (20 − t) / 20: at t = 10 there are 40 pixels, not 41.
    """
    model, (x, maps) = network(), images()
    plain, relative = [], []
    for image, a in zip(x, maps, strict=True):
        order = descending(a.sum(0))
        shown = [COUNT - (COUNT * (20 - t) + 10) // 20 for t in range(21)]
        y = [softmax(model, mixed(image, colour(0), ~first(order, k))) for k in shown]
        plain.append(trapezoid(y, 0.05))
        relative.append(plain[-1] / y[-1])
    assert values(presets.tmlr_idgi()) == pytest.approx(plain, abs=1e-12)
    assert values(presets.tmlr_idgi_relative()) == pytest.approx(relative, abs=1e-12)


@pytest.mark.parametrize("inserting", [False, True])
def test_xplique(inserting: bool) -> None:
    """Ten steps over 81 pixels, of which what is filled is rounded; logits; the mean over channels."""
    model, (x, maps) = network(), images()
    expected = []
    for image, a in zip(x, maps, strict=True):
        order, y = descending(a.mean(0)), []
        for t in range(11):
            if inserting:
                filled = ~first(order, COUNT - (COUNT * (10 - t) + 5) // 10)
            else:
                filled = first(order, (COUNT * t + 5) // 10)
            z = mixed(image, torch.zeros_like(image), filled)
            with torch.no_grad():
                y.append(model(z.reshape(1, 3, SIDE, SIDE))[0, TARGET].item())
        expected.append(trapezoid(y, 0.1))
    assert values(presets.xplique_insertion() if inserting else presets.xplique_deletion()) == pytest.approx(expected)


@pytest.mark.parametrize("plateaus", [False, True])
@pytest.mark.parametrize("inserting", [False, True])
def test_interpretdl(inserting: bool, plateaus: bool) -> None:
    """21 images: x and what is above 95, 90 … 0 % filled; or those inserted, then x. Plain mean."""
    model, (x, maps) = network(), images()
    maps = maps.round() if plateaus else maps
    expected = []
    for image, a in zip(x, maps, strict=True):
        s = a.abs().sum(0).numpy()
        shown = [] if inserting else [image]
        for limit in numpy.percentile(s, [5.0 * k for k in range(19, -1, -1)]):
            above = torch.from_numpy(s > limit).flatten()
            shown.append(mixed(image, colour(127), ~above if inserting else above))
        shown += [image] if inserting else []
        assert len(shown) == 21
        expected.append(sum(softmax(model, z) for z in shown) / 21)
    metric = presets.interpretdl_insertion() if inserting else presets.interpretdl_deletion()
    found = evaluate(metric, gl.Score(model, TARGET), x, maps, pixels=PIXELS)
    assert found.values.tolist() == pytest.approx(expected, abs=1e-12)


def torchvision_blur(image: Tensor, size: int, sigma: float) -> Tensor:
    half = size // 2
    line = torch.exp(-0.5 * ((torch.arange(size).double() - half) / sigma) ** 2)
    kernel = torch.outer(line, line) / line.sum() ** 2
    around = numpy.pad(image.numpy(), ((0, 0), (half, half), (half, half)), mode="reflect")
    out = torch.zeros_like(image)
    for i in range(SIDE):
        for j in range(SIDE):
            out[:, i, j] = (torch.from_numpy(around[:, i : i + size, j : j + size]) * kernel).sum((1, 2))
    return out


@pytest.mark.parametrize("inserting", [False, True])
def test_latec(inserting: bool) -> None:
    """50 of 81 pixels a step leave one point, whose area is none; with 20 there are 4: 20, 40, 60, 80."""
    metric = presets.latec_insertion() if inserting else presets.latec_deletion()
    assert metric.steps == Steps(None, 50)
    model, (x, maps) = network(), images()
    expected = []
    for image, a in zip(x, maps, strict=True):
        order = descending(a.sum(0))
        start, end = (torchvision_blur(image, 15, 5.0), image) if inserting else (image, torch.zeros_like(image))
        y = [softmax(model, mixed(start, end, first(order, k))) for k in (20, 40, 60, 80)]
        expected.append(trapezoid(y, 1 / 4))
    assert values(replace(metric, steps=Steps(None, 20))) == pytest.approx(expected, abs=1e-12)


def test_quantus_pixel_flipping() -> None:
    """243 values, 27 at a time, filled with the image's minimum; nine points, without x; trapezoids of width 1."""
    model, (x, maps) = network(), images()
    expected = []
    for image, a in zip(x, maps, strict=True):
        order, z, y = descending(a), image.clone().flatten(), []
        for t in range(9):
            z[order[27 * t : 27 * (t + 1)]] = image.min()
            y.append(softmax(model, z))
        expected.append(trapezoid(y, 1.0))
    assert values(presets.quantus_pixel_flipping(27)) == pytest.approx(expected, abs=1e-12)


def test_quantus_pixel_flipping_with_a_map_of_pixels() -> None:
    """A map without channels counts for each channel: a pixel's three values go one after another."""
    model, (x, maps) = network(), images()
    pixel = maps[:, :1]
    found = evaluate(presets.quantus_pixel_flipping(3), gl.Score(model, TARGET), x, pixel)
    expected = []
    for image, a in zip(x, pixel, strict=True):
        order, y = descending(a[0]), []
        lowest = torch.full_like(image, image.min())
        y = [softmax(model, mixed(image, lowest, first(order, k))) for k in range(1, COUNT + 1)]
        expected.append(trapezoid(y, 1.0))
    assert found.values.tolist() == pytest.approx(expected, abs=1e-10)


def test_idg_is_rise_of_sizes() -> None:
    x, maps = images()
    sums = maps.sum(1, keepdim=True).abs()
    for idg, rise in (
        (presets.idg_deletion(9), presets.rise_deletion(9)),
        (presets.idg_insertion(9), presets.rise_insertion(9)),
        (presets.idg_difference(9), presets.rise_difference(9)),
    ):
        score = gl.Score(network(), TARGET)
        a, b = evaluate(idg, score, x, maps), evaluate(rise, score, x, sums)
        torch.testing.assert_close(a.values, b.values, rtol=0, atol=1e-14)


def test_the_difference_of_rise_is_that_of_its_halves() -> None:
    up, down = values(presets.rise_insertion(9)), values(presets.rise_deletion(9))
    assert values(presets.rise_difference(9)) == pytest.approx([a - b for a, b in zip(up, down, strict=True)])


def test_all_presets_are_made_said_and_run() -> None:
    """Each without arguments, on images of 9 × 9, and what decides the number is in the settings."""
    x, maps = images()
    made = [f for n, f in vars(presets).items() if inspect.isfunction(f) and f.__module__ == presets.__name__]
    made = [f for f in made if not f.__name__.startswith("_")]
    assert len(made) == 19
    for preset in made:
        assert preset.__doc__
        metric = preset()
        assert hash(metric) == hash(preset())
        found = evaluate(metric, gl.Score(network(), TARGET), x, maps, pixels=PIXELS)
        assert "fill" in found.settings
        assert "ranking" in found.settings
        assert str(metric.scale.value) in found.settings
        known = found.values.isfinite() | torch.tensor([bool(note) for note in found.notes])
        assert bool(known.all())


def test_presets_are_found_by_name() -> None:
    assert gl.metrics.presets is presets
    said = "area by trapezoid with steps of 1, without the first point, fill Minimum()"
    x, maps = images()
    found = evaluate(gl.metrics.presets.quantus_pixel_flipping(), gl.Score(network(), TARGET), x, maps)
    assert found.settings.startswith(said)


# ---------------------------------------------------------------------------------------------------- fills


def filled(fill: Baseline, x: Tensor) -> Tensor:
    with inquire(gl.Score(network().to(x.dtype), TARGET), x) as inquiry:
        return inquiry.starts(fill)[:, 0]


def test_fills_on_paper() -> None:
    x, _ = images()
    assert torch.equal(filled(Minimum(), x), x.amin((1, 2, 3), keepdim=True).expand_as(x))
    torch.testing.assert_close(filled(Grey(127).within(PIXELS), x)[0], colour(127))
    assert torch.equal(filled(Grey(0, PIXELS), x)[0], colour(0))
    torch.testing.assert_close(filled(ReflectedBlur(5, 0.8), x)[0], torchvision_blur(x[0], 5, 0.8))
    uniform = torch.ones_like(x)
    torch.testing.assert_close(filled(ReflectedBlur(), uniform), uniform)
    assert bool((filled(ZeroPaddedBlur(3, 1.0), uniform)[:, :, 0] < 0.9).all())
    assert filled(ZeroPaddedBlur(), x.float()).dtype == torch.float32
    assert Grey(3, PIXELS).within(PixelSpace((0.0,), (1.0,))).pixels == PIXELS  # type: ignore[attr-defined]


def test_wrong_fills_say_what_is_expected() -> None:
    x, _ = images()
    for make in (
        lambda: ZeroPaddedBlur(10),
        lambda: ReflectedBlur(0),
        lambda: ZeroPaddedBlur(11, 0.0),
        lambda: Grey(256),
    ):
        with pytest.raises(BaselineError):
            make()
    for fill in (Grey(), ReflectedBlur(19)):
        with pytest.raises(BaselineError):
            filled(fill, x)
    for bad in (ZeroPaddedBlur(), ReflectedBlur(), Minimum()):
        with pytest.raises(BaselineError):
            bad.check(torch.zeros(2, 5, dtype=torch.int64))
    with pytest.raises(BaselineError):
        ZeroPaddedBlur().check(torch.zeros(2, 5))
