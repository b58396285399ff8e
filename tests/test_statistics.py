"""Statistics of the leaderboard against values derived on paper, SciPy's, and published examples."""

from __future__ import annotations

import math

import pytest
import scipy.stats
import torch

from gradline.evaluation.standing import agreement, standing
from gradline.evaluation.statistics import (
    fewest,
    holm,
    interval,
    krippendorff,
    rank_interval,
    resampled_means,
    signed_rank,
    spearman,
)

NAN = math.nan


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


# ------------------------------------------------------------------------------------------------ bootstrap


def test_resampled_means_of_two_values() -> None:
    """Of 0 and 1, drawn twice: mean 0, 1/2, 1 with probability 1/4, 1/2, 1/4; so the interval is all of it."""
    draws = resampled_means(column(0, 1)[:, None])
    assert draws.shape == (10_000, 1)
    shares = [float((draws == value).double().mean()) for value in (0, 0.5, 1)]
    assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.02)
    assert [float(end) for end in interval(draws)] == [0, 1]


def test_columns_share_their_examples() -> None:
    """Where one column is the other plus 1, every resampled mean is too, whatever was drawn."""
    values = torch.randn(12, 1, generator=torch.Generator().manual_seed(0)).double()
    draws = resampled_means(torch.cat([values, values + 1], 1))
    torch.testing.assert_close(draws[:, 1] - draws[:, 0], torch.ones(10_000).double())
    torch.testing.assert_close(draws, resampled_means(torch.cat([values, values + 1], 1)))
    assert not torch.equal(draws, resampled_means(torch.cat([values, values + 1], 1), seed=1))


def test_intervals_are_those_of_scipy() -> None:
    """SciPy's percentile bootstrap draws other samples: both ends agree to a few per cent of the width."""
    values = torch.randn(40, generator=torch.Generator().manual_seed(3)).double()
    low, high = interval(resampled_means(values[:, None]))
    found = scipy.stats.bootstrap(
        (values.numpy(),), lambda v, axis: v.mean(axis), method="percentile", n_resamples=10_000, rng=0
    ).confidence_interval
    assert [float(low), float(high)] == pytest.approx([found.low, found.high], abs=0.03 * (found.high - found.low))


def test_many_examples_are_drawn_in_pieces() -> None:
    draws = resampled_means(torch.ones(3000, 2, dtype=torch.float64), resamples=3000)
    assert draws.shape == (3000, 2)
    assert bool((draws == 1).all())


def test_ranks_of_resampled_means() -> None:
    """Draws (3, 2, 1) and (3, 1, 2) half of the time each: ranks 1, 2–3, 2–3; lower is better turns them round; equal
    means share the better rank below and the worse above."""
    draws = torch.tensor([[3.0, 2.0, 1.0], [3.0, 1.0, 2.0]]).double().repeat(50, 1)
    low, high = rank_interval(draws, higher_is_better=True)
    assert (low.tolist(), high.tolist()) == ([1, 2, 2], [1, 3, 3])
    low, high = rank_interval(draws, higher_is_better=False)
    assert (low.tolist(), high.tolist()) == ([3, 1, 1], [3, 2, 2])
    low, high = rank_interval(torch.ones(4, 2).double(), higher_is_better=True)
    assert (low.tolist(), high.tolist()) == ([1, 1], [2, 2])


# ------------------------------------------------------------------------------------------------ tests


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ((1, 2, 3), 2 / 8),  # of eight choices of signs, only all negative has a smaller or equal sum of 0
        ((-1, 2, 3), 4 / 8),  # {} and {1} have sums up to 1
        ((1, 1, -1), 1.0),  # ranks 2, 2, 2: {} and three of one have sums up to 2
        ((0, 0, 0), 1.0),
        ((0, 1, 2, 3), 2 / 8),  # zeros are dropped
        ((), 1.0),
    ],
)
def test_signed_rank_by_hand(differences: tuple[float, ...], p: float) -> None:
    assert signed_rank(column(*differences)) == pytest.approx(p)


@pytest.mark.parametrize("count", [5, 12, 30, 50, 51, 200])
def test_signed_rank_is_that_of_scipy(count: int) -> None:
    values = torch.randn(count, generator=torch.Generator().manual_seed(count)).double() + 0.2
    assert signed_rank(values) == pytest.approx(scipy.stats.wilcoxon(values.numpy()).pvalue, rel=1e-9)


def test_signed_rank_with_ties() -> None:
    """Up to 13 differences SciPy permutes, from 51 both approximate: with ties the same."""
    for count in (10, 13, 200):
        values = (2 * torch.randn(count, generator=torch.Generator().manual_seed(count))).round().double() + 1
        values = values[values != 0]
        if 13 < len(values) <= 50:
            continue
        assert signed_rank(values) == pytest.approx(scipy.stats.wilcoxon(values.numpy()).pvalue, rel=1e-9)


def test_holm_by_hand() -> None:
    """Sorted .01, .03, .04 times 3, 2, 1: .03, .06, .04, and none below the one before it: .03, .06, .06."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_the_fewest_examples_that_can_differ() -> None:
    """The smallest p of N signs is 2^(1 − N), times the pairs: 1 pair 6 examples (.031), 10 pairs 9 (.039)."""
    assert [fewest(pairs, 0.05) for pairs in (1, 3, 10)] == [6, 7, 9]
    for pairs in range(1, 40):
        assert pairs * 2 ** (1 - fewest(pairs, 0.05)) < 0.05 <= pairs * 2 ** (2 - fewest(pairs, 0.05))


# ------------------------------------------------------------------------------------------------ agreement


def test_krippendorffs_own_example() -> None:
    """Krippendorff (2011), "Computing Krippendorff's alpha-reliability", example C/D: interval data, alpha .849."""
    ratings = torch.tensor(
        [
            [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
            [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
            [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
            [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
        ]
    ).double()
    assert krippendorff(ratings) == pytest.approx(0.849, abs=5e-4)


def test_krippendorff_by_hand() -> None:
    """Two judges, ranks (1, 2) and (2, 1): D_o = 1; of the four values 1 2 2 1 four of six pairs differ: D_e = 2/3, so
    alpha = 1 − 3/2. The same ranks: 1. All equal: unknown."""
    assert krippendorff(torch.tensor([[1.0, 2.0], [2.0, 1.0]])) == pytest.approx(-0.5)
    assert krippendorff(torch.tensor([[1.0, 2.0], [1.0, 2.0]])) == pytest.approx(1)
    assert math.isnan(krippendorff(torch.ones(3, 2)))
    assert math.isnan(krippendorff(torch.tensor([[1.0, 2.0]])))


def test_spearman_is_that_of_scipy_row_by_row() -> None:
    one, other = (torch.randint(0, 5, (6, 9), generator=torch.Generator().manual_seed(k)).double() for k in (1, 2))
    expected = [scipy.stats.spearmanr(a.numpy(), b.numpy()).statistic for a, b in zip(one, other, strict=True)]
    assert spearman(one, other).tolist() == pytest.approx(expected)
    assert math.isnan(float(spearman(torch.ones(3), column(1, 2, 3))))


# ------------------------------------------------------------------------------------------------ standing

VALUES = {
    "good": column(5, 6, 7, 8, 9, 10, 11, 12, 13, NAN),
    "chance": column(1, 1, 2, 2, 3, 3, 4, 4, 4, 4),
    "edges": column(3, 3, 4, 4, 5, 5, 6, 6, 6, 6),
    "nothing": column(*[NAN] * 10),
}


def test_a_standing_by_hand() -> None:
    """Nine examples count. Means 9, 24/9, 42/9; position of good (9 − 24/9) / 2 = 3.167; every value of good exceeds
    chance's: p = 2/2^9, of edges too, two pairs, so 2 · 2/512 corrected."""
    found = standing(
        "m",
        VALUES,
        higher_is_better=True,
        controls=("chance", "edges"),
        reasons={"nothing": "it was made beforehand"},
    )
    assert [p.method for p in found.placed] == ["good", "edges", "chance", "nothing"]
    assert [p.rank for p in found.placed] == [1, 2, 3, 0]
    assert [p.mean for p in found.placed[:3]] == pytest.approx([9, 42 / 9, 24 / 9])
    assert [p.position for p in found.placed[:3]] == pytest.approx([(9 - 24 / 9) / 2, 1, 0])
    assert (found.examples, found.left_out, dict(found.absent)) == (9, 1, {"nothing": "it was made beforehand"})
    assert [(d.first, d.second) for d in found.differences] == [("good", "edges"), ("good", "chance")]
    assert [d.p for d in found.differences] == pytest.approx([4 / 512, 4 / 512])
    assert all(d.real for d in found.differences)
    assert found.alpha == pytest.approx(1)
    assert math.isnan(found.alpha_without_controls)
    assert [(p.rank_low, p.rank_high) for p in found.placed[:3]] == [(1, 1), (2, 2), (3, 3)]
    low = found.placed[0]
    assert low.low < 9 < low.high


def test_lower_may_be_better() -> None:
    found = standing("m", VALUES, higher_is_better=False, controls=("chance", "edges"))
    assert [p.method for p in found.placed] == ["chance", "edges", "good", "nothing"]
    assert all(math.isnan(p.position) for p in found.placed)  # chance is the best control
    assert found.differences[0].mean < 0


def test_a_description_ranks_nothing() -> None:
    found = standing("m", VALUES, higher_is_better=None, controls=("chance", "edges"))
    assert [(p.method, p.rank, p.rank_low) for p in found.placed[:3]] == [
        ("good", 0, 0),
        ("chance", 0, 0),
        ("edges", 0, 0),
    ]
    assert all(math.isnan(p.position) for p in found.placed)


def test_of_one_example_there_is_no_interval() -> None:
    found = standing("m", {"a": column(1), "b": column(2)}, higher_is_better=True)
    assert all(math.isnan(p.low) and p.rank_low == 0 for p in found.placed)
    assert math.isnan(found.differences[0].low)
    assert found.examples < found.needed
    assert not found.real


@pytest.mark.parametrize("values", [{}, {"a": column(NAN, NAN)}, {"a": column(1, NAN), "b": column(NAN, 1)}])
def test_nothing_in_common_is_no_standing(values: dict[str, torch.Tensor]) -> None:
    found = standing("m", values, higher_is_better=True)
    assert found.examples == 0
    assert found.differences == ()
    assert all(math.isnan(p.mean) for p in found.placed)


def test_differences_of_noise_are_not_real() -> None:
    """Twenty tables of noise, three pairs each: with Holm about one table in twenty has a real difference."""
    made = [torch.randn(25, 3, generator=torch.Generator().manual_seed(k)).double() for k in range(20)]
    real = [bool(standing("m", dict(zip("abc", t.T, strict=True)), higher_is_better=True).real) for t in made]
    assert sum(real) <= 4


def test_agreement_of_metrics_by_hand() -> None:
    """One metric, its negative of which lower is better, and one that turns a and b round on one example of two:
    the first two agree entirely; over examples the third agrees 1 and −1, on average 0; its means are level."""
    one = {"a": column(1, 1), "b": column(2, 2)}
    values = {
        "one": one,
        "less": {name: -v for name, v in one.items()},
        "half": {"a": column(1, 2), "b": column(2, 1)},
        "words": one,
    }
    found = agreement(values, {"one": True, "less": False, "half": True, "words": None})
    assert found.metrics == ("one", "less", "half")
    assert [float(t[0, 1]) for t in (found.means, found.images)] == pytest.approx([1, 1])
    assert float(found.images[0, 2]) == 0
    assert math.isnan(float(found.means[0, 2]))
