"""The straight path, split where the score saturates: what comes before, what comes after, or both.

The saturation point t* is looked for first, with forward passes alone (`paths.crossing`). So each side is integrated
by itself, to an accuracy of its own if one is asked for, and the cell of a fixed rule that holds t* is shared out
between the sides.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from gradline.core.accumulators import SumLaw
from gradline.core.adaptive import FIRST
from gradline.core.flow import Flow, Frame, Probe, Reading
from gradline.core.node_algebra import Array
from gradline.core.paths.base import Budget, FixedBudget, OwnBudget, Path, ToleranceBudget
from gradline.core.paths.crossing import Split, crossing, first_step
from gradline.core.paths.crossing import Threshold as Threshold
from gradline.core.paths.shares import Place, shares
from gradline.core.paths.sides import Merged, Side
from gradline.errors import InputError


@dataclass(frozen=True)
class Saturation(Path):
    """γ(t) = x' + t (x − x') up to t* (`left`), from t* on (`right`), or both, which are then parts of the map.

    t* is the smallest t with F(γ(t)) beyond `threshold` for the share `phi` in (0, 1]; 0 where F is beyond it from the
    baseline on, 1 where it never is. It is looked for at `cells >= 1` equal cells, and in the first that crosses by
    `bisections >= 0` and a line; a crossing and a return within one cell are not seen. `cells=None`: as many as there
    are steps, and t* is the beginning of that cell, as in the authors' code. Raises `InputError`.

    With a tolerance each side of each of K paths is integrated to tol/√K of its own size: that is tol for both parts,
    and for the whole unless the sides, or the maps of the K baselines, point against each other. Each side takes up to
    half of the evaluations.
    """

    phi: float = 0.9
    threshold: Threshold = Threshold.ENDS
    left: bool = True
    right: bool = True
    cells: int | None = 32
    bisections: int = 6

    integrates = True

    def __post_init__(self) -> None:
        if isinstance(self.phi, bool) or not 0 < self.phi <= 1:
            raise InputError("phi in (0, 1], the share of the change of the score up to saturation", f"phi={self.phi}")
        if not isinstance(self.threshold, Threshold):
            raise InputError("threshold as one of gl.paths.Threshold", repr(self.threshold))
        if self.cells is not None and self.cells < 1:
            raise InputError("cells of at least 1, or None for as many as steps", f"cells={self.cells}")
        if self.bisections < 0:
            raise InputError("bisections of at least 0", f"bisections={self.bisections}")
        if not (self.left or self.right):
            raise InputError("left, right or both", "neither")

    @property
    def complete(self) -> bool:  # type: ignore[override]
        return self.left and self.right

    @property
    def law(self) -> SumLaw:
        return SumLaw.DIFFERENCE if self.complete else SumLaw.REACHED if self.left else SumLaw.REMAINING

    @property
    def estimates(self) -> bool:
        return self.cells is not None

    @property
    def sides(self) -> tuple[Place, ...]:
        """Those that are taken, in the order of the path."""
        return (Place.LEFT,) * self.left + (Place.RIGHT,) * self.right

    def flow(self, frame: Frame, budget: Budget) -> Flow:
        match budget:
            case ToleranceBudget(tol, max_evaluations):
                self._check(max_evaluations, frame.draws)
                split = yield from self._locate(frame, 0)
                outcome = yield from self._to_tolerance(frame, split, tol, max_evaluations)
            case FixedBudget():
                split = yield from self._locate(frame, budget.steps)
                outcome = yield from shares(frame, split, self.sides, budget)
            case OwnBudget():
                raise TypeError("a split path needs a tolerance or a number of steps")
        start = frame.start_score if self.left else split.score
        end = split.score if not self.right else np.repeat(frame.end_score[:, None], frame.draws, 1)
        outcome.claim = [float(c) for c in (end - start).mean(1)]
        outcome.details["saturation_point"] = [float(t) for t in split.t.mean(1)]
        outcome.details["saturation_score"] = _plain(split.score.mean(1))
        outcome.details["path_scores"] = [_plain(one) for one in split.path[:, 0]]
        for example, note in enumerate(self._notes(frame, split)):
            outcome.note[example] = outcome.note[example] or note
        return outcome

    def _check(self, max_evaluations: int, draws: int) -> None:
        least = FIRST * len(self.sides) * draws
        if max_evaluations < least:
            raise InputError(f"max_evaluations of at least {least} for a split path", f"{max_evaluations}")

    def _locate(self, frame: Frame, steps: int) -> Generator[Probe, Reading, Split]:
        """t* of every path of the group, and the score there."""
        found = []
        for draw in range(frame.draws):
            if self.cells is None:
                one = yield from first_step(frame, self.threshold, self.phi, draw, steps)
            else:
                where = {"cells": self.cells, "bisections": self.bisections}
                one = yield from crossing(frame, self.threshold, self.phi, draw, **where)
            found.append(one)
        return Split(*(np.stack(column, 1) for column in zip(*found, strict=True)))

    def _notes(self, frame: Frame, split: Split) -> list[str]:
        """What must be said of each example."""
        falls = np.asarray((frame.end_score[:, None] < frame.start_score).any(1))
        way_out = ": it falls along the path; ask with threshold=gl.paths.Threshold.ABSOLUTE"
        said = "the score is beyond the threshold from the baseline on, and nothing lies left of saturation"
        early = np.asarray((split.t == 0).any(1) & np.isfinite(split.score).all(1))
        return [(said + way_out * bool(f)) * bool(e) for e, f in zip(early, falls, strict=True)]

    def _to_tolerance(self, frame: Frame, split: Split, tol: float, max_evaluations: int) -> Flow:
        """Every side of every path as a straight path of its own, one after the other, so that steps ascend in t."""
        merged, sides = Merged(frame), self.sides
        most = max_evaluations // (len(sides) * frame.draws)
        for draw in range(frame.draws):
            for place in sides:
                side = Side.of(frame, split, draw, place, alone=len(sides) == 1)
                yield from side.integrate(tol / math.sqrt(frame.draws), most, merged)
            merged.close()
        return merged.outcome()


def _plain(numbers: Array) -> list[float | None]:
    """For JSON, which has no NaN."""
    return [float(n) if math.isfinite(n) else None for n in numbers]
