"""IROF: the area over the curve as superpixels are replaced by the mean colour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import gradline as gl
from gradline.core.baselines import Mean, Zero
from gradline.evaluation.judge import evaluate
from gradline.metrics.base import Kind
from gradline.metrics.ranking import Sign
from gradline.metrics.regions.irof import IROF
from gradline.metrics.regions.turns import NO_SCORE, ZERO_SCORE
from gradline.metrics.units import Blocks, Partition, Superpixels, Units
from gradline.question.targets.scales import Scale


@dataclass(frozen=True)
class Stripes(Units):
    """As many vertical stripes as the first value of an image says; the last is wider where they do not fit."""

    def partition(self, x: Tensor) -> Partition:
        counts = [int(n) for n in x[:, 0, 0, 0].tolist()]
        labels = torch.stack([(torch.arange(x.shape[3]) // (x.shape[3] // n)).clamp(max=n - 1) for n in counts])
        labels = labels[:, None, None, :].expand(-1, 1, x.shape[2], -1).contiguous()
        sizes = torch.stack([torch.bincount(one.flatten(), minlength=max(counts)) for one in labels])
        return Partition(labels, sizes, tuple(x.shape[1:]))


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    layers = nn.Conv2d(3, 4, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 12 * 12, 3)
    return nn.Sequential(*layers).double().requires_grad_(False)


def drawn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def summed(x: Tensor) -> Tensor:
    return x.flatten(1).sum(1, keepdim=True)


def scored(model: Callable[[Tensor], Tensor]) -> gl.Score:
    return gl.Score(model, 0)


def stripes() -> tuple[Tensor, Tensor]:
    """1 × 5 pixels (3, 1, 1, 1, 1) in three stripes of 1, 1 and 3; the map sums to 4, 5 and 6: means 4, 5 and 2."""
    x = torch.ones(1, 1, 1, 5, dtype=torch.float64)
    x[..., 0] = 3
    return x, torch.tensor([[[[4.0, 5.0, 2.0, 2.0, 2.0]]]], dtype=torch.float64)


def test_irof_on_paper() -> None:
    """f = Σ x = 7, fill 0. By the mean the second stripe goes first, then the first, then the wide one, though its sum
    is the largest: c = 1, 6/7, 3/7, 0, and the area over it (1/7 + 4/7 + 1) / 3."""
    x, maps = stripes()
    found = evaluate(IROF(units=Stripes(), fill=Zero(), scale=Scale.LOGIT), scored(summed), x, maps)
    assert found.curve is not None
    assert found.curve[0].tolist() == pytest.approx([1, 6 / 7, 3 / 7, 0])
    assert found.values.tolist() == [pytest.approx(12 / 21)]
    assert found.parts["segments"].tolist() == [3]


def test_irof_keeps_the_direction_where_the_score_is_negative() -> None:
    """f = −Σ x rises from −7 to 0 as segments go: the same drops with the other sign."""
    x, maps = stripes()
    metric = IROF(units=Stripes(), fill=Zero(), scale=Scale.LOGIT)
    found = evaluate(metric, scored(lambda x: -summed(x)), x, maps)
    assert found.values.tolist() == [pytest.approx(-12 / 21)]


def test_irof_of_ties_takes_the_first_and_says_how_many() -> None:
    """Means 4, 4, 2 with the sizes 1, 1, 3: the first stripe goes first: c = 1, 4/7, 3/7, 0."""
    x, maps = stripes()
    maps[..., 1] = 4
    found = evaluate(IROF(units=Stripes(), fill=Zero(), scale=Scale.LOGIT), scored(summed), x, maps)
    assert found.values.tolist() == [pytest.approx((3 / 7 + 4 / 7 + 1) / 3)]
    assert found.parts["tied"].tolist() == [pytest.approx(2 / 3)]


def test_a_model_that_does_not_look_scores_zero_and_one_that_looks_at_one_segment_scores_one() -> None:
    x, maps = drawn(2, 3, 12, 12), drawn(2, 3, 12, 12, seed=2)
    flat = evaluate(IROF(units=Blocks(4)), scored(lambda x: torch.zeros(len(x), 3)), x, maps)
    assert flat.values.tolist() == [0, 0]
    maps = torch.zeros(1, 1, 12, 12, dtype=torch.float64)
    maps[..., :4, :4] = 1
    x = torch.zeros(1, 3, 12, 12, dtype=torch.float64)
    x[..., 0, 0] = 1
    one = evaluate(IROF(units=Blocks(4), fill=Zero(), scale=Scale.LOGIT), scored(lambda x: x[:, :1, 0, 0]), x, maps)
    assert one.values.tolist() == [1]


def test_irof_against_its_definition_on_colour_images() -> None:
    """Written out: SLIC superpixels of the skimage call in `Superpixels`, the mean of the channel sum in each, the mean
    colour, softmax probability of the class, the mean of 1 − p_k / p over segments."""
    model, maps = network(), drawn(4, 3, 12, 12, seed=2)
    x = drawn(4, 3, 3, 3, seed=5).repeat_interleave(4, 2).repeat_interleave(4, 3)
    metric = IROF(units=Superpixels(9))
    found = evaluate(metric, scored(model), x, maps)
    labels = metric.units.partition(x).labels
    for i in range(4):
        own, heat = labels[i, 0], maps[i].sum(0)
        count = int(own.max()) + 1
        assert count > 2
        order = np.argsort([-float(heat[own == k].mean()) for k in range(count)], kind="stable")
        image, mean = x[i].clone(), x[i].mean((1, 2))
        start, total = float(model(image[None]).softmax(1)[0, 0]), 0.0
        for k in order:
            image[:, own == int(k)] = mean[:, None]
            total += 1 - float(model(image[None]).softmax(1)[0, 0]) / start
        assert float(found.values[i]) == pytest.approx(total / count, abs=1e-9)


def test_rows_do_not_meet_however_many_segments_the_others_have() -> None:
    model, x, maps = network(), drawn(3, 3, 12, 12), drawn(3, 3, 12, 12, seed=2)
    x[0, 0, 0, 0], x[1, 0, 0, 0], x[2, 0, 0, 0] = 2, 6, 3
    before, state = (x.clone(), maps.clone()), torch.get_rng_state()
    found = evaluate(IROF(units=Stripes()), scored(model), x, maps)
    for i in range(3):
        alone = evaluate(IROF(units=Stripes()), scored(model), x[i : i + 1], maps[i : i + 1])
        assert float(alone.values) == pytest.approx(float(found.values[i]), abs=1e-12)
    assert found.curve is not None
    assert found.curve.isfinite().sum(1).tolist() == [3, 7, 4]
    assert found.parts["segments"].tolist() == [2, 6, 3]
    assert torch.equal(x, before[0])
    assert torch.equal(maps, before[1])
    assert torch.equal(torch.get_rng_state(), state)


def test_the_sign_rule_decides_the_order() -> None:
    """Means −4, 1, 2: signed, the last goes first; by size, as for gradients, the first; by the largest value, not
    divided by the number of pixels, the last, whose values are 6, 0, 0."""
    x, maps = stripes()
    maps[:] = torch.tensor([-4.0, 1.0, 6.0, 0.0, 0.0], dtype=torch.float64)
    last, first = (3 / 7 + 4 / 7 + 1) / 3, (3 / 7 + 6 / 7 + 1) / 3
    metric = IROF(units=Stripes(), fill=Zero(), scale=Scale.LOGIT)
    for sign, kind, expected in (
        (Sign.AUTO, Kind.CONTRIBUTION, last),
        (Sign.AUTO, Kind.GRADIENT, first),
        (Sign.LARGEST, None, (3 / 7 + 6 / 7 + 1) / 3),
    ):
        metric = IROF(units=Stripes(), fill=Zero(), scale=Scale.LOGIT, sign=sign)
        found = evaluate(metric, scored(summed), x, maps, kind=kind)
        assert found.values.tolist() == [pytest.approx(expected)]


def test_what_cannot_be_said_is_a_note() -> None:
    x, maps = drawn(4, 3, 12, 12), drawn(4, 3, 12, 12, seed=2)
    maps[0], maps[1] = 0, 1
    maps[2, 0, 0, 0] = torch.nan
    found = evaluate(IROF(units=Blocks(4)), scored(network()), x, maps)
    assert found.values.isnan().tolist() == [True, True, True, False]
    assert "constant" in found.notes[0]
    assert "constant" in found.notes[1]
    assert "not finite" in found.notes[2]
    metric = IROF(units=Blocks(4), scale=Scale.LOGIT)
    nothing = evaluate(metric, scored(lambda x: 0 * summed(x)), x[3:], maps[3:])
    assert nothing.values.isnan().all()
    assert nothing.notes == (ZERO_SCORE,)
    # no value at the fill, which is the same everywhere
    broken = evaluate(metric, scored(lambda x: summed(x) / x.std((1, 2, 3))[:, None]), x[3:] * 0 + 1, maps[3:])
    assert broken.values.isnan().all()
    assert broken.notes == (NO_SCORE,)


def test_wrong_calls_say_so() -> None:
    x, maps = drawn(2, 3, 12, 12), drawn(2, 3, 12, 12, seed=2)
    with pytest.raises(gl.InputError, match="images"):
        evaluate(IROF(), scored(summed), x.flatten(1), maps.flatten(1))
    with pytest.raises(gl.TargetError, match="probability"):
        evaluate(IROF(), gl.Score(summed, lambda out: out[:, 0]), x, maps)
    with pytest.raises(gl.InputError, match="scale"):
        IROF(scale="logit")  # type: ignore[arg-type]


def test_settings_say_what_decided() -> None:
    x, maps = drawn(1, 3, 12, 12), drawn(1, 3, 12, 12, seed=2)
    found = evaluate(IROF(units=Blocks(4)), scored(network()), x, maps)
    assert found.settings == (
        "segments Blocks(side=4) by the mean of the map, signed, fill Mean(), probability over that at x"
    )
    assert IROF().fill == Mean()
