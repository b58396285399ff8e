"""Insertion, deletion and their difference: values on paper, a transcription of RISE, laws, shared forwards."""

import itertools
import math

import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

import gradline as gl
from gradline.core.baselines import Constant, Given, Uniform, Zero
from gradline.engine.inquiry import inquire
from gradline.errors import InputError, TargetError
from gradline.evaluation.judge import evaluate, make_subject
from gradline.evaluation.run import run
from gradline.metrics import presets
from gradline.metrics.base import Evaluation, Kind, Metric
from gradline.metrics.curves.area import NO_RISE, NOT_POSITIVE, TOO_SHORT, Area, Ends, Relative, Rule
from gradline.metrics.curves.between import AreaBetweenCurves, DiffID
from gradline.metrics.curves.deletion import Deletion, Insertion, InsertionMinusDeletion, TwoFillDifference
from gradline.metrics.curves.fills import ZeroPaddedBlur
from gradline.metrics.curves.magnitude import MagnitudeAligned
from gradline.metrics.curves.sweep import Percentiles, Steps
from gradline.metrics.ranking import CONSTANT, NOT_FINITE, Sign
from gradline.metrics.units import Blocks, Pixels, Values
from gradline.question.targets.scales import Scale

SIGNED = {"sign": Sign.SIGNED, "scale": Scale.LOGIT}


class Linear(nn.Module):
    """Two classes: w · x and 0."""

    def __init__(self, *weights: float) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.tensor(weights, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        value = x.flatten(1) @ self.weights
        return torch.stack([value, torch.zeros_like(value)], 1)


class Counting(nn.Module):
    """Counts the rows that it is shown."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.rows = inner, 0

    def forward(self, x: Tensor) -> Tensor:
        self.rows += len(x)
        out: Tensor = self.inner(x)
        return out


def network(channels: int = 3, side: int = 6, classes: int = 4) -> nn.Module:
    torch.manual_seed(0)
    inner = nn.Sequential(
        nn.Conv2d(channels, 5, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(5 * side * side, classes)
    )
    return inner.double().eval()


def images(count: int = 3, channels: int = 3, side: int = 6) -> tuple[Tensor, Tensor]:
    """Images and maps."""
    generator = torch.Generator().manual_seed(1)
    shape = (count, channels, side, side)
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    return x, torch.randn(shape, generator=generator, dtype=torch.float64)


def row(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


def of(metric: Metric, score: gl.Score, x: Tensor, maps: Tensor) -> Evaluation:
    return evaluate(metric, score, x, maps)


# ---------------------------------------------------------------------------------------------------- on paper


def test_five_features_on_paper() -> None:
    """f = 4x₁ + 3x₂ + 2x₃ + x₄ at x = 1, fill 0, the map in the order 1 3 2 4 5 with x₅ = 0: weights 4 2 3 1 0 gone one
    at a time. Deletion: 10 6 4 1 0 0, area (21 − 5) / 5 = 3.2. Insertion: 0 4 6 9 10 10, area (39 − 5) / 5 = 6.8."""
    score, x, maps = gl.Score(Linear(4, 3, 2, 1, 0), 0), row(1, 1, 1, 1, 1), row(9, 5, 7, 1, -2)
    steps = Steps(5)
    down = of(Deletion(steps=steps, **SIGNED), score, x, maps)
    up = of(Insertion(steps=steps, **SIGNED), score, x, maps)
    both = of(InsertionMinusDeletion(steps=steps, **SIGNED), score, x, maps)
    assert down.curve is not None
    assert down.axis is not None
    assert up.curve is not None
    assert down.curve.tolist() == [[10, 6, 4, 1, 0, 0]]
    assert up.curve.tolist() == [[0, 4, 6, 9, 10, 10]]
    assert (down.mean, up.mean, both.mean) == pytest.approx((3.2, 6.8, 3.6))
    assert down.axis.tolist() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert both.parts["insertion"].tolist() == [up.mean]
    assert both.parts["deletion"].tolist() == [down.mean]
    assert down.parts["tied"].tolist() == [0]


def test_equal_values_go_by_ascending_number() -> None:
    """A 3 × 3 image, f the sum of 2ᵏ over pixels k = 0 … 8, map 1 at pixels 4 and 7, else 0: 4, 7, then 0 1 2 3 5 6 8.
    Deletion: 511, − 16, − 128, − 1, − 2 …, and two of nine plus seven of nine are tied."""
    score = gl.Score(Linear(*(2.0**k for k in range(9))), 0)
    maps = torch.zeros(1, 1, 3, 3, dtype=torch.float64)
    maps[0, 0, 1, 1] = maps[0, 0, 2, 1] = 1
    found = of(Deletion(Zero(), Steps(9), **SIGNED), score, torch.ones_like(maps), maps)
    assert found.curve is not None
    lost = -found.curve.diff(dim=1)
    assert lost.tolist() == [[16, 128, 1, 2, 4, 8, 32, 64, 256]]
    assert found.parts["tied"].tolist() == [1]


def test_a_pixel_counts_with_all_its_channels() -> None:
    """Two channels, f the sum: pixel sums of the map decide (0 against 1), and a pixel's two values go at once."""
    maps = torch.tensor([[[[5.0, 0.0]], [[-5.0, 1.0]]]], dtype=torch.float64)
    x = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]], dtype=torch.float64)
    found = of(Deletion(Zero(), Steps(2), **SIGNED), gl.Score(Linear(1, 1, 1, 1), 0), x, maps)
    assert found.curve is not None
    assert found.curve.tolist() == [[10, 4, 0]]


def test_steps_that_do_not_divide() -> None:
    """Five units, two a step: 0 2 4 5 are deleted and 0 2 4 5 are inserted, the odd one last in both."""
    score, x, maps = gl.Score(Linear(16, 8, 4, 2, 1), 0), row(1, 1, 1, 1, 1), row(5, 4, 3, 2, 1)
    steps = Steps(None, 2)
    down, up = (of(m(steps=steps, **SIGNED), score, x, maps).curve for m in (Deletion, Insertion))
    assert down is not None
    assert up is not None
    assert down.tolist() == [[31, 7, 1, 0]]
    assert up.tolist() == [[0, 24, 30, 31]]


def test_percentiles_take_plateaus_whole() -> None:
    """Scores 0 0 0 1 2, four percentiles: at 75, 50, 25, 0 % of the four gaps lie 1, 0, 0, 0. Strictly above: 1, 2, 2,
    2 units, then all; weights 1 2 4 8 16 of x = 1 leave 31, 15, 7, 7, 7, 0."""
    score, x, maps = gl.Score(Linear(1, 2, 4, 8, 16), 0), row(1, 1, 1, 1, 1), row(0, 0, 0, 1, 2)
    found = of(Deletion(steps=Percentiles(4), **SIGNED), score, x, maps)
    assert found.curve is not None
    assert found.axis is not None
    assert found.curve.tolist() == [[31, 15, 7, 7, 7, 0]]
    assert found.axis.tolist() == [0, 0.25, 0.5, 0.75, 1, 1]


@pytest.mark.parametrize("seed", range(3))
def test_percentiles_are_numpys(seed: int) -> None:
    import numpy

    scores = torch.randn(4, 23, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).round(decimals=1)
    gone = Percentiles(20).removed(scores, torch.full((4,), 23))
    for own, counts in zip(scores.numpy(), gone.tolist(), strict=True):
        limits = numpy.percentile(own, [5.0 * k for k in range(19, -1, -1)])
        assert counts == [0, *(int((own > limit).sum()) for limit in limits), 23]


CURVE = torch.tensor([[1.0, 0.5, 0.25, 0.0]], dtype=torch.float64)


@pytest.mark.parametrize(
    ("rule", "ends", "expected"),
    [
        (Rule.TRAPEZOID, Ends.BOTH, (0.75 + 0.375 + 0.125) / 3),
        (Rule.UNIT, Ends.BOTH, 1.25),
        (Rule.MEAN, Ends.BOTH, 1.75 / 4),
        (Rule.POINTS, Ends.BOTH, 1.25 / 4),
        (Rule.UNIT, Ends.LAST, 0.5),
        (Rule.MEAN, Ends.FIRST, 1.75 / 3),
        (Rule.POINTS, Ends.NEITHER, 0.375 / 2),
        (Rule.TRAPEZOID, Ends.NEITHER, 0.375),
    ],
)
def test_areas_on_paper(rule: Rule, ends: Ends, expected: float) -> None:
    """The curve 1, ½, ¼, 0: trapezoids of width 1 have areas ¾, ⅜, ⅛."""
    assert Area(rule, ends).of(CURVE).item() == pytest.approx(expected)


def test_relative_curves_on_paper() -> None:
    """y = 6 5 3 2 of x to the fill: divided by 6; and 1, ¾, ¼, 0. Where y_x ≤ y_fill, or y_x ≤ 0, there is none."""
    y = torch.tensor([[6.0, 5.0, 3.0, 2.0], [-1.0, 0.0, 0.0, 1.0]], dtype=torch.float64)
    shares = Relative.INPUT.of(y, y[:, 0], y[:, -1])
    assert shares[0].tolist() == pytest.approx([1, 5 / 6, 0.5, 1 / 3])
    assert Relative.INPUT.notes(y[:, 0], y[:, -1]) == ("", NOT_POSITIVE)
    between = Relative.ENDPOINTS.of(y, y[:, 0], y[:, -1])
    assert between[0].tolist() == [1, 0.75, 0.25, 0]
    assert bool(between[1].isnan().all())
    assert Relative.ENDPOINTS.notes(y[:, 0], y[:, -1]) == ("", NO_RISE)


# ---------------------------------------------------------------------------------------------------- against RISE


def rise_kernel(size: int, sigma: float) -> Tensor:
    """The kernel of the published code: a unit impulse in a square of zeros, smoothed by SciPy."""
    impulse = torch.zeros(size, size, dtype=torch.float64)
    impulse[size // 2, size // 2] = 1
    return torch.from_numpy(gaussian_filter(impulse.numpy(), sigma))


def rise(model: nn.Module, x: Tensor, s: Tensor, step: int, inserting: bool, target: int) -> float:
    """One image `(1, 3, H, W)`, one map `(H, W)` without equal values, pixel by pixel."""
    side, pixels = x.shape[-1], x.shape[-1] ** 2
    padded = nn.functional.pad(x, (5, 5, 5, 5))
    kernel, blurred = rise_kernel(11, 5.0), torch.zeros_like(x)
    for i, j in itertools.product(range(side), range(side)):
        blurred[0, :, i, j] = (padded[0, :, i : i + 11, j : j + 11] * kernel).sum((1, 2))
    start, finish = (blurred.clone(), x) if inserting else (x.clone(), torch.zeros_like(x))
    order = sorted(range(pixels), key=lambda k: -s.flatten()[k].item())
    y = []
    for t in range(-(-pixels // step) + 1):
        y.append(model(start).softmax(1)[0, target].item())
        for k in order[t * step : (t + 1) * step]:
            start[0, :, k // side, k % side] = finish[0, :, k // side, k % side]
    return (sum(y) - y[0] / 2 - y[-1] / 2) / (len(y) - 1)


@pytest.mark.parametrize("step", [5, 6])
def test_rise_transcribed(step: int) -> None:
    """36 pixels, 6 a step, and 5 a step with one left over."""
    model, (x, maps) = network(), images()
    score = gl.Score(model, 2)
    for metric, inserting in ((presets.rise_deletion(step), False), (presets.rise_insertion(step), True)):
        found = of(metric, score, x, maps).values
        with torch.no_grad():
            one = [rise(model, x[i : i + 1], maps[i].sum(0), step, inserting, 2) for i in range(3)]
        assert found.tolist() == pytest.approx(one, abs=1e-12)


@pytest.mark.parametrize(("size", "sigma"), [(11, 5.0), (11, 11.0), (3, 0.4), (5, 20.0)])
def test_the_blur_of_rise(size: int, sigma: float) -> None:
    """An impulse in the middle shows the kernel; in a corner, what zeros around the image leave of it."""
    x = torch.zeros(2, 1, 25, 25, dtype=torch.float64)
    x[0, 0, 12, 12] = x[1, 0, 0, 0] = 1
    score = gl.Score(Linear(*[1.0] * 625), 0)
    with inquire(score, x) as inquiry:
        fill = inquiry.starts(ZeroPaddedBlur(size, sigma))[:, 0]
    half, kernel = size // 2, rise_kernel(size, sigma)
    torch.testing.assert_close(fill[0, 0, 12 - half : 13 + half, 12 - half : 13 + half], kernel, rtol=0, atol=1e-14)
    torch.testing.assert_close(fill[1, 0, : half + 1, : half + 1], kernel[half:, half:], rtol=0, atol=1e-14)
    assert fill[0].sum().item() == pytest.approx(1)


# ---------------------------------------------------------------------------------------------------- laws


def test_insertion_is_lerf_read_backwards() -> None:
    """Inserting by s is filling by −s, from the other end, where no two scores are equal: also where steps do not
    divide, by the number that is in the image."""
    score, (x, maps) = gl.Score(network(), 1), images()
    up = of(Insertion(Zero(), Steps(9), sign=Sign.SIGNED), score, x, maps).curve
    filled = of(Deletion(Zero(), Steps(9), sign=Sign.SIGNED), score, x, -maps).curve
    assert up is not None
    assert filled is not None
    torch.testing.assert_close(up, filled.flip(1), rtol=0, atol=1e-13)


@pytest.mark.parametrize("relative", [Relative.PLAIN, Relative.ENDPOINTS])
@pytest.mark.parametrize("area", [Area(), Area(Rule.MEAN, Ends.NEITHER)])
def test_chance_is_zero_with_one_fill(area: Area, relative: Relative) -> None:
    """The mean over all 24 orders of four features is exactly 0: each order is another one's reverse."""
    torch.manual_seed(5)
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)).double()
    orders = torch.tensor(list(itertools.permutations(range(4))), dtype=torch.float64)
    x = row(1.0, -2.0, 0.5, 3.0).expand(24, 4).clone()
    for target in (0, 1, 2):
        metric = InsertionMinusDeletion(Constant(0.3), Steps(4), area=area, relative=relative)
        found = of(metric, gl.Score(model, target), x, orders)
        if relative is Relative.ENDPOINTS and found.notes[0]:
            assert set(found.notes) == {NO_RISE}
            continue
        assert found.values.abs().max().item() > 1e-3
        assert found.mean == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("count", [3, 4, 7, 16])
def test_chance_is_zero_also_where_steps_do_not_divide(count: int) -> None:
    """Five features in 16 steps: two or three of them in the middle, but the same number in both directions."""
    orders = torch.tensor(list(itertools.permutations(range(5))), dtype=torch.float64)
    score, x = gl.Score(Linear(5, 4, 3, 2, 1), 0), torch.ones(120, 5, dtype=torch.float64)
    for metric in (InsertionMinusDeletion, AreaBetweenCurves):
        assert of(metric(steps=Steps(count), **SIGNED), score, x, orders).mean == pytest.approx(0, abs=1e-13)


def test_chance_is_not_zero_with_two_fills() -> None:
    torch.manual_seed(5)
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)).double()
    orders = torch.tensor(list(itertools.permutations(range(4))), dtype=torch.float64)
    x = row(1.0, -2.0, 0.5, 3.0).expand(24, 4).clone()
    metric = TwoFillDifference(Zero(), Steps(4), insertion_fill=Constant(2.0))
    found = of(metric, gl.Score(model, 0), x, orders)
    down, up = of(Deletion(Zero(), Steps(4)), gl.Score(model, 0), x, orders), found.parts["insertion"]
    torch.testing.assert_close(found.values, up - down.values)
    assert abs(found.mean) > 0.01
    assert "insertion fill Constant(value=2.0), fill Zero()" in found.settings


@pytest.mark.parametrize("scale", list(Scale))
def test_scales_share_their_rows(scale: Scale) -> None:
    """Each scale is a function of the same outputs."""
    model, (x, maps) = network(), images(2)
    score = gl.Score(model, gl.Probability(2))
    found = of(Deletion(Zero(), Steps(4), scale=scale, sign=Sign.SIGNED), score, x, maps).curve
    assert found is not None
    order = (-maps.sum(1).flatten(1)).argsort(1)
    with torch.no_grad():
        for i in range(2):
            for t in range(5):
                z = x[i].clone().flatten(1)
                z[:, order[i, : 9 * t]] = 0
                out = model(z.reshape(1, 3, 6, 6))[0]
                p = out.softmax(0)[2]
                expected = {"logit": out[2], "log-probability": p.log(), "hit": float(out.argmax() == 2)}
                expected["entropy"] = -(out.softmax(0) * out.log_softmax(0)).sum() / math.log(4)
                assert found[i, t].item() == pytest.approx(float(expected.get(scale.value, p)), abs=1e-12)


METRICS = [
    Deletion(Zero(), Steps(5)),
    Insertion(Zero(), Steps(None, 7)),
    InsertionMinusDeletion(Zero(), Steps(5), Blocks(2)),
    TwoFillDifference(steps=Steps(4)),
    Deletion(Zero(), Percentiles(5)),
    Insertion(units=Values(), sign=Sign.LARGEST),
]


@pytest.mark.parametrize("metric", METRICS, ids=lambda m: f"{m.name}-{m.steps}")
def test_rows_do_not_meet(metric: Metric) -> None:
    score, (x, maps) = gl.Score(network(), 1), images(3)
    together = of(metric, score, x, maps)
    for i in range(3):
        alone = of(metric, score, x[i : i + 1], maps[i : i + 1])
        torch.testing.assert_close(alone.values, together.values[i : i + 1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("metric", METRICS, ids=lambda m: f"{m.name}-{m.steps}")
def test_the_unit_of_a_map_does_not_matter(metric: Metric) -> None:
    score, (x, maps) = gl.Score(network(), 1), images(3)
    torch.testing.assert_close(of(metric, score, x, 8 * maps).values, of(metric, score, x, maps).values)


def test_gradients_are_ranked_by_size() -> None:
    score, (x, maps) = gl.Score(network(), 1), images(3)
    found = evaluate(Deletion(Zero()), score, x, maps, kind=Kind.GRADIENT)
    torch.testing.assert_close(found.values, of(Deletion(Zero(), sign=Sign.ABSOLUTE), score, x, maps).values)
    assert found.settings == "fill Zero(), absolute ranking, probability, 16 steps"
    assert "signed ranking" in of(Deletion(Zero()), score, x, maps).settings


def test_equal_settings_share_all_rows() -> None:
    """Twelve steps and two methods: 2 images × (2 maps × 2 directions × 11 + x + fill) rows, however many metrics; the
    difference of two fills adds another insertion."""
    model = Counting(network())
    x, maps = images(2)
    kept = {"fill": Zero(), "steps": Steps(12), "sign": Sign.ABSOLUTE}
    metrics: list[Metric] = [
        Insertion(**kept),
        Deletion(**kept, scale=Scale.LOGIT),
        InsertionMinusDeletion(**kept, area=Area(Rule.MEAN)),
        MagnitudeAligned(**kept),
        AreaBetweenCurves(**kept, relative=Relative.ENDPOINTS),
        DiffID(**kept),
    ]
    with inquire(gl.Score(model, 1), x) as inquiry:
        before, seen = inquiry.forwards.clone(), model.rows
        subjects = [make_subject(inquiry, x, m, number=i) for i, m in enumerate((maps, maps.roll(1, 0)))]
        found = run([(metric, subject) for subject in subjects for metric in metrics], inquiry)
        spent = inquiry.forwards - before
        rows = model.rows - seen
    assert spent.tolist() == [2 * 2 * 11 + 2] * 2
    assert rows == 2 * (2 * 2 * 11 + 2)
    assert len(found) == 12
    more = [*metrics, TwoFillDifference(**kept)]
    with inquire(gl.Score(model, 1), x) as inquiry:
        before = inquiry.forwards.clone()
        run([(metric, make_subject(inquiry, x, maps, number=0)) for metric in more], inquiry)
        assert (inquiry.forwards - before).tolist() == [3 * 11 + 3] * 2


@pytest.mark.parametrize("metric", [Deletion, Insertion])
def test_an_image_that_several_steps_show_is_asked_once(metric: type[Deletion | Insertion]) -> None:
    """Eight values, one a step, ranked as they stand, filled with zeros: four of x_0 = (1, 2, 3, 4, 0, 0, 0, 0) and of
    x_1 = (0, 1, 0, 2, 0, 3, 0, 4) change, the last of them to the fill, so 3 images are between x and the fill, from
    either end; none of x_2 = 0. The curves are those of all images one by one."""
    x = torch.tensor([[1, 2, 3, 4, 0, 0, 0, 0], [0, 1, 0, 2, 0, 3, 0, 4], [0] * 8], dtype=torch.float64)
    maps = torch.arange(8, 0, -1, dtype=torch.float64).expand(3, 8)
    model = Linear(0.3, -0.2, 0.7, 0.1, 5, 5, -0.4, 0.6)
    with inquire(gl.Score(model, 0), x) as inquiry:
        before = inquiry.forwards.clone()
        (found,) = run([(metric(Zero(), Steps(8), **SIGNED), make_subject(inquiry, x, maps, number=0))], inquiry)
        assert (inquiry.forwards - before).tolist() == [3 + 2, 3 + 2, 2]
    kept = torch.ones(9, 8, dtype=torch.float64).tril(-1)
    kept = kept if metric is Insertion else 1 - kept
    assert found.curve is not None
    torch.testing.assert_close(found.curve, torch.stack([model(kept * row)[:, 0] for row in x]).detach())


# ---------------------------------------------------------------------------------------------------- trouble


@pytest.mark.parametrize("metric", METRICS, ids=lambda m: f"{m.name}-{m.steps}")
def test_maps_without_an_order_have_no_value(metric: Metric) -> None:
    score, (x, maps) = gl.Score(network(), 1), images(4)
    maps[0], maps[1] = 0, torch.nan
    maps[2] = 3.0
    found = of(metric, score, x, maps)
    assert found.notes == (CONSTANT, NOT_FINITE, CONSTANT, "")
    assert found.values.isfinite().tolist() == [False, False, False, True]
    sums = [v for k, v in found.parts.items() if k in ("insertion", "deletion")]
    assert all(v.isfinite().tolist() == [False, False, False, True] for v in sums)


def test_curves_too_short_and_scores_that_do_not_rise() -> None:
    score, x, maps = gl.Score(Linear(-1, -1), 0), row(1, 1), row(1, 2)
    found = of(Deletion(steps=Steps(1), area=Area(Rule.TRAPEZOID, Ends.FIRST)), score, x, maps)
    assert found.notes == (TOO_SHORT,)
    assert bool(found.values.isnan().all())
    for relative, why in ((Relative.ENDPOINTS, NO_RISE), (Relative.INPUT, NOT_POSITIVE)):
        lost = of(InsertionMinusDeletion(relative=relative, scale=Scale.LOGIT), score, x, maps)
        assert lost.notes == (why,)
        assert bool(lost.values.isnan().all())


def test_wrong_settings_say_what_is_expected() -> None:
    bad: list[dict[str, object]] = [
        {"fill": 0.0},
        {"steps": 16},
        {"units": "pixels"},
        {"sign": "signed"},
        {"scale": "logit"},
        {"area": Rule.MEAN},
        {"relative": True},
    ]
    for settings in bad:
        with pytest.raises(InputError):
            Deletion(**settings)  # type: ignore[arg-type]
    with pytest.raises(InputError):
        TwoFillDifference(insertion_fill=None)  # type: ignore[arg-type]
    with pytest.raises(InputError):
        Area("mean")  # type: ignore[arg-type]
    with pytest.raises(InputError):
        Percentiles(0)


def test_wrong_examples_say_what_is_expected() -> None:
    score, (x, maps) = gl.Score(network(), 1), images(2)
    with pytest.raises(InputError, match="maps of shape"):
        of(Deletion(), score, x, maps[:, :, :5])
    with pytest.raises(InputError, match="one start an example"):
        of(Deletion(Uniform(0, 1, draws=2)), score, x, maps)
    with pytest.raises(TargetError):
        of(Deletion(), gl.Score(network(), gl.Function(lambda out: out.sum(1))), x, maps)
    with pytest.raises(InputError, match="images"):
        of(Deletion(units=Pixels()), gl.Score(Linear(1, 1), 0), row(1, 1), row(1, 2))


def test_nothing_of_the_callers_is_changed() -> None:
    model, (x, maps) = network(), images(2)
    kept = x.clone(), maps.clone(), [p.clone() for p in model.parameters()]
    state = torch.get_rng_state()
    for metric in METRICS:
        of(metric, gl.Score(model, 1), x, maps)
    of(Deletion(Given(torch.zeros_like(x))), gl.Score(model, 1), x, maps)
    assert torch.equal(x, kept[0])
    assert torch.equal(maps, kept[1])
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), kept[2], strict=True))
    assert torch.equal(torch.get_rng_state(), state)


def test_single_precision() -> None:
    model, (x, maps) = network().float(), images(2)
    found = of(Deletion(Zero()), gl.Score(model, 1), x.float(), maps.float())
    exact = of(Deletion(Zero()), gl.Score(network(), 1), x, maps.float())
    torch.testing.assert_close(found.values, exact.values, rtol=0, atol=1e-5)
