"""Tasks that need no training: scores by a formula, with Integrated Gradients derived on paper.

Gates, pertinent negatives, shattered gradients, uncertainty: kinds of behaviour collected in XAI-Units (Lee et al.,
2025); formulas and numbers are our own. All in float64, 24 examples each, whose score is above that of the baseline, so
that removing what the map calls evidence lowers it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from gradline.core import random
from gradline.core.baselines import Given, Zero
from gradline.question.score import Score
from gradline.question.targets import Logit, Probability
from gradline.sanity.tasks.base import Rule, Task

EXAMPLES = 24

_W = torch.tensor([3.0, -2.5, 2.0, -1.5, 1.0, -0.8, 0.6, -0.4, 0.0, 0.0, 0.0, 0.0], dtype=torch.float64)


@cache
def linear() -> Task:
    """`F = w·x` of 12 features, four of them without weight: `A = w ∘ x` from zero, the last four exactly 0.

    x is turned about where `w·x < 0`, so that F > 0.
    """
    x = _normal("linear", 12)
    x = torch.where(((x * _W).sum(1, keepdim=True)) < 0, -x, x)
    return _task("linear", lambda x: (x * _W).sum(1, keepdim=True), x, lambda x: x * _W)


@cache
def gates() -> Task:
    """Three ANDs `max(0, u + v − 1)` and three ORs `1 − max(0, 1 − u − v)` of two bits each, with weights 1, 2, 3.

    From zero an AND of (1, 1) is open for t > ½ and gives each half of its weight, of (1, 0) nothing; an OR of (1, 1)
    is open for t < ½, half each again, and of (1, 0) gives all to the one. Each bit is set with probability 0.7.
    """
    weight = torch.tensor([1.0, 2.0, 3.0, 1.0, 2.0, 3.0], dtype=torch.float64)
    either = torch.tensor([False] * 3 + [True] * 3)

    def score(x: Tensor) -> Tensor:
        total = x.reshape(-1, 6, 2).sum(2)
        gate = torch.where(either, 1 - torch.relu(1 - total), torch.relu(total - 1))
        return (gate * weight).sum(1, keepdim=True)

    def rule(x: Tensor) -> Tensor:
        pair = x.reshape(-1, 6, 2)
        total = pair.sum(2, keepdim=True)
        open_ = torch.where(either[:, None], torch.clamp(total, max=1), torch.clamp(total - 1, min=0))
        shares = pair / total.clamp(min=1)
        return (shares * open_ * weight[:, None]).flatten(1)

    bits = (_uniform("gates", 12) < 0.7).double()
    bits[:, -1] = 1.0  # every example has some evidence
    return _task("gates", score, bits, rule)


@cache
def pertinent_negatives() -> Task:
    """`F = Σ_i w_i x_i + Σ_j v_j (1 − x_j)` over bits: that x_j is absent speaks for the class.

    From the baseline (0, …, 0, 1, …, 1) `A_i = w_i x_i` and `A_j = v_j (1 − x_j)`. Maps that multiply by x say 0 there,
    and metrics that remove by writing zero cannot remove what is absent.
    """
    w = torch.tensor([2.0, 1.5, 1.0, 0.5, 0.0, 0.0], dtype=torch.float64)
    v = torch.tensor([2.5, 1.5, 1.0, 0.0, 0.0, 0.0], dtype=torch.float64)

    def score(x: Tensor) -> Tensor:
        return (x[:, :6] * w).sum(1, keepdim=True) + ((1 - x[:, 6:]) * v).sum(1, keepdim=True)

    def rule(x: Tensor) -> Tensor:
        return torch.cat([x[:, :6] * w, (1 - x[:, 6:]) * v], 1)

    bits = (_uniform("pertinent negatives", 12) < 0.5).double()
    bits[:, 0], bits[:, 6] = 1.0, 0.0
    baseline = torch.cat([torch.zeros(1, 6), torch.ones(1, 6)], 1).double()
    return _task("pertinent negatives", score, bits, rule, baseline)


@cache
def shattered() -> Task:
    """`F = Σ_i w_i (x_i + sin(40 x_i)/8)`: gradients from −4 w to 6 w that say nothing, below a plain slope.

    Separable, so that from zero `A_i = w_i (x_i + sin(40 x_i)/8)`.
    """

    def rule(x: Tensor) -> Tensor:
        return _W * (x + torch.sin(40 * x) / 8)

    x = _normal("shattered", 12)
    x = torch.where(rule(x).sum(1, keepdim=True) < 0, -x, x)
    return _task("shattered", lambda x: rule(x).sum(1, keepdim=True), x, rule)


@cache
def saturated() -> Task:
    """`F = Σ_i w_i min(x_i, 1)`, w ≥ 0, x uniform in (0, 3): `A_i = w_i min(x_i, 1)`; most gradients at x are 0."""
    w = _W.clamp(min=0)

    def rule(x: Tensor) -> Tensor:
        return w * x.clamp(max=1)

    return _task("saturated", lambda x: rule(x).sum(1, keepdim=True), 3 * _uniform("saturated", 12), rule)


@cache
def interaction() -> Task:
    """`F = 2 x_1² x_2 + x_3 x_4 + ½ x_5 x_6 x_7` and five dummies: (⅔, ⅓) of the first product, then ½ and ⅓ each.

    Along the line from zero `∂_1 = 4 x_1 x_2 t²`, whose integral times x_1 is `4/3 x_1² x_2`. Features x_3 and x_4 are
    symmetric. x uniform in (½, 3/2).
    """

    def terms(x: Tensor) -> Tensor:
        return torch.stack([2 * x[:, 0] ** 2 * x[:, 1], x[:, 2] * x[:, 3], 0.5 * x[:, 4] * x[:, 5] * x[:, 6]], 1)

    def rule(x: Tensor) -> Tensor:
        share = torch.zeros(3, 12, dtype=x.dtype)
        share[0, 0], share[0, 1], share[1, 2:4], share[2, 4:7] = 2 / 3, 1 / 3, 1 / 2, 1 / 3
        return terms(x) @ share

    x = 0.5 + _uniform("interaction", 12)
    return _task("interaction", lambda x: terms(x).sum(1, keepdim=True), x, rule)


@cache
def quadratic() -> Task:
    """`F = xᵀ M x` with a symmetric 8 × 8 matrix: from x' `A = (x − x') ∘ M (x + x')`, exact since ∇F is linear."""
    root = torch.randn(8, 8, generator=random.generator(0, "quadratic", "matrix"), dtype=torch.float64) / 8**0.5
    matrix = root @ root.T
    baseline = torch.full((1, 8), 0.25, dtype=torch.float64)

    def score(x: Tensor) -> Tensor:
        return ((x @ matrix) * x).sum(1, keepdim=True)

    def rule(x: Tensor) -> Tensor:
        return (x - baseline) * ((x + baseline) @ matrix)

    return _task("quadratic", score, _normal("quadratic", 8), rule, baseline)


@cache
def uncertainty() -> Task:
    """Logits `(v·x + u·x, u·x)`, the probability of the first class: what moves both logits alike counts for nothing.

    `p = σ(v·x)` is a ridge, so `A_i = v_i x_i (p(x) − ½) / (v·x)` from zero; 0 where only u has weight, though the
    logits move most there.
    """
    u = torch.tensor([0.0] * 6 + [4.0, -3.0, 2.0, -2.0, 1.0, 0.0], dtype=torch.float64)
    v = torch.tensor([2.0, -1.5, 1.0, -0.7, 0.4, 0.2] + [0.0] * 6, dtype=torch.float64)

    def score(x: Tensor) -> Tensor:
        both = (x * u).sum(1)
        return torch.stack([(x * v).sum(1) + both, both], 1)

    def rule(x: Tensor) -> Tensor:
        along = (x * v).sum(1, keepdim=True)
        return x * v * (torch.sigmoid(along) - 0.5) / along

    x = _normal("uncertainty", 12)
    x = torch.where((x * v).sum(1, keepdim=True) < 0, -x, x)
    return _task("uncertainty", score, x, rule, target=Probability(0))


def _task(
    name: str,
    score: Callable[[Tensor], Tensor],
    x: Tensor,
    rule: Rule,
    baseline: Tensor | None = None,
    target: Logit | Probability = Logit(0),  # noqa: B008
) -> Task:
    oracle = rule(x)
    part = Zero() if baseline is None else Given(baseline)
    return Task(name, Score(score, target), x, oracle, (oracle > 0).double(), True, part, rule)


def _normal(name: str, features: int) -> Tensor:
    return torch.randn(EXAMPLES, features, generator=random.generator(0, name, "x"), dtype=torch.float64)


def _uniform(name: str, features: int) -> Tensor:
    return torch.rand(EXAMPLES, features, generator=random.generator(0, name, "x"), dtype=torch.float64)
