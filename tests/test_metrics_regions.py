"""Region perturbation (AOPC) and SmoothTaylor's perturbation score (AUPC)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import scipy.integrate
import torch
from torch import Tensor, nn

import gradline as gl
from gradline.core import random
from gradline.core.baselines import Constant, Mean, PixelNoise, PixelSpace, Zero
from gradline.evaluation.judge import evaluate
from gradline.metrics.base import Metric
from gradline.metrics.curves.sweep import First
from gradline.metrics.regions.perturbation import PerturbationScore, RegionPerturbation, nearest_to_median, simpson
from gradline.metrics.regions.turns import NEGATIVE_SCORE, NO_SCORE, ZERO_SCORE
from gradline.metrics.regions.windows import place_windows
from gradline.metrics.units import Blocks, Partition, Units
from gradline.question.targets.scales import Scale

PIXELS = PixelSpace(black=(-1.5, -1.0, -2.0), white=(2.0, 1.5, 1.0))
NAMES = ("ant", "bee", "cat")


def network(side: int = 10, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    layers = nn.Conv2d(3, 4, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(4 * side * side, 3)
    return nn.Sequential(*layers).double().requires_grad_(False)


def drawn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def summed(x: Tensor) -> Tensor:
    return x.flatten(1).sum(1, keepdim=True)


def scored(model: Callable[[Tensor], Tensor]) -> gl.Score:
    return gl.Score(model, 0)


# ---------------------------------------------------------------------------------------------------------- AOPC


def quarters() -> tuple[Tensor, Tensor]:
    """A 4 × 4 image of ones but for the block below right, which is 3; a map with sums 4, 8, 8, 0 in its quarters."""
    x = torch.ones(1, 1, 4, 4, dtype=torch.float64)
    x[..., 2:, 2:] = 3
    maps = torch.zeros_like(x)
    maps[..., :2, :2], maps[..., :2, 2:], maps[..., 2:, :2] = 1, 2, 2
    return x, maps


def test_aopc_on_paper() -> None:
    """f = Σ x = 24. Quarters go above right (first of two equal ones), below left, above left, below right: f = 24, 20,
    16, 12, 0. Drops 0, 4, 8, 12, 24: 48 over 5."""
    x, maps = quarters()
    metric = RegionPerturbation(units=Blocks(2), fill=Zero())
    found = evaluate(metric, scored(summed), x, maps)
    assert found.curve is not None
    assert found.axis is not None
    assert found.curve.tolist() == [[24, 20, 16, 12, 0]]
    assert found.axis.tolist() == [0, 1, 2, 3, 4]
    assert found.values.tolist() == [pytest.approx(48 / 5)]
    assert found.parts["tied"].tolist() == [0.5]


def test_aopc_of_the_least_relevant_first_counts_what_is_lost_against_a_map() -> None:
    """The other way round: f = 24, 12, 8, 4, 0; the mean rise is −(0 + 12 + 16 + 20 + 24) / 5."""
    x, maps = quarters()
    metric = RegionPerturbation(units=Blocks(2), fill=Zero(), first=First.LEAST)
    found = evaluate(metric, scored(summed), x, maps)
    assert found.curve is not None
    assert found.curve.tolist() == [[24, 12, 8, 4, 0]]
    assert found.values.tolist() == [pytest.approx(-72 / 5)]
    assert "least relevant first" in found.settings


def test_aopc_stops_after_some_regions_and_goes_over_the_score() -> None:
    """Two of four: drops 0, 4, 8 over 24, and over 3 points: 12 / 72."""
    x, maps = quarters()
    metric = RegionPerturbation(units=Blocks(2), fill=Zero(), regions=2, relative=True)
    assert evaluate(metric, scored(summed), x, maps).values.tolist() == [pytest.approx(1 / 6)]
    negative = evaluate(metric, scored(lambda x: -summed(x)), x, maps)
    assert negative.values.tolist() == [pytest.approx(-1 / 6)]  # the score rises towards 0
    assert negative.notes == (NEGATIVE_SCORE,)
    nothing = evaluate(metric, scored(lambda x: 0 * summed(x)), x, maps)
    assert nothing.values.isnan().all()
    assert nothing.notes == (ZERO_SCORE,)


def test_aopc_with_noise_as_published() -> None:
    """Written out: 3 × 3 blocks by summed relevance, filled with uniform noise between black and white, 4 times."""
    model, x, maps = network(), drawn(3, 3, 10, 10), drawn(3, 3, 10, 10, seed=2)
    metric = RegionPerturbation(units=Blocks(3), regions=5, fill=PixelNoise(draws=4)).within(PIXELS)
    found = evaluate(metric, scored(model), x, maps, names=NAMES, seed=7)
    black, white = (torch.tensor(c, dtype=torch.float64)[:, None, None] for c in (PIXELS.black, PIXELS.white))
    for i, name in enumerate(NAMES):
        corners = [(r, c) for r in range(0, 10, 3) for c in range(0, 10, 3)]
        sums = [float(maps[i, :, r : r + 3, c : c + 3].sum()) for r, c in corners]
        order = np.argsort([-s for s in sums], kind="stable")[:5]
        total = 0.0
        for draw in range(4):
            noise = torch.rand(3, 10, 10, generator=random.generator(7, name, "PixelNoise", draw)).double()
            image, start = x[i].clone(), float(model(x[i : i + 1])[0, 0])
            for k in order:
                r, c = corners[k]
                image[:, r : r + 3, c : c + 3] = (black + (white - black) * noise)[:, r : r + 3, c : c + 3]
                total += (start - float(model(image[None])[0, 0])) / 4
        assert float(found.values[i]) == pytest.approx(total / 6, abs=1e-9)


@dataclass(frozen=True)
class Stripes(Units):
    """As many vertical stripes as the first value of an image says."""

    def partition(self, x: Tensor) -> Partition:
        columns = torch.arange(x.shape[3])
        labels = torch.stack([columns * int(n) // x.shape[3] for n in x[:, 0, 0, 0].tolist()])
        labels = labels[:, None, None, :].expand(-1, 1, x.shape[2], -1).contiguous()
        sizes = torch.stack([torch.bincount(one.flatten(), minlength=int(labels.max()) + 1) for one in labels])
        return Partition(labels, sizes, tuple(x.shape[1:]))


def test_aopc_takes_any_units_and_averages_over_an_examples_own() -> None:
    model, x, maps = network(12), drawn(3, 3, 12, 12), drawn(3, 3, 12, 12, seed=2)
    x[0, 0, 0, 0], x[1, 0, 0, 0], x[2, 0, 0, 0] = 2, 6, 3
    metric = RegionPerturbation(units=Stripes(), regions=None, fill=Mean())
    found = evaluate(metric, scored(model), x, maps)
    assert found.curve is not None
    assert found.curve.isfinite().sum(1).tolist() == [3, 7, 4]
    for i in range(3):
        alone = evaluate(metric, scored(model), x[i : i + 1], maps[i : i + 1])
        own = found.curve[i][found.curve[i].isfinite()]
        assert float(alone.values) == pytest.approx(float(found.values[i]), abs=1e-12)
        assert float(found.values[i]) == pytest.approx(float((own[0] - own).mean()), abs=1e-12)


# ---------------------------------------------------------------------------------------------------------- AUPC


def plain_windows(heat: np.ndarray[Any, Any], side: int, count: int, last: bool) -> list[tuple[int, int]]:
    """Section 4 of the notes on SmoothTaylor, steps 1 and 2, in loops."""
    height, width = heat.shape
    ends = height - side + last, width - side + last
    offsets = [(r, c) for r in range(ends[0]) for c in range(ends[1])]
    score = {(r, c): np.abs(heat[r : r + side, c : c + side]).mean() for r, c in offsets}
    chosen: list[tuple[int, int]] = []
    for r, c in sorted(offsets, key=lambda o: -score[o]):
        if all(abs(r - a) >= side or abs(c - b) >= side for a, b in chosen):
            chosen.append((r, c))
        if len(chosen) == count:
            break
    return chosen


def plain_aupc(model: nn.Module, x: Tensor, heat: Tensor, metric: PerturbationScore, name: str, seed: int) -> float:
    """Steps 1 to 4 for one image that is kept in pixel space: uniform noise in [0, 1], normalised before the model."""
    black, white = (torch.tensor(c, dtype=torch.float64)[:, None, None] for c in (PIXELS.black, PIXELS.white))
    side, current = metric.kernel, (x - black) / (white - black)
    curve = [float(model(x[None])[0, 0])]
    for k, (r, c) in enumerate(plain_windows(heat.sum(0).numpy(), side, metric.regions, metric.last_offset)):
        source = random.generator(seed, name, "perturbation score", k)
        noise = torch.rand(metric.fills, 3, side, side, generator=source).double()
        copies = []
        for copy in range(metric.fills):
            image = current.clone()
            image[:, r : r + side, c : c + side] = noise[copy]
            copies.append(image)
        scores = [float(model((black + (white - black) * image)[None])[0, 0]) for image in copies]
        curve.append(float(np.mean(scores)))
        far = np.abs(np.array(scores) - np.median(scores))  # the two middle ones of four differ by rounding alone
        current = copies[int(np.flatnonzero(far <= far.min() + 1e-12)[0])]
    return float(scipy.integrate.simpson(np.array(curve) / abs(curve[0]), dx=1.0))


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("fills", [4, 5])
def test_aupc_against_its_definition(last: bool, fills: int) -> None:
    model, x, maps = network(), drawn(3, 3, 10, 10), drawn(3, 3, 10, 10, seed=3)
    metric = PerturbationScore(kernel=3, regions=4, fills=fills, last_offset=last)
    found = evaluate(metric, scored(model), x, maps, pixels=PIXELS, names=NAMES, seed=5)
    expected = [plain_aupc(model, x[i], maps[i], metric, NAMES[i], 5) for i in range(3)]
    assert found.values.tolist() == pytest.approx(expected, abs=1e-9)
    assert ("without the last row and column" in found.settings) is not last


def test_aupc_of_a_model_that_does_not_look_is_the_number_of_regions() -> None:
    """A flat curve of ones over 30 intervals: 30; of minus ones: −30, with a note."""
    x, maps = drawn(2, 3, 60, 60), drawn(2, 3, 60, 60, seed=4)
    metric = PerturbationScore(kernel=5, fills=2, pixels=PIXELS)
    for height, notes in ((2.0, ("", "")), (-2.0, (NEGATIVE_SCORE,) * 2)):
        found = evaluate(metric, scored(lambda x, h=height: 0 * summed(x) + h), x, maps)
        assert found.values.tolist() == pytest.approx([30 * height / 2] * 2)
        assert found.notes == notes


def test_aupc_with_a_fixed_fill_on_paper() -> None:
    """4 × 4 ones, f = Σ x = 16, windows of 2 × 2 filled with −1: f falls by 8 each. The map is −9 at the pixel below
    right and 5 at (0, 0): the first window of those that hold it is at (2, 2); the next one at (0, 0).
    Simpson over 16, 8, 0 over 16: (1 + 4 / 2 + 0) / 3 = 1."""
    x = torch.ones(1, 1, 4, 4, dtype=torch.float64)
    maps = torch.zeros_like(x)
    maps[..., 3, 3], maps[..., 0, 0] = -9, 5
    metric = PerturbationScore(kernel=2, regions=2, fill=Constant(-1.0))
    found = evaluate(metric, scored(summed), x, maps)
    assert found.curve is not None
    assert found.curve.tolist() == [[1, 0.5, 0]]
    assert found.values.tolist() == [pytest.approx(1.0)]
    # without the last row and column of offsets, only (0, 0), (0, 1), (1, 0), (1, 1) are left: room for one window
    with pytest.raises(gl.InputError, match="room for 2 windows"):
        evaluate(PerturbationScore(kernel=2, regions=2, fill=Zero(), last_offset=False), scored(summed), x, maps)


def test_aupc_is_asked_in_one_question_a_region_or_one_at_all() -> None:
    rows: list[int] = []

    def model(x: Tensor) -> Tensor:
        rows.append(len(x))
        return summed(x)

    x, maps = drawn(3, 3, 10, 10), drawn(3, 3, 10, 10, seed=3)
    evaluate(PerturbationScore(kernel=3, regions=4, fills=5, pixels=PIXELS), scored(model), x, maps)
    assert rows[-4:] == [15] * 4
    evaluate(PerturbationScore(kernel=3, regions=4, fill=Zero()), scored(model), x, maps)
    assert rows[-1] == 12


@pytest.mark.parametrize("ties", [False, True])
def test_windows_are_placed_as_in_loops(ties: bool) -> None:
    heat = drawn(4, 1, 11, 9, seed=8)
    heat = (heat * 2).round() if ties else heat
    corners, notes = place_windows(heat, 3, 4, True)
    for i in range(4):
        expected = plain_windows(heat[i, 0].numpy(), 3, 4, True)
        assert notes[i] == ("" if len(expected) == 4 else f"only {len(expected)} windows fit in the order of the map")
        assert [tuple(c) for c in corners[i, : len(expected)].tolist()] == expected


def test_windows_that_do_not_fit_in_the_order_of_a_map_are_data() -> None:
    """A window in the middle of 6 × 6 leaves no room for a second one of 3 × 3 beside it."""
    maps = torch.zeros(2, 1, 6, 6, dtype=torch.float64)
    maps[0, 0, 2, 2] = maps[0, 0, 3, 3] = maps[0, 0, 1, 1] = 1.0
    maps[1, 0, 0, 0] = 1.0
    x = torch.ones_like(maps)
    found = evaluate(PerturbationScore(kernel=3, regions=4, fill=Zero()), scored(summed), x, maps)
    assert found.notes == ("only 1 windows fit in the order of the map", "")
    assert found.values.isnan().tolist() == [True, False]


def test_the_copy_closest_to_the_median_is_the_first_of_two() -> None:
    """Median of 4, 1, 3, 9: 3.5, and 4 and 3 are equally close. Of 5, 1, 3: 3. 0.7 and 0.1 are equally far from 0.4,
    and rounded their distances are not equal."""
    assert abs(0.7 - (0.7 + 0.1) / 2) > abs(0.1 - (0.7 + 0.1) / 2)
    assert nearest_to_median(torch.tensor([[0.7, 0.1]], dtype=torch.float64)).tolist() == [0]
    assert nearest_to_median(torch.tensor([[4.0, 1.0, 3.0, 9.0]])).tolist() == [0]
    assert nearest_to_median(torch.tensor([[5.0, 1.0, 3.0]])).tolist() == [2]
    curve = drawn(2, 7)
    assert simpson(curve).numpy() == pytest.approx(scipy.integrate.simpson(curve.numpy(), dx=1.0))
    assert simpson(torch.tensor([1.0, 4.0, 9.0])).item() == pytest.approx(26 / 3)  # ∫ t² from 1 to 3


# ---------------------------------------------------------------------------------------------------------- both

METRICS = [
    RegionPerturbation(units=Blocks(3), regions=6),
    RegionPerturbation(units=Blocks(3), regions=6, fill=PixelNoise(PIXELS, draws=3), relative=True),
    PerturbationScore(kernel=3, regions=4, fills=3, pixels=PIXELS),
    PerturbationScore(kernel=3, regions=4, fill=Mean()),
]


@pytest.mark.parametrize("metric", METRICS)
def test_rows_do_not_meet_and_nothing_is_touched(metric: Metric) -> None:
    model, x, maps = network(), drawn(3, 3, 10, 10), drawn(3, 3, 10, 10, seed=3)
    before, state = (x.clone(), maps.clone()), torch.get_rng_state()
    found = evaluate(metric, scored(model), x, maps, names=NAMES)
    alone = [evaluate(metric, scored(model), x[i : i + 1], maps[i : i + 1], names=NAMES[i : i + 1]) for i in range(3)]
    assert found.values.tolist() == pytest.approx([float(one.values) for one in alone], abs=1e-12)
    assert torch.equal(x, before[0])
    assert torch.equal(maps, before[1])
    assert torch.equal(torch.get_rng_state(), state)
    assert found.values.isfinite().all()
    assert len(set(found.values.tolist())) == 3


@pytest.mark.parametrize("metric", METRICS)
def test_maps_without_an_order_have_no_value(metric: Metric) -> None:
    model, x, maps = network(), drawn(4, 3, 10, 10), drawn(4, 3, 10, 10, seed=3)
    good = evaluate(metric, scored(model), x, maps)
    for wide in (maps.clone(), maps[:, :1].clone(), maps[:, 0].clone()):
        wide[0], wide[1] = 0, 1.0
        wide[2].flatten()[5] = torch.nan
        found = evaluate(metric, scored(model), x, wide)
        # nine blocks of 3 × 3 hold nine pixels, those at the edge three: a constant map has an order of blocks
        constant = isinstance(metric, PerturbationScore)
        assert found.values.isnan().tolist() == [True, constant, True, False]
        assert "constant" in found.notes[0]
        assert "not finite" in found.notes[2]
        assert not found.notes[3]
    assert evaluate(metric, scored(model), x, wide).settings == good.settings
    none = evaluate(metric, scored(model), x, torch.zeros_like(x))
    assert none.values.isnan().all()
    assert all("constant" in note for note in none.notes)


@pytest.mark.parametrize("metric", METRICS)
def test_a_model_that_fails_somewhere_is_data(metric: Metric) -> None:
    x, maps = drawn(2, 3, 10, 10), drawn(2, 3, 10, 10, seed=3)
    x[1] = x[1].abs() + 50  # the second example is far off, where the model has no value

    def model(z: Tensor) -> Tensor:
        return torch.where(z.amax((1, 2, 3)) > 40, torch.nan, z.mean((1, 2, 3)) + 1)[:, None]

    found = evaluate(metric, scored(model), x, maps)
    assert found.values.isnan().tolist() == [False, True]
    assert found.notes == ("", NO_SCORE)


def test_wrong_calls_say_so() -> None:
    x, maps = drawn(2, 3, 10, 10), drawn(2, 3, 10, 10, seed=3)
    with pytest.raises(gl.InputError, match="black and white"):
        evaluate(PerturbationScore(kernel=3, regions=2), scored(summed), x, maps)
    with pytest.raises(gl.InputError, match="3 channels"):
        evaluate(PerturbationScore(kernel=3, regions=2), scored(summed), x, maps, pixels=PixelSpace((0.0,), (1.0,)))
    with pytest.raises(gl.InputError, match="even number"):
        PerturbationScore(regions=3)
    with pytest.raises(gl.InputError, match="room for 30 windows"):
        evaluate(PerturbationScore(pixels=PIXELS), scored(summed), x, maps)
    with pytest.raises(gl.InputError, match="images"):
        evaluate(PerturbationScore(pixels=PIXELS), scored(summed), x[:, 0], maps[:, 0])
    with pytest.raises(gl.TargetError, match="logit"):
        evaluate(RegionPerturbation(), gl.Score(summed, lambda out: out[:, 0]), x, maps)
    with pytest.raises(gl.InputError, match="maps of shape"):
        evaluate(RegionPerturbation(), scored(summed), x, maps[..., :5])
    for wrong in (
        lambda: RegionPerturbation(regions=0),
        lambda: RegionPerturbation(first="most"),  # type: ignore[arg-type]
        lambda: RegionPerturbation(scale="logit"),  # type: ignore[arg-type]
        lambda: PerturbationScore(kernel=0),
        lambda: PerturbationScore(fills=True),
    ):
        with pytest.raises(gl.InputError):
            wrong()


def test_any_scalar_of_the_model_will_do() -> None:
    x, maps = quarters()
    metric = RegionPerturbation(units=Blocks(2), fill=Zero(), scale=Scale.EXPLAINED)
    found = evaluate(metric, gl.Score(summed, lambda out: out[:, 0]), x, maps)
    assert found.values.tolist() == [pytest.approx(48 / 5)]


def test_pixels_are_told_once() -> None:
    other = PixelSpace((0.0,) * 3, (1.0,) * 3)
    metric = PerturbationScore(fill=PixelNoise()).within(PIXELS)
    assert metric == PerturbationScore(fill=PixelNoise(PIXELS), pixels=PIXELS)
    assert metric.within(other) == metric
