"""Performance information curves: fills, codes, curves, and the published definitions written anew with loops."""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from scipy.interpolate import griddata, interp1d
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

import gradline as gl
from gradline.core import random
from gradline.core.baselines import PixelSpace
from gradline.engine.inquiry import inquire
from gradline.errors import InputError, MissingExtra, TargetError
from gradline.evaluation.judge import evaluate, make_subject
from gradline.evaluation.run import run
from gradline.metrics.base import Evaluation, Kind
from gradline.metrics.curves.sweep import area, shares
from gradline.metrics.information import pictures as information_pictures
from gradline.metrics.information.bokeh import Blurred, Linear, Nearest, from_pictures, to_pictures
from gradline.metrics.information.coding import PNG, GreyEntropy, WebP
from gradline.metrics.information.curve import AIC, SIC, InformationCurve, pooled
from gradline.metrics.information.joining import joined
from gradline.metrics.information.pictures import revealed
from gradline.metrics.information.triangles import interpolated, touching
from gradline.metrics.information.variants import FAST, GGIG, IDG, PAIR, TMLR_IDGI, InformationVariant, Pooling
from gradline.metrics.ranking import Sign, ranked
from gradline.metrics.units import Pixels

SIZE = 24
PIXELS = PixelSpace((-2.0, -1.5, -1.0), (2.0, 2.5, 3.0))
NAMES = ("one", "two", "three")
LOOSE = replace(PAIR, least=0.0)
"""PAIR, without asking for a confident model."""


@cache
def pictures(channels: int = 3, count: int = 3, size: int = SIZE) -> np.ndarray:
    """Smooth pictures with noise, uint8 (N, H, W, C)."""
    rng = np.random.default_rng(7)
    smooth = gaussian_filter(rng.normal(size=(count, size, size, channels)), (0, 3, 3, 0))
    smooth = 40 + 170 * (smooth - smooth.min()) / np.ptp(smooth)
    return (smooth + 12 * rng.normal(size=smooth.shape)).clip(0, 255).astype(np.uint8)


def images(channels: int = 3, count: int = 3) -> Tensor:
    """The pictures in model space, by the inverse of the pixels' rule."""
    level = torch.from_numpy(pictures(channels, count)).double().permute(0, 3, 1, 2)
    black, white = (torch.tensor(v[:channels]).double().reshape(-1, 1, 1) for v in (PIXELS.black, PIXELS.white))
    return black + level / 255 * (white - black)


@cache
def network(channels: int = 3) -> nn.Sequential:
    """Random features of fine structure; the classes tell the images from their blurred copies, one better than others.

    So x has a confident class, B_0 another one, and most images have curves.
    """
    with torch.random.fork_rng():
        torch.manual_seed(3)
        first, last = nn.Conv2d(channels, 8, 3, padding=1), nn.Linear(8, 4)
    features = nn.Sequential(first, nn.GELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).double()
    x = images(channels)
    with torch.no_grad():
        sharp = features(x)
        soft = features(torch.stack([_blurred(one) for one in x]))
        way = (sharp - soft).mean(0)
        way = 8 * way / (way @ way)
        last.double().weight[:2] = torch.stack([way, -way])
        last.bias[:2] = torch.tensor([-1.0, 1.0]) * (way @ (sharp + soft).mean(0)) / 2
    return nn.Sequential(*features, last).eval().requires_grad_(False)


def _blurred(image: Tensor) -> Tensor:
    channels = [gaussian_filter(channel.numpy(), 3.0) for channel in image]
    return torch.from_numpy(np.stack(channels))


def maps(channels: int = 3, count: int = 3) -> Tensor:
    """Smooth maps of both signs."""
    rng = np.random.default_rng(11)
    return torch.from_numpy(gaussian_filter(rng.normal(size=(count, channels, SIZE, SIZE)), (0, 0, 1, 1)))


def judged(metric: InformationCurve, given: Tensor | None = None, x: Tensor | None = None) -> Evaluation:
    """The metric on the three images."""
    given, x = maps() if given is None else given, images() if x is None else x
    return evaluate(metric, gl.Score(network()), x, given, pixels=PIXELS, names=NAMES[: len(x)])


# ---------------------------------------------------------------------------------------------- curves by hand


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([(0, 0), (1, 1)], 0.5),
        ([(0, 0), (0.8, 0.5), (0.4, 0.7), (1, 1)], 0.53),
        ([(0, 0), (0.5, 0.2), (0.5, 0.8), (1, 1)], 0.5003),
        ([(0, 0), (0.5, 0.2), (0.5, 0.4), (0.5, 0.8), (0.5, 0.8), (1, 1)], 0.5003),
        ([(0, 0), (0, 0.4), (1, 0.4), (1, 1)], 0.4003),
    ],
)
def test_areas_from_given_points(points: list[tuple[float, float]], expected: float) -> None:
    """A line has 1/2. Unsorted: lines (0, 0), (.4, .7), (.8, .5), (1, 1) have .14 + .24 + .15 = .53, and all bends lie
    on the grid. A step at .5: .5 · .1 + .5 · .9 = .5, and the cell before it, .001 wide, ends at .8 in place of .2:
    .001 · .6 / 2 = .0003 more; inner points of a step count for nothing. Steps at both ends: .4, and the last cell ends
    at 1 in place of .4.
    """
    x, y = torch.tensor(points, dtype=torch.float64).T
    found = area(joined(x[None], y[None], shares(1000)))
    assert float(found) == pytest.approx(expected, abs=1e-12)


def test_equal_values_enter_together() -> None:
    """Scores 3 1 1 1 0 0. The quantile at 1 − .5 of six is the mean of the 3rd and 4th, 1: four pixels. At 1 − .1 = .9
    it is 1 + .5 · (3 − 1) = 2 (place 4.5 of 0 0 1 1 1 3): one pixel. At 1 − .75: place 1.25, .25: four. By count:
    ⌊6 τ⌋ = 0, 3, 4.
    """
    scores = torch.tensor([[3.0, 1, 1, 1, 0, 0]], dtype=torch.float64)
    ranking = ranked(Pixels().partition(torch.zeros(1, 1, 2, 3)), Sign.SIGNED, scores)
    by_quantile = replace(PAIR, thresholds=(0.1, 0.5, 0.75))
    assert revealed(by_quantile, ranking).tolist() == [[1, 4, 4]]
    by_count = replace(TMLR_IDGI, thresholds=(0.1, 0.5, 0.75))
    assert revealed(by_count, ranking).tolist() == [[0, 3, 4]]


def test_pooling_by_hand() -> None:
    """Curves over (0, .5, 1): 0 0 1, 0 .8 1, 0 .2 1 and one without a value. Median 0 .2 1 has .35, mean 0 1/3 1 has
    5/12. Points: mean x (.25, .75), mean y (0, 1) of the three with a value; read at 0, .5, 1: 0, .5, 1, area .5.
    """
    curve = torch.tensor([[0, 0, 1], [0, 0.8, 1], [0, 0.2, 1], [torch.nan] * 3], dtype=torch.float64)
    parts = {
        "information": torch.tensor([[0.25, 0.75]] * 3 + [[torch.nan] * 2], dtype=torch.float64),
        "score": torch.tensor([[0.0, 1.0]] * 3 + [[torch.nan] * 2], dtype=torch.float64),
    }
    found = Evaluation(SIC(), area(curve), curve, shares(2), parts)
    assert pooled(found).area == pytest.approx(0.35)
    assert pooled(found).images == 3
    assert pooled(found, Pooling.MEAN).area == pytest.approx(5 / 12)
    assert pooled(found, Pooling.POINTS).area == pytest.approx(0.5)
    assert pooled(replace(found, metric=AIC(GGIG))).pooling is Pooling.POINTS
    nothing = replace(found, values=torch.full((4,), torch.nan))
    assert math.isnan(pooled(nothing).area)
    with pytest.raises(InputError, match="SIC or AIC"):
        pooled(replace(found, metric=gl.metrics.Deletion()))


# ---------------------------------------------------------------------------------------------- fills and codes


def test_a_plane_is_filled_exactly_and_halves_go_up() -> None:
    """From the corners of 3 × 3 pixels: 10 r + 20 c is a plane, whatever diagonal is drawn. c / 2 is 0, ½ → 1, 1."""
    row, column = np.mgrid[:3, :3]
    corners = np.zeros((3, 3), bool)
    both = np.stack([10 * row + 20 * column, column // 2, 255 - 0 * row], -1).astype(np.uint8)
    expected = np.stack([10 * row + 20 * column, np.array([[0, 1, 1]] * 3), 255 - 0 * row], -1)
    np.testing.assert_array_equal(Linear().base(both, corners), expected)
    np.testing.assert_array_equal(Linear().base(both[..., 1], corners), expected[..., 1])


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.4, 0.8])
def test_the_linear_fill_is_scipys(share: float) -> None:
    """griddata, channel by channel, its halves rounded up beyond its rounding errors."""
    for picture in pictures(count=2):
        known = np.random.default_rng(1).random((SIZE, SIZE)) < share
        np.testing.assert_array_equal(Linear().base(picture, known), bokeh_by_scipy(picture, known))


def test_the_fast_fill_is_near() -> None:
    """Known pixels inside the known area cannot reach an unknown one, but for four on a circle, of which the grid has
    many: levels move by less than 1/20 of the noise in the mean, and not at all on a plane, whatever the triangles."""
    known = gaussian_filter(np.random.default_rng(2).normal(size=(SIZE, SIZE)), 2) > 0.02
    assert (touching(known) < known).any()
    row, column = np.mgrid[:SIZE, :SIZE]
    plane = (3 * row + 5 * column).astype(np.uint8)
    np.testing.assert_array_equal(Linear(True).base(plane, known), plane)
    for picture in pictures():
        exact, fast = (Linear(edges).base(picture, known).astype(int) for edges in (False, True))
        np.testing.assert_array_equal(fast[known], picture[known])
        assert np.abs(exact - fast).mean() < 12 / 20


def test_known_pixels_that_touch_unknown_ones() -> None:
    """Of 4 × 4 known pixels but the upper left corner, its three neighbours touch it."""
    known = np.ones((4, 4), bool)
    known[0, 0] = False
    assert np.argwhere(touching(known)).tolist() == [[0, 1], [1, 0], [1, 1]]


def test_other_fills() -> None:
    """One colour if one pixel is known, the mean colour if none is; Pillow's blur leaves a flat picture alone."""
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    known = np.zeros((3, 4), bool)
    assert (Nearest().base(picture, known) == 6).all()  # 5.5
    known[1, 2] = True
    assert (Nearest().base(picture, known) == 6).all()
    assert Nearest().shown(picture, ~known, picture * 0).sum() == picture.sum() - 6
    flat = np.full((5, 5, 3), 9, np.uint8)
    np.testing.assert_array_equal(Blurred().base(flat, flat[..., 0] > 9), flat)


def test_entropy_by_hand() -> None:
    """Levels 0 0 1 2: −½ ln ½ − 2 · ¼ ln ¼ = 1.5 ln 2. One level has none, and colours of one grey level are one."""
    code = GreyEntropy()
    assert code.information(np.array([[0, 0], [1, 2]], np.uint8)) == pytest.approx(1.5 * math.log(2))
    colours = np.array([[[0, 0, 0], [0, 0, 0]], [[1, 1, 1], [9, 0, 0]]], np.uint8)
    assert code.information(colours) == pytest.approx(1.5 * math.log(2))
    assert code.information(np.zeros((4, 4, 3), np.uint8)) == 0.0


def test_sizes_are_files() -> None:
    picture = pictures()[0]
    assert WebP().information(picture) == coded(picture, format="WEBP", lossless=True, quality=100)
    assert WebP(0, 0).information(picture) == coded(picture, format="WEBP", lossless=True, quality=0, method=0)
    assert PNG().information(picture) == coded(picture, format="PNG")


def test_model_space_and_back() -> None:
    """255 (x − black) / (white − black), rounded, clipped; (0, 100, 255) of black −1 and white 1."""
    pixels = PixelSpace((-1.0,), (1.0,))
    x = torch.tensor([[[[-1.0, -1 + 200.4 / 255, 1.0, 7.0, -9.0]]]])
    found = to_pictures(x, pixels)
    assert found.tolist() == [[[0, 100, 255, 255, 0]]]
    back = from_pictures(found, pixels, x)
    assert back.dtype == x.dtype
    torch.testing.assert_close(back[0, 0, 0, :3], torch.tensor([-1.0, -1 + 200 / 255, 1.0]))
    np.testing.assert_array_equal(to_pictures(images(), PIXELS), pictures())


# ---------------------------------------------------------------------------------------------- published definitions


def coded(picture: np.ndarray, **how: object) -> int:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, **how)  # type: ignore[arg-type]
    return len(buffer.getvalue())


def webp(picture: np.ndarray) -> float:
    return coded(picture, format="webp", lossless=True, quality=100)


def bokeh_by_scipy(picture: np.ndarray, known: np.ndarray) -> np.ndarray:
    known, out = known.copy(), picture.copy()
    known[0, 0] = known[0, -1] = known[-1, 0] = known[-1, -1] = True
    for c in range(picture.shape[2]):
        values = picture[:, :, c][known].astype(float)
        filled = griddata(np.argwhere(known), values, np.argwhere(~known), "linear", picture[:, :, c].mean())
        out[:, :, c][~known] = np.floor(filled + 0.5 + 1e-9)
    return out


def drawn(i: int, share: float) -> np.ndarray:
    mask = np.zeros(SIZE * SIZE, bool)
    order = torch.randperm(mask.size, generator=random.generator(0, NAMES[i], "random pixels"))
    mask[order[: int(share * mask.size)].numpy()] = True
    return mask.reshape(SIZE, SIZE)


def probabilities(picture: np.ndarray) -> np.ndarray:
    black, white = np.array(PIXELS.black), np.array(PIXELS.white)
    x = torch.from_numpy((black + picture / 255 * (white - black)).transpose(2, 0, 1))
    with torch.no_grad():
        return network()(x[None])[0].softmax(0).numpy()


def read(points: list[tuple[float, float]], grid: int) -> np.ndarray:
    """The curve through points, those of one x replaced by a step of width 1e-13 from the first to the last."""
    points = sorted(points, key=lambda point: point[0])
    xs: list[float] = []
    ys: list[float] = []
    for x in sorted({point[0] for point in points}):
        own = [point[1] for point in points if point[0] == x]
        xs, ys = [*xs, x - 1e-13, x], [*ys, own[0], own[-1]]
    return np.asarray(interp1d(xs, ys)(np.arange(grid + 1) / grid))


def gained(i: int, s: np.ndarray, y: Callable[[np.ndarray], float], variant: InformationVariant) -> np.ndarray | None:
    """PAIR's curve and its kin: loops over thresholds, one picture at a time. None for images that are left out."""
    picture = pictures()[i]
    seed = drawn(i, variant.random)
    blurred = np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(20)))
    tmlr = variant.name == "TMLR IDGI"
    size = (lambda p: coded(p, format="PNG")) if tmlr else webp

    def bokeh(mask: np.ndarray) -> np.ndarray:
        return np.where(mask[:, :, None], picture, blurred) if tmlr else bokeh_by_scipy(picture, mask | seed)

    base = bokeh(np.zeros_like(seed))
    h_x, h_base, y_x, y_base = size(picture), size(base), y(picture), y(base)
    if variant.name == "IDG/MAS":
        kind = int(probabilities(picture).argmax())
        y_x, y_base = probabilities(picture)[kind], probabilities(base)[kind]
    elif y_x < (variant.least or 0) or h_base >= h_x or y_base >= y_x:
        return None
    best, points = 0.0, [(0.0, 0.0)]
    for tau in variant.thresholds:
        if tmlr:
            mask = np.zeros(SIZE * SIZE, bool)
            mask[np.argsort(-s.ravel(), kind="stable")[: int(tau * SIZE * SIZE)]] = True
            mask = mask.reshape(SIZE, SIZE)
        else:
            mask = s >= np.quantile(s, 1 - tau)
        shown = bokeh(mask)
        best = max(best, float(np.clip((y(shown) - y_base) / (y_x - y_base), 0, 1)))
        points.append((float(np.clip((size(shown) - h_base) / (h_x - h_base), 0, 1)), best))
    return read([*points, (1.0, 1.0)], variant.grid)


def measured(i: int, kind: type[InformationCurve]) -> Callable[[np.ndarray], float]:
    label = int(probabilities(pictures()[i]).argmax())
    if kind is SIC:
        return lambda picture: float(probabilities(picture)[label])
    return lambda picture: float(probabilities(picture).argmax() == label)


@pytest.mark.parametrize("kind", [SIC, AIC])
@pytest.mark.parametrize("variant", [PAIR, LOOSE, IDG, TMLR_IDGI], ids=lambda v: f"{v.name} {v.least}")
def test_against_the_published_definition(kind: type[InformationCurve], variant: InformationVariant) -> None:
    found = judged(kind(variant, Sign.SIGNED))
    assert found.curve is not None
    curves = []
    for i in range(3):
        expected = gained(i, maps()[i].sum(0).numpy(), measured(i, kind), variant)
        if expected is None:
            assert math.isnan(found.values[i])
            assert found.notes[i].startswith("left out")
        else:
            curves.append(expected)
            np.testing.assert_allclose(found.curve[i], expected, atol=1e-9)
            trapezoid = np.trapezoid(expected, dx=1 / variant.grid)
            assert float(found.values[i]) == pytest.approx(trapezoid, abs=1e-9)
    assert curves
    together = np.mean(curves, 0) if pooled(found).pooling is Pooling.MEAN else np.median(curves, 0)
    assert pooled(found).area == pytest.approx(np.trapezoid(together, dx=1 / variant.grid), abs=1e-9)


def test_ggig_against_its_definition() -> None:
    """Nearest fill once by griddata, entropy of the known pixels on black, the ratio of probabilities as it comes; AIC
    on the means over images."""
    found, hits = judged(SIC(GGIG, Sign.ABSOLUTE)), judged(AIC(GGIG, Sign.ABSOLUTE))
    assert found.curve is not None
    curves, across, right = [], [], []
    for i in range(3):
        picture, s = pictures()[i], maps()[i].sum(0).abs().numpy()
        seed = drawn(i, 0.005)
        base = picture.copy()
        for c in range(3):
            own = picture[:, :, c]
            base[:, :, c][~seed] = griddata(np.argwhere(seed), own[seed], np.argwhere(~seed), "nearest")
        label = int(probabilities(picture).argmax())
        low, high = entropy(picture * seed[:, :, None]), entropy(picture)
        xs, ys, own_hits = [], [], []
        for k in range(101):
            mask = np.zeros(SIZE * SIZE, bool)
            mask[np.argsort(-s.ravel(), kind="stable")[: int(k / 100 * SIZE * SIZE)]] = True
            known = (mask.reshape(SIZE, SIZE) | seed)[:, :, None]
            p = probabilities(np.where(known, picture, base))
            xs.append(float(np.clip((entropy(picture * known) - low) / (high - low), 0, 1)))
            ys.append(p[label] / probabilities(picture)[label])
            own_hits.append(float(p.argmax() == label))
        curves.append(read(list(zip(xs, ys, strict=True)), 100))
        across.append(xs)
        right.append(own_hits)
    np.testing.assert_allclose(found.curve, np.stack(curves), atol=1e-9)
    assert pooled(found).area == pytest.approx(np.trapezoid(np.median(curves, 0), dx=0.01), abs=1e-9)
    points = list(zip(np.mean(across, 0).tolist(), np.mean(right, 0).tolist(), strict=True))
    assert pooled(hits).area == pytest.approx(np.trapezoid(read(points, 100), dx=0.01), abs=1e-9)
    assert pooled(hits).pooling is Pooling.POINTS


def entropy(picture: np.ndarray) -> float:
    grey = np.round(picture.astype(float) @ [0.2125, 0.7154, 0.0721], 6)
    p = np.unique(grey, return_counts=True)[1] / grey.size
    return float(-(p * np.log(p)).sum())


# ---------------------------------------------------------------------------------------------- rules and laws


def test_fast_is_near_and_labelled() -> None:
    exact, fast = judged(SIC(LOOSE)), judged(SIC(replace(FAST, least=0.0)))
    there = exact.values.isfinite() & fast.values.isfinite()
    assert there.any()
    assert float((exact.values - fast.values)[there].abs().max()) < 0.1
    assert "fast" in fast.settings
    assert "fast" not in exact.settings


class Fixed(nn.Module):
    """Two logits from what is given: the first is made by `rule`, the second is 0."""

    def __init__(self, rule: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.rule = rule

    def forward(self, x: Tensor) -> Tensor:
        logit = self.rule(x)
        return torch.stack([logit, 0 * logit], 1)


def roughness(x: Tensor) -> Tensor:
    return (x[..., 1:] - x[..., :-1]).abs().mean((1, 2, 3))


FLAT = "left out: the bokeh picture has no less information than x"


@pytest.mark.parametrize(
    ("metric", "rule", "flat", "note"),
    [
        (SIC(), lambda x: 0 * roughness(x) + math.log(3), False, "left out: the probability at x is below 0.8"),
        (SIC(), lambda x: 0 * roughness(x) + 5, True, FLAT),
        (AIC(), lambda x: 0 * roughness(x) + 5, True, FLAT),
        (SIC(), lambda x: 9 - roughness(x), False, "left out: the bokeh picture has no lower probability than x"),
        (AIC(), lambda x: roughness(x) - 99, False, "left out: x is not given the class"),
        (AIC(), lambda x: 9 + roughness(x), False, "left out: the bokeh picture is given the class"),
        (SIC(), lambda x: torch.nan * roughness(x), False, "the score at x or at the bokeh picture is not finite"),
        (SIC(IDG), lambda x: 0 * roughness(x), False, "the score at x is zero, or that of the bokeh picture"),
        (SIC(GGIG), lambda x: 0 * roughness(x), True, "x has the information of the bokeh picture"),
    ],
)
def test_rules_that_leave_out(
    metric: InformationCurve, rule: Callable[[Tensor], Tensor], flat: bool, note: str
) -> None:
    """log 3 against 0 is a probability of .75. A black picture has no more to tell than its bokeh. No map matters."""
    x = images() * 0 + torch.tensor(PIXELS.black).reshape(-1, 1, 1) if flat else images()
    for given in (maps(), -maps().flip(-1)):
        found = evaluate(metric, gl.Score(Fixed(rule), 0), x, given, pixels=PIXELS)
        assert found.values.isnan().all()
        assert found.curve is not None
        assert found.curve.isnan().all()
        assert all(one.startswith(note) for one in found.notes)


def test_each_of_the_two_keeps_its_own_images() -> None:
    """±1 against 0 is a probability of .73: too low for SIC, while x has the class and its base has not."""
    score = gl.Score(Fixed(lambda x: torch.where(roughness(x) > 0.15, 1.0, -1.0).double()), 0)
    sic, aic = (evaluate(metric, score, images(), maps(), pixels=PIXELS) for metric in (SIC(), AIC()))
    assert sic.values.isnan().all()
    assert aic.values.isfinite().all()
    assert not any(aic.notes)


def test_maps_without_an_order() -> None:
    """Zero, constant and not finite: a note for each, whatever the others are."""
    given = torch.stack([torch.zeros(3, SIZE, SIZE), torch.full((3, SIZE, SIZE), 2.0), torch.ones(3, SIZE, SIZE)])
    given[2, 0, 0, 0] = torch.nan
    for metric in (SIC(), AIC(), SIC(GGIG)):
        found = judged(metric, given)
        assert found.values.isnan().all()
        assert ["no order" in note for note in found.notes] == [True, True, False]
        assert "not finite" in found.notes[2]


def test_gradients_go_by_their_size() -> None:
    """Sign of a gradient says nothing: a map and its negative are one map."""
    score, x = gl.Score(network()), images()
    one, other = (
        evaluate(SIC(LOOSE), score, x, sign * maps(), kind=Kind.GRADIENT, pixels=PIXELS) for sign in (1.0, -1.0)
    )
    torch.testing.assert_close(one.values, other.values, equal_nan=True, rtol=0, atol=0)
    assert "absolute ranking" in one.settings


@pytest.mark.parametrize("metric", [SIC(LOOSE), AIC(LOOSE), SIC(GGIG)], ids=lambda m: f"{m.name} {m.variant.name}")
def test_rows_do_not_meet_and_threads_do_not_matter(metric: InformationCurve, monkeypatch: pytest.MonkeyPatch) -> None:
    together = judged(metric)
    alone = [
        evaluate(metric, gl.Score(network()), images()[i : i + 1], maps()[i : i + 1], pixels=PIXELS, names=[NAMES[i]])
        for i in range(3)
    ]
    torch.testing.assert_close(together.values, torch.cat([a.values for a in alone]), equal_nan=True)
    assert together.notes == tuple(a.notes[0] for a in alone)
    monkeypatch.setattr(information_pictures.torch, "get_num_threads", lambda: 3)
    torch.testing.assert_close(judged(metric).values, together.values, equal_nan=True, rtol=0, atol=0)


def test_sic_and_aic_of_several_maps_share_what_they_can() -> None:
    """Three images and two maps: x and B_0 once, at most 13 pictures for each map and image, for both metrics."""
    memo: dict[object, object] = {}
    with inquire(gl.Score(network()), images(), names=NAMES) as inquiry:
        subjects = [
            make_subject(inquiry, images(), given, number=k, memo=memo) for k, given in enumerate((maps(), -maps()))
        ]
        metrics = [kind(LOOSE, Sign.SIGNED, PIXELS) for kind in (SIC, AIC)]
        found = run([(metric, subject) for metric in metrics for subject in subjects], inquiry)
        rows = inquiry.forwards.clone()
    assert int(rows.max()) == 2 + 2 * 13
    for k, metric in enumerate(metrics):
        for j, sign in enumerate((1.0, -1.0)):
            single = judged(replace(metric), sign * maps())
            torch.testing.assert_close(found[2 * k + j].values, single.values, equal_nan=True)


def test_a_plateau_asks_once() -> None:
    """Three of four pixels are equal and lowest: thresholds from .34 on reveal all, and 11 of 13 pictures differ."""
    given = maps()
    given[..., SIZE // 4 :] = -99.0
    with inquire(gl.Score(network()), images(), names=NAMES) as inquiry:
        subject = make_subject(inquiry, images(), given, number=0)
        (found,) = run([(SIC(LOOSE, Sign.SIGNED, PIXELS), subject)], inquiry)
        assert int(inquiry.forwards.max()) == 2 + 13 - 2
    assert (found.parts["tied"] == 0.75).all()


def test_one_channel() -> None:
    """Grey pictures: planes of one channel, files of one channel."""
    pixels = PixelSpace(PIXELS.black[:1], PIXELS.white[:1])
    score, x = gl.Score(network(1)), images(1)
    for metric in (SIC(replace(IDG, name="no rules")), SIC(GGIG), SIC(replace(TMLR_IDGI, least=None))):
        found = evaluate(metric, score, x, maps(1), pixels=pixels)
        assert found.values.isfinite().any()
        torch.testing.assert_close(
            found.parts["information at x"],
            torch.tensor(
                [metric.variant.code.information(picture[..., 0]) for picture in pictures(1)], dtype=torch.float64
            ),
        )


def test_nothing_of_the_callers_is_touched() -> None:
    x, given = images(), maps()
    kept, kept_maps, state = x.clone(), given.clone(), torch.get_rng_state()
    numpy_state = np.random.get_state()[1].copy()  # type: ignore[union-attr]
    judged(SIC(LOOSE), given, x)
    assert torch.equal(x, kept)
    assert torch.equal(given, kept_maps)
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)


def test_settings_say_what_decides_the_number() -> None:
    found = judged(SIC())
    for said in (
        "PAIR",
        "Linear(edges=False)",
        "0.01 of pixels random",
        "13 shares",
        "WebP(quality=100",
        "at least 0.8",
    ):
        assert said in found.settings
    assert "GGIG" in judged(SIC(GGIG)).settings
    assert found.axis is not None
    assert len(found.axis) == 1001


# ---------------------------------------------------------------------------------------------- wrong calls


def test_wrong_calls() -> None:
    score, x, given = gl.Score(network()), images(), maps()
    with pytest.raises(InputError, match="pixels for sic"):
        evaluate(SIC(), score, x, given)
    with pytest.raises(InputError, match="black and white for 3 channels"):
        evaluate(SIC(), score, x, given, pixels=PixelSpace((0.0,), (1.0,)))
    with pytest.raises(InputError, match="differs from black"):
        evaluate(SIC(), score, x, given, pixels=PixelSpace((0.0, 0, 0), (1.0, 0, 1)))
    with pytest.raises(InputError, match="images"):
        evaluate(SIC(), gl.Score(nn.Linear(5, 2)), torch.randn(2, 5), torch.randn(2, 5), pixels=PIXELS)
    with pytest.raises(TargetError, match="scale"):
        evaluate(SIC(), gl.Score(network(), lambda out: out[:, 0]), x, given, pixels=PIXELS)
    site = gl.Score(network(), site=gl.Layer("0"))
    with pytest.raises(InputError, match="model's input"):
        evaluate(SIC(), site, x, torch.randn(3, 8, SIZE, SIZE), pixels=PIXELS)
    with pytest.raises(InputError, match="InformationVariant"):
        SIC("GGIG")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"thresholds": ()},
        {"thresholds": (0.2, 0.1)},
        {"thresholds": (0.5, 1.5)},
        {"random": 1.0},
        {"least": math.nan},
        {"grid": 0},
    ],
)
def test_wrong_variants(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        replace(PAIR, **change)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="0 to 1"):
        replace(GGIG, thresholds=(0.5,))


@pytest.mark.parametrize(("module", "metric"), [("PIL", SIC()), ("scipy.spatial", SIC()), ("scipy.spatial", SIC(GGIG))])
def test_missing_extras(module: str, metric: InformationCurve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match="metrics"):
        judged(metric)


def test_two_channels_are_no_picture() -> None:
    flat = interpolated(np.zeros((3, 3), np.uint8), np.eye(3, dtype=bool) | np.eye(3, dtype=bool)[::-1])
    assert not flat.any()
    x = torch.randn(1, 2, 4, 4)
    with pytest.raises(InputError, match="1 or 3"):
        evaluate(SIC(), gl.Score(nn.Sequential(nn.Flatten(), nn.Linear(32, 2)), 0), x, x, pixels=PIXELS)
