"""Every axiom catches one that breaks it, and the counterexample is one by a check of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from audit_cases import VIOLATORS, Violator
from torch import Tensor

import gradline as gl
from gradline.sanity.axioms.auditing import AXIOMS, audit
from gradline.sanity.axioms.explainers import Explainer
from gradline.sanity.axioms.trials import Setting
from gradline.sanity.axioms.verdicts import Answer, Counterexample

ASKED: dict[str, Violator] = VIOLATORS


def maps(violator: Violator, example: Counterexample, which: int = 0) -> Tensor:
    """Of the counterexample, asked once more."""
    model, x, starts = example.models[which], example.x, example.baselines
    if isinstance(violator, gl.Method):
        return gl.attribute(gl.Score(model), x, violator).values
    if isinstance(violator, Explainer):
        if len(starts) > 1:
            assert violator.over is not None
            return violator.over(model, x, starts)
        return violator.one(model, x, starts)
    return torch.stack([violator(model, x, start[None]) for start in starts]).mean(0)


def rise(example: Counterexample) -> float:
    model = example.models[0]
    return float((model(example.x) - model(example.baselines).mean()).detach())


def completeness(found: Tensor, example: Counterexample) -> bool:
    return abs(float(found.sum()) - rise(example)) > 1e-3


def sensitivity(found: Tensor, example: Counterexample) -> bool:
    moved = (example.x != example.baselines).any(0)
    return int(moved.sum()) == 1 and abs(rise(example)) > 1e-3 and float(found[0, moved].abs()) < 1e-9


def dummy(found: Tensor, example: Counterexample) -> bool:
    """Of one feature the score does not depend at all, and it gets something."""
    points = torch.randn(50, example.x.shape[1], generator=torch.Generator().manual_seed(0)).double()
    point = points.requires_grad_(True)
    (grad,) = torch.autograd.grad(example.models[0](point).sum(), point)
    unread = (grad == 0).all(0)
    return bool(unread.any()) and bool((found[0, unread].abs() > 1e-3).any())


def symmetry(found: Tensor, example: Counterexample) -> bool:
    """Two features may change places in the score, in x and among the baselines, and get different values."""
    count = example.x.shape[1]
    points = torch.randn(50, count, generator=torch.Generator().manual_seed(0)).double()
    for i in range(count):
        for j in range(i):
            order = list(range(count))
            order[i], order[j] = j, i
            model = example.models[0]
            same = torch.allclose(model(points), model(points[:, order]))
            same &= bool(example.x[0, i] == example.x[0, j])
            same &= sorted(example.baselines.tolist()) == sorted(example.baselines[:, order].tolist())
            if same and abs(float(found[0, i] - found[0, j])) > 1e-3:
                return True
    return False


def proportionality(found: Tensor, example: Counterexample) -> bool:
    due = example.x / example.x.sum() * rise(example)
    return float((found - due).abs().max()) > 1e-3 and bool((example.baselines == 0).all())


def positivity(found: Tensor, example: Counterexample) -> bool:
    """Nowhere in the box does a move towards x lower the score, and a value is negative."""
    x, starts = example.x, example.baselines
    share = torch.rand(200, 1, x.shape[1], generator=torch.Generator().manual_seed(0)).double()
    low, high = torch.cat([x, starts]).amin(0), torch.cat([x, starts]).amax(0)
    points = (low + share * (high - low)).flatten(0, 1).requires_grad_(True)
    (grad,) = torch.autograd.grad(example.models[0](points).sum(), points)
    rising = all(bool((grad * (x[0] - start) >= -1e-12).all()) for start in starts)
    return rising and float(found.min()) < -1e-3


RECOMPUTED: dict[str, Callable[[Tensor, Counterexample], bool]] = {
    "completeness": completeness,
    "sensitivity": sensitivity,
    "dummy": dummy,
    "symmetry": symmetry,
    "proportionality": proportionality,
    "non-decreasing-positivity": positivity,
}


@pytest.mark.parametrize("axiom", [a.name for a in AXIOMS])
def test_every_axiom_catches_one_that_breaks_it(axiom: str) -> None:
    violator = ASKED[axiom]
    verdict = audit(violator, axioms=[axiom], tol=1e-2, networks=False)[axiom]
    assert verdict.answer is Answer.VIOLATED
    example = verdict.counterexample
    assert example is not None
    assert example.x.shape[0] == 1
    assert example.x.shape[1] <= 2
    assert len(example.baselines) == (2 if axiom.startswith("distributional") else 1)
    assert example.deviation > 1e-2
    recompute = RECOMPUTED.get(axiom.removeprefix("distributional-"))
    if recompute is not None:
        assert recompute(maps(violator, example), example), str(example)


def test_a_positive_map_needs_more_than_completeness_linearity_and_dummy() -> None:
    """2 A^γ1 − A^γ2 of x1 x2 from (0, 0) to (1, 1) is (−1, 2), and x1 x2 falls nowhere between."""
    violator = VIOLATORS["non-decreasing-positivity"]
    names = ["completeness", "linearity", "dummy", "implementation-invariance", "non-decreasing-positivity"]
    found = audit(violator, axioms=names, tol=1e-2, networks=False)
    assert [v.axiom for v in found.violated] == ["non-decreasing-positivity"], repr(found)
    example = found["non-decreasing-positivity"].counterexample
    assert example is not None
    assert "x1·x2" in example.words


def test_a_rule_about_modules_is_caught_by_writing_the_formula_with_and_without_them() -> None:
    found = audit(VIOLATORS["implementation-invariance"], axioms=["implementation-invariance"], networks=False)
    example = found["implementation-invariance"].counterexample
    assert example is not None
    assert "as a formula, G the same as layers" in example.words
    assert "relu" in example.words


def test_networks_with_weights_are_asked_too() -> None:
    """A rule that breaks down on more than three features is right about every formula."""

    def few(model: torch.nn.Module, x: Tensor, baseline: Tensor) -> Tensor:
        made = VIOLATORS["dummy"](model, x, baseline)  # type: ignore[operator]
        t = (torch.arange(1024, dtype=torch.float64) + 0.5)[:, None, None] / 1024
        points = (baseline + t * (x - baseline)).flatten(0, 1).requires_grad_(True)
        (grad,) = torch.autograd.grad(model(points).sum(), points)
        right: Tensor = (x - baseline) * grad.reshape(-1, *x.shape).mean(0)
        return made if x.shape[1] > 3 else right

    alone = audit(few, axioms=["dummy"], tol=1e-2, networks=False)
    assert alone.holds("dummy")
    assert alone["dummy"].cases == 36
    found = audit(few, axioms=["dummy"], tol=1e-2)
    example = found["dummy"].counterexample
    assert example is not None
    assert example.words.startswith("F = a network 4–8–8–1 of ")


@pytest.mark.parametrize("axiom", AXIOMS, ids=lambda a: a.name)
@pytest.mark.parametrize("from_zero", [False, True])
def test_trials_fulfil_the_hypothesis_and_come_again(axiom: object, from_zero: bool) -> None:
    setting = Setting(from_zero, draws=2 if axiom.over_baselines and not from_zero else 1)  # type: ignore[attr-defined]
    for network, count in ((False, 12), (True, 2)):
        for place in range(count):
            one, other = (axiom.trial(place, setting, 3, network=network) for _ in range(2))  # type: ignore[attr-defined]
            assert one is not None
            assert one.x.equal(other.x)
            assert one.starts.equal(other.starts)
            assert axiom.is_posed(one)  # type: ignore[attr-defined]
            assert one.x.dtype == torch.float64
            assert not from_zero or bool((one.starts == 0).all())
            assert axiom.words(one)  # type: ignore[attr-defined]
