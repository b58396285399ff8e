"""The tolerance controller: read few gradients, estimate the map's error, split the worst cells, stop when it is met.

Each path starts with midpoints of equal cells. Every round the error bar (`core.error_bar`) weighs what was seen; an
example whose estimate, times a safety factor, is within the tolerance and whose cells hide no jump is told to the
accumulator and leaves the group; in the others the worst cells are split. Values are never rescaled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

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
        new, stuck = _split(paths.edges(), bar, splits, paths.narrowest, tol)
        stopped = _stop(verdict, paths, floor, out_of_memory=not kept, out_of_budget=splits < 1, stuck=stuck)
        for example, (status, note) in stopped.items():
            outcome.status[example], outcome.note[example] = status, note
            outcome.error[example] = float("nan") if status is Status.NONFINITE else verdict.error[example]
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
    verdict: _Verdict, paths: Record, floor: int, *, out_of_memory: bool, out_of_budget: bool, stuck: Array
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
        elif stuck[rows].any():
            note = f"the path cannot be resolved further in this precision ({paths.dtype})"
            stopped[example] = Status.BUDGET_EXHAUSTED, note
        elif out_of_budget:
            stopped[example] = Status.BUDGET_EXHAUSTED, ""
    return stopped


def _split(edges: Array, bar: Bar, count: int, narrowest: float, tol: float) -> tuple[Array, Array]:
    """New nodes `(R, count)` in the worst cells: halves, and thirds of the end gaps; and which rows are stuck.

    A row is stuck if what cells too narrow to be split get wrong is already too much, or if too few others are left.
    """
    width = np.diff(edges)
    narrow = width < narrowest
    hopeless = bar.factor * np.sqrt((bar.cell * narrow).sum(1)) > tol * bar.norm
    peak = bar.cell.max(1, keepdims=True)
    urgency = np.divide(bar.cell, peak, out=np.zeros_like(peak + bar.cell), where=peak > 0) + 2.0 * bar.jump
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
        self.met: dict[int, bool] = {}
        self.flat: dict[int, bool] = {}
        self.worst = 0.0
        error = np.hypot(bar.error, paths.rounding(bar.weight))
        for example in paths.alive:
            rows = paths.rows_of(example)
            total = float(error[rows].mean())
            norm = float(bar.norm[rows][0]) if len(rows) == 1 else paths.mean_norm(rows, bar.weight)
            self.error[example] = total
            self.flat[example] = all(paths.is_flat(row) for row in rows)
            self.met[example] = bool(bar.factor[rows].max() * total <= tol * norm and not bar.jump[rows].any())
            if not self.flat[example]:
                self.worst = max(self.worst, total / norm if norm > 0 else float("inf"))
