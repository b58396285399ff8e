"""The gap between curves, ABPC and DiffID: values on paper, transcriptions, laws."""

import itertools

import pytest
import torch
from torch import Tensor, nn

import gradline as gl
from gradline.core.baselines import Constant, Zero
from gradline.errors import InputError, TargetError
from gradline.evaluation.judge import evaluate
from gradline.metrics.base import Metric
from gradline.metrics.curves.area import NO_RISE, TOO_SHORT, Relative
from gradline.metrics.curves.between import AreaBetweenCurves, ClippedAreaBetweenCurves, DiffID, DiffIDOfRest
from gradline.metrics.curves.deletion import InsertionMinusDeletion
from gradline.metrics.curves.sweep import Percentiles, Steps
from gradline.metrics.ranking import CONSTANT, NOT_FINITE, Sign
from gradline.metrics.units import Blocks, Values
from gradline.question.targets.scales import Scale


class Linear(nn.Module):
    """Two classes: w · x − c and 0."""

    def __init__(self, *weights: float, threshold: float = 0.0) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.tensor(weights, dtype=torch.float64))
        self.threshold = threshold

    def forward(self, x: Tensor) -> Tensor:
        value = x.flatten(1) @ self.weights - self.threshold
        return torch.stack([value, torch.zeros_like(value)], 1)


def network() -> nn.Module:
    torch.manual_seed(4)
    inner = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(180, 4))
    return inner.double().eval()


def images(count: int = 5) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    shape = (count, 3, 6, 6)
    x = 2 * torch.randn(shape, generator=generator, dtype=torch.float64)
    return x, torch.randn(shape, generator=generator, dtype=torch.float64)


def row(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


# ------------------------------------------------------------------------------------------------ the gap


def test_the_gap_on_paper() -> None:
    """f = 4x₁ + 2x₂ + x₃ + x₄ at 1, map 4 2 1 .5: most first 8 4 2 1 0, least first 8 7 6 4 0; gap 0 3 4 3 0, area
    10 / 4 = 2.5; with 0 at the fill and 1 at x an eighth of it."""
    score, x, maps = gl.Score(Linear(4, 2, 1, 1), 0), row(1, 1, 1, 1), row(4, 2, 1, 0.5)
    found = evaluate(AreaBetweenCurves(steps=Steps(4), scale=Scale.LOGIT), score, x, maps)
    assert found.curve is not None
    assert found.curve.tolist() == [[0, 3, 4, 3, 0]]
    assert found.mean == 2.5
    assert found.parts["least relevant first curve"].tolist() == [[8, 7, 6, 4, 0]]
    relative = evaluate(
        AreaBetweenCurves(steps=Steps(4), scale=Scale.LOGIT, relative=Relative.ENDPOINTS), score, x, maps
    )
    assert relative.mean == pytest.approx(2.5 / 8)


@pytest.mark.parametrize("steps", [Steps(7), Steps(None, 7), Percentiles(6)])
def test_the_gap_is_insertion_less_deletion(steps: Steps | Percentiles) -> None:
    score, (x, maps) = gl.Score(network(), 1), images()
    gap = evaluate(AreaBetweenCurves(Constant(0.2), steps), score, x, maps)
    difference = evaluate(InsertionMinusDeletion(Constant(0.2), steps), score, x, maps)
    torch.testing.assert_close(gap.values, difference.values, rtol=0, atol=1e-14)


# ------------------------------------------------------------------------------------------------ ABPC


def test_abpc_on_paper() -> None:
    """Ten features with weights 10 … 1 and the map in their order, fill 0, total 55. With i = 1 … 9 the i largest are
    gone, or the i + 1 smallest. What is left of 55: S_i = 1 + … + (10 − i) against 55 − (1 + … + (i + 1))."""
    weights = [float(w) for w in range(10, 0, -1)]
    found = evaluate(
        ClippedAreaBetweenCurves(), gl.Score(Linear(*weights), 0), torch.ones(1, 10).double(), row(*weights)
    )
    gaps = [max(0, (55 - (i + 1) * (i + 2) // 2) - (10 - i) * (11 - i) // 2) / 55 for i in range(1, 10)]
    assert found.curve is not None
    assert found.curve[0].tolist() == pytest.approx(gaps)
    assert found.mean == pytest.approx(sum(gaps) / 10)


def abpc(model: nn.Module, x: Tensor, attribution: Tensor, target: int) -> float:
    """One image, as in the notebook: keep masks by comparison with sorted values, zeros elsewhere."""
    s = attribution.sum(0)
    v, count = s.flatten().sort().values, s.numel()
    f1, f0 = (model(z[None])[0, target].item() for z in (x, torch.zeros_like(x)))
    total = 0.0
    for tenth in range(1, 10):
        i = count * tenth // 10
        u = []
        for keep in (s > v[i], s < v[-i]):
            y = model((x * keep)[None])[0, target].item()
            u.append(min(max((y - f0) / (f1 - f0), 0.0), 1.0))
        total += max(u[0] - u[1], 0.0)
    return total / 10


def test_abpc_transcribed_with_ties() -> None:
    """Maps rounded to halves, so that most thresholds fall on a plateau."""
    model, (x, maps) = network(), images(8)
    maps[::2] = maps[::2].round()
    compared = 0
    for target in (0, 2):
        found = evaluate(ClippedAreaBetweenCurves(), gl.Score(model, target), x, maps)
        for i in range(8):
            if found.notes[i]:
                assert found.notes[i] == NO_RISE
                continue
            with torch.no_grad():
                assert found.values[i].item() == pytest.approx(abpc(model, x[i], maps[i], target), abs=1e-12)
            compared += int(i % 2 == 0)
    assert compared >= 3


def test_abpc_of_chance_is_above_zero() -> None:
    """What is clipped at zero does not average out, where the gap does: all 120 orders of five features."""
    orders = torch.tensor(list(itertools.permutations(range(5))), dtype=torch.float64)
    score, x = gl.Score(Linear(5, 4, 3, 2, 1), 0), torch.ones(120, 5, dtype=torch.float64)
    assert evaluate(AreaBetweenCurves(scale=Scale.LOGIT), score, x, orders).mean == pytest.approx(0, abs=1e-14)
    assert evaluate(ClippedAreaBetweenCurves(), score, x, orders).mean > 0.02


# ------------------------------------------------------------------------------------------------ DiffID


def test_diffid_on_paper() -> None:
    """The class is there while x₁ is, weight 10 against a threshold of 5, and the map says so: kept at .1 … .9 while
    the nine others go, lost at once when it goes first. The reverse for the map's negative."""
    weights = [10.0] + [0.0] * 9
    score, x = gl.Score(Linear(*weights, threshold=5), 0), torch.ones(1, 10, dtype=torch.float64)
    maps = torch.arange(10.0, 0, -1, dtype=torch.float64)[None]
    for sign in (1, -1):
        found = evaluate(DiffID(Zero()), score, x, sign * maps)
        assert found.mean == sign
        assert found.curve is not None
        assert found.curve.tolist() == [[0, *[sign] * 9, 0]]


def test_diffid_of_other_scales_is_a_share_of_x() -> None:
    """f = 4x₁ + 2x₂ + x₃ + x₄: shares of 8 left are .5 .25 .125 against .875 .75 .5: the mean of .375 .5 .375."""
    score, x, maps = gl.Score(Linear(4, 2, 1, 1), 0), row(1, 1, 1, 1), row(4, 2, 1, 0.5)
    assert evaluate(DiffID(steps=Steps(4), scale=Scale.LOGIT), score, x, maps).mean == pytest.approx(1.25 / 3)


def rest(model: nn.Module, x: Tensor, attribution: Tensor, target: int, soft: bool) -> float:
    """One image: values sorted by size, filled with the mean of the others."""
    order = (-attribution.abs().flatten()).argsort(stable=True)
    count, gaps = x.numel(), []
    full = model(x[None]).softmax(1)[0, target].item()
    for tenth in range(1, 10):
        k = count * tenth // 10
        kept = []
        for gone in (order[count - k :], order[:k]):
            z = x.clone().flatten()
            left = torch.ones(count, dtype=torch.bool)
            left[gone] = False
            z[gone] = z[left].mean()
            p = model(z.reshape(1, *x.shape)).softmax(1)[0]
            kept.append(min(max(p[target].item() / full, 0), 1) if soft else float(p.argmax() == target))
        gaps.append(kept[0] - kept[1])
    return sum(gaps) / 9


@pytest.mark.parametrize("scale", [Scale.HIT, Scale.PROBABILITY])
def test_diffid_of_rest_transcribed(scale: Scale) -> None:
    model, (x, maps) = network(), images()
    found = evaluate(DiffIDOfRest(scale=scale), gl.Score(model, 1), x, maps)
    with torch.no_grad():
        one = [rest(model, x[i], maps[i], 1, scale is Scale.PROBABILITY) for i in range(len(x))]
    assert found.values.tolist() == pytest.approx(one, abs=1e-12)
    assert found.axis is not None
    assert found.axis.tolist() == pytest.approx([0.1 * k for k in range(1, 10)])


def test_the_rest_on_paper() -> None:
    """x = 1 2 3 … 10, map 1 … 10: without the largest the mean of 1 … 9 is 5, so the sum is 45 + 5 = 50; without the
    smallest it is 54 + 6 = 60. In general n · mean of the rest: 10 (1 + 10 − k) / 2 against 10 (1 + k + 10) / 2, a gap
    of 10 k in a sum of 55."""
    x = torch.arange(1.0, 11.0, dtype=torch.float64)[None]
    score = gl.Score(Linear(*[1.0] * 10), 0)
    found = evaluate(DiffIDOfRest(scale=Scale.PROBABILITY), score, x, x)
    full = torch.tensor(55.0).double().sigmoid()
    most = torch.tensor([5.0 * (11 - k) for k in range(1, 10)]).double().sigmoid()
    assert found.curve is not None
    expected = 1 - most / full
    torch.testing.assert_close(found.curve[0], expected, rtol=0, atol=1e-12)


# ------------------------------------------------------------------------------------------------ laws


METRICS = [
    AreaBetweenCurves(Zero(), Steps(5)),
    ClippedAreaBetweenCurves(units=Blocks(2)),
    ClippedAreaBetweenCurves(),
    DiffID(Zero()),
    DiffID(Zero(), scale=Scale.PROBABILITY),
    DiffIDOfRest(),
    DiffIDOfRest(scale=Scale.PROBABILITY),
]


@pytest.mark.parametrize("metric", METRICS, ids=lambda m: f"{m.name}-{m.scale}")
def test_rows_do_not_meet_and_units_do_not_matter(metric: Metric) -> None:
    score, (x, maps) = gl.Score(network(), 1), images(3)
    whole, before = evaluate(metric, score, x, maps), (x.clone(), maps.clone())
    torch.testing.assert_close(evaluate(metric, score, x, 8 * maps).values, whole.values, equal_nan=True)
    for i in range(3):
        alone = evaluate(metric, score, x[i : i + 1], maps[i : i + 1])
        torch.testing.assert_close(alone.values, whole.values[i : i + 1], equal_nan=True, rtol=0, atol=1e-12)
    assert torch.equal(x, before[0])
    assert torch.equal(maps, before[1])


@pytest.mark.parametrize("metric", METRICS, ids=lambda m: f"{m.name}-{m.scale}")
def test_maps_without_an_order_have_no_value(metric: Metric) -> None:
    score, (x, maps) = gl.Score(network(), 1), images(4)
    maps[0], maps[1], maps[2] = 0, torch.nan, -2
    found = evaluate(metric, score, x, maps)
    assert found.notes[:3] == (CONSTANT, NOT_FINITE, CONSTANT)
    assert bool(found.values[:3].isnan().all())


def test_scores_that_do_not_rise_have_no_value() -> None:
    score, x, maps = gl.Score(Linear(-1, -1, -1), 0), row(1, 1, 1), row(1, 2, 3)
    assert evaluate(ClippedAreaBetweenCurves(), score, x, maps).notes == (NO_RISE,)
    assert evaluate(AreaBetweenCurves(relative=Relative.ENDPOINTS), score, x, maps).notes == (NO_RISE,)
    assert evaluate(DiffID(steps=Steps(None, 3)), score, x, maps).notes == (TOO_SHORT,)


def test_settings_are_said() -> None:
    score, (x, maps) = gl.Score(network(), 1), images(2)
    said = "fill Zero(), signed ranking, logit, 9 tenths"
    assert evaluate(ClippedAreaBetweenCurves(), score, x, maps).settings == said
    said = "fill the mean of what is left, absolute ranking, hit, 9 tenths, units Values()"
    assert evaluate(DiffIDOfRest(), score, x, maps).settings == said


def test_wrong_settings_say_what_is_expected() -> None:
    with pytest.raises(InputError):
        DiffID(steps=Steps(1))
    with pytest.raises(InputError):
        DiffID(steps=Percentiles(3))  # type: ignore[arg-type]
    with pytest.raises(InputError):
        DiffIDOfRest(scale=Scale.LOGIT)
    with pytest.raises(InputError):
        ClippedAreaBetweenCurves(fill=0.5)  # type: ignore[arg-type]
    with pytest.raises(InputError):
        ClippedAreaBetweenCurves(sign="signed")  # type: ignore[arg-type]
    with pytest.raises(InputError):
        DiffIDOfRest(units=Values)  # type: ignore[arg-type]
    scalar = gl.Score(Linear(1, 1), gl.Function(lambda out: out.sum(1)))
    for metric in (ClippedAreaBetweenCurves(), DiffID(), DiffIDOfRest()):
        with pytest.raises(TargetError):
            evaluate(metric, scalar, row(1, 2), row(1, 2))


def test_the_sign_rule_is_the_callers() -> None:
    score, (x, maps) = gl.Score(network(), 1), images(3)
    a = evaluate(ClippedAreaBetweenCurves(sign=Sign.ABSOLUTE), score, x, -maps)
    b = evaluate(ClippedAreaBetweenCurves(sign=Sign.ABSOLUTE), score, x, maps)
    torch.testing.assert_close(a.values, b.values, equal_nan=True)
