"""Robustness: values on paper, Captum under the same draws, the shared maps, laws, and what has no value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
import torch
from captum.attr import IntegratedGradients
from captum.metrics import sensitivity_max
from torch import Tensor, nn

import gradline as gl
from gradline.core.random import generator
from gradline.engine.inquiry import inquire
from gradline.errors import InputError, TargetError
from gradline.evaluation.judge import evaluate, make_subject
from gradline.evaluation.run import run
from gradline.metrics.base import Evaluation, Metric
from gradline.metrics.robustness.stability import (
    Against,
    AverageSensitivity,
    Change,
    InputNoise,
    LocalLipschitz,
    MaxSensitivity,
    NormalNoise,
    RelativeStability,
    UniformNoise,
    UniformShare,
    split_ig_sensitivity,
)
from gradline.question.targets.scales import Scale

X = torch.tensor([[3.0, 4.0], [1.0, -2.0]], dtype=torch.float64)
ALL = (MaxSensitivity, AverageSensitivity, LocalLipschitz, RelativeStability)


def squares(x: Tensor) -> Tensor:
    """f(x) = Σ x², whose gradient is 2x and whose contributions from zero are x²."""
    return x.flatten(1).square().sum(1)


def gradient(score: gl.Score, x: Tensor) -> Tensor:
    return 2 * x


def network() -> nn.Module:
    torch.manual_seed(6)
    return nn.Sequential(nn.Linear(2, 7), nn.Tanh(), nn.Linear(7, 3)).double().requires_grad_(False)


def judge(
    metric: Metric,
    x: Tensor = X,
    maps: Tensor | None = None,
    explainer: Any = gradient,
    score: gl.Score | None = None,
    **more: Any,
) -> Evaluation:
    maps = 2 * x if maps is None else maps
    return evaluate(metric, score or gl.Score(squares), x, maps, explainer=explainer, **more)


@dataclass(frozen=True)
class Given(InputNoise):
    """(0.3, 0.4) or (−0.6, −0.8), as a coin falls: sizes 0.5 and 1."""

    def drawn(self, x: Tensor, source: torch.Generator) -> Tensor:
        heads = int(torch.randint(0, 2, (), generator=source))
        return torch.tensor([[0.3, 0.4], [-0.6, -0.8]], dtype=torch.float64)[heads]


def coins(name: str) -> list[int]:
    return [int(torch.randint(0, 2, (), generator=generator(0, name, "noisy copy", k))) for k in range(10)]


def test_by_hand() -> None:
    """The gradient of Σx² at x + e less that at x is 2e: sizes 1 and 2. Its own size at (3, 4) is 10, so the changes
    are 0.1 and 0.2, the Lipschitz quotient is 2 everywhere, and RIS (2‖e‖/2‖x‖) / (‖e‖/‖x‖) = 1.

    f moves by 2 x·e + ‖e‖²: 2 · 2.5 + .25 = 5.25 and −2 · 5 + 1 = −9: ROS .1/5.25 = .0190 and .2/9 = .0222.
    """
    fell = coins("0")
    assert set(fell) == {0, 1}
    sizes = [(0.1, 0.2)[one] for one in fell]
    x, noise = X[:1], Given()
    found = judge(MaxSensitivity(noise), x)
    assert found.values.item() == pytest.approx(0.2)
    assert found.parts["changes"][0].tolist() == pytest.approx(sizes)
    assert found.parts["absolute"][0].tolist() == pytest.approx([10 * s for s in sizes])
    assert judge(AverageSensitivity(noise), x).values.item() == pytest.approx(sum(sizes) / 10)
    lipschitz = judge(LocalLipschitz(noise), x)
    assert lipschitz.values.item() == pytest.approx(2.0)
    assert lipschitz.parts["relative"].item() == pytest.approx(0.2)
    assert judge(RelativeStability(noise), x).values.item() == pytest.approx(1.0)
    against_output = judge(RelativeStability(noise, against=Against.OUTPUT), x)
    assert against_output.values.item() == pytest.approx(0.2 / 9)
    assert against_output.parts["ratios"][0].tolist() == pytest.approx([(0.1 / 5.25, 0.2 / 9)[one] for one in fell])
    floored = judge(RelativeStability(noise, against=Against.OUTPUT, floor=6.0), x)
    assert floored.parts["floored"].item() == pytest.approx(fell.count(0) / 10)
    assert floored.parts["ratios"].min().item() == pytest.approx(0.1 / 6)


def test_element_wise_by_hand() -> None:
    """Contributions x² at (3, 4) with e = (.3, .4), a tenth: each changes by 1.1² − 1 = .21; with e = −(.6, .8), a
    fifth, by 1 − .8² = .36. Element-wise RIS = .21 √2 / (.1 √2) = 2.1 and .36/.2 = 1.8. A zero of the map counts as
    the floor: then it decides."""
    metric = RelativeStability(Given(), change=Change.ELEMENTWISE)
    found = judge(metric, X[:1], X[:1] ** 2, lambda score, x: x**2)
    assert found.values.item() == pytest.approx(2.1)
    assert set(found.parts["ratios"][0].round(decimals=9).tolist()) == {2.1, 1.8}
    zero = judge(metric, X[:1], torch.tensor([[0.0, 16.0]]), lambda score, x: x**2)
    assert zero.values.item() > 1e6


@pytest.mark.parametrize("noise", [UniformNoise(), NormalNoise(0.05), UniformNoise(0.4)])
def test_equals_captum(noise: InputNoise) -> None:
    """Captum's maximum over our noise, of its Integrated Gradients."""
    model, draws = network(), 7
    x = torch.randn(4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    captum = IntegratedGradients(model)

    def perturb(inputs: Any) -> Tensor:
        made = [
            one + noise.drawn(one, generator(0, str(i), "noisy copy", k)).to(one)
            for i, one in enumerate(x)
            for k in range(draws)
        ]
        return torch.stack(made)

    theirs = sensitivity_max(captum.attribute, x, perturb, n_perturb_samples=draws, target=1)
    maps = captum.attribute(x, target=1)
    found = judge(
        MaxSensitivity(noise, draws), x, maps, lambda score, y: captum.attribute(y, target=1), gl.Score(network(), 1)
    )
    torch.testing.assert_close(found.values, theirs, rtol=1e-5, atol=0)


def test_the_maximum_is_of_relative_changes() -> None:
    """Not divided by the norm again with every draw (a fault of the authors' code): more draws never lower it."""
    values = [judge(MaxSensitivity(draws=draws)).values for draws in (1, 3, 10, 30)]
    assert all((a <= b).all() for a, b in pairwise(values))


def test_all_share_the_maps_of_the_noisy_copies() -> None:
    """Five metrics, two methods, ten copies: 10 explanations a method, of the same copies; 10 scores for ROS and x."""
    seen: list[tuple[str, Tensor]] = []

    def explainer(name: str) -> Callable[[gl.Score, Tensor], Tensor]:
        def explain(score: gl.Score, x: Tensor) -> Tensor:
            seen.append((name, x))
            return 2 * x

        return explain

    metrics = [one() for one in ALL] + [RelativeStability(against=Against.OUTPUT)]
    with inquire(gl.Score(squares), X) as inquiry:
        memo: dict[Any, Any] = {}
        subjects = [
            make_subject(inquiry, X, 2 * X, number=k, explainer=explainer(name), memo=memo)
            for k, name in enumerate("ab")
        ]
        run([(metric, subject) for metric in metrics for subject in subjects], inquiry)
        assert inquiry.forwards.tolist() == [11, 11]
    assert [name for name, _ in seen] == ["a"] * 10 + ["b"] * 10
    for (_, one), (_, other) in zip(seen[:10], seen[10:], strict=True):
        assert torch.equal(one, other)
        assert ((one - X).abs() <= 0.02).all()
    assert len({float(x[0, 0]) for _, x in seen[:10]}) == 10


def test_the_target_stays_that_of_x() -> None:
    """The decision flips under the noise; the explainer is still asked for the class at x."""
    model = nn.Identity()
    x = torch.tensor([[0.011, 0.01]])
    classes: list[Any] = []

    def explain(score: gl.Score, y: Tensor) -> Tensor:
        maps = gl.attribute(score, y, steps=4).values
        classes.append((int(y.argmax()), int(maps.abs().argmax())))
        return maps

    evaluate(MaxSensitivity(), gl.Score(model), x, x.clone(), explainer=explain)
    assert {predicted for predicted, _ in classes} == {0, 1}
    assert {explained for _, explained in classes} == {0}


def test_a_method_explains() -> None:
    """Integrated Gradients of Σx² from zero are x²: the same number as by the formula."""
    by_method = judge(MaxSensitivity(), X, X**2, gl.methods.integrated_gradients(), steps=8)
    by_formula = judge(MaxSensitivity(), X, X**2, lambda score, x: x**2)
    torch.testing.assert_close(by_method.values, by_formula.values)


@pytest.mark.parametrize("metric", [one() for one in ALL] + [RelativeStability(against=Against.OUTPUT)])
def test_laws(metric: Metric) -> None:
    """Rows do not meet; numbers relative to the map do not know its scale; nothing of the caller's changes."""
    score = gl.Score(network(), 1)
    x, maps = X.clone(), torch.sin(X)
    state = torch.get_rng_state()
    both = judge(metric, x, maps, lambda s, y: torch.sin(y), score, names=("a", "b"))
    scaled = judge(metric, x, 50 * maps, lambda s, y: 50 * torch.sin(y), score, names=("a", "b"))
    factor = 50 if isinstance(metric, LocalLipschitz) else 1
    torch.testing.assert_close(factor * both.values, scaled.values)
    for i, name in enumerate("ab"):
        alone = judge(metric, x[i : i + 1], maps[i : i + 1], lambda s, y: torch.sin(y), score, names=(name,))
        torch.testing.assert_close(alone.values[0], both.values[i])
    assert torch.equal(x, X)
    assert torch.equal(maps, torch.sin(X))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("metric", [one() for one in ALL])
def test_a_map_that_ignores_the_example_does_not_move(metric: Metric) -> None:
    found = judge(metric, X, torch.ones_like(X), lambda score, x: torch.ones_like(x))
    assert found.values.tolist() == [0.0, 0.0]


def test_sizes_of_the_noise() -> None:
    """x = ±2 has deviation 2: a share of .05 is a radius of .1."""
    x = torch.tensor([2.0, -2.0]).repeat(5000)
    for noise, most in ((UniformNoise(0.3), 0.3), (UniformShare(0.05), 0.1)):
        drawn = noise.drawn(x, generator(0, "a", "n", 0))
        assert most * 0.99 < float(drawn.abs().max()) <= most * (1 + 1e-6)
        assert abs(float(drawn.mean())) < 0.03 * most
    assert float(NormalNoise(0.5).drawn(x, generator(0, "a", "n", 0)).std()) == pytest.approx(0.5, rel=0.03)
    assert split_ig_sensitivity() == MaxSensitivity(UniformNoise(0.05), 10)


def test_collapsed_maps_of_images() -> None:
    """Maps (N, H, W) of an explainer that makes such; not of one that makes others."""
    x = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    found = judge(MaxSensitivity(), x, x.sum(1), lambda score, y: y.sum(1))
    assert found.values.isfinite().all()
    with pytest.raises(InputError, match="whose maps are like"):
        judge(MaxSensitivity(), x, x.sum(1), lambda score, y: y)


def test_at_a_layer_inputs_get_the_noise() -> None:
    """Maps of a layer of 7 from noisy inputs of 2; scores of noisy inputs there are not to be had."""
    model = network()
    score = gl.Score(model, 1, site=gl.Layer("1"))
    hidden = model[1](model[0](X))

    def explain(s: gl.Score, y: Tensor) -> Tensor:
        assert y.shape == X.shape
        return model[1](model[0](y))

    assert judge(MaxSensitivity(), X, hidden, explain, score).values.isfinite().all()
    with pytest.raises(InputError, match="without a site"):
        judge(RelativeStability(against=Against.OUTPUT), X, hidden, explain, score)


def test_what_has_no_value_says_why() -> None:
    x = torch.cat([X, X + 5])
    maps = 2 * x
    maps[0], maps[1, 0] = 0, torch.nan

    def explain(score: gl.Score, y: Tensor) -> Tensor:
        found = 2 * y
        found[2, 0] = torch.nan
        return found

    for metric in (MaxSensitivity(), AverageSensitivity(), RelativeStability()):
        found = judge(metric, x, maps, explain)
        assert found.values.isnan().tolist() == [True, True, True, False]
        assert [note.partition(":")[0] for note in found.notes] == [
            "the map is zero",
            "the map is not finite",
            "the map of a noisy copy is not finite",
            "",
        ]
    lipschitz = judge(LocalLipschitz(), x, maps, explain)
    assert lipschitz.values.isnan().tolist() == [False, True, True, False]
    still = judge(LocalLipschitz(UniformShare()), torch.ones(1, 2))
    assert still.notes == ("the noise leaves the example as it is",)
    black = judge(RelativeStability(), torch.zeros(1, 2), torch.ones(1, 2))
    assert "the example is zero" in black.notes[0]
    broken = judge(
        RelativeStability(against=Against.OUTPUT), X, 2 * X, score=gl.Score(lambda y: y.sum(1) / (y[:, 0] > 3))
    )
    assert all("score is not finite" in note for note in broken.notes)


def test_ros_reads_other_scales() -> None:
    """|Δp| in place of |Δlogit|."""
    model = network()
    found = judge(
        RelativeStability(against=Against.OUTPUT, scale=Scale.PROBABILITY, draws=3), X, score=gl.Score(model, 1)
    )
    for i in range(2):
        ratios = []
        for k in range(3):
            moved = X[i] + UniformNoise().drawn(X[i], generator(0, str(i), "noisy copy", k))
            p, q = (model(one[None]).softmax(1)[0, 1] for one in (X[i], moved))
            ratios.append(float((moved - X[i]).norm() / X[i].norm() / (p - q).abs()))
        assert found.values[i].item() == pytest.approx(max(ratios), rel=1e-9)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (lambda: MaxSensitivity(draws=0), InputError),
        (lambda: MaxSensitivity(0.02), InputError),  # type: ignore[arg-type]
        (lambda: UniformNoise(0), InputError),
        (lambda: RelativeStability(floor=0), InputError),
        (lambda: RelativeStability(against="input"), InputError),  # type: ignore[arg-type]
        (lambda: judge(MaxSensitivity(), explainer=None), InputError),
        (lambda: evaluate(MaxSensitivity(), gl.Score(lambda a: a.sum(1)), (X,), (X,), explainer=gradient), InputError),
        (
            lambda: judge(
                RelativeStability(against=Against.OUTPUT, scale=Scale.LOGIT),
                score=gl.Score(network(), lambda y: y.sum(1)),
            ),
            TargetError,
        ),
    ],
)
def test_wrong_calls(wrong: Callable[[], object], error: type[Exception]) -> None:
    with pytest.raises(error):
        wrong()
