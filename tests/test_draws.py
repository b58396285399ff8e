"""Several paths an example: one Latin hypercube of nodes, and the standard error of the mean map over the paths."""

import numpy as np
import pytest
import torch
from torch import Tensor

from gradline.core.adaptive import adaptive
from gradline.core.fixed import fixed
from gradline.core.flow import Outcome
from gradline.core.paths import Straight
from gradline.core.rules import ByOutputChange, GaussLegendre, Midpoint, MonteCarlo, Rule, Stratified
from gradline.testing import drive, frame
from gradline.testing.drive import OpenRoom

NAMES = ("a", "b", "c")


# ------------------------------------------------------------------------------------------- nodes over several draws


@pytest.mark.parametrize(("n", "draws"), [(1, 7), (2, 3), (5, 4), (8, 1), (50, 10)])
def test_every_stratum_is_hit_exactly_once(n: int, draws: int) -> None:
    """Of the n·K equal cells each holds one node of all draws, and of every draw's own n cells each holds one."""
    for seed in range(20):
        t = np.stack([Stratified().table(n, NAMES, seed, draw, draws)[0] for draw in range(draws)], 1)
        assert t.shape == (3, draws, n)
        every = np.sort(np.floor(t * n * draws).reshape(3, -1), axis=1)
        assert (every == np.arange(n * draws)).all()
        assert (np.floor(t * n) == np.arange(n)).all()
        assert (np.diff(t, axis=2) > 0).all()


def test_one_draw_is_what_it_always_was() -> None:
    t, w = Stratified().table(6, NAMES, 3)
    for row, name in enumerate(NAMES):
        assert (Stratified().table(6, (name,), 3, 0, 1)[0] == t[row]).all()
    assert t[0] == pytest.approx([0.08004, 0.26152, 0.45149, 0.59910, 0.82217, 0.85095], abs=1e-5)
    assert (w == 1 / 6).all()


def test_the_deal_hangs_on_seed_and_name() -> None:
    def deal(seed: int, name: str) -> bytes:
        t = [Stratified().table(3, (name,), seed, draw, 8)[0] for draw in range(8)]
        return np.floor(np.stack(t) * 24).tobytes()

    assert deal(0, "a") == deal(0, "a")
    assert len({deal(0, "a"), deal(1, "a"), deal(0, "b")}) == 3


@pytest.mark.parametrize("draw", [0, 3])
def test_every_draw_of_a_hypercube_is_unbiased_alone(draw: int) -> None:
    """∫ e^t dt = e − 1 and the length of t > 0.37 is 0.63, within 5 standard errors of the mean over 4000 seeds."""
    draws = [Stratified().table(2, ("a",), seed, draw, 5) for seed in range(4000)]
    for integrand, exact in ((np.exp, np.e - 1), (lambda t: t > 0.37, 0.63)):
        got = np.array([(w * integrand(t)).sum() for t, w in draws])
        assert abs(got.mean() - exact) <= 5 * got.std() / np.sqrt(len(got))


def test_the_mean_over_draws_is_unbiased_and_varies_as_if_all_nodes_were_stratified() -> None:
    """Mean of t over n·K nodes, one in each of n·K cells: 1/2, variance 1/(12 (nK)³), over 4000 seeds."""
    n, draws = 2, 4
    got = np.array(
        [np.mean([Stratified().table(n, ("a",), s, k, draws)[0] for k in range(draws)]) for s in range(4000)]
    )
    assert abs(got.mean() - 0.5) <= 5 * got.std() / np.sqrt(len(got))
    assert got.var() == pytest.approx(1 / (12 * (n * draws) ** 3), rel=0.15)


def test_expected_gradients_with_the_hypercube_are_unbiased_and_vary_less() -> None:
    """F = x³ from the starts 0 and 1/2, four paths of one node each: the exact map is the mean over 400 seeds."""
    x = torch.full((1, 1), 2.0, dtype=torch.float64)
    start = torch.tensor([0.0, 0.5] * 4, dtype=torch.float64).reshape(1, 8, 1)
    exact = 8 - 0.125 / 2
    found: dict[type[Rule], np.ndarray] = {}
    for rule in (Stratified, MonteCarlo):
        told = [drive(fixed(frame(cube, x, start, seed=s), Straight(), rule(), 1), cube, x) for s in range(400)]
        found[rule] = np.array([float(t.values) for t in told])
        assert abs(found[rule].mean() - exact) <= 5 * found[rule].std() / np.sqrt(400)
    assert found[Stratified].var() < found[MonteCarlo].var() / 5


# --------------------------------------------------------------------------------------------------- the standard error


def cube(x: Tensor) -> Tensor:
    return (x**3).sum(1, keepdim=True)


def wavy(x: Tensor) -> Tensor:
    return torch.sin(x * torch.arange(1, x.shape[1] + 1, dtype=x.dtype)).prod(1, keepdim=True) + cube(x)


def problem(draws: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(draws)
    x = torch.rand(3, 4, generator=rng, dtype=torch.float64)
    start = torch.rand(3, draws, 4, generator=rng, dtype=torch.float64) - 0.5
    return x.to(dtype), start.to(dtype)


def brute_force(outcome: Outcome, x: Tensor, start: Tensor) -> list[float]:
    """Standard error of the mean over the draws' maps, each summed anew from its nodes and weights, in float64."""
    found = []
    for x_e, start_e, traces in zip(x.double(), start.double(), outcome.trace, strict=True):
        maps = []
        for begin, trace in zip(start_e, traces, strict=True):
            points = (begin + torch.from_numpy(trace.t)[:, None] * (x_e - begin)).requires_grad_()
            (grad,) = torch.autograd.grad(wavy(points).sum(), points)
            maps.append((torch.from_numpy(trace.weight) @ grad * (x_e - begin)).numpy())
        found.append(float(np.linalg.norm(np.std(maps, axis=0, ddof=1)) / np.sqrt(len(maps))))
    return found


@pytest.mark.parametrize("draws", [2, 3, 10])
@pytest.mark.parametrize(("dtype", "rel"), [(torch.float64, 1e-10), (torch.float32, 1e-4)], ids=str)
def test_a_fixed_budget_says_the_standard_error_over_draws(draws: int, dtype: torch.dtype, rel: float) -> None:
    x, start = problem(draws, dtype)
    for rule in (GaussLegendre(), Stratified(), ByOutputChange()):
        outcome = drive(fixed(frame(wavy, x, start), Straight(), rule, 5), wavy, x).outcome
        assert outcome.spread == pytest.approx(brute_force(outcome, x, start), rel=rel)


@pytest.mark.parametrize("draws", [2, 3, 10])
@pytest.mark.parametrize(("dtype", "rel"), [(torch.float64, 1e-6), (torch.float32, 1e-3)], ids=str)
@pytest.mark.parametrize("tol", [0.5, 0.01, 0.001])
def test_the_controller_says_it_too(draws: int, dtype: torch.dtype, rel: float, tol: float) -> None:
    x, start = problem(draws, dtype)
    outcome = drive(adaptive(frame(wavy, x, start), Straight(), tol, 512), wavy, x).outcome
    assert outcome.spread == pytest.approx(brute_force(outcome, x, start), rel=rel)


def test_one_draw_has_no_spread() -> None:
    x, start = problem(1)
    for flow in (
        fixed(frame(wavy, x, start), Straight(), Midpoint(), 5),
        adaptive(frame(wavy, x, start), Straight(), 0.1, 512),
    ):
        spread = drive(flow, wavy, x).outcome.spread
        assert len(spread) == 3
        assert np.isnan(spread).all()


def test_equal_draws_do_not_spread() -> None:
    x, start = problem(1)
    start = start.expand(-1, 4, -1)
    told = drive(fixed(frame(wavy, x, start), Straight(), Midpoint(), 5), wavy, x)
    assert max(told.outcome.spread) <= 1e-15 * float(told.values.norm())
    told = drive(adaptive(frame(wavy, x, start), Straight(), 0.1, 512), wavy, x)
    assert max(told.outcome.spread) <= 1e-7 * float(told.values.norm())


@pytest.mark.parametrize("width", [1, 3, 4, 7, 10**6])
def test_the_spread_does_not_hang_on_the_chunks(width: int) -> None:
    x, start = problem(6)
    told = [
        drive(fixed(frame(wavy, x, start, room=OpenRoom(w)), Straight(), Midpoint(), 9), wavy, x).outcome.spread
        for w in (width, 64)
    ]
    assert told[0] == pytest.approx(told[1], rel=1e-12)


def test_the_standard_error_is_one() -> None:
    """F = x³ from starts drawn at random, one node each: the mean of SE² over 1500 seeds is the mean map's variance."""
    x = torch.full((1, 1), 2.0, dtype=torch.float64)
    squared, means = [], []
    for seed in range(400):
        start = torch.rand(1, 6, 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        told = drive(fixed(frame(cube, x, start, seed=seed), Straight(), MonteCarlo(), 1), cube, x)
        squared.append(told.outcome.spread[0] ** 2)
        means.append(float(told.values))
    error = np.std(squared) / np.sqrt(400) + np.var(means) * np.sqrt(2 / 1500)
    assert abs(np.mean(squared) - np.var(means)) <= 5 * error


def test_a_draw_that_is_not_finite_has_no_standard_error() -> None:
    x, start = problem(3)

    def model(z: Tensor) -> Tensor:
        return cube(z) * torch.where(z[:, :1] < -0.3, torch.inf, 1.0)

    start[1, 1, 0] = -0.5
    start[[0, 2], :, 0] = 0.1
    start[1, [0, 2], 0] = 0.1
    for flow in (
        fixed(frame(model, x, start), Straight(), Midpoint(), 9),
        adaptive(frame(model, x, start), Straight(), 0.1, 512),
    ):
        spread = drive(flow, model, x).outcome.spread
        assert np.isnan(spread).tolist() == [False, True, False]
