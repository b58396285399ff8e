"""Runs many flows at once: their probes are pooled into one model batch, equal points share a forward."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from gradline.core.flow import Flow, Need, Outcome, Probe, Reading, Step
from gradline.engine.aims import Aims
from gradline.engine.answer import Answerer
from gradline.engine.memory import Memory
from gradline.question.bound import Answers

MOST_FLOWS = 64
"""Flows under way at a time."""


@dataclass(slots=True, eq=False)
class Running:
    """A flow under way: which target it explains, which examples it drives, what it asks now.

    `tell`: folds a step. `may_keep`: bytes of gradients that it may come to keep.
    """

    flow: Flow
    target: int
    rows: Tensor
    tell: Callable[[int, Tensor, Step], None]
    may_keep: int = 0
    probe: Probe | None = None
    outcome: Outcome | None = None
    answer: Reading | None = None

    def advance(self) -> None:
        """Hand the answer in; fold steps until the flow asks again or ends."""
        try:
            said = next(self.flow) if self.answer is None else self.flow.send(self.answer)
            self.answer = None
            while isinstance(said, Step):
                self.tell(self.target, self.rows[said.reading.owner], said)
                said = next(self.flow)
            self.probe = said
        except StopIteration as end:
            self.probe, self.outcome = None, end.value


@dataclass(slots=True, eq=False)
class _Job:
    """One set of points asked for by one or more flows. `owner`: of the whole batch."""

    probe: Probe
    owner: Tensor
    askers: list[Running] = field(default_factory=list)

    @property
    def targets(self) -> tuple[int, ...]:
        return tuple(r.target for r in self.askers)

    @property
    def kind(self) -> tuple[Any, ...]:
        """Jobs of one kind go into one batch."""
        return self.targets, self.probe.need, self.probe.of, self.probe.tangent is None

    def takes(self, running: Running, owner: Tensor) -> bool:
        """The flow asks for the same of another target."""
        mine, other = self.probe, running.probe
        assert other is not None
        alike = mine.need is other.need and mine.of == other.of and running.target not in self.targets
        same = alike and torch.equal(self.owner, owner) and torch.equal(mine.points, other.points)
        if mine.tangent is None or other.tangent is None:
            return same and mine.tangent is other.tangent
        return same and torch.equal(mine.tangent, other.tangent)


@dataclass(slots=True, eq=False)
class Spent:
    """Rows evaluated, for each target and example: int64 `(T, N)`."""

    gradients: Tensor
    forwards: Tensor

    def count(self, target: int, owner: Tensor, probe: Probe, answerer: Answerer) -> None:
        """Book the rows of a probe."""
        ones = torch.ones_like(owner)
        derivative = answerer.score.derivative
        if probe.need is Need.VALUE:
            self.forwards[target].index_add_(0, owner, ones * (derivative.forwards_of_value() if derivative else 1))
            return
        self.gradients[target].index_add_(0, owner, ones)
        if probe.need is Need.PUSH:
            self.forwards[target].index_add_(0, owner, ones)
        if derivative is not None:
            self.forwards[target].index_add_(0, owner, ones * derivative.forwards(probe.points[0].numel()))


def run(
    waiting: Iterator[list[Running]],
    answerer: Answerer,
    memory: Memory,
    aims: Aims,
    spent: Spent,
    watch: Callable[[], None],
) -> Iterator[Running]:
    """Drive all flows to their end; yields each as it ends.

    `waiting`: flows not yet started, those over the same examples together. `watch` is called after every batch.
    """
    active: list[Running] = []
    queue = _Queue(waiting)
    try:
        while _refill(active, queue, memory):
            for ended in [r for r in active if r.outcome is not None]:
                active.remove(ended)
                yield ended
            if active:
                batch = _fill(_jobs(active), memory.rows())
                _answer(batch, answerer, aims, spent)
                for running in [r for job in batch for r in job.askers]:
                    running.advance()
                watch()
    finally:
        for running in active:
            running.flow.close()


class _Queue:
    """Flows not yet started, with a look at those that are next."""

    def __init__(self, waiting: Iterator[list[Running]]) -> None:
        self._waiting = waiting
        self.next = next(waiting, None)

    def start(self) -> list[Running]:
        """Start the next ones."""
        started, self.next = self.next or [], next(self._waiting, None)
        for running in started:
            running.advance()
        return started


def _refill(active: list[Running], queue: _Queue, memory: Memory) -> bool:
    """Start flows until their probes fill a batch or their gradients might fill the memory; False if all is done."""
    while queue.next is not None and len(active) < MOST_FLOWS:
        asked = sum(len(r.probe.owner) for r in active if r.probe is not None)
        may_keep = sum(r.may_keep for r in [*active, *queue.next])
        if active and (asked >= memory.rows() or may_keep + memory.row_bytes > memory.limit):
            break
        active.extend(queue.start())
    return bool(active)


def _jobs(active: list[Running]) -> list[_Job]:
    """The probes of all flows; equal points of different targets become one job."""
    jobs: list[_Job] = []
    for running in active:
        if running.probe is None:
            continue
        owner = running.rows[running.probe.owner]
        for job in jobs:
            if job.takes(running, owner):
                job.askers.append(running)
                break
        else:
            jobs.append(_Job(running.probe, owner, [running]))
    return jobs


def _fill(jobs: list[_Job], rows: int) -> list[_Job]:
    """The first job and as many of its kind as a batch of `rows` holds."""
    batch, size = [jobs[0]], len(jobs[0].owner)
    for job in jobs[1:]:
        if job.kind == batch[0].kind and size + len(job.owner) <= rows:
            batch.append(job)
            size += len(job.owner)
    return batch


def _answer(batch: list[_Job], answerer: Answerer, aims: Aims, spent: Spent) -> None:
    """Answer the jobs of a batch, all of one kind, from one forward."""
    probe = batch[0].probe
    points, owner = _joined([job.probe.points for job in batch]), _joined([job.owner for job in batch])
    asked = [aims.of(place, probe.of) for place in batch[0].targets]
    if probe.need is Need.VALUE:
        answers = Answers(answerer.values(points, owner, asked), [])
    else:
        tangent = (
            None if probe.tangent is None else _joined([t for job in batch if (t := job.probe.tangent) is not None])
        )
        answers = answerer.gradients(points, owner, asked, tangent, pushing=probe.need is Need.PUSH)
    first = 0
    for job in batch:
        rows = slice(first, first + len(job.owner))
        first = rows.stop
        for place, running in enumerate(job.askers):
            assert running.probe is not None
            running.answer = _reading(running.probe.owner, answers, place, rows)
            spent.count(running.target, job.owner, probe, answerer)


def _reading(owner: Tensor, answers: Answers, place: int, rows: slice) -> Reading:
    """What one flow is told of a batch."""

    def of(column: list[Tensor] | None) -> Tensor | None:
        return column[place][rows] if column else None

    return Reading(
        owner,
        answers.value[place][rows],
        of(answers.grad),
        slope=of(answers.slope),
        lifted=None if answers.lifted is None else answers.lifted[rows],
        pushed=None if answers.pushed is None else answers.pushed[rows],
        noise=of(answers.noise),
        shares=of(answers.shares),
    )


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts)
