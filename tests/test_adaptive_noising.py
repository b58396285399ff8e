"""Adaptive noising: walks over σ on formulas, the search on networks, and Algorithm 1 as published, transcribed."""

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import gradline as gl
from gradline import search
from gradline.core import random
from gradline.search.walks import Ended, Plan, Walked, as_published, descend

W = torch.tensor([1.5, -2.0, 0.3])


def walk(
    how: Callable[..., Walked],
    f: Callable[[float], float],
    start: float,
    plan: Plan = Plan(),  # noqa: B008
) -> Walked:
    return how(lambda sigma: (f(sigma), sigma), start, plan)


# ------------------------------------------------------------------------------------------------------ walks


def test_the_way_to_a_known_minimum() -> None:
    """(σ − 0.7)² from 0.4 in steps of 0.1: up to 0.7, 0.8 is worse, 0.6 is known; then 0.09, 0.081 and 0.0729 to both
    sides are worse."""
    found = walk(descend, lambda s: (s - 0.7) ** 2, 0.4)
    assert found.sigmas == pytest.approx([0.4, 0.5, 0.6, 0.7, 0.8, 0.79, 0.61, 0.781, 0.619, 0.7729, 0.6271])
    assert (found.best, found.kept, found.ended) == (3, pytest.approx(0.7), Ended.NEARBY)


def test_a_minimum_between_two_steps_is_approached_with_shorter_ones() -> None:
    """(σ − 0.45)² from 0.4: 0.5 and 0.3 are not better; 0.4 + 0.9^k 0.1 is as soon as k = 1, and so on."""
    found = walk(descend, lambda s: (s - 0.45) ** 2, 0.4, Plan(stops=6))
    assert abs(found.kept - 0.45) < 0.02
    assert found.values[found.best] == min(found.values)


def test_an_objective_that_falls_for_ever_uses_all_rounds() -> None:
    found = walk(descend, lambda s: -s, 0.5, Plan(rounds=7))
    assert (found.kept, found.ended, len(found.sigmas)) == (pytest.approx(1.2), Ended.ROUNDS, 8)


def test_an_objective_that_rises_leads_towards_zero_and_never_there() -> None:
    """From 0.3 in steps of 0.1 to 0.1, where 0 is not asked for; then to 0.01 = 0.1 − 0.09."""
    asked = []
    found = walk(descend, lambda s: asked.append(s) or s, 0.3)  # type: ignore[func-returns-value]
    assert found.sigmas[:6] == pytest.approx([0.3, 0.4, 0.2, 0.1, 0.0, 0.19], abs=1e-12)
    assert found.values[4] == math.inf
    assert min(asked) > 1e-9
    assert 0 < found.kept < 0.02
    assert all(not math.isclose(a, b, rel_tol=1e-9) for a, b in pairwise(sorted(asked)))


@pytest.mark.parametrize("how", [descend, as_published])
@pytest.mark.parametrize("value", [3.0, math.nan, math.inf, -math.inf])
def test_a_constant_objective_leaves_sigma_where_it_began(how: Callable[..., Walked], value: float) -> None:
    """Also one that has nothing to judge; four rounds of two values in the search, which then ends."""
    found = walk(how, lambda s: value, 0.5)
    assert (found.best, found.kept) == (0, 0.5)
    assert len(found.sigmas) == (9 if how is descend else 21)
    assert set(found.values) == {3.0 if value == 3 else math.inf}


def test_what_cannot_be_judged_is_the_worst() -> None:
    """Nothing at the start: anything is better."""
    found = walk(descend, lambda s: math.nan if s < 0.55 else s, 0.5)
    assert found.kept == pytest.approx(0.6)
    assert walk(descend, lambda s: math.nan if s > 0.55 else -s, 0.5).kept == 0.5


def algorithm_1(
    f: Callable[[float], float], sigma: float, plan: Plan
) -> tuple[list[tuple[float, float]], float, float]:
    """The published search, line by line: every value that it asks for, and its best σ with that value."""
    asked: list[tuple[float, float]] = []

    def objective(s: float) -> float:
        asked.append((s, f(s)))
        return asked[-1][1]

    alpha, auc, s = plan.step, objective(sigma), 0
    best_sigma, best_auc = sigma, auc
    i = 1
    while i <= plan.rounds:
        new = objective(abs(sigma + alpha))
        if new > auc:
            sigma = abs(sigma - alpha)
            new = objective(sigma)
        else:
            sigma = abs(sigma + alpha)
        if new > auc:
            if s < plan.stops:
                alpha *= plan.decay
                s += 1
            else:
                break
        else:
            s = 0
            if new < best_auc:
                best_sigma, best_auc = sigma, new
        auc = new
        i += 1
    return asked, best_sigma, best_auc


@pytest.mark.parametrize("seed", range(12))
def test_the_published_walk_is_algorithm_1(seed: int) -> None:
    """On a rough function, with fresh chance at every value; twelve of them, some of which end early."""
    plan = Plan(step=0.13, decay=0.8, stops=seed % 4, rounds=15)

    def rough() -> Callable[[float], float]:
        chance = torch.Generator().manual_seed(seed)
        return lambda s: (s - 0.6) ** 2 + 0.1 * float(torch.rand((), generator=chance))

    asked, sigma, value = algorithm_1(rough(), 0.3, plan)
    found = walk(as_published, rough(), 0.3, plan)
    assert list(zip(found.sigmas, found.values, strict=True)) == asked
    assert (found.kept, found.values[found.best]) == (sigma, value)
    assert value == min(found.values)


def test_the_published_walk_moves_to_what_is_worse() -> None:
    """5, then 9 above and 8 below: on from 0.4 with a step of 0.09, where 9 is worse than 8 and 7 is not, and so on;
    none of them is below 5."""
    values = iter([5.0, 9.0, 8.0, 9.0, 7.0, 9.0, 6.0])
    found = walk(as_published, lambda s: next(values), 0.5, Plan(rounds=3))
    assert found.sigmas == pytest.approx([0.5, 0.6, 0.4, 0.49, 0.31, 0.4, 0.22])
    assert (found.best, found.kept, found.ended) == (0, 0.5, Ended.ROUNDS)


# ------------------------------------------------------------------------------------------------------ on networks


def linear(x: Tensor) -> Tensor:
    return x @ W.to(x)


def width(a: gl.Attribution) -> Tensor:
    """The σ of a map of `linear`, which is −σ n ⊙ w for the same n at all σ: by that of the map at σ = 1."""
    ones = gl.attribute(
        gl.Score(linear), torch.ones(1, 3), gl.methods.smooth_taylor(1.0, 5), names=a.names, seed=a.provenance["seed"]
    )
    found: Tensor = a.values.norm(dim=1).double() / ones.values.norm(dim=1).double()
    return found


def near(*wanted: float) -> Callable[[gl.Attribution], Tensor]:
    """(σ − wanted)², another one for each example "0", "1" …"""
    return lambda a: (width(a) - torch.tensor([wanted[int(n)] for n in a.names])) ** 2


def test_every_example_finds_its_own_sigma() -> None:
    """All maps of an example share their noise, so that the objective is a smooth function of σ."""
    x = torch.tensor([[0.5, -0.5, 0.5], [0.2, 0.2, -0.2], [1.0, 1.0, 1.0]])
    a = search.adaptive_noising(gl.Score(linear), x, near(0.7, 0.5, 0.2), roots=5)
    assert a.details["sigma"] == pytest.approx([0.7, 0.5, 0.2], abs=0.02)
    assert [t[0][0] for t in a.details["trace"]] == pytest.approx([0.5, 0.2, 1.0])
    for i in range(3):
        sigma, trace = a.details["sigma"][i], a.details["trace"][i]
        assert trace[a.details["best"][i]] == [sigma, a.details["objective"][i]]
        assert a.details["objective"][i] == min(value for _, value in trace)
        assert int(a.evaluations[i]) == 5 * len(trace)
        plain = gl.attribute(gl.Score(linear), x[i : i + 1], gl.methods.smooth_taylor(sigma, 5), names=[str(i)])
        assert torch.equal(a.values[i], plain.values[0])
        alone = search.adaptive_noising(gl.Score(linear), x[i : i + 1], near(0.7, 0.5, 0.2), roots=5, names=[str(i)])
        assert torch.equal(alone.values[0], a.values[i])
        assert alone.details["trace"][0] == trace
    assert a.details["ended"] == ["no better sigma nearby"] * 3
    assert a.completeness_gap is None
    assert a.names == ("0", "1", "2")
    assert a[1].details["sigma"] == a.details["sigma"][1:2]


def test_seeds_decide_and_nothing_else() -> None:
    x = torch.randn(2, 3, generator=torch.manual_seed(0))
    found = [
        search.adaptive_noising(gl.Score(linear), x, lambda a: a.values.sum(1), roots=4, rounds=4, seed=s)
        for s in (0, 0, 1)
    ]
    assert torch.equal(found[0].values, found[1].values)
    assert found[0].details == found[1].details
    assert not torch.isclose(found[0].values, found[2].values).any()
    assert found[2].provenance["seed"] == 1
    assert found[2].provenance["method_name"] == "adaptive-noising"


@pytest.mark.parametrize("published", [False, True])
def test_all_maps_share_their_chance_or_none_do(published: bool) -> None:
    seeds = []

    def objective(a: gl.Attribution) -> Tensor:
        seeds.append(a.provenance["seed"])
        found: Tensor = a.values.abs().sum(1)
        return found

    x = torch.ones(1, 3)
    a = search.adaptive_noising(gl.Score(linear), x, objective, roots=3, as_published=published, rounds=5, seed=6)
    assert len(seeds) == len(a.details["trace"][0])
    assert len(set(seeds)) == (len(seeds) if published else 1)
    assert published or seeds[0] == 6


def test_a_score_without_gradient_has_no_map_to_judge() -> None:
    """A zero map has no variation to measure, 0 / 0: it is never the better one, and nothing fails."""
    x = torch.rand(1, 1, 60, 60, generator=torch.manual_seed(0))
    score = gl.Score(lambda z: 0 * z.flatten(1).sum(1))
    for published in (False, True):
        objective = search.by_metric(gl.metrics.TotalVariation(), score, x)
        a = search.adaptive_noising(score, x, objective, roots=2, rounds=3, as_published=published)
        assert torch.equal(a.values, torch.zeros_like(x))
        assert a.status == (gl.Status.FLAT,)
        assert a.details["objective"] == [None]
        assert {value for _, value in a.details["trace"][0]} == {None}
        assert a.details["best"] == [0]


def test_several_inputs_layers_and_labels_are_cut_for_each_example(tmp_path: Path) -> None:
    x = {"a": torch.randn(3, 2, generator=torch.manual_seed(1)), "b": torch.randn(3, 4, generator=torch.manual_seed(2))}

    def model(a: Tensor, b: Tensor, scale: Tensor) -> Tensor:
        return torch.stack([(a**2).sum(1) * scale, (b**3).sum(1), a[:, 0] * b[:, 0]], 1)

    score = gl.Score(model, torch.tensor([0, 1, 2]), context={"scale": torch.tensor([1.0, 2.0, 3.0])})
    names = ["p", "q", "r"]
    a = search.adaptive_noising(score, x, lambda m: m.values["a"].sum(1), roots=3, rounds=2, names=names)
    assert {k: v.shape for k, v in a.values.items()} == {"a": (3, 2), "b": (3, 4)}
    assert torch.equal(a.values["b"][0], torch.zeros(4))
    assert torch.equal(a.values["a"][1], torch.zeros(2))
    path = a.save(tmp_path / "a.safetensors")
    assert gl.load(path).details == a.details
    layered = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    deep = gl.Score(layered, 1, site=gl.Layer("1"))
    b = search.adaptive_noising(deep, torch.randn(2, 3), lambda m: m.values.abs().sum(1), roots=3, rounds=2)
    assert b.values.shape == (2, 4)


def test_findings_of_single_examples_are_put_together() -> None:
    x = torch.tensor([[0.5], [0.1], [0.2]])
    a = search.adaptive_noising(gl.Score(lambda z: z[:, 0].log()), x, lambda m: m.values.sum(1), roots=30, rounds=1)
    assert a.status == (gl.Status.NONFINITE,) * 3
    (found,) = [f for f in a.findings if "root" in str(f)]
    assert found.examples in ((), (0, 1, 2))


# ------------------------------------------------------------------------------------------------------ as published


class Small(nn.Module):
    """A convolution and two classes, float64."""

    def __init__(self) -> None:
        super().__init__()
        source = torch.Generator().manual_seed(3)
        self.kernel = torch.randn(4, 1, 3, 3, generator=source).double()
        self.last = torch.randn(2, 4, generator=source).double()

    def forward(self, x: Tensor) -> Tensor:
        maps = torch.nn.functional.silu(torch.nn.functional.conv2d(x, self.kernel, padding=1))
        found: Tensor = (maps**2).mean((2, 3)) @ self.last.T
        return found


def plain_variation(heat: np.ndarray, least: int) -> float:
    """AUTVC as in the authors' code: a pyramid of the signed map, normalised at each level; Simpson over three."""
    from skimage.transform import pyramid_reduce

    told = []
    while min(heat.shape) >= least:
        size = np.abs(heat)
        size = np.clip((size - size.min()) / (np.percentile(size, 99) - size.min()), 0, 1)
        told.append((np.abs(np.diff(size, axis=0)).sum() + np.abs(np.diff(size, axis=1)).sum()) / size.size)
        heat = pyramid_reduce(heat, downscale=1.5, preserve_range=True)  # type: ignore[no-untyped-call]
    one, two, three = told
    return float((one + 4 * two + three) / 3)


def test_as_published_is_a_transcription_of_the_whole() -> None:
    """σ, values and the map of two examples, to 1e-6: maps by hand with fresh roots, AUTVC by scikit-image."""
    x = torch.randn(2, 1, 12, 12, generator=torch.manual_seed(4)).double()
    model, names, roots = Small(), ("first", "second"), 6
    score, plan = gl.Score(model, 1), Plan(step=0.2, rounds=6, stops=1)
    objective = search.by_metric(gl.metrics.TotalVariation(least=6), score, x, names=names)
    a = search.adaptive_noising(
        score, x, objective, roots=roots, step=0.2, rounds=6, stops=1, as_published=True, names=names, seed=2
    )
    for i, name in enumerate(names):
        maps: dict[float, Tensor] = {}

        def fresh(sigma: float, x: Tensor = x[i], name: str = name, maps: dict[float, Tensor] = maps) -> float:
            seed = random.generator(2, name, "adaptive noising", len(maps)).initial_seed()
            total = torch.zeros_like(x)
            for r in range(roots):
                source = random.generator(seed, name, "GaussianRoots", r)
                z = (x + sigma * torch.randn(x.shape, generator=source).double()).requires_grad_()
                (grad,) = torch.autograd.grad(model(z[None])[0, 1], z)
                total += (x - z.detach()) * grad / roots
            value = plain_variation(total[0].numpy(), 6)
            maps[value] = total
            return value

        asked, sigma, value = algorithm_1(fresh, float(x[i].abs().mean()), plan)
        trace = a.details["trace"][i]
        assert [s for s, _ in trace] == pytest.approx([s for s, _ in asked], rel=1e-6)
        assert [v for _, v in trace] == pytest.approx([v for _, v in asked], rel=1e-6)
        assert a.details["sigma"][i] == pytest.approx(sigma, rel=1e-6)
        assert a.details["objective"][i] == pytest.approx(value, rel=1e-6)
        torch.testing.assert_close(a.values[i], maps[value], rtol=1e-6, atol=1e-12)


def test_the_search_is_no_worse_than_any_sigma_that_it_met() -> None:
    """Corrected: the objective of the map that is returned, judged anew with the same seed, is the least of the trace,
    and that of the fixed sigma it began with is there too."""
    x = torch.randn(1, 1, 12, 12, generator=torch.manual_seed(5)).double()
    score, metric = gl.Score(Small(), 1), gl.metrics.TotalVariation(least=6)
    a = search.adaptive_noising(score, x, search.by_metric(metric, score, x), roots=6)
    again = gl.evaluate(metric, score, x, a)
    assert float(again.values) == a.details["objective"][0] == min(v for _, v in a.details["trace"][0])
    start = gl.attribute(score, x, gl.methods.smooth_taylor(float(x.abs().mean()), 6))
    assert float(gl.evaluate(metric, score, x, start).values) == pytest.approx(a.details["trace"][0][0][1], rel=1e-12)


# ------------------------------------------------------------------------------------------------------ objectives


def test_a_metric_is_made_small_with_its_sign_and_its_seed() -> None:
    x = torch.randn(2, 3, 20, 20, generator=torch.manual_seed(6))
    score = gl.Score(lambda z: torch.tanh(z.flatten(2).sum(2)), 0)
    pixels = gl.baselines.PixelSpace(black=(-1.0,) * 3, white=(1.0,) * 3)
    lower = gl.metrics.PerturbationScore(kernel=4, regions=4, fills=3)
    higher = gl.metrics.RelevanceMass()
    masks = (torch.rand(2, 20, 20, generator=torch.manual_seed(7)) > 0.5).float()
    a = gl.attribute(score, x, gl.methods.smooth_taylor(0.5, 4), seed=9, names=["p", "q"])
    b = a[1]
    options: dict[str, Any] = {"names": ["p", "q"], "pixels": pixels}
    aupc = search.by_metric(lower, score, x, **options)
    expected = gl.evaluate(lower, score, x, a, pixels=pixels, seed=9).values
    torch.testing.assert_close(aupc(a), expected)
    torch.testing.assert_close(aupc(b), expected[1:])
    assert not torch.allclose(expected, gl.evaluate(lower, score, x, a, pixels=pixels, seed=8).values)
    mass = search.by_metric(higher, score, x, masks=masks, **options)
    torch.testing.assert_close(mass(b), -gl.evaluate(higher, score, x, a, masks=masks).values[1:])


def test_an_objective_without_direction_or_of_other_examples_is_refused() -> None:
    x = torch.rand(1, 3)
    score = gl.Score(linear)
    with pytest.raises(gl.InputError, match="which way is better"):
        search.by_metric(gl.metrics.Sparseness(), score, x)
    with pytest.raises(gl.InputError, match="call it"):
        search.by_metric(gl.metrics.Sparseness, score, x)  # type: ignore[arg-type]
    objective = search.by_metric(gl.metrics.TotalVariation(), score, x)
    with pytest.raises(gl.InputError, match="same names="):
        search.adaptive_noising(score, x, objective, names=["other"], roots=2)


# ------------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"roots": 0}, "roots"),
        ({"sigma": 0.0}, "sigma > 0"),
        ({"sigma": -1.0}, "sigma > 0"),
        ({"step": 0.0}, "step > 0"),
        ({"step": math.nan}, "step > 0"),
        ({"step": math.inf}, "step > 0"),
        ({"decay": 0.0}, "decay > 0 and at most 1"),
        ({"decay": 1.1}, "decay > 0 and at most 1"),
        ({"stops": -1}, "stops"),
        ({"stops": 1.5}, "stops"),
        ({"rounds": 0}, "rounds"),
        ({"rounds": True}, "rounds"),
        ({"seed": 0.5}, "seed"),
        ({"names": ["a", "b"]}, "names"),
    ],
)
def test_wrong_numbers_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(gl.InputError, match=said):
        search.adaptive_noising(gl.Score(linear), torch.ones(1, 3), lambda a: a.values.sum(1), **options)


def test_objectives_that_are_none_are_refused() -> None:
    score, x = gl.Score(linear), torch.ones(2, 3)
    with pytest.raises(gl.InputError, match="objective as a function"):
        search.adaptive_noising(score, x, gl.metrics.Sparseness())  # type: ignore[arg-type]
    for wrong in (lambda a: 1.0, lambda a: a.values, lambda a: torch.zeros(2)):
        with pytest.raises(gl.InputError, match="a number for each example"):
            search.adaptive_noising(score, x, wrong, roots=2)  # type: ignore[arg-type]
    with pytest.raises(gl.InputError, match="one target"):
        search.adaptive_noising(gl.Score(nn.Linear(3, 2), [0, 1]), x, lambda a: a.values.sum(1))
    with pytest.raises(gl.InputError, match="a Score"):
        search.adaptive_noising(linear, x, lambda a: a.values.sum(1))  # type: ignore[arg-type]


def test_an_example_of_zeros_has_no_sigma_to_start_from() -> None:
    x = torch.tensor([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    with pytest.raises(gl.InputError, match=r"above 0.*pass sigma="):
        search.adaptive_noising(gl.Score(linear), x, lambda a: a.values.sum(1))
    a = search.adaptive_noising(gl.Score(linear), x, lambda a: a.values.sum(1), sigma=0.5, roots=2, rounds=1)
    assert [t[0][0] for t in a.details["trace"]] == [0.5, 0.5]


def test_names_of_the_package_are_loaded_when_used() -> None:
    assert search.adaptive_noising.__module__ == "gradline.search.noising"
    assert {"adaptive_noising", "by_metric", "ByMetric", "Objective"} <= set(dir(search))
    with pytest.raises(AttributeError):
        _ = search.nonsense  # type: ignore[attr-defined]
