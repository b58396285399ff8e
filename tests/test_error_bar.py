"""The error bar against simulated paths, its formulas written out in loops, and fields where it is known on paper."""

import math

import numpy as np
import pytest
from numpy.polynomial import polynomial

from gradline.core import error_bar as bars
from gradline.core.error_bar import SAFETY, Array, error_bar
from gradline.core.seen import Seen

EPS = float(np.finfo(np.float64).eps)


def midpoints(n: int) -> Array:
    return (np.arange(n) + 0.5) / n


def refined(n: int, seed: int, splits: int = 4) -> Array:
    """Nodes as the controller makes them: midpoints, then some cells halved and an end gap cut at a third."""
    rng = np.random.default_rng(seed)
    t = midpoints(n)
    cells = rng.choice(n - 1, splits, replace=False)
    return np.sort(np.r_[t, (t[cells] + t[cells + 1]) / 2, t[0] / 3])


def look(t: Array, maps: Array, value: Array | None = None, ends: Array | None = None, eps: float = EPS) -> Seen:
    """What is seen of one path with node maps `(n, D)`; by default the score is what the trapezoid makes of them."""
    total = maps.sum(1)
    if value is None:
        inner = np.r_[0, np.cumsum(np.diff(t) * (total[1:] + total[:-1]) / 2)] + t[0] * total[0]
        value, ends = inner, np.array([0, inner[-1] + (1 - t[-1]) * total[-1]])
    assert ends is not None
    variation = np.abs(np.diff(maps, axis=0)).sum(1)
    calm = np.zeros((1, len(t)))
    return Seen(
        t[None], (maps @ maps.T)[None], value[None], total[None], variation[None], ends[None], eps, calm, calm, eps
    )


def walk(t: Array, dimensions: int, seed: int, substeps: int = 40) -> tuple[Array, Array]:
    """A Brownian path in many dimensions: its maps at the nodes, and its integral over [0, 1] on a fine grid."""
    rng = np.random.default_rng(seed)
    edges = np.r_[0, t, 1]
    fine = np.r_[np.linspace(edges[:-1], edges[1:], substeps, endpoint=False, axis=1).ravel(), 1]
    dt = np.diff(fine)
    path = np.cumsum(np.vstack([rng.standard_normal(dimensions), _jumps(rng, dt, dimensions)]), 0)
    integral = (path[1:] + path[:-1]).T @ dt / 2
    return path[substeps * np.arange(1, len(t) + 1)], integral


def _jumps(rng: np.random.Generator, dt: Array, dimensions: int) -> Array:
    return np.asarray(rng.standard_normal((len(dt), dimensions)) * np.sqrt(dt)[:, None])


# ------------------------------------------------------------------------------------------------------ rough paths


UNEVEN = np.array([0.1, 0.12, 0.3, 0.5, 0.85, 0.9, 0.97])


@pytest.mark.parametrize(("t", "seed"), [(midpoints(8), 0), (refined(8, 1), 1), (UNEVEN, 2)])
def test_on_a_brownian_path_the_squared_estimate_is_the_squared_error(t: Array, seed: int) -> None:
    """Of a walk with rate ρ the trapezoid misses ρ w³/12 in a cell and the constant rule ρ t³/3 in a gap."""
    maps, integral = walk(t, 20_000, seed)
    seen = look(t, maps)
    rough, bar = bars._rough(seen), error_bar(seen, 0.05)
    error = rough.weight[0] @ maps - integral
    assert rough.error[0] ** 2 == pytest.approx(error @ error, rel=0.05)
    assert bar.error[0] ** 2 == pytest.approx(error @ error, rel=0.05)
    due = 20_000 * np.r_[t[0] ** 3 / 3, np.diff(t) ** 3 / 12, (1 - t[-1]) ** 3 / 3]
    assert rough.cell[0] == pytest.approx(due, rel=0.05)
    assert (bar.weight == rough.weight).all()


@pytest.mark.parametrize("dimensions", [10, 30, 300])
def test_the_smooth_reading_is_never_taken_on_brownian_paths(dimensions: int) -> None:
    rng = np.random.default_rng(dimensions)
    for n in (8, 12, 24):
        for seed in range(60):
            t = midpoints(n) if seed % 2 else refined(n, seed)
            seen = look(t, np.cumsum(_jumps(rng, np.diff(t, prepend=0), dimensions), 0))
            rough = bars._rough(seen)
            assert bars._smooth(seen, rough.rate).error[0] > 0.5 * rough.error[0]
            assert (error_bar(seen, 0.05).weight == rough.weight).all()


@pytest.mark.parametrize("seed", range(4))
def test_the_rough_reading_is_the_one_of_the_specification(seed: int) -> None:
    """specs/error-bar.md in plain loops over nodes: weights, second differences, cells, coherent part."""
    rng = np.random.default_rng(seed)
    n = 9
    t, v = np.sort(rng.random(n)), rng.standard_normal((n, 7)) + np.linspace(0, 9 * (seed % 2), n)[:, None] ** 2
    w = [t[j + 1] - t[j] for j in range(n - 1)]
    weight = [
        t[0] + w[0] / 2 if k == 0 else 1 - t[-1] + w[-1] / 2 if k == n - 1 else (w[k - 1] + w[k]) / 2 for k in range(n)
    ]
    rate, residual = {}, {}
    for i in range(1, n - 1):
        a, b = t[i] - t[i - 1], t[i + 1] - t[i]
        residual[i] = v[i] - (b * v[i - 1] + a * v[i + 1]) / (a + b)
        rate[i] = float(residual[i] @ residual[i]) * (a + b) / (a * b)
    of_cell = [rate[1], *((rate[j] + rate[j + 1]) / 2 for j in range(1, n - 2)), rate[n - 2]]
    first = max(of_cell[0], float((v[0] - v[1]) @ (v[0] - v[1])) / w[0])
    last = max(of_cell[-1], float((v[-1] - v[-2]) @ (v[-1] - v[-2])) / w[-1])
    cell = [first * t[0] ** 3 / 3, *(of_cell[j] * w[j] ** 3 / 12 for j in range(n - 1)), last * (1 - t[-1]) ** 3 / 3]
    coherent = np.zeros(7)
    for i in range(1, n - 1):
        share = (w[i - 1] ** 3 / 12) * (1 if i == 1 else 0.5) + (w[i] ** 3 / 12) * (1 if i == n - 2 else 0.5)
        coherent += -2 / ((t[i] - t[i - 1]) * (t[i + 1] - t[i])) * share * residual[i]
    rough = bars._rough(look(t, v))
    assert rough.weight[0] == pytest.approx(weight)
    assert rough.rate[0, 1:-1] == pytest.approx([rate[i] for i in range(1, n - 1)])
    assert rough.cell[0] == pytest.approx(cell)
    assert rough.error[0] == pytest.approx(max(math.sqrt(sum(cell)), float(np.linalg.norm(coherent))))
    assert rough.weight.sum() == pytest.approx(1, abs=1e-14)


def test_the_coherent_part_is_exact_where_the_curvature_is_constant() -> None:
    """v = c (t − t²) in two dimensions has v'' = −2c: the trapezoid misses ‖v''‖ Σ w³/12, and nothing cancels."""
    c = np.array([3.0, -4.0])
    rng = np.random.default_rng(0)
    t = np.r_[1e-6, np.sort(rng.uniform(0.02, 0.98, 60)), 1 - 1e-6]
    rough = bars._rough(look(t, np.outer(t - t**2, c)))
    due = 10 * (np.diff(t) ** 3).sum() / 12
    assert np.sqrt(rough.cell.sum()) < due, "cells that were independent would miss less"
    assert rough.error[0] == pytest.approx(due, rel=1e-6)
    true = np.linalg.norm((rough.weight[0] @ (t - t**2) - 1 / 6) * c)
    assert true == pytest.approx(due, rel=1e-5)


# ------------------------------------------------------------------------------------------------------ smooth paths


def smooth_path(t: Array, degree: int, seed: int) -> tuple[Seen, Array, Array]:
    """Three features that are polynomials of this degree, and their score: what is seen, the maps, the integral."""
    coefficients = np.random.default_rng(seed).standard_normal((degree + 1, 3))
    running = polynomial.polyint(coefficients, axis=0)
    maps, ends = polynomial.polyval(t, coefficients).T, polynomial.polyval(np.array([0.0, 1.0]), running).T
    return look(t, maps, polynomial.polyval(t, running).sum(0), ends.sum(1)), maps, ends[1]


@pytest.mark.parametrize("t", [midpoints(8), refined(8, 3), refined(12, 4)])
def test_the_smooth_rule_is_exact_on_quintics_and_not_beyond(t: Array) -> None:
    for degree in range(6):
        seen, maps, integral = smooth_path(t, degree, degree)
        smooth = bars._smooth(seen, bars._rough(seen).rate)
        assert smooth.weight[0] @ maps == pytest.approx(integral, abs=1e-12)
        assert smooth.weight.sum() == pytest.approx(1, abs=1e-12)
        assert smooth.integral[0].sum() == pytest.approx(integral.sum(), abs=1e-12)
    seen, maps, integral = smooth_path(t, 6, 6)
    assert np.abs(bars._smooth(seen, bars._rough(seen).rate).weight[0] @ maps - integral).max() > 1e-9


@pytest.mark.parametrize("degree", [2, 3, 5])
def test_the_smooth_reading_is_taken_on_polynomials_and_bounds_their_error(degree: int) -> None:
    t = midpoints(12)
    seen, maps, integral = smooth_path(t, degree, degree)
    bar = error_bar(seen, 0.05)
    assert bar.error[0] < 0.5 * bars._rough(seen).error[0]
    assert np.linalg.norm(bar.weight[0] @ maps - integral) <= min(1e-12, bar.error[0])


def test_the_smooth_reading_is_taken_only_where_it_is_sharper() -> None:
    """From a cubic to a walk: with more and more noise the rough rule takes over, at half of its estimate."""
    t = midpoints(12)
    _, cubic, _ = smooth_path(t, 3, 0)
    noise = np.cumsum(_jumps(np.random.default_rng(1), np.full(12, 1 / 12), 3), 0)
    taken = []
    for size in np.geomspace(1e-4, 10, 40):
        seen = look(t, cubic + size * noise)
        rough = bars._rough(seen)
        smooth = bars._smooth(seen, rough.rate)
        chosen = smooth if smooth.error[0] < 0.5 * rough.error[0] else rough
        assert (error_bar(seen, 0.05).weight == chosen.weight).all()
        taken.append(chosen is smooth)
    assert taken == sorted(taken, reverse=True), "once rough, always rough"
    assert set(taken) == {True, False}


@pytest.mark.parametrize("sharpness", [1.0, 3.0, 6.0])
def test_smooth_errors_are_within_the_estimate(sharpness: float) -> None:
    """v = (sech² (s (t − ½)), its slope): integrals tanh(s/2)·2/s and zero."""
    exact = np.array([2 * math.tanh(sharpness / 2) / sharpness, 0.0])
    for n in (8, 16, 32):
        t = midpoints(n)
        rising = np.tanh(sharpness * (np.r_[0, t, 1] - 0.5))
        bump = 1 - rising**2
        maps = np.stack([bump, -2 * sharpness * bump * rising], 1)[1:-1]
        score = rising / sharpness + bump
        bar = error_bar(look(t, maps, score[1:-1], score[[0, -1]]), 0.05)
        assert np.linalg.norm(bar.weight[0] @ maps - exact) <= bar.factor[0] * bar.error[0]


# ------------------------------------------------------------------------------------------------- factor, guard, floor


def test_the_safety_factor_is_between_the_measured_one_and_that_of_a_single_kink() -> None:
    rng = np.random.default_rng(0)
    factor = bars._safety(rng.random((200, 30)) ** rng.integers(1, 60, (200, 1)))
    assert factor.min() >= SAFETY == 1.25
    assert factor.max() <= math.sqrt(3)
    assert bars._safety(np.eye(1, 9)) == pytest.approx(math.sqrt(3))
    assert bars._safety(np.ones((1, 4000))) == pytest.approx(1.25)
    assert bars._safety(np.zeros((1, 9))) == pytest.approx(1.25)


def test_the_safety_factor_falls_as_the_error_is_spread_over_more_cells() -> None:
    """K equal cells carry K/2.67 kinks: 1 + 2.24 √(2.67/K) under the root, until 1.25² is reached."""
    counts = [1, 4, 10, 20, 40, 100]
    factor = [float(bars._safety(np.ones((1, k)))[0]) for k in counts]
    due = [max(1.25, math.sqrt(min(3, 1 + 2.24 * math.sqrt(2.67 / k)))) for k in counts]
    assert factor == pytest.approx(due)
    assert factor == sorted(factor, reverse=True)


@pytest.mark.parametrize("cell", [0, 3, 8])
@pytest.mark.parametrize("tol", [0.01, 0.1])
def test_the_guard_flags_a_cell_whose_gap_is_more_than_tol_of_the_rise(cell: int, tol: float) -> None:
    """F = t with a step h in one cell rises by 1 + h: flagged if h > tol (1 + h), so from h = tol/(1 − tol) on."""
    t, maps = midpoints(8), np.full((8, 2), 0.5)
    assert not error_bar(look(t, maps), tol).jump.any()
    for share, flagged in ((0.98, set()), (1.02, {cell})):
        step = share * tol / (1 - tol)
        score = t + step * (np.arange(8) >= cell)
        bar = error_bar(look(t, maps, score, np.array([0, 1 + step])), tol)
        assert set(np.flatnonzero(bar.jump[0])) == flagged


def test_the_guard_measures_by_a_tenth_of_the_range_where_the_score_comes_back() -> None:
    """F climbs to 0.4375 and returns to zero: a step is flagged from tol · 0.04375 on, though F(x) = F(x')."""
    t, tol = midpoints(8), 0.05
    maps = np.where(np.arange(8) < 4, 1.0, -1.0)[:, None]
    still = look(t, maps)
    assert np.ptp(still.value) == pytest.approx(0.375)
    assert still.ends[0] == pytest.approx([0, 0])
    for share, flagged in ((0.98, set()), (1.02, {6})):
        step = share * tol * 0.1 * 0.4375
        score = still.value[0] + step * (np.arange(8) >= 6)
        bar = error_bar(look(t, maps, score, np.array([0, step])), tol)
        assert set(np.flatnonzero(bar.jump[0])) == flagged


def test_what_the_score_says_enters_the_estimate() -> None:
    """A step that no map shows is an error of its height; both go into the error and into the cell's."""
    t, maps = midpoints(8), np.ones((8, 1))
    score = t + 0.3 * (np.arange(8) >= 4)
    bar = error_bar(look(t, maps, score, np.array([0, 1.3])), 0.05)
    assert bar.error[0] == pytest.approx(0.3)
    assert bar.cell[0, 4] == pytest.approx(0.09)
    assert bar.cell[0].sum() == pytest.approx(0.09)


def test_a_change_of_many_features_at_once_counts_by_its_norm() -> None:
    """100 maps that double at t = 0.45: each misses 0.2375 − 0.1875: a gap of 5, an error of norm 0.5."""
    t = midpoints(8)
    maps = np.ones((8, 100)) * np.where(t > 0.45, 2.0, 1.0)[:, None]
    score = 100 * np.where(t > 0.45, 2 * t - 0.45, t)
    seen = look(t, maps, score, np.array([0, 155.0]))
    assert bars._gaps(seen, bars._rough(seen).integral)[0, 4] == pytest.approx(5)
    assert bars._focus(seen)[0, 4] == pytest.approx(0.1)
    bar = error_bar(seen, 0.05)
    assert np.linalg.norm(bar.weight[0] @ maps - 1.55) == pytest.approx(0.5)
    assert bar.error[0] >= 0.5 * (1 - 1e-12)


@pytest.mark.parametrize("eps", [EPS, float(np.finfo(np.float32).eps)])
def test_no_estimate_is_below_the_rounding_of_the_readings(eps: float) -> None:
    t = midpoints(8)
    bar = error_bar(look(t, np.ones((8, 4)) * [1, 2, 3, -4], eps=eps), 0.05)
    assert bar.error[0] >= eps * math.sqrt(30) * (1 - 1e-12)
    assert bar.error[0] <= 1e-7 * math.sqrt(30) if eps < 1e-10 else bar.error[0] <= 2 * eps * math.sqrt(30)


def test_gaps_within_the_rounding_of_the_score_are_none() -> None:
    """F near 1000 in float32 is known to 4 · 1.2e-7 · 1000 = 4.8e-4: a gap of 4e-4 says nothing, one of 6e-4 does."""
    eps = float(np.finfo(np.float32).eps)
    t, maps = midpoints(8), np.ones((8, 1))
    for height, seen_gap in ((4e-4, 0.0), (6e-4, 6e-4)):
        score = 1000 + t + height * (np.arange(8) >= 4)
        seen = look(t, maps, score, np.array([1000, 1001 + height]), eps)
        gap = bars._gaps(seen, bars._rough(seen).integral)[0]
        assert gap[4] == pytest.approx(seen_gap, rel=1e-3)
        assert not np.delete(gap, 4).any()


def test_a_path_of_zero_maps_has_no_error() -> None:
    bar = error_bar(look(midpoints(8), np.zeros((8, 3))), 0.05)
    assert not bar.error.any()
    assert not bar.cell.any()
    assert not bar.jump.any()
    assert not bar.norm.any()


def test_paths_are_judged_one_by_one() -> None:
    """Three paths at once, each with nodes of its own, have the bars that they have alone."""
    rng = np.random.default_rng(5)
    alone = []
    for k in range(3):
        t = np.sort(rng.random(10))
        alone.append(look(t, np.cumsum(rng.standard_normal((10, 6)), 0)) if k else smooth_path(t, 3, 0)[0])
    names = ("t", "gram", "value", "total", "variation", "ends")
    calm = np.zeros((3, 10))
    rows = (np.concatenate([getattr(s, name) for s in alone]) for name in names)
    together = error_bar(Seen(*rows, EPS, calm, calm, EPS), 0.05)
    for k, seen in enumerate(alone):
        bar = error_bar(seen, 0.05)
        for name in ("weight", "norm", "error", "factor", "cell", "jump"):
            assert getattr(together, name)[k] == pytest.approx(getattr(bar, name)[0], rel=1e-9, abs=1e-15)


def test_the_norm_is_that_of_the_map() -> None:
    t = refined(8, 0)
    maps = np.random.default_rng(0).standard_normal((len(t), 5))
    bar = error_bar(look(t, maps), 0.05)
    assert bar.norm[0] == pytest.approx(np.linalg.norm(bar.weight[0] @ maps))
