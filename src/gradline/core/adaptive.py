"""The tolerance controller: read few gradients, estimate the map's error, split the worst cells, stop when it is met.

Each path starts with midpoints of equal cells. Every round the error bar (`core.error_bar`) weighs what was seen; an
example whose estimate, times a safety factor, is within the tolerance and whose cells hide no jump is told to the
accumulator and leaves the group; in the others the worst cells are split. Values are never rescaled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gradline.core.error_bar import Bar, error_bar
from gradline.core.fixed import nonfinite_note
from gradline.core.flow import Flow, Frame, Outcome
from gradline.core.node_algebra import Array
from gradline.core.record import Record
from gradline.status import Status

if TYPE_CHECKING:
    from gradline.core.paths.base import Curve

FIRST = 8
"""Nodes of the first round, and the fewest at which an estimate is believed."""

FIRST_BOUNDED = 12
"""The fewest at a loose tolerance on a probability, where fewer were seen to miss a spike."""

HOPELESS = 2.0
"""Chance in sampled gradients falls like 1/√n at least. If after all evaluations it would still be above the tolerance
by this factor, none is spent on it."""

SPLITS = 4
"""Cells split a round for every 32 nodes, and at least: larger rounds overshoot. Memory has no say in it."""


def adaptive(frame: Frame, curve: Curve, tol: float, max_evaluations: int) -> Flow:
    """Drive every example of the group to a relative L2 error of its map of at most `tol`."""
    paths = Record(frame, curve)
    outcome = Outcome(
        status=[Status.BUDGET_EXHAUSTED] * frame.examples,
        error=[float("nan")] * frame.examples,
        trace=[[] for _ in range(frame.examples)],
        note=[""] * frame.examples,
        spread=[float("nan")] * frame.examples,
    )
    limit = max_evaluations // frame.draws
    floor = FIRST_BOUNDED if frame.bounded and tol >= 0.1 else FIRST
    new = np.tile(first_nodes(), (paths.rows, 1))
    while True:
        reading = yield paths.probe(new)
        kept = paths.learn(new, reading)
        seen = paths.seen()
        bar = error_bar(seen, tol)
        verdict = _Verdict(paths, bar, tol)
        frame.room.progress(verdict.worst)
        splits = min(SPLITS * max(1, paths.nodes // 32), limit - paths.nodes)
        new, stuck = _split(paths.edges(), bar, paths.chance(bar.weight), splits, paths.narrow(), tol)
        more = limit / paths.nodes
        stopped = _stop(verdict, paths, floor, more, out_of_memory=not kept, stuck=stuck)
        for example, (status, note) in stopped.items():
            outcome.status[example], outcome.note[example] = status, note
            if status is not Status.NONFINITE:
                outcome.error[example], outcome.spread[example] = verdict.error[example], verdict.spread[example]
            outcome.trace[example] = paths.trace(example, bar.weight)
        yield from paths.tell(set(stopped), bar.weight)
        keep = paths.drop(set(stopped))
        if not paths.rows:
            return outcome
        new = new[keep]


def first_nodes() -> Array:
    """Midpoints of equal cells: no end is read, and no part of the path is taken to matter more."""
    return np.asarray((np.arange(FIRST) + 0.5) / FIRST)


def _stop(
    verdict: _Verdict, paths: Record, floor: int, more: float, *, out_of_memory: bool, stuck: Array
) -> dict[int, tuple[Status, str]]:
    """Which examples end now, how, and what must be said about it."""
    stopped: dict[int, tuple[Status, str]] = {}
    for example in paths.alive:
        rows = paths.rows_of(example)
        if not paths.is_finite(rows):
            note = nonfinite_note(paths.trace(example, np.zeros_like(paths.t)), paths.ends[rows])
            stopped[example] = Status.NONFINITE, note
        elif verdict.flat[example]:
            stopped[example] = Status.FLAT, ""
        elif verdict.met[example] and paths.nodes >= floor:
            stopped[example] = Status.CONVERGED, ""
        elif out_of_memory:
            note = f"the memory budget holds no more than {paths.nodes} node maps a path; raise memory="
            stopped[example] = Status.BUDGET_EXHAUSTED, note
        elif verdict.chance[example] > HOPELESS * np.sqrt(more) or (more <= 1 and verdict.chance[example] > 1):
            share = f"{verdict.noise[example]:.2g}"
            note = f"chance in the sampled gradients is {share} of the map; give the derivative more samples"
            stopped[example] = Status.BUDGET_EXHAUSTED, note
        elif stuck[rows].any():
            note = f"the path cannot be resolved further in this precision ({paths.dtype})"
            stopped[example] = Status.BUDGET_EXHAUSTED, note
        elif more <= 1:
            stopped[example] = Status.BUDGET_EXHAUSTED, ""
    return stopped


def _split(
    edges: Array, bar: Bar, chance: Array, count: int, narrow: npt.NDArray[np.bool_], tol: float
) -> tuple[Array, Array]:
    """New nodes `(R, count)` in the worst cells: halves, and thirds of the end gaps; and which rows are stuck.

    A row is stuck if what cells too narrow to be split get wrong is already too much, or if too few others are left.
    """
    width = np.diff(edges)
    hopeless = bar.factor * np.sqrt((bar.cell * narrow).sum(1)) > tol * bar.norm
    cell = bar.cell + (np.pad(chance, ((0, 0), (1, 0))) + np.pad(chance, ((0, 0), (0, 1)))) / 2
    peak = cell.max(1, keepdims=True)
    urgency = np.divide(cell, peak, out=np.zeros_like(peak + cell), where=peak > 0) + 2.0 * bar.jump
    urgency[narrow] = -1.0
    worst = np.argsort(-urgency, axis=1, kind="stable")[:, : max(1, count)]
    share = np.full_like(width, 0.5)
    share[:, 0], share[:, -1] = 1 / 3, 2 / 3
    inside = edges[:, :-1] + share * width
    left = np.take_along_axis(urgency, worst, 1).min(1) >= 0
    return np.take_along_axis(inside, worst, 1), hopeless | (bar.jump & narrow).any(1) | ~left


class _Verdict:
    """Estimate and decision per example. The error of a mean of maps is at most the mean of their errors."""

    def __init__(self, paths: Record, bar: Bar, tol: float) -> None:
        self.error: dict[int, float] = {}
        self.spread: dict[int, float] = {}
        self.met: dict[int, bool] = {}
        self.noise: dict[int, float] = {}
        self.chance: dict[int, float] = {}
        self.flat: dict[int, bool] = {}
        self.worst = 0.0
        quadrature = np.hypot(bar.error, paths.rounding(bar.weight))
        chance = np.sqrt(paths.chance(bar.weight).sum(1))
        error = np.hypot(quadrature, chance)
        sure = paths.confidence() * chance
        for example in paths.alive:
            rows = paths.rows_of(example)
            total = float(error[rows].mean())
            norm = float(bar.norm[rows][0]) if len(rows) == 1 else paths.mean_norm(rows, bar.weight)
            self.error[example], self.spread[example] = total, _spread(bar.norm[rows], norm)
            self.flat[example] = all(paths.is_flat(row) for row in rows)
            needed = np.hypot(bar.factor[rows].max() * quadrature[rows].mean(), sure[rows].mean())
            self.met[example] = bool(needed <= tol * norm and not bar.jump[rows].any())
            self.noise[example] = float(chance[rows].mean()) / norm if norm > 0 else 0.0
            self.chance[example] = float(sure[rows].mean()) / (tol * norm) if norm > 0 else 0.0
            if not self.flat[example]:
                self.worst = max(self.worst, total / norm if norm > 0 else float("inf"))


def _spread(norm: Array, mean: float) -> float:
    """Standard error of the mean of K maps from their norms and that of their mean, L2; NaN for one map."""
    draws = len(norm)
    if draws == 1:
        return float("nan")
    return float(np.sqrt(max(0.0, (norm**2).sum() - draws * mean**2) / (draws * (draws - 1))))
