"""Magnitude-aligned scoring: values on paper, a transcription, laws."""

import itertools

import numpy
import pytest
import torch
from torch import Tensor, nn

import gradline as gl
from gradline.core.baselines import Constant, Zero
from gradline.errors import InputError
from gradline.evaluation.judge import evaluate
from gradline.metrics.curves.area import NO_RISE
from gradline.metrics.curves.magnitude import MagnitudeAligned, aligned_deletion, aligned_insertion
from gradline.metrics.curves.sweep import Steps
from gradline.metrics.ranking import CONSTANT, NOT_FINITE, Sign
from gradline.metrics.units import Blocks
from gradline.question.targets.scales import Scale


class Linear(nn.Module):
    """Two classes: w · x and 0."""

    def __init__(self, *weights: float) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.tensor(weights, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        value = x.flatten(1) @ self.weights
        return torch.stack([value, torch.zeros_like(value)], 1)


def network() -> nn.Module:
    torch.manual_seed(2)
    inner = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(180, 4))
    return inner.double().eval()


def images(count: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    shape = (count, 3, 6, 6)
    x = 2 * torch.randn(shape, generator=generator, dtype=torch.float64)
    return x, torch.randn(shape, generator=generator, dtype=torch.float64)


def row(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


def test_a_map_in_step_with_the_score_is_perfect_on_paper() -> None:
    """f = 5x₁ + 3x₂ + 2x₃ + 0x₄ at x = 1, the map its contributions 5 3 2 0: score and density are 0 .5 .8 1 1 while
    inserting, so no penalty: area (3.3 − .5) / 4 = .7; deletion 1 .5 .2 0 0: (1.7 − .5) / 4 = .3; difference .4."""
    metric = MagnitudeAligned(Zero(), Steps(4), scale=Scale.LOGIT)
    found = evaluate(metric, gl.Score(Linear(5, 3, 2, 0), 0), row(1, 1, 1, 1), row(5, 3, -2, 0))
    assert found.parts["insertion curve"][0].tolist() == pytest.approx([0, 0.5, 0.8, 1, 1])
    assert found.parts["deletion curve"][0].tolist() == pytest.approx([1, 0.5, 0.2, 0, 0])
    assert found.parts["insertion"].item() == pytest.approx(0.7)
    assert found.parts["deletion"].item() == pytest.approx(0.3)
    assert found.mean == pytest.approx(0.4)


def test_magnitudes_matter_on_paper() -> None:
    """The same order with sizes 8 1 1 0: density 0 .8 .9 1 1, penalties 0 .3 .1 0 0. Insertion 0 .2 .7 1 1, area
    (2.9 − .5) / 4 = .6; deletion 1 .5+.3 .2+.1 0 0: (2.1 − .5) / 4 = .4; difference .2, against .4 for the map that
    fits."""
    metric = MagnitudeAligned(Zero(), Steps(4), scale=Scale.LOGIT)
    found = evaluate(metric, gl.Score(Linear(5, 3, 2, 0), 0), row(1, 1, 1, 1), row(8, 1.01, 0.99, 0))
    assert found.parts["insertion density"][0].tolist() == pytest.approx([0, 0.8, 0.901, 1, 1])
    assert found.mean == pytest.approx(0.2, abs=2e-3)


def test_cut_and_stretched_on_paper() -> None:
    """Response 0 .2 .6 .8, density 0 .6 .9 1: .2 − .4 is cut to 0, then 0 0 .3 .6, stretched to 0 0 .5 1. A response
    that stays 0 is a straight line; falling the same way down."""
    response, present = row(0, 0.2, 0.6, 0.8), row(0, 0.6, 0.9, 1)
    assert aligned_insertion(response, present)[0].tolist() == pytest.approx([0, 0, 0.5, 1])
    assert aligned_insertion(row(0, 0, 0, 0), present)[0].tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert aligned_deletion(row(1, 1, 1, 1), row(1, 0.5, 0.2, 0))[0].tolist() == pytest.approx([1, 2 / 3, 1 / 3, 0])
    assert aligned_deletion(row(1, 0.7, 0.5, 0.1), row(1, 0.2, 0.1, 0))[0].tolist() == pytest.approx(
        [1, 1, (0.9 - 0.2) / 0.8, 0]
    )


def transcribed(model: nn.Module, x: Tensor, attribution: Tensor, step: int, target: int) -> tuple[float, float]:
    """The published definition for one image, deletion into 0 and insertion into 0.4: areas of insertion, deletion."""
    s = attribution.sum(0).abs().flatten().numpy()
    order, count = numpy.argsort(-s, kind="stable"), -(-len(s) // step)
    ends = {"del": (x, torch.zeros_like(x)), "ins": (torch.full_like(x, 0.4), x)}
    areas = {}
    for mode, (start, finish) in ends.items():
        empty = finish if mode == "del" else start
        f_o, f_b = (model(z[None]).softmax(1)[0, target].item() for z in (x, empty))
        image, scores, mass = start.clone().flatten(1), [], [1.0 if mode == "del" else 0.0]
        for t in range(count + 1):
            scores.append(model(image.reshape(1, 3, 6, 6)).softmax(1)[0, target].item())
            now = order[t * step : (t + 1) * step]
            image[:, now] = finish.flatten(1)[:, now]
            mass.append(mass[-1] + (-1 if mode == "del" else 1) * s[now].sum() / s.sum())
        r = numpy.clip((numpy.array(scores) - f_b) / (f_o - f_b), 0, 1)
        r = numpy.minimum.accumulate(r) if mode == "del" else numpy.maximum.accumulate(r)
        penalty = numpy.abs(numpy.array(mass[: count + 1]) - r)
        c = numpy.clip(r + penalty if mode == "del" else r - penalty, 0, 1)
        c = (c - c.min()) / (c.max() - c.min())
        areas[mode] = (c.sum() - c[0] / 2 - c[-1] / 2) / count
    return float(areas["ins"]), float(areas["del"])


@pytest.mark.parametrize("step", [4, 5])
def test_transcribed(step: int) -> None:
    """36 pixels, also in steps that do not divide them; two fills."""
    model, (x, maps) = network(), images(6)
    metric = MagnitudeAligned(Zero(), Steps(None, step), insertion_fill=Constant(0.4))
    compared = 0
    for target in (0, 3):
        found = evaluate(metric, gl.Score(model, target), x, maps)
        for i in range(6):
            if found.notes[i]:
                assert found.notes[i] == NO_RISE
                continue
            with torch.no_grad():
                up, down = transcribed(model, x[i], maps[i], step, target)
            assert found.parts["insertion"][i].item() == pytest.approx(up, abs=1e-12)
            assert found.parts["deletion"][i].item() == pytest.approx(down, abs=1e-12)
            assert found.values[i].item() == pytest.approx(up - down, abs=1e-12)
            compared += 1
    assert compared >= 4


def test_a_random_map_does_not_score_zero() -> None:
    """Over all orders of four magnitudes, with one fill."""
    orders = torch.tensor(list(itertools.permutations([1.0, 2.0, 3.0, 4.0])), dtype=torch.float64)
    metric = MagnitudeAligned(Zero(), Steps(4), scale=Scale.LOGIT)
    found = evaluate(metric, gl.Score(Linear(4, 3, 2, 1), 0), torch.ones_like(orders), orders)
    assert abs(found.mean) > 0.01


def test_scale_and_rows() -> None:
    """The unit of a map does not matter, its sign neither; each example is judged as if it were alone."""
    score, (x, maps) = gl.Score(network(), 0), images()
    metric = MagnitudeAligned(Zero(), Steps(6), Blocks(2))
    whole = evaluate(metric, score, x, maps)
    torch.testing.assert_close(evaluate(metric, score, x, -8 * maps).values, whole.values, equal_nan=True)
    for i in range(len(x)):
        alone = evaluate(metric, score, x[i : i + 1], maps[i : i + 1])
        torch.testing.assert_close(alone.values, whole.values[i : i + 1], equal_nan=True, rtol=0, atol=1e-12)


def test_no_order_or_no_rise_is_no_value() -> None:
    score, (x, maps) = gl.Score(network(), 0), images()
    maps[0], maps[1] = 0, torch.inf
    found = evaluate(MagnitudeAligned(Zero()), score, x, maps)
    assert found.notes[:2] == (CONSTANT, NOT_FINITE)
    assert bool(found.values[:2].isnan().all())
    falling = evaluate(
        MagnitudeAligned(Zero(), scale=Scale.LOGIT), gl.Score(Linear(-1, -2, 1), 0), row(1, 1, 1), row(1, 2, 3)
    )
    assert falling.notes == (NO_RISE,)
    assert bool(falling.values.isnan().all())


def test_one_half_may_have_a_value() -> None:
    """f = x₁ + x₂ at 1, above the deletion's fill 0 and below the insertion's 2."""
    metric = MagnitudeAligned(Zero(), Steps(2), scale=Scale.LOGIT, insertion_fill=Constant(2.0))
    found = evaluate(metric, gl.Score(Linear(1, 1), 0), row(1, 1), row(1, 2))
    assert found.notes == (NO_RISE,)
    assert bool(found.values.isnan().all())
    assert bool(found.parts["deletion"].isfinite().all())
    assert bool(found.parts["insertion"].isnan().all())
    assert "insertion fill Constant(value=2.0), fill Zero()" in found.settings


def test_sign_rules_that_leave_negative_scores_are_refused() -> None:
    for sign in (Sign.AUTO, Sign.SIGNED):
        with pytest.raises(InputError):
            MagnitudeAligned(sign=sign)
    with pytest.raises(InputError):
        MagnitudeAligned(insertion_fill=1.0)  # type: ignore[arg-type]
