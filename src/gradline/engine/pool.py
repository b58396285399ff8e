"""Runs many flows at once: their probes are pooled into one model batch, equal points share a forward."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gradline.core.flow import Flow, Need, Outcome, Probe, Reading, Step
from gradline.engine.answer import Answerer
from gradline.engine.memory import Memory
from gradline.question.targets import Target

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
    """One set of points asked for by one or more flows."""

    points: Tensor
    owner: Tensor
    need: Need
    askers: list[Running] = field(default_factory=list)

    @property
    def targets(self) -> tuple[int, ...]:
        return tuple(r.target for r in self.askers)


@dataclass(slots=True, eq=False)
class Spent:
    """Rows evaluated, for each target and example: int64 `(T, N)`."""

    gradients: Tensor
    forwards: Tensor


def run(
    waiting: Iterator[list[Running]],
    answerer: Answerer,
    memory: Memory,
    targets: tuple[Target, ...],
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
                _answer(batch, answerer, targets, spent)
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
        probe, owner = running.probe, running.rows[running.probe.owner]
        for job in jobs:
            same = job.need is probe.need and running.target not in job.targets and torch.equal(job.owner, owner)
            if same and torch.equal(job.points, probe.points):
                job.askers.append(running)
                break
        else:
            jobs.append(_Job(probe.points, owner, probe.need, [running]))
    return jobs


def _fill(jobs: list[_Job], rows: int) -> list[_Job]:
    """The first job and as many of its kind as a batch of `rows` holds."""
    batch, size = [jobs[0]], len(jobs[0].owner)
    for job in jobs[1:]:
        alike = job.targets == batch[0].targets and job.need is batch[0].need
        if alike and size + len(job.owner) <= rows:
            batch.append(job)
            size += len(job.owner)
    return batch


def _answer(batch: list[_Job], answerer: Answerer, targets: tuple[Target, ...], spent: Spent) -> None:
    points = batch[0].points if len(batch) == 1 else torch.cat([job.points for job in batch])
    owner = torch.cat([job.owner for job in batch])
    asked = [targets[k] for k in batch[0].targets]
    if batch[0].need is Need.GRADIENT:
        values, grads = answerer.gradients(points, owner, asked)
    else:
        values, grads = answerer.values(points, owner, asked), None
    first = 0
    for job in batch:
        last = first + len(job.owner)
        counter = spent.gradients if job.need is Need.GRADIENT else spent.forwards
        for k, running in enumerate(job.askers):
            assert running.probe is not None
            grad = None if grads is None else grads[k][first:last]
            running.answer = Reading(running.probe.owner, values[k][first:last], grad)
            counter[running.target].index_add_(0, job.owner, torch.ones_like(job.owner))
        first = last
