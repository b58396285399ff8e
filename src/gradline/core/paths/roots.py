"""No path: Taylor expansions from random roots around the input."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
import torch
from torch import Tensor

from gradline.core import random
from gradline.core.chance import confidence
from gradline.core.flow import Flow, Frame, Outcome, Probe, Reading, Step, Trace
from gradline.core.node_algebra import Array
from gradline.core.paths.base import Budget, Path, ToleranceBudget
from gradline.errors import InputError
from gradline.status import Status

ROUND = 16
"""Roots read before the first look at the standard error, and between two looks while they are few."""


@dataclass(frozen=True)
class GaussianRoots(Path):
    """z_r = x + σ n_r with n_r ~ N(0, 1) for each feature, r = 1 … `roots`; moves are x − z_r, each counts 1/roots.

    `sigma > 0` in units of the model's input or, if `relative`, of max x − min x of each example. The n_r of an example
    are the same for every sigma. With a tolerance, roots are drawn until the standard error of the mean map is within
    it; what is added for a root should then be linear in the gradient. Raises `InputError`.
    """

    sigma: float = 0.5
    roots: int = 150
    relative: bool = False

    integrates = False
    complete = False
    estimates = True

    def __post_init__(self) -> None:
        number = isinstance(self.sigma, Real) and not isinstance(self.sigma, bool)
        if not (number and self.sigma > 0 and math.isfinite(self.sigma)):
            raise InputError("finite sigma > 0, the standard deviation of the roots", f"sigma={self.sigma!r}")
        if isinstance(self.roots, bool) or not isinstance(self.roots, Integral) or self.roots < 1:
            raise InputError("roots as a whole number of at least 1", f"roots={self.roots!r}")

    def flow(self, frame: Frame, budget: Budget) -> Flow:
        tol = budget.tol if isinstance(budget, ToleranceBudget) else None
        most = budget.max_evaluations if isinstance(budget, ToleranceBudget) else self.roots
        sample = _Sample(frame, self)
        met = np.zeros(frame.examples, dtype=bool)
        alive, look = list(range(frame.examples)), most if tol is None else min(ROUND, most)
        while alive and sample.count < most:
            probe = sample.probe(alive, min(look - sample.count, max(1, frame.room.rows() // len(alive))))
            reading = yield probe
            step = sample.learn(probe, reading)
            if tol is None:
                yield step
            elif sample.count == look:  # whatever the memory holds at a time
                look = min(most, look + max(ROUND, look // 4 // ROUND * ROUND))  # a rare look is rarely lucky
                frame.room.progress(max(sample.relative_error(e) for e in alive))
                met[alive] = [sample.is_within(e, tol) for e in alive]
            alive = [e for e in alive if not met[e] and sample.is_finite(e)]
        if tol is not None:
            yield sample.told()
        status = [_status(tol is not None, bool(met[e]), sample.is_finite(e)) for e in range(frame.examples)]
        notes = ["the score or its gradient at a root is not finite" * (s is Status.NONFINITE) for s in status]
        return Outcome(status, [sample.error(e) for e in range(frame.examples)], sample.traces(), notes)


def _status(tolerance: bool, met: bool, finite: bool) -> Status:
    if not finite:
        return Status.NONFINITE
    if not tolerance:
        return Status.FIXED
    return Status.CONVERGED if met else Status.BUDGET_EXHAUSTED


class _Sample:
    """Running mean and scatter of the maps of the roots of B examples."""

    def __init__(self, frame: Frame, path: GaussianRoots) -> None:
        self.frame, self.path, self.count = frame, path, 0
        x = frame.end
        self.sigma = torch.full((len(x),), path.sigma, dtype=x.dtype, device=x.device)
        if path.relative:
            self.sigma = self.sigma * (x.flatten(1).amax(1) - x.flatten(1).amin(1))
        self.mean = torch.zeros_like(x)
        self.scatter = torch.zeros_like(x)  # Σ (A_r − Ā)², feature by feature
        self.roots = [0] * len(x)  # read so far
        self.square = np.zeros(len(x))  # Σ ‖∇F(z_r)‖²
        self.finite = [True] * len(x)

    def probe(self, alive: list[int], count: int) -> Probe:
        """The gradients at the next `count` roots of these examples."""
        owner = torch.tensor(alive, device="cpu").repeat_interleave(count)
        noise = torch.stack([self._noise(example, self.count + r) for example in alive for r in range(count)])
        rows = owner.to(self.mean.device)
        x = self.frame.end[rows]
        self.count += count
        return Probe(x + self.sigma[rows].reshape(-1, *[1] * (x.ndim - 1)) * noise.to(x), owner)

    def _noise(self, example: int, root: int) -> Tensor:
        source = random.generator(self.frame.seed, self.frame.names[example], "GaussianRoots", root)
        return torch.randn(self.mean.shape[1:], generator=source, dtype=torch.float32, device="cpu")

    def learn(self, probe: Probe, reading: Reading) -> Step:
        """Take the maps of a round in, example by example (Chan, Golub and LeVeque 1983); the round as a step."""
        assert reading.grad is not None
        points = probe.points.to(self.frame.precision).to(self.frame.end.dtype)  # as the model was given them
        moves = self.frame.end[probe.owner.to(points.device)] - points
        maps = self.frame.node_map(reading.grad.to(points), moves)
        size = reading.grad.flatten(1).norm(dim=1).cpu().double().numpy()
        for example in dict.fromkeys(probe.owner.tolist()):
            rows = probe.owner == example
            self._add(example, maps[rows.to(maps.device)])
            self.square[example] += float((size[rows.numpy()] ** 2).sum())
            sound = bool(reading.value[rows].isfinite().all()) and bool(np.isfinite(self.square[example]))
            self.finite[example] &= sound and bool(self.scatter[example].isfinite().all())
        return Step(reading, moves, torch.full((len(moves),), 1 / self.path.roots, dtype=torch.float64, device="cpu"))

    def _add(self, example: int, new: Tensor) -> None:
        n, m = self.roots[example], len(new)
        mean = new.mean(0)
        away = mean - self.mean[example]
        self.scatter[example] += ((new - mean) ** 2).sum(0) + away**2 * (n * m / (n + m))
        self.mean[example] += away * (m / (n + m))
        self.roots[example] = n + m

    def is_finite(self, example: int) -> bool:
        return self.finite[example]

    def error(self, example: int) -> float:
        """Standard error of the mean map, L2; NaN of one root."""
        n = self.roots[example]
        return math.sqrt(float(self._scatter(example).sum()) / (n * (n - 1))) if n > 1 else math.nan

    def relative_error(self, example: int) -> float:
        norm = float(self.mean[example].norm())
        return self.error(example) / norm if norm > 0 else 0.0

    def is_within(self, example: int, tol: float) -> bool:
        """The standard error, at the 99th percentile of what chance makes of it, is within the tolerance."""
        sure = float(confidence(np.sqrt(self._scatter(example))[None])[0])
        return sure * self.error(example) <= tol * float(self.mean[example].norm())

    def _scatter(self, example: int) -> Array:
        return np.asarray(self.scatter[example].flatten().cpu().double().numpy())

    def told(self) -> Step:
        """The mean maps, as one step."""
        every = torch.arange(self.frame.examples, device="cpu")
        value = torch.from_numpy(self.frame.end_score.copy())
        return Step(Reading(every, value, self.mean), torch.ones_like(self.mean), torch.ones(len(every)).double())

    def traces(self) -> list[list[Trace]]:
        """There is no path: what stands at the input is the score there, and the gradients' norm at the roots."""
        norm = np.sqrt(self.square / np.maximum(self.roots, 1))
        ends = zip(self.frame.end_score, norm, strict=True)
        return [[Trace(np.ones(1), np.ones(1), np.array([score]), np.array([size]))] for score, size in ends]
