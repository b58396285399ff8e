"""The straight path, from each of whose nodes the score is climbed: the upper envelope of the gradients on the way."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from numbers import Integral, Real

import numpy as np
import torch
from torch import Tensor

from gradline.core.fixed import fixed
from gradline.core.flow import Flow, Frame, Outcome, Probe, Reading, Step, relay
from gradline.core.paths.base import Budget, FixedBudget, Path
from gradline.core.paths.straight import Straight
from gradline.errors import InputError

FALL = 1e-3
"""Share of the largest score met on an ascent that it may lose before its steps are called too long."""


@dataclass(frozen=True)
class Climbing(Path):
    """Nodes of the straight path; the gradient of a node is max_j g_j over `iterations` points of an ascent from it.

    z_0 = γ(t), z_{j+1} = z_j + `step` · ∇F(z_j), g_j = ∇F(z_j) for j = 0 … iterations − 1: plain steepest ascent,
    neither normalised nor kept in a box. The maximum is taken feature by feature, of g or, if `absolute`, of |g|. One
    iteration is the straight path. With `stops`, an ascent whose score or gradient is no longer finite ends there, and
    what it met before counts; without, it goes on, and in the maximum of a node NaN becomes 0 and infinity the largest
    number. Gradients are read where the path is driven. Details: `stopped_ascents`, `falling_ascents`, how many of an
    example's were not finite, and how many lost height since the step is too long for them; both are noted.
    Raises `InputError`.
    """

    iterations: int = 100
    step: float = 1e-4
    absolute: bool = False
    stops: bool = True

    integrates = True
    complete = False
    estimates = False

    def __post_init__(self) -> None:
        count, step = self.iterations, self.step
        if isinstance(count, bool) or not isinstance(count, Integral) or count < 1:
            raise InputError("iterations, gradients read on an ascent, as a whole number of at least 1", repr(count))
        if isinstance(step, bool) or not isinstance(step, Real) or not (step > 0 and math.isfinite(step)):
            raise InputError("finite step > 0, how far an ascent goes for a unit of gradient", repr(step))

    @property
    def readings(self) -> int:
        return self.iterations

    def flow(self, frame: Frame, budget: Budget) -> Flow:
        if not isinstance(budget, FixedBudget):
            raise TypeError("a climbing path needs a number of steps")
        if frame.apart:
            raise InputError(
                "gradients read where a climbing path is driven", "read=", "explain at the layer with site=gl.Layer(…)"
            )
        met = _Met(frame.examples)

        def ask(probe: Probe) -> Generator[Probe | Step, Reading, Reading]:
            climb = _Climb(self, probe, frame.precision)
            while climb.going:
                climb.learn((yield climb.probe()))
            met.take(climb)
            return climb.reading()

        def tell(step: Step) -> Iterable[Step]:
            yield step

        outcome = yield from relay(fixed(frame, Straight(), budget.rule, budget.steps, apart=True), ask, tell)
        return met.entered(outcome)


class _Climb:
    """The ascents from the points of a probe, all R rows side by side; `alive`: those that go on."""

    def __init__(self, path: Climbing, probe: Probe, precision: torch.dtype) -> None:
        self.path, self.asked, self.points = path, probe, probe.points
        self.left = path.iterations
        self.slack = max(FALL, 4 * torch.finfo(precision).eps)
        count = len(probe.owner)
        self.alive = torch.arange(count, device="cpu")
        self.stopped, self.fell = (torch.zeros(count, dtype=torch.bool, device="cpu") for _ in range(2))
        self.first: Reading | None = None
        self.norm = self.peak = self.size = self.best = torch.empty(0)

    @property
    def going(self) -> bool:
        return self.left > 0 and len(self.alive) > 0

    def probe(self) -> Probe:
        """The next question: the gradients where the ascents are."""
        return replace(self.asked, points=self.points, owner=self.asked.owner[self.alive])

    def learn(self, reading: Reading) -> None:
        """Take the gradients in, and go on to the next points."""
        assert reading.grad is not None
        self.left -= 1
        norm = reading.grad.flatten(1).norm(dim=1).cpu().double()
        sound = torch.isfinite(reading.value) & torch.isfinite(norm)
        seen = reading.grad.abs() if self.path.absolute else reading.grad
        if self.first is None:
            self.first, self.norm, self.best = replace(reading, grad=None), norm, seen.clone()
            self.peak, self.size = reading.value.clone(), reading.value.abs()
        self.stopped[self.alive[~sound]] = True
        if self.path.stops and not sound.all():
            there = sound.to(seen.device)
            self._look(self.alive[sound], reading.value[sound], seen[there])
            self.points = self._next(self.points[there], reading.grad[there])
            self.alive = self.alive[sound]
        else:
            self._look(self.alive, reading.value, seen)
            self.points = self._next(self.points, reading.grad)

    def _next(self, points: Tensor, grad: Tensor) -> Tensor:
        return torch.add(points, grad.to(points), alpha=float(self.path.step)) if self.left else points

    def _look(self, rows: Tensor, value: Tensor, seen: Tensor) -> None:
        """The maxima so far of these rows, and whether they have lost height."""
        if len(rows) == len(self.best):
            torch.maximum(self.best, seen, out=self.best)
        else:
            at = rows.to(seen.device)
            self.best[at] = torch.maximum(self.best[at], seen)
        self.peak[rows] = torch.maximum(self.peak[rows], value)
        self.size[rows] = torch.maximum(self.size[rows], value.abs())
        self.fell[rows] |= value < self.peak[rows] - self.slack * self.size[rows]

    def reading(self) -> Reading:
        """The score at the nodes, and the envelope of the gradients met from there."""
        assert self.first is not None
        best = self.best if self.path.stops else torch.nan_to_num(self.best)
        return replace(self.first, owner=self.asked.owner, grad=best)


class _Met:
    """What the ascents of B examples met."""

    def __init__(self, examples: int) -> None:
        self.stopped, self.fell = (np.zeros(examples, dtype=np.int64) for _ in range(2))
        self.norm: list[list[float]] = [[] for _ in range(examples)]

    def take(self, climb: _Climb) -> None:
        owner = climb.asked.owner.numpy()
        np.add.at(self.stopped, owner, climb.stopped.numpy())
        np.add.at(self.fell, owner, climb.fell.numpy())
        for example, norm in zip(owner.tolist(), climb.norm.tolist(), strict=True):
            self.norm[example].append(norm)

    def entered(self, outcome: Outcome) -> Outcome:
        """The outcome with it: norms of the gradients at the nodes, not of the envelopes; counts; notes."""
        for example, traces in enumerate(outcome.trace):
            norms = np.split(np.array(self.norm[example]), np.cumsum([len(trace.t) for trace in traces])[:-1])
            for trace, norm in zip(traces, norms, strict=True):
                trace.gradient_norm = norm
            outcome.note[example] = outcome.note[example] or self._note(example)
        outcome.details["stopped_ascents"] = self.stopped.tolist()
        outcome.details["falling_ascents"] = self.fell.tolist()
        return outcome

    def _note(self, example: int) -> str:
        if self.stopped[example]:
            return "ascents met what is not finite (a.details['stopped_ascents'] says how many): lower step="
        if self.fell[example]:
            return "ascents lose height (a.details['falling_ascents'] says how many), their steps are long: lower step="
        return ""
