"""Sparseness, complexity and the number of features that count."""

import math

import pytest
import torch
from torch import Tensor

import gradline as gl
from gradline.evaluation.judge import evaluate
from gradline.metrics.base import Evaluation, Kind, Metric
from gradline.metrics.ranking import Sign
from gradline.metrics.shape.complexity import Complexity, EffectiveFeatures, Sparseness
from gradline.metrics.units import Blocks, Values

ALL: tuple[Metric, ...] = (Sparseness(), Complexity(), EffectiveFeatures(), EffectiveFeatures(above=0.3))


def judge(metric: Metric, maps: Tensor, **options: object) -> Evaluation:
    """The maps of a model of which nothing matters here."""
    score = gl.Score(lambda z: z.flatten(1), 0)
    return evaluate(metric, score, torch.ones_like(maps), maps, **options)  # type: ignore[arg-type]


def test_gini_by_hand() -> None:
    """|a| ascending 0, 1, 1, 2, 4, n = 5, Σ = 8: 2i − 6 is −4, −2, 0, 2, 4, so (0 − 2 + 0 + 4 + 16) / 40 = 0.45."""
    maps = torch.tensor([[1.0, -4.0, 0.0, 2.0, -1.0]])
    assert float(judge(Sparseness(), maps).values) == pytest.approx(0.45, abs=1e-12)


def test_entropy_by_hand() -> None:
    """Shares 1/8, 4/8, 0, 2/8, 1/8: H = (2·3/8 + 1/2 + 2/4) log 2 = 1.75 log 2; exp H = 2^1.75."""
    maps = torch.tensor([[1.0, -4.0, 0.0, 2.0, -1.0]])
    found = judge(Complexity(), maps)
    assert float(found.values) == pytest.approx(1.75 * math.log(2), abs=1e-12)
    assert float(found.parts["share"]) == pytest.approx(1.75 * math.log(2) / math.log(5), abs=1e-12)
    effective = judge(EffectiveFeatures(), maps)
    assert float(effective.values) == pytest.approx(2**1.75, abs=1e-12)
    assert float(effective.parts["share"]) == pytest.approx(2**1.75 / 5, abs=1e-12)


def test_the_number_above_a_share_of_the_maximum() -> None:
    """Above 0.3 · 4 = 1.2 are 4 and 2; above 0.25 · 4 = 1 too, 1 not being above itself."""
    maps = torch.tensor([[1.0, -4.0, 0.0, 2.0, -1.0]])
    assert judge(EffectiveFeatures(above=0.3), maps).values.tolist() == [2.0]
    assert judge(EffectiveFeatures(above=0.25), maps).values.tolist() == [2.0]
    assert "above 0.25 of the maximum" in judge(EffectiveFeatures(above=0.25), maps).settings


def test_extremes() -> None:
    """A constant map: Gini 0, H = log n, n features. A single feature: 1 − 1/n, 0, 1."""
    maps = torch.tensor([[2.0, 2.0, 2.0, 2.0], [0.0, 0.0, -3.0, 0.0]])
    torch.testing.assert_close(judge(Sparseness(), maps).values, torch.tensor([0.0, 0.75]).double())
    torch.testing.assert_close(judge(Complexity(), maps).values, torch.tensor([math.log(4), 0.0]).double())
    torch.testing.assert_close(judge(EffectiveFeatures(), maps).values, torch.tensor([4.0, 1.0]).double())
    assert judge(Complexity(), torch.ones(1, 1)).parts["share"].tolist() == [0.0]


def test_channels_of_a_pixel_are_summed_first() -> None:
    """Two channels that cancel leave one pixel of two: Gini 1/2; value by value 1, 1, 1, 0 of 4: (2·(−3+…)) = 1/4."""
    maps = torch.tensor([[[[1.0, 1.0]], [[-1.0, 0.0]]]])
    assert judge(Sparseness(), maps).values.tolist() == [0.5]
    assert float(judge(Sparseness(units=Values()), maps).values) == pytest.approx(0.25)
    assert float(judge(Sparseness(sign=Sign.SIZES), maps).values) == pytest.approx(1 / 6)


def plain(sizes: list[float]) -> tuple[float, float]:
    """Gini and entropy, written as they are defined, the Gini index by its mean difference."""
    n, total = len(sizes), math.fsum(sizes)
    gini = math.fsum(abs(a - b) for a in sizes for b in sizes) / (2 * n * total)
    return gini, -math.fsum(a / total * math.log(a / total) for a in sizes if a)


def test_against_the_definitions() -> None:
    """Gini by Σ_ij |a_i − a_j| / (2 n Σ a), which the sorted formula equals."""
    maps = torch.randn(4, 3, 5, 6, generator=torch.manual_seed(0), dtype=torch.float64)
    for row, gini, nats in zip(maps, judge(Sparseness(), maps).values, judge(Complexity(), maps).values, strict=True):
        expected = plain(row.sum(0).abs().flatten().tolist())
        assert (float(gini), float(nats)) == pytest.approx(expected, abs=1e-10)


def test_units_that_an_example_lacks_do_not_count() -> None:
    """A partition with 3 units of which the second example has but 2: Gini of sizes 1, 3 is (3 − 1) / (2 · 4) = 1/4."""
    from dataclasses import dataclass

    from gradline.metrics.units import Partition, Units

    @dataclass(frozen=True)
    class Uneven(Units):
        def partition(self, x: Tensor) -> Partition:
            return Partition(torch.tensor([[0, 1, 2], [0, 1, 1]]), torch.tensor([[1, 1, 1], [1, 2, 0]]), (3,))

    maps = torch.tensor([[1.0, 1.0, 1.0], [1.0, 2.0, 1.0]])
    assert judge(Sparseness(units=Uneven()), maps).values.tolist() == [0.0, 0.25]
    shares = judge(EffectiveFeatures(units=Uneven()), maps).parts["share"]
    assert float(shares[1]) == pytest.approx(math.exp(plain([1, 3])[1]) / 2)


@pytest.mark.parametrize("metric", ALL, ids=repr)
def test_scale_order_and_batch_do_not_matter(metric: Metric) -> None:
    """The same number for 1000 a, for −a, for a permuted, and for an example alone."""
    maps = torch.randn(3, 7, generator=torch.manual_seed(1), dtype=torch.float64)
    kept = maps.clone()
    found = judge(metric, maps).values
    for other in (1000 * maps, -maps, maps[:, torch.randperm(7)]):
        torch.testing.assert_close(judge(metric, other).values, found)
    alone = torch.cat([judge(metric, maps[i : i + 1], names=[str(i)]).values for i in range(3)])
    torch.testing.assert_close(alone, found)
    assert torch.equal(maps, kept)
    assert metric.higher_is_better is None


@pytest.mark.parametrize("metric", ALL, ids=repr)
def test_zero_and_nan_maps_have_a_note(metric: Metric) -> None:
    """No value, a sentence why, and the neighbours unharmed."""
    maps = torch.tensor([[0.0, 0.0, 0.0], [1.0, math.nan, 2.0], [1.0, 2.0, 3.0]])
    found = judge(metric, maps)
    assert found.values.isnan().tolist() == [True, True, False]
    assert "zero" in found.notes[0]
    assert "not finite" in found.notes[1]
    assert found.notes[2] == ""
    assert all(part.isnan().tolist() == [True, True, False] for part in found.parts.values())


def test_settings_and_bad_fields() -> None:
    """What decides the number is said; a share out of range is refused."""
    maps = torch.rand(1, 1, 6, 6)
    assert "absolute values of usual units" in judge(Sparseness(), maps, kind=Kind.GRADIENT).settings
    assert "Blocks(side=3)" in judge(Sparseness(units=Blocks(3)), maps).settings
    for bad in (0, 1, -1, True, "0.1"):
        with pytest.raises(gl.InputError, match="above"):
            EffectiveFeatures(above=bad)  # type: ignore[arg-type]
