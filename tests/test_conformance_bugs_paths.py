"""Conformance can fail: curves, rules and accumulators with one bug each, and the law that must notice it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import gradline as gl
from gradline.core.accumulators import Accumulator, GradientTimesMove, SumLaw
from gradline.core.flow import Step
from gradline.core.paths import AtInput, Curve, Straight
from gradline.core.random import generator
from gradline.core.rules import ByOutputChange, Rule
from gradline.testing import conformance


def share(t: Tensor, like: Tensor) -> Tensor:
    return t.to(like).reshape(*t.shape, *[1] * (like.ndim - 1))


# --------------------------------------------------------------------------------------------------------------- curves


@dataclass(frozen=True)
class Bent(Curve):
    """γ(t) = x' + t² (x − x'): right."""

    def point(self, start: Tensor, end: Tensor, t: Tensor) -> Tensor:
        return torch.lerp(start.unsqueeze(1), end.unsqueeze(1), share(t, start) ** 2)

    def move(self, start: Tensor, end: Tensor, t: Tensor) -> Tensor:
        return 2 * share(t, start) * (end - start).unsqueeze(1)


class Chord(Bent):
    def move(self, start: Tensor, end: Tensor, t: Tensor) -> Tensor:
        return (end - start).unsqueeze(1)


class Repeated(Straight):
    """Rows begin at starts 0, 1, 2, 0, 1, 2 … where 0, 0, …, 1, 1, … are due."""

    def point(self, start: Tensor, end: Tensor, t: Tensor) -> Tensor:
        rows, m = t.shape
        mixed = start.repeat(m, *[1] * (start.ndim - 1)).reshape(rows, m, *start.shape[1:])
        return torch.lerp(mixed, end.unsqueeze(1), share(t, start))


class Short(Straight):
    def point(self, start: Tensor, end: Tensor, t: Tensor) -> Tensor:
        return super().point(start, end, t * (1 - 1e-6))


class Leap(Bent):
    """A jump at ½ that the move knows nothing of."""

    def point(self, start: Tensor, end: Tensor, t: Tensor) -> Tensor:
        return super().point(start, end, torch.where(t < 0.5, 0.9 * t, t))


class Writes(Straight):
    def point(self, start: Tensor, end: Tensor, t: Tensor) -> Tensor:
        return super().point(start, end, t.clamp_(0.4, 0.6) if t.shape[1] == 5 else t)


class Halved(Straight):
    """A flow that forgets that there are two starts."""

    def flow(self, frame: Any, budget: Any) -> Any:
        flow, answer = super().flow(frame, budget), None
        while True:
            try:
                said = flow.send(answer)
            except StopIteration as end:
                return end.value
            answer = yield replace(said, weight=said.weight * frame.draws) if isinstance(said, Step) else said


class Together(AtInput):
    def flow(self, frame: Any, budget: Any) -> Any:
        return super().flow(replace(frame, end=frame.end - frame.end.mean(0)), budget)


# ---------------------------------------------------------------------------------------------------------------- rules


@dataclass(frozen=True)
class Radau(Rule):
    """Cells with nodes at 0 and ⅔ that count ¼ and ¾: exact for degree 2."""

    minimum = 2

    def check(self, n: int) -> None:
        super().check(n)
        if n % 2:
            raise gl.InputError("an even number of steps", f"steps={n}")

    def nodes(self, n: int, source: torch.Generator) -> Any:
        cell = np.arange(n // 2)[:, None]
        return ((cell + np.array([0, 2 / 3])) / (n // 2)).ravel(), np.tile([0.25, 0.75], n // 2) / (n // 2)


class Reversed(Radau):
    def nodes(self, n: int, source: torch.Generator) -> Any:
        t, w = super().nodes(n, source)
        return t, w[::-1].copy()


class Lossy(Radau):
    """Captum's trapezoid: weights that sum to 1 − 1/n."""

    def nodes(self, n: int, source: torch.Generator) -> Any:
        return np.linspace(0, 1, n), np.r_[0.5, np.ones(n - 2), 0.5] / n


class Careless(Radau):
    def check(self, n: int) -> None:
        pass


@dataclass(frozen=True)
class Shared(gl.rules.MonteCarlo):
    """One draw of nodes for all examples."""

    def table(self, n: int, names: Any, seed: int, draw: int = 0, draws: int = 1, values: Any = None) -> Any:
        t, w = super().table(n, ("anyone",), seed, draw)
        return t.repeat(len(names), 0), w.repeat(len(names), 0)


@dataclass(frozen=True)
class Silent(gl.rules.MonteCarlo):
    random = False

    def table(self, n: int, names: Any, seed: int, draw: int = 0, draws: int = 1, values: Any = None) -> Any:
        self.check(n)
        rows = [self.nodes(n, generator(seed, name, "Silent", draw)) for name in names]
        return tuple(np.stack(column) for column in zip(*rows, strict=True))


class Crossed(ByOutputChange):
    """The nodes of one example follow the score of another."""

    def table(self, n: int, names: Any, seed: int, draw: int = 0, draws: int = 1, values: Any = None) -> Any:
        return super().table(n, names, seed, draw, draws, None if values is None else values[::-1])


class Mirrored(ByOutputChange):
    def table(self, *args: Any) -> Any:
        t, w = super().table(*args)
        return t, w[:, ::-1].copy()


# --------------------------------------------------------------------------------------------------------- accumulators


class Weightless(GradientTimesMove):
    def term(self, step: Step) -> Tensor:
        return self.node_map(step.reading.grad, step.move)


class Normalised(GradientTimesMove):
    """Each row in shares of the largest of all rows."""

    def node_map(self, grad: Tensor, move: Tensor) -> Tensor:
        return grad * move / (grad * move).abs().max()


class Claims(GradientTimesMove):
    """|g ⊙ move|, said to add up to F(x) − F(x')."""

    def node_map(self, grad: Tensor, move: Tensor) -> Tensor:
        return (grad * move).abs()


class Narrow(GradientTimesMove):
    def node_map(self, grad: Tensor, move: Tensor) -> Tensor:
        return (grad * move).bfloat16()


@dataclass(frozen=True)
class Denies(Accumulator):
    law, estimates, multiplies = SumLaw.NONE, True, False

    def node_map(self, grad: Tensor, move: Tensor) -> Tensor:
        return grad * move


PLANTED: dict[str, tuple[Any, str, Mapping[str, Any]]] = {
    "chord for increment": (Chord(), "move_is_the_tangent-float64-flat", {}),
    "start repeated where it should be tiled": (Repeated(), "ends_are_exact-float64-flat", {}),
    "an end that is not reached": (Short(), "ends_are_exact", {}),
    "a leap": (Leap(), "moves_add_up|move_is_the_tangent", {}),
    "times written over": (Writes(), "rows_go_their_own_way", {}),
    "steps of every draw in full": (Halved(), "steps_add_up", {}),
    "examples that lean on each other": (Together(), "examples_do_not_meet", {}),
    "weights reversed": (Reversed(), "polynomials_are_exact", {"degree": lambda n: 2}),
    "weights reversed where the score says": (Mirrored(), "integrals_converge", {}),
    "weights that do not sum to one": (Lossy(), "tables_are_sound", {}),
    "a count that is checked too late": (Careless(), "counts_are_checked", {}),
    "nodes shared by two examples": (Shared(), "chance_is_keyed", {}),
    "chance that is not told": (Silent(), "chance_is_keyed", {}),
    "nodes by another example's score": (Crossed(), "rows_are_shown_their_own", {}),
    "weights forgotten": (Weightless(), "terms_are_linear_in_the_weight-float64-flat", {}),
    "rows in shares of each other": (Normalised(), "nodes_do_not_meet", {}),
    "a sum that is claimed": (Claims(), "sum_law_is_kept", {}),
    "a precision lost": (Narrow(), "terms_are_linear_in_the_weight", {}),
    "a move where none is known": (Denies(), "multiplies_as_it_says", {}),
}


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_dies_by_name(bug: str) -> None:
    part, law, options = PLANTED[bug]
    with pytest.raises(AssertionError, match=rf"{type(part).__name__}\S* .*breaks ({law})"):
        conformance(part, **options)


@pytest.mark.parametrize("part", [Bent(), Radau()], ids=lambda part: type(part).__name__)
def test_without_the_bug_it_conforms(part: Any) -> None:
    conformance(part, degree=(lambda n: 2) if isinstance(part, Radau) else None)


@pytest.mark.parametrize("accumulator", [Weightless(), Claims(), Normalised()], ids=lambda value: type(value).__name__)
def test_methods_are_only_as_good_as_their_parts(accumulator: Accumulator) -> None:
    with pytest.raises(AssertionError, match="breaks"):
        conformance(gl.Method("broken", Straight(), accumulator, gl.baselines.Zero()))
