"""Which metrics tell the right map from the same values in random places, where the right map is known."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from functools import cache

import pytest
import torch
from torch import Tensor

import gradline as gl
from gradline.evaluation.brackets import Bracket, bracket, brackets, moved, places
from gradline.evaluation.fitting import fitting
from gradline.metrics import Deletion, Evaluation, Insertion, RelevanceMass, catalogue
from gradline.metrics.base import Flow, Metric
from gradline.metrics.subject import Subject
from gradline.sanity import tasks

MAPS = tuple(entry.name for entry in catalogue.entries() if "explainer" not in entry.needs)
"""Metrics that judge a map; the others judge what makes maps, and have no bracket."""

SUM = "looks at the sum of a map, which places do not change"
NOTHING = "describes a map and ranks nothing"
PICTURES = "is made for pictures"
FLOATS = "searches for a fill among numbers, where words are whole ones"
SINGLE = "ranks the sizes of an embedding's single values, most of which cancel within their word"
NOISE = "asks by noise for the slope at every pixel, where the right map is known for the patch as a whole"
HISTOGRAM = dict.fromkeys(("sparseness", "complexity", "effective-features"), NOTHING)
ALWAYS = {"completeness": SUM, **HISTOGRAM}
NO_PICTURES = dict.fromkeys(
    (
        "insertion-minus-deletion-two-fills",
        "region-perturbation",
        "perturbation-score",
        "irof",
        "road",
        "sic",
        "aic",
        "total-variation",
    ),
    PICTURES,
)
CANNOT: dict[str, dict[str, str]] = {
    "linear": {**ALWAYS, **NO_PICTURES},
    "words": {**ALWAYS, **NO_PICTURES, "diff-id-of-rest": SINGLE, "information-conserving-ablation": FLOATS},
    "planted patch": ALWAYS,
}
"""Metrics that do not separate, by task, and why. One that does fails its test, so that the table stays true."""


def quick(metric: Metric) -> Metric:
    """Fidelity and infidelity from 40 draws; by default they take 100."""
    return replace(metric, draws=40) if any(f.name == "draws" for f in fields(metric)) else metric  # type: ignore[call-arg]


WEAK = {("planted patch", "infidelity"): NOISE}
"""Metrics that lean to the right side without being sure of it."""


@cache
def judged(task: str, metric: str) -> Bracket | gl.GradlineError:
    made = tasks.EVERY[task]()
    made = made.first(12) if task == "planted patch" else made
    try:
        return bracket(quick(fitting(made)[metric]), made, draws=2)
    except gl.GradlineError as error:
        return error


@pytest.mark.parametrize("metric", MAPS)
@pytest.mark.parametrize("task", CANNOT)
def test_metrics_tell_the_right_map_from_chance(task: str, metric: str) -> None:
    found, reason = judged(task, metric), CANNOT[task].get(metric)
    separates = isinstance(found, Bracket) and found.separates
    if (task, metric) in WEAK:
        assert isinstance(found, Bracket)
        assert 0.5 < found.separation < 0.95, f"{found!r}; WEAK says that it {WEAK[task, metric]}"
    elif reason is None:
        assert separates, repr(found)
    else:
        assert not separates, f"{found!r}; CANNOT says that it {reason}"
        assert isinstance(found, gl.GradlineError) == (reason in (PICTURES, FLOATS)), repr(found)


@pytest.mark.parametrize("task", CANNOT)
def test_the_tables_name_metrics_that_there_are(task: str) -> None:
    assert {*CANNOT[task], *(metric for _, metric in WEAK)} <= set(MAPS)


def test_two_networks_without_formula() -> None:
    """The house headline on the Clever Hans networks, both of them."""
    for task in (tasks.decoy(), tasks.without_decoy()):
        found = brackets([Insertion(), Deletion(), RelevanceMass()], task.first(10), draws=2)
        assert all(one.separates for one in found), found


# ---------------------------------------------------------------------------------------------------- the number


@dataclass(frozen=True)
class Blind(Metric):
    """The score at x, whatever the map."""

    name = "blind"
    higher_is_better = True
    range = ""
    cost = "1"

    def flow(self, subject: Subject) -> Flow:
        told = yield from subject.at_x()
        return Evaluation(self, told[subject.scales[0]])


@dataclass(frozen=True)
class Backwards(Deletion):
    """Deletion, read the wrong way."""

    name = "backwards"
    higher_is_better = True


def values(*rows: tuple[float, ...]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def test_wins_count_ties_half_and_leave_nan_out() -> None:
    """Right 3, 2, 1 against (1, 3), (2, 5), (nan, 0): shares (1 + ½)/2, (½ + 0)/2, 1; their mean is 2/3."""
    right, random = values((3, 2, 1))[0], values((1, 3), (2, 5), (math.nan, 0))
    found = Bracket(Insertion(), "by hand", right, random)
    assert found.wins.tolist() == [0.75, 0.25, 1.0]
    assert found.separation == pytest.approx(2 / 3)
    lower = Bracket(Deletion(), "by hand", right, random)
    assert lower.wins.tolist() == [0.25, 0.75, 0.0]


def test_wilsons_interval() -> None:
    """All of n: the lower end is n / (n + z²), with z = 1.96 and n = 10: 10 / 13.8415."""
    found = Bracket(Insertion(), "by hand", torch.ones(10).double(), torch.zeros(10, 2).double())
    assert found.interval == pytest.approx((10 / 13.8415, 1.0), abs=1e-4)
    assert found.separates
    few = Bracket(Insertion(), "by hand", torch.ones(3).double(), torch.zeros(3, 2).double())
    assert few.interval[0] == pytest.approx(3 / 6.8415, abs=1e-4)
    assert not few.separates


def test_the_signed_rank_test() -> None:
    """Five gains of different size, all of one sign: two of 2⁵ signs, p = 1/16. Nothing but ties: 1. No values: NaN."""
    gains = values((0.1, 0.2, 0.3, 0.4, 0.5))[0]
    zero = torch.zeros(5, 1).double()
    assert Bracket(Insertion(), "", gains, zero).p_value == pytest.approx(1 / 16)
    assert Bracket(Deletion(), "", gains, zero).p_value == pytest.approx(1 / 16)
    assert Bracket(Insertion(), "", zero[:, 0], zero).p_value == 1.0
    nothing = Bracket(Insertion(), "", zero[:, 0] * math.nan, zero)
    assert math.isnan(nothing.p_value)
    assert nothing.examples == 0
    assert not nothing.separates


def test_rounding_is_a_tie() -> None:
    found = Bracket(Insertion(), "", values((1.0, 0.0))[0], values((1 - 1e-12,), (-1e-16,)))
    assert found.wins.tolist() == [0.5, 0.5]


def test_a_metric_that_sees_nothing_and_one_that_is_upside_down() -> None:
    blind, backwards, right = brackets([Blind(), Backwards(), Deletion()], tasks.linear(), draws=2)
    assert blind.separation == 0.5
    assert not blind.separates
    assert torch.equal(backwards.oracle, right.oracle)
    assert backwards.wins.tolist() == (1 - right.wins).tolist()
    assert backwards.interval[1] < 0.5
    assert "of random maps beaten" in repr(right)


# ---------------------------------------------------------------------------------------------------- random maps


def test_values_move_with_all_that_is_in_one_place() -> None:
    """Two channels of 1 × 3 pixels: order (2, 0, 1) takes the last pixel's two values to the first place."""
    maps = torch.tensor([[[[1.0, 2.0, 3.0]], [[4.0, 5.0, 6.0]]]])
    order = torch.tensor([[2, 0, 1]])
    assert moved(maps, order).tolist() == [[[[3.0, 1.0, 2.0]], [[6.0, 4.0, 5.0]]]]
    words = maps[0].movedim(0, -1)  # (1, 3, 2): three positions of two values
    assert moved(words, order).tolist() == [[[3.0, 6.0], [1.0, 4.0], [2.0, 5.0]]]
    assert moved(maps[:, 0, 0], order).tolist() == [[3.0, 1.0, 2.0]]
    assert moved(maps, None) is maps


def test_places_are_drawn_for_each_example_and_draw() -> None:
    task = tasks.linear()
    first, second = places(task, 0), places(task, 1)
    assert first.sort(1).values.eq(torch.arange(12)).all()
    assert len({tuple(row) for row in torch.cat([first, second]).tolist()}) == 2 * len(task)
    assert torch.equal(first[:5], places(task.first(5), 0))
    assert not torch.equal(first, places(task, 0, seed=1))


def test_an_example_is_judged_as_if_it_were_alone() -> None:
    for task in (tasks.words(), tasks.decoy()):
        all_, few = bracket(Insertion(), task, draws=2), bracket(Insertion(), task.first(3), draws=2)
        assert torch.allclose(all_.oracle[:3], few.oracle, atol=1e-5)
        assert torch.allclose(all_.random[:3], few.random, atol=1e-5)


def test_several_metrics_are_one_each() -> None:
    task = tasks.gates()
    together = brackets([Insertion(), Deletion()], task, draws=2)
    for metric, found in zip((Insertion(), Deletion()), together, strict=True):
        alone = bracket(metric, task, draws=2)
        assert torch.equal(found.oracle, alone.oracle)
        assert torch.equal(found.random, alone.random)


def test_what_has_no_bracket_is_refused() -> None:
    with pytest.raises(gl.InputError, match="draws >= 1"):
        bracket(Insertion(), tasks.linear(), draws=0)
    explains = next(entry.name for entry in catalogue.entries() if "explainer" in entry.needs)
    with pytest.raises(gl.InputError, match="a metric that judges a map"):
        bracket(catalogue.by_name(explains), tasks.linear())
