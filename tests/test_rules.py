"""Quadrature rules: weights, nodes, degrees of exactness, chance."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

import gradline as gl
from gradline.core.rules import (
    RULES,
    ByOutputChange,
    GaussLegendre,
    LeftRiemann,
    Midpoint,
    MonteCarlo,
    RightRiemann,
    Rule,
    Simpson,
    Stratified,
    Trapezoid,
)
from gradline.testing import rule_laws

DEGREE: dict[type[Rule], Callable[[int], int]] = {
    GaussLegendre: lambda n: 2 * n - 1,
    Midpoint: lambda n: 1,
    LeftRiemann: lambda n: 0,
    RightRiemann: lambda n: 0,
    Trapezoid: lambda n: 1,
    Simpson: lambda n: 3,
    ByOutputChange: lambda n: 1,
}
COUNTS = {Trapezoid: (2, 3, 8, 50), Simpson: (3, 5, 9, 51)}
RANDOM = (MonteCarlo, Stratified)
CASES = [(rule, n) for rule in DEGREE for n in COUNTS.get(rule, (1, 2, 3, 8, 50))]


def every(cases: list[tuple[type[Rule], int]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("rule", "n"), cases, ids=[f"{rule.__name__}-{n}" for rule, n in cases])


def test_every_rule_has_a_known_degree_or_is_random() -> None:
    assert set(RULES) == set(DEGREE) | set(RANDOM)


@every([*CASES, *((rule, n) for rule in RANDOM for n in (1, 2, 8, 50))])
def test_nodes_ascend_and_weights_sum_to_one(rule: type[Rule], n: int) -> None:
    rule_laws.weights_sum_to_one(rule(), n)


@every(CASES)
def test_exact_to_the_degree_and_not_beyond(rule: type[Rule], n: int) -> None:
    rule_laws.exact_to_degree(rule(), n, DEGREE[rule](n))


@every([(rule, n) for rule, n in CASES if n <= 9 and DEGREE[rule](n) <= 5])
@pytest.mark.parametrize("baseline", [0.0, 0.2])
def test_powers_of_the_input_are_exact_to_one_power_more_and_not_beyond(
    rule: type[Rule], n: int, baseline: float
) -> None:
    """F = x_1 + x_2² + … + x_m^m, whose map from b is x_i^i − b^i: the gradient of x^p has degree p − 1 on the line."""
    best = DEGREE[rule](n) + 1
    powers = torch.arange(1, best + 2, dtype=torch.float64)
    x = torch.full((1, len(powers)), 1.3, dtype=torch.float64)
    a = gl.explain(lambda z: (z**powers).sum(1, keepdim=True), x, 0, steps=n, rule=rule, baseline=baseline)
    exact = x**powers - baseline**powers
    error = ((a.values - exact) / exact).abs()[0]
    assert error[:best].max() <= 1e-12
    assert error[best] > 1e-6
    assert int(a.evaluations[0]) == n


def test_the_end_points_are_read_where_the_rule_says() -> None:
    table = {rule: rule().table(3, ("only",), 0)[0][0].tolist() for rule in DEGREE}
    assert table[LeftRiemann] == [0, 1 / 3, 2 / 3]
    assert table[RightRiemann] == [1 / 3, 2 / 3, 1]
    assert table[Midpoint] == [1 / 6, 1 / 2, 5 / 6]
    assert table[Trapezoid] == table[Simpson] == [0, 1 / 2, 1]
    assert table[GaussLegendre] == pytest.approx([(1 - 0.6**0.5) / 2, 1 / 2, (1 + 0.6**0.5) / 2], abs=1e-15)


@pytest.mark.parametrize("rule", RANDOM)
def test_random_rules_are_unbiased(rule: type[Rule]) -> None:
    """∫ e^t dt = e − 1 and the length of t > 0.37 is 0.63, within 5 standard errors of the mean over 4000 seeds."""
    draws = [rule().table(5, ("a",), seed) for seed in range(4000)]
    for integrand, exact in ((np.exp, np.e - 1), (lambda t: t > 0.37, 0.63)):
        got = np.array([(w * integrand(t)).sum() for t, w in draws])
        assert abs(got.mean() - exact) <= 5 * got.std() / np.sqrt(len(got))


def test_stratified_varies_less_than_monte_carlo_by_the_square_of_n() -> None:
    """Variance of the mean of n values of t: 1/(12 n) for independent ones, 1/(12 n³) for one in each cell."""
    for rule, exact in ((MonteCarlo, 1 / 96), (Stratified, 1 / (12 * 512))):
        got = np.var([rule().table(8, ("a",), seed)[0].mean() for seed in range(4000)])
        assert got == pytest.approx(exact, rel=0.15)


def test_stratified_has_one_node_in_every_cell() -> None:
    t, _ = Stratified().table(7, ("a", "b", "c"), 0)
    assert (np.floor(t * 7) == np.arange(7)).all()


@pytest.mark.parametrize("rule", RANDOM)
def test_random_nodes_hang_on_seed_name_and_draw_alone(rule: type[Rule]) -> None:
    alone = rule().table(6, ("b",), 3)[0][0]
    batch = rule().table(6, ("a", "b", "c"), 3)[0]
    assert (batch[1] == alone).all()
    others = [batch[0], batch[2], rule().table(6, ("b",), 4)[0][0], rule().table(6, ("b",), 3, draw=1)[0][0]]
    assert all((other != alone).all() for other in others)


def test_rules_do_not_share_their_random_numbers() -> None:
    uniform = np.sort(Stratified().table(6, ("a",), 0)[0][0] * 6 - np.arange(6))
    assert not np.allclose(uniform, MonteCarlo().table(6, ("a",), 0)[0][0])


@every([(rule, 0) for rule in RULES] + [(Trapezoid, 1), (Simpson, 1), (Simpson, 2), (Simpson, 4), (Simpson, 50)])
def test_a_count_that_does_not_fit_is_refused(rule: type[Rule], n: int) -> None:
    with pytest.raises(gl.InputError, match=rf"{rule.__name__}.*got steps={n}"):
        rule().table(n, ("only",), 0)


@every([(Trapezoid, 1), (Simpson, 2), (Simpson, 50)])
def test_a_count_that_does_not_fit_is_refused_before_the_model_is_asked(rule: type[Rule], n: int) -> None:
    def model(x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("asked")

    with pytest.raises(gl.InputError, match=f"steps={n}"):
        gl.explain(model, torch.ones(1, 2), 0, steps=n, rule=rule)


def test_an_even_count_for_simpson_names_the_next_odd_one() -> None:
    with pytest.raises(gl.InputError, match="use steps=51"):
        Simpson().check(50)
