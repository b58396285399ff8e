"""Fidelity correlation: values on paper, the published definitions written out, laws, and what has no value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor, nn

import gradline as gl
from gradline.core.baselines import Constant, Zero
from gradline.core.random import generator
from gradline.engine.inquiry import inquire
from gradline.errors import InputError, TargetError
from gradline.evaluation.judge import evaluate, make_subject
from gradline.evaluation.run import run
from gradline.metrics.base import Evaluation, Kind, Metric
from gradline.metrics.fidelity.correlating import (
    Cells,
    FidelityCorrelation,
    FixedCells,
    FixedUnits,
    Masks,
    RandomCells,
    RandomUnits,
    RankedGroups,
)
from gradline.metrics.fidelity.correlation import Correlation, mid_ranks
from gradline.metrics.fidelity.presets import (
    faithfulness_correlation,
    faithfulness_estimate,
    mu_fidelity,
    sensitivity_n,
)
from gradline.metrics.ranking import Sign
from gradline.metrics.units import Superpixels, Values

W = torch.tensor([1.0, -2.0, 0.5, 3.0, 4.0], dtype=torch.float64)
ONES = torch.ones(1, 5, dtype=torch.float64)


def linear(x: Tensor) -> Tensor:
    """f(x) = w · x."""
    return x.flatten(1) @ W.to(x.dtype)


def network(inputs: int) -> nn.Module:
    torch.manual_seed(4)
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, 9), nn.Tanh(), nn.Linear(9, 3)).double().requires_grad_(False)


def images(count: int = 3, side: int = 6) -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(8)
    x = torch.randn(count, 2, side, side, dtype=torch.float64)
    return network(2 * side * side), x, torch.randn_like(x)


def judge(metric: Metric, model: Any, x: Tensor, maps: Tensor, **more: Any) -> Evaluation:
    target = 1 if isinstance(model, nn.Module) else None
    return evaluate(metric, gl.Score(model, target), x, maps, **more)


@dataclass(frozen=True)
class EachAlone(Masks):
    """Unit after unit, alone: no chance."""

    def chosen(self, draw: int, rank: Tensor, source: torch.Generator) -> Tensor:
        return torch.arange(len(rank)) == draw % len(rank)


@dataclass(frozen=True)
class Growing(Masks):
    """The first one, two, three … units: the area varies."""

    def chosen(self, draw: int, rank: Tensor, source: torch.Generator) -> Tensor:
        return torch.arange(len(rank)) <= draw % len(rank)


def test_by_hand() -> None:
    """f = w·x at 1, each feature removed alone: drops (1, −2, ½, 3, 4), sums φ = (1, 1, 2, 4, 3).

    Means 1.3 and 2.2; deviations of the drops (−.3, −3.3, −.8, 1.7, 2.7), of the sums (−1.2, −1.2, −.2, 1.8, .8):
    products .36 + 3.96 + .16 + 3.06 + 2.16 = 9.7; squares .09 + 10.89 + .64 + 2.89 + 7.29 = 21.8 and
    1.44 + 1.44 + .04 + 3.24 + .64 = 6.8. r = 9.7 / √(21.8 · 6.8) = .79668. Ranks (3, 1, 2, 4, 5) and, two tied,
    (1.5, 1.5, 3, 5, 4): deviations (0, −2, −1, 1, 2), (−1.5, −1.5, 0, 2, 1): 7 / √(10 · 9.5) = .71818.
    """
    maps = torch.tensor([[1.0, 1.0, 2.0, 4.0, 3.0]], dtype=torch.float64)
    found = judge(FidelityCorrelation(EachAlone(), 5), linear, ONES, maps)
    assert found.values.item() == pytest.approx(9.7 / (21.8 * 6.8) ** 0.5, abs=1e-12)
    ranked = judge(FidelityCorrelation(EachAlone(), 5, correlation=Correlation.SPEARMAN), linear, ONES, maps)
    assert ranked.values.item() == pytest.approx(7 / 95**0.5, abs=1e-12)
    assert found.parts["area partialled"].item() == found.values.item()
    assert found.parts["area"].isnan().all()


def test_ranked_groups_by_hand() -> None:
    """φ = (1, 5, 2, 4, 3) orders the features 1, 3, 4, 2, 0; three groups of 5: ranks (0, 1), (2, 3), (4). Their sums
    are 9, 5, 1; the drops w_1 + w_3 = 1, w_4 + w_2 = 4.5, w_0 = 1: deviations (4, 0, −4) and symmetrical drops: r = 0.
    """
    maps = torch.tensor([[1.0, 5.0, 2.0, 4.0, 3.0]], dtype=torch.float64)
    metric = FidelityCorrelation(RankedGroups(3), sign=Sign.SIGNED)
    assert judge(metric, linear, ONES, maps).values.item() == pytest.approx(0.0, abs=1e-12)
    single = judge(faithfulness_estimate(groups=100, scale=gl.metrics.Scale.EXPLAINED), linear, ONES, maps)
    wanted = torch.corrcoef(torch.stack([maps[0], W]))[0, 1].item()
    assert single.values.item() == pytest.approx(wanted, abs=1e-12)


def test_area_partialled_by_hand() -> None:
    """Nested sets of 1 … 5 features of f = w·x at 1: drops (1, −1, −½, 2½, 6½), areas 1 … 5. A constant map says the
    area: its correlation is that of the area, .845, and nothing is left once it is partialled out."""
    drops, area = torch.tensor([1.0, -1.0, -0.5, 2.5, 6.5]).numpy(), torch.arange(1, 6).numpy()
    found = judge(FidelityCorrelation(Growing(), 5), linear, ONES, ONES)
    by_area = stats.pearsonr(drops, area).statistic
    assert found.values.item() == pytest.approx(by_area)
    assert found.parts["area"].item() == pytest.approx(by_area)
    assert found.parts["area partialled"].isnan().all()
    maps = torch.tensor([[2.0, 1.0, 3.0, 0.0, 7.0]], dtype=torch.float64)
    sums = maps[0].cumsum(0).numpy()
    a, b, c = (stats.pearsonr(u, v).statistic for u, v in ((sums, drops), (sums, area), (drops, area)))
    partial = (a - b * c) / ((1 - b * b) * (1 - c * c)) ** 0.5
    found = judge(FidelityCorrelation(Growing(), 5), linear, ONES, maps)
    assert found.parts["area partialled"].item() == pytest.approx(partial, abs=1e-6)


def test_mid_ranks_are_scipys() -> None:
    values = torch.tensor([3.0, 1.0, 3.0, -2.0, 1.0, 1.0, 9.0, 0.1 + 0.2, 0.3], dtype=torch.float64)
    wanted = torch.from_numpy(stats.rankdata(values.numpy().round(12)))
    assert torch.equal(mid_ranks(values), wanted)
    assert mid_ranks(torch.zeros(3, dtype=torch.float64)).tolist() == [2, 2, 2]


def subset(name: str, draw: int, count: int, units: int) -> list[int]:
    """The units of one draw, from the same source."""
    order = torch.randperm(units, generator=generator(0, name, "fidelity", draw))
    return order[:count].tolist()


def test_sensitivity_n_written_out() -> None:
    """Pearson, over random sets of exactly 7 pixels put to zero, of the sum of their values with the drop."""
    model, x, maps = images()
    found = judge(sensitivity_n(7, 20), model, x, maps)
    for i in range(3):
        sums, drops = [], []
        for draw in range(20):
            removed, total = x[i].clone(), 0.0
            for unit in subset(str(i), draw, 7, 36):
                removed[:, unit // 6, unit % 6] = 0
                total += float(maps[i, :, unit // 6, unit % 6].sum())
            sums.append(total)
            drops.append(float(model(x[i : i + 1])[0, 1] - model(removed[None])[0, 1]))
        assert found.values[i].item() == pytest.approx(stats.pearsonr(sums, drops).statistic, abs=1e-9)


def test_mu_fidelity_written_out() -> None:
    """Spearman, over grids of 3 × 3 cells of 2 × 2 pixels each removed with probability .2, with the logit drop."""
    model, x, maps = images()
    found = judge(mu_fidelity(grid=3, draws=25), model, x, maps)
    for i in range(3):
        sums, drops, areas = [], [], []
        for draw in range(25):
            cells = torch.rand(9, generator=generator(0, str(i), "fidelity", draw)) < 0.2
            mask = cells.reshape(3, 3).repeat_interleave(2, 0).repeat_interleave(2, 1)
            removed = torch.where(mask, 0.0, x[i])
            sums.append(float((maps[i] * mask).sum()))
            areas.append(float(mask.sum()))
            drops.append(float(model(x[i : i + 1])[0, 1] - model(removed[None])[0, 1]))
        assert found.values[i].item() == pytest.approx(stats.spearmanr(sums, drops).statistic, abs=1e-9)
        a, b, c = (stats.spearmanr(u, v).statistic for u, v in ((sums, drops), (sums, areas), (drops, areas)))
        partial = (a - b * c) / ((1 - b * b) * (1 - c * c)) ** 0.5
        assert found.parts["area partialled"][i].item() == pytest.approx(partial, abs=1e-9)
        assert found.parts["area"][i].item() == pytest.approx(c, abs=1e-9)


def test_faithfulness_correlation_takes_a_share() -> None:
    """A tenth of 36 pixels are 4."""
    model, x, maps = images()
    found = judge(faithfulness_correlation(0.1, 20), model, x, maps)
    torch.testing.assert_close(found.values, judge(sensitivity_n(4, 20), model, x, maps).values)


@pytest.mark.parametrize("side", [5, 8, 9, 13])
def test_cells_are_about_equal_and_all_there(side: int) -> None:
    """On 13 × 20 pixels with 2 channels: sides differ by one pixel at most, and a pixel's centre decides."""
    cut = Cells(side).partition(torch.zeros(2, 2, 13, 20))
    assert cut.count == side**2
    rows = torch.bincount(cut.labels[0, 0, :, 0] // side)
    assert rows.sum() == 13
    assert rows.max() - rows.min() <= 1
    wanted = [int((i + 0.5) * side / 20) for i in range(20)]
    assert cut.labels[0, 0, 0].tolist() == wanted
    assert Cells(side).partition(torch.zeros(1, 1, 2, 3)).count == 6


@pytest.mark.parametrize("masks", [FixedCells(3, 2), RandomUnits(0.2), FixedUnits(4), RandomUnits(0.3, Values())])
def test_the_exact_map_of_a_linear_score_is_perfect(masks: Masks) -> None:
    """f = Σ w x: the drop is the sum of w (x − fill); a reversed map has −1."""
    torch.manual_seed(2)
    x, w = torch.randn(2, 2, 6, 6, dtype=torch.float64), torch.randn(2, 6, 6, dtype=torch.float64)
    metric = FidelityCorrelation(masks, 20, Constant(0.4))
    for sign in (1, -1):
        maps = sign * w * (x - 0.4)
        found = judge(metric, lambda y: (y * w).sum((1, 2, 3)), x, maps)
        torch.testing.assert_close(found.values, torch.full((2,), sign, dtype=torch.float64))


@pytest.mark.parametrize("correlation", list(Correlation))
@pytest.mark.parametrize("masks", [None, RandomUnits(), RandomCells(4, 0.3), RankedGroups(6)])
def test_laws(masks: Masks | None, correlation: Correlation) -> None:
    """A positive factor changes nothing; rows do not meet; collapsed maps are like full ones."""
    model, x, maps = images()
    metric = FidelityCorrelation(masks, 15, correlation=correlation)
    names = ("a", "b", "c")
    found = judge(metric, model, x, maps, names=names)
    scaled = judge(metric, model, x, 1e-3 * maps, names=names)
    collapsed = judge(metric, model, x, maps.sum(1), names=names)
    torch.testing.assert_close(found.values, scaled.values)
    torch.testing.assert_close(found.values, collapsed.values)
    for i in range(3):
        one = judge(metric, model, x[i : i + 1], maps[i : i + 1], names=names[i : i + 1])
        torch.testing.assert_close(one.values[0], found.values[i])
    assert (found.values.abs() <= 1).all()


def test_size_of_gradients_counts() -> None:
    """AUTO takes the size of a unit's gradient, and its sign for contributions."""
    model, x, maps = images()
    auto, by_hand = FidelityCorrelation(draws=10), FidelityCorrelation(draws=10, sign=Sign.ABSOLUTE)
    gradient = judge(auto, model, x, maps, kind=Kind.GRADIENT)
    torch.testing.assert_close(gradient.values, judge(by_hand, model, x, maps).values)
    assert not torch.equal(gradient.values, judge(auto, model, x, maps).values)
    assert "absolute map" in gradient.settings


def test_methods_share_forwards_unless_they_decide() -> None:
    """Two maps: x once, 20 random sets once, 4 ranked groups for each map."""
    model, x, maps = images()
    metrics = [FidelityCorrelation(draws=20), FidelityCorrelation(draws=20, correlation=Correlation.SPEARMAN)]
    for more, wanted in (([], 21), ([FidelityCorrelation(RankedGroups(4))], 21 + 2 * 4)):
        with inquire(gl.Score(model, 1), x) as inquiry:
            subjects = [make_subject(inquiry, x, one, number=k) for k, one in enumerate((maps, maps**2))]
            run([(metric, subject) for metric in metrics + more for subject in subjects], inquiry)
            assert inquiry.forwards.tolist() == [wanted] * 3


def test_what_has_no_value_says_why() -> None:
    model, x, maps = images()
    maps[0], maps[1] = 0.1, torch.nan
    found = judge(FidelityCorrelation(RandomUnits(), 10), model, x, maps)
    assert found.values.isnan().tolist() == [True, True, False]
    assert "same sum" in found.notes[0]
    assert found.notes[1:] == ("the map is not finite", "")
    ranked = judge(FidelityCorrelation(RankedGroups(5)), model, x, maps)
    assert ranked.values.isnan().tolist() == [True, True, False]
    assert "constant" in ranked.notes[0]
    flat = judge(FidelityCorrelation(draws=10), lambda y: y.sum((1, 2, 3)) * 0 + 1, x, maps)
    assert flat.notes[2] == "removing any of the sets changes the score alike: no correlation"
    few = judge(FidelityCorrelation(RankedGroups(5)), lambda y: y.sum(1), x[:, 0, 0, :2], maps[:, 0, 0, :2])
    assert "fewer than three" in few.notes[2]
    broken = judge(FidelityCorrelation(draws=80, fill=Zero()), lambda y: y.sum((1, 2, 3)) / y[:, 0, 0, 0], x, x)
    assert all("not finite" in note for note in broken.notes)
    whole = judge(sensitivity_n(36), model, x, maps)
    assert "alike" in whole.notes[2]


def test_a_constant_map_of_random_cells_says_the_area_alone() -> None:
    model, x, _ = images()
    found = judge(FidelityCorrelation(RandomCells(3, 0.4), 30), model, x, torch.full_like(x, 0.1))
    torch.testing.assert_close(found.values, found.parts["area"])
    assert found.parts["area partialled"].isnan().all()


def test_superpixels_may_differ_in_number() -> None:
    model, x, maps = images(side=12)
    for masks in (RandomUnits(0.3, Superpixels(9)), RankedGroups(50, Superpixels(9))):
        found = judge(FidelityCorrelation(masks, 10), model, x, maps)
        alone = judge(FidelityCorrelation(masks, 10), model, x[:1], maps[:1])
        torch.testing.assert_close(alone.values[0], found.values[0])
        assert found.values.isfinite().all()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: FidelityCorrelation(draws=2),
        lambda: FidelityCorrelation("grid"),  # type: ignore[arg-type]
        lambda: FidelityCorrelation(correlation="pearson"),  # type: ignore[arg-type]
        lambda: RandomUnits(1.0),
        lambda: FixedCells(3, 9),
        lambda: RandomCells(share=0),
        lambda: RankedGroups(0),
        lambda: judge(sensitivity_n(6, scale=gl.metrics.Scale.EXPLAINED), linear, ONES, ONES),
        lambda: judge(FidelityCorrelation(FixedCells()), linear, ONES, ONES),
        lambda: judge(FidelityCorrelation(), linear, ONES, ONES[:, :4]),
    ],
)
def test_wrong_calls(wrong: Callable[[], object]) -> None:
    with pytest.raises(InputError):
        wrong()


def test_a_scale_that_the_target_lacks() -> None:
    with pytest.raises(TargetError):
        evaluate(sensitivity_n(2), gl.Score(network(5), lambda y: y.sum(1)), ONES, ONES)


def test_nothing_of_the_callers_changes() -> None:
    model, x, maps = images()
    before = x.clone(), maps.clone(), torch.get_rng_state()
    judge(FidelityCorrelation(draws=5), model, x, maps)
    judge(FidelityCorrelation(RankedGroups(5)), model, x, maps)
    assert torch.equal(x, before[0])
    assert torch.equal(maps, before[1])
    assert torch.equal(torch.get_rng_state(), before[2])
    assert model.training
