"""What the tests of leaderboards share: a small network, photos of noise, controls, a board."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

import gradline as gl
from gradline.metrics.base import Evaluation, Flow, Metric
from gradline.metrics.curves.deletion import Deletion, Insertion
from gradline.metrics.subject import Subject

IG, GRADIENT = gl.methods.integrated_gradients(), gl.methods.gradient()
METHODS = {"ig": IG, "gradient": GRADIENT}
NAMES = [f"photo {k}" for k in range(5)]


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 36, 3)).double()


def photos(count: int = 5) -> Tensor:
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(1)).double()


def noise(score: gl.Score, x: Any) -> Tensor:
    """The same values for every example: they do not depend on the group it is in."""
    one = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(2)).double()
    return one.expand(len(x), -1, -1, -1)


def ramp(score: gl.Score, x: Any) -> Tensor:
    return torch.arange(64).double().reshape(1, 1, 8, 8).expand(len(x), -1, -1, -1)


CONTROLS = {"noise": noise, "ramp": ramp}


@dataclass(frozen=True)
class Size(Metric):
    """How large a map is: ranks nothing, asks nothing."""

    name = "size"
    higher_is_better = None
    range = "0 to ∞"
    cost = "0"

    def flow(self, subject: Subject) -> Flow:
        yield from ()
        return Evaluation(self, subject.maps.abs().flatten(1).sum(1))


@dataclass(frozen=True)
class Repeats(Metric):
    """How far a second map of the same question is from the first."""

    name = "repeats"
    higher_is_better = False
    range = "0 to ∞"
    cost = "0"
    needs = ("explainer",)

    def flow(self, subject: Subject) -> Flow:
        yield from ()
        again = subject.explained_at(("again",), subject.inputs)
        return Evaluation(self, (again - subject.maps).abs().flatten(1).sum(1))


@dataclass(frozen=True)
class Inside(Metric):
    """The share of a map inside a mask."""

    name = "inside"
    higher_is_better = True
    range = "0 to 1"
    cost = "0"
    needs = ("masks",)

    def flow(self, subject: Subject) -> Flow:
        yield from ()
        assert subject.masks is not None
        sizes = subject.maps.abs()
        return Evaluation(self, (sizes * subject.masks).flatten(1).sum(1) / sizes.flatten(1).sum(1))


def judged(**more: Any) -> gl.Leaderboard:
    """Two methods, two controls, three metrics, five photos; what is given is changed."""
    given: dict[str, Any] = {
        "methods": METHODS,
        "metrics": [Deletion(), Insertion(), Size()],
        "controls": CONTROLS,
        "names": NAMES,
        "steps": 4,
    } | more
    x, score = given.pop("x", photos()), given.pop("score", gl.Score(network(), 1))
    return gl.leaderboard(score, x, given.pop("methods"), given.pop("metrics"), **given)


@cache
def board() -> gl.Leaderboard:
    return judged()
