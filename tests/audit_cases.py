"""Methods that break axioms, each written plainly, to be caught by the audit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations

import torch
from torch import Tensor, nn

import gradline as gl
from gradline.core.accumulators import GradientTimesMove
from gradline.core.baselines import Zero
from gradline.core.paths import Curve
from gradline.sanity.axioms.explainers import Explainer

NODES = 1024


def gradients(model: nn.Module, points: Tensor) -> Tensor:
    """At points `(n, N, D)`."""
    flat = points.detach().flatten(0, 1).requires_grad_(True)
    (found,) = torch.autograd.grad(model(flat).sum(), flat)
    return found.reshape(points.shape)


def along(start: Tensor, end: Tensor, nodes: int = NODES) -> Tensor:
    """Midpoints of equal pieces of the straight line, `(n, N, D)`."""
    t = (torch.arange(nodes, dtype=torch.float64) + 0.5) / nodes
    return start + t[:, None, None] * (end - start)


def integrated(model: nn.Module, x: Tensor, baseline: Tensor) -> Tensor:
    return (x - baseline) * gradients(model, along(baseline, x)).mean(0)


def one_by_one(model: nn.Module, x: Tensor, baseline: Tensor, order: tuple[int, ...]) -> Tensor:
    """Features move one after the other: each gets what the score rises meanwhile."""
    at, found = baseline.clone(), torch.zeros_like(x)
    for i in order:
        to = at.clone()
        to[:, i] = x[:, i]
        found[:, i] = (model(to) - model(at))[:, 0].detach()
        at = to
    return found


def staircase(model: nn.Module, x: Tensor, baseline: Tensor) -> Tensor:
    return one_by_one(model, x, baseline, tuple(range(x.shape[1])))


def signed_measure(model: nn.Module, x: Tensor, baseline: Tensor) -> Tensor:
    """2 A^γ1 − A^γ2 of two staircases: complete, linear, without dummies, and no average of paths."""
    order = tuple(range(x.shape[1]))
    return 2 * one_by_one(model, x, baseline, order) - one_by_one(model, x, baseline, order[::-1])


def shapley(model: nn.Module, x: Tensor, baseline: Tensor) -> Tensor:
    """The mean over all orders."""
    orders = list(permutations(range(x.shape[1])))
    return torch.stack([one_by_one(model, x, baseline, order) for order in orders]).mean(0)


def maximum(model: nn.Module, x: Tensor, baseline: Tensor) -> Tensor:
    """The largest gradient over scaled inputs, times the move."""
    return (x - baseline) * gradients(model, along(baseline, x, 32)).amax(0)


def normalised(model: nn.Module, x: Tensor, baseline: Tensor) -> Tensor:
    found = integrated(model, x, baseline)
    return found / found.abs().sum(1, keepdim=True).clamp(min=1e-12)


def shared_out(model: nn.Module, x: Tensor, baseline: Tensor) -> Tensor:
    """Every feature gets the same, dummies too."""
    return integrated(model, x, baseline).mean(1, keepdim=True).expand_as(x)


def from_elsewhere(model: nn.Module, x: Tensor, baseline: Tensor) -> Tensor:
    """From 0.3, whatever it is told."""
    return integrated(model, x, torch.full_like(x, 0.3))


def guided(model: nn.Module, x: Tensor, baseline: Tensor) -> Tensor:
    """Modules called ReLU let no negative gradient through: a rule about how the function is written."""

    def positive(_: object, inputs: tuple[Tensor, ...], __: object) -> tuple[Tensor, ...]:
        return tuple(g.clamp(min=0) for g in inputs)

    hooks = [m.register_full_backward_hook(positive) for m in model.modules() if isinstance(m, nn.ReLU)]
    try:
        return integrated(model, x, baseline)
    finally:
        for hook in hooks:
            hook.remove()


def from_the_mean(model: nn.Module, x: Tensor, baselines: Tensor) -> Tensor:
    """From the mean of the baselines, and not the mean of the maps from each."""
    return integrated(model, x, baselines.mean(0).expand_as(x))


MEAN = Explainer("from the mean", integrated, from_the_mean)


@dataclass(frozen=True)
class OneByOne(Curve):
    """Feature i of D moves while i/D ≤ t < (i+1)/D."""

    def _moved(self, like: Tensor, t: Tensor) -> Tensor:
        places = torch.arange(like.shape[1], dtype=torch.float64)
        return t[..., None].double() * like.shape[1] - places

    def point(self, start: Tensor, end: Tensor, t: Tensor) -> Tensor:
        share = self._moved(start, t).clamp(0, 1).to(start)
        return torch.lerp(start.unsqueeze(1), end.unsqueeze(1), share)

    def move(self, start: Tensor, end: Tensor, t: Tensor) -> Tensor:
        moved = self._moved(start, t)
        now = ((moved >= 0) & (moved < 1)).to(start)
        return (end - start).unsqueeze(1) * start.shape[1] * now


def staircase_method() -> gl.Method:
    return gl.Method("staircase", OneByOne(), GradientTimesMove(), Zero())


Violator = Callable[[nn.Module, Tensor, Tensor], Tensor] | Explainer | gl.Method

VIOLATORS: dict[str, Violator] = {
    "completeness": maximum,
    "sensitivity": gl.methods.gradient_x_input(),
    "dummy": shared_out,
    "linearity": normalised,
    "implementation-invariance": guided,
    "symmetry": staircase,
    "affine-scale-invariance": from_elsewhere,
    "proportionality": shapley,
    "non-decreasing-positivity": signed_measure,
    "distributional-completeness": MEAN,
    "distributional-sensitivity": MEAN,
    "distributional-dummy": shared_out,
    "distributional-linearity": normalised,
    "distributional-implementation-invariance": guided,
    "distributional-symmetry": staircase,
    "distributional-affine-scale-invariance": from_elsewhere,
    "distributional-non-decreasing-positivity": signed_measure,
}
"""One that breaks it for each axiom."""
