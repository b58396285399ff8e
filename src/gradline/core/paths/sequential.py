"""One row of x at a time: each walks alone from its baseline, all others being as they are in x."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gradline.core.accumulators import SumLaw
from gradline.core.adaptive import FIRST
from gradline.core.flow import Flow, Frame, Need, Outcome, Probe, Reading, Step, Trace, relay
from gradline.core.node_algebra import Array
from gradline.core.paths.base import Budget, OwnBudget, Path, ToleranceBudget
from gradline.core.paths.straight import Straight
from gradline.errors import InputError
from gradline.status import Status

DOUBT = 2.0
"""What the estimate of a row that has not converged counts, when those of all rows are taken together."""

Places = npt.NDArray[np.int_]


@dataclass(frozen=True)
class Sequential(Path):
    """For each row i of the first feature axis (a token, a channel) a straight path, from x with row i at x' to x.

    Only row i moves on it, so only row i gets values, and they add up to F(x) − F(x with row i at x'). Over all rows
    that is Σ_i [F(x) − F(x with row i at x')], which is not F(x) − F(x'). `steps` are nodes a row. With a tolerance
    every row of n is integrated to it with up to `max_evaluations`/n gradients; what is needed for the map as a whole
    can be met before each row has met it. Rows that do not move (padding) cost nothing. Details: `replaced_scores`,
    F(x with row i at x') for every row; they cost a forward each. `a.curve` has the rows one after the other.
    Raises `InputError`.
    """

    integrates = True
    staged = False
    complete = False

    @property
    def law(self) -> SumLaw:
        return SumLaw.ONE_BY_ONE

    def flow(self, frame: Frame, budget: Budget) -> Flow:
        if isinstance(budget, OwnBudget):
            raise TypeError("a path of each row needs a tolerance or a number of steps")
        rows = Rows(frame)
        for own in rows.groups(budget):
            yield from rows.walk(own, self._share(budget, frame, rows.count[own.example[0]]))
        return rows.outcome(budget)

    def _share(self, budget: Budget, frame: Frame, rows: int) -> Budget:
        if not isinstance(budget, ToleranceBudget):
            return budget
        least = FIRST * frame.draws * rows
        if budget.max_evaluations < least:
            what = f"max_evaluations of at least {least}, {FIRST * frame.draws} for each of {rows} rows"
            raise InputError(what, f"{budget.max_evaluations}", "raise it, or give steps=, the nodes of a row")
        return replace(budget, max_evaluations=budget.max_evaluations // rows)


@dataclass(frozen=True, slots=True, eq=False)
class Own:
    """Rows that walk side by side: row `row (P,)` of the example `example (P,)`."""

    example: Places
    row: Places


class Rows:
    """The rows of B examples that move, and what their paths come to."""

    def __init__(self, frame: Frame) -> None:
        self.frame, self.spread = frame, np.zeros(frame.examples)
        moved = (frame.start != frame.end.unsqueeze(1)).any(1)
        moves = moved.flatten(2).any(2) if moved.ndim > 2 else moved
        self.moves = moves.cpu().numpy()
        self.count = self.moves.sum(1)
        self.replaced = np.repeat(frame.end_score[:, None], self.moves.shape[1], 1)
        self.status = [Status.FLAT] * frame.examples
        self.note = [""] * frame.examples
        self.error, self.doubted = (np.zeros(frame.examples) for _ in range(2))
        self.traces: list[list[list[Trace]]] = [[[] for _ in range(frame.draws)] for _ in range(frame.examples)]
        self.total = torch.empty(0)

    def groups(self, budget: Budget) -> Iterator[Own]:
        """As many rows at a time as a batch holds, of examples with equally many."""
        size = max(1, self.frame.room.rows() // (FIRST * self.frame.draws))
        for count in np.unique(self.count[self.count > 0]):
            example, row = np.nonzero(self.moves & (self.count == count)[:, None])
            for first in range(0, len(row), size):
                yield Own(example[first : first + size], row[first : first + size])

    def walk(self, own: Own, budget: Budget) -> Generator[Probe | Step, Reading, None]:
        """The paths of these rows."""
        owner = torch.from_numpy(own.example)
        frame = yield from self._ground(own, owner)

        def ask(probe: Probe) -> Generator[Probe | Step, Reading, Reading]:
            reading = yield replace(probe, owner=owner[probe.owner])
            return replace(reading, owner=probe.owner)

        def tell(step: Step) -> Iterable[Step]:
            moved = replace(step, reading=replace(step.reading, owner=owner[step.reading.owner]), t=None, draw=None)
            self._add(moved)
            yield moved

        outcome = yield from relay(Straight().flow(frame, budget), ask, tell)
        self._take(own, outcome)

    def _ground(self, own: Own, owner: Tensor) -> Generator[Probe, Reading, Frame]:
        """The ends of their paths, and the scores there."""
        frame = self.frame
        at, row = (torch.from_numpy(places).to(frame.end.device) for places in (own.example, own.row))
        end = frame.end[at]
        start = end.unsqueeze(1).repeat(1, frame.draws, *[1] * (end.ndim - 1))
        start[torch.arange(len(at), device=at.device), :, row] = frame.start[at, :, row]
        score = np.empty((len(own.row), frame.draws))
        for draw in range(frame.draws):
            score[:, draw] = (yield Probe(start[:, draw], owner, Need.VALUE)).value.numpy()
        self.replaced[own.example, own.row] = score.mean(1)
        names = tuple(f"{frame.names[i]}\x1e{k}" for i, k in zip(own.example, own.row, strict=True))
        end_score = frame.end_score[own.example]
        return replace(frame, start=start, end=end, start_score=score, end_score=end_score, names=names)

    def _add(self, step: Step) -> None:
        """Fold a step into the maps."""
        assert step.reading.grad is not None
        maps = self.frame.node_map(step.reading.grad, step.move)
        terms = maps * step.weight.to(maps).reshape(-1, *[1] * (maps.ndim - 1))
        if not self.total.numel():
            self.total = terms.new_zeros(self.frame.examples, *terms.shape[1:])
        self.total.index_add_(0, step.reading.owner.to(terms.device), terms)

    def _take(self, own: Own, outcome: Outcome) -> None:
        """Enter what the paths of rows came to. Their maps do not overlap, unless they are read elsewhere."""
        for k, example in enumerate(own.example):
            status, error = outcome.status[k], 0.0 if outcome.status[k] is Status.FLAT else outcome.error[k]
            self.status[example] = min(self.status[example], status, key=_WORST.index)
            self.note[example] = self.note[example] or outcome.note[k]
            doubt = DOUBT if status is Status.BUDGET_EXHAUSTED else 1.0
            for column, size in ((self.error, error), (self.doubted, doubt * error), (self.spread, outcome.spread[k])):
                column[example] = column[example] + size if self.frame.apart else np.hypot(column[example], size)
            rank = int(self.moves[example, : own.row[k]].sum())
            for draw, trace in enumerate(outcome.trace[k]):
                self.traces[example][draw].append(_placed(trace, rank, int(self.count[example])))

    def outcome(self, budget: Budget) -> Outcome:
        tol = budget.tol if isinstance(budget, ToleranceBudget) else None
        norm = self.total.flatten(1).norm(dim=1).cpu().double().numpy() if self.total.numel() else self.error
        for example, status in enumerate(self.status):
            if tol is not None and status is Status.BUDGET_EXHAUSTED and self.doubted[example] <= tol * norm[example]:
                self.status[example], self.note[example] = Status.CONVERGED, ""
        due = np.where(self.moves, self.frame.end_score[:, None] - self.replaced, 0.0).sum(1)
        return Outcome(
            status=self.status,
            error=[float(e) for e in self.error],
            trace=[[_joined(rows) for rows in draws] for draws in self.traces],
            note=self.note,
            spread=[float(s) for s in self.spread],
            claim=[float(d) for d in due],
            details={"replaced_scores": [[float(s) if np.isfinite(s) else None for s in row] for row in self.replaced]},
        )


_WORST = (Status.NONFINITE, Status.BUDGET_EXHAUSTED, Status.CONVERGED, Status.FIXED, Status.FLAT)


def _placed(trace: Trace, rank: int, count: int) -> Trace:
    """The trace of a row as that of its stretch, one of so many."""
    return Trace((rank + trace.t) / count, trace.weight / count, trace.value, trace.gradient_norm)


def _joined(traces: list[Trace]) -> Trace:
    """Traces of stretches in the order of t as one."""
    columns: list[list[Array]] = [[t.t, t.weight, t.value, t.gradient_norm] for t in traces]
    return Trace(*(np.concatenate(c) for c in zip(*columns, strict=True))) if traces else Trace(*(np.empty(0),) * 4)
