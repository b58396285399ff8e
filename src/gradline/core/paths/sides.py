"""The sides of a straight path that is split, to a tolerance: each a path of its own, and what they come to."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from gradline.core.adaptive import adaptive
from gradline.core.fixed import Spread
from gradline.core.flow import Frame, Outcome, Probe, Reading, Step, Trace, relay
from gradline.core.node_algebra import Array
from gradline.core.paths.crossing import Split
from gradline.core.paths.shares import Place, part_of
from gradline.core.paths.straight import Straight
from gradline.status import Status


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One side of one path of the examples `rows (R,)`: from `begin (R,)` on, `width (R,)` of it.

    `frame`: the side as a path by itself. `alone`: the other side is not taken.
    """

    place: Place
    draw: int
    draws: int
    rows: npt.NDArray[np.int_]
    begin: Array
    width: Array
    frame: Frame
    alone: bool

    @classmethod
    def of(cls, frame: Frame, split: Split, draw: int, place: Place, *, alone: bool) -> Side:
        """The side of all examples that have a way to go on it."""
        t, left = split.t[:, draw], place is Place.LEFT
        rows = np.flatnonzero(t > 0 if left else t < 1)
        at = torch.from_numpy(rows).to(frame.end.device)
        first, last = frame.start[at, draw], frame.end[at]
        middle = Straight().point(first, last, torch.from_numpy(t[rows])[:, None])[:, 0]
        here, split_score = frame.start_score[rows, draw], split.score[rows, draw]
        own = replace(
            frame,
            start=(first if left else middle).unsqueeze(1),
            end=middle if left else last,
            start_score=(here if left else split_score)[:, None],
            end_score=split_score if left else frame.end_score[rows],
            names=tuple(frame.names[i] for i in rows),
        )
        begin = np.zeros(len(rows)) if left else t[rows]
        return cls(place, draw, frame.draws, rows, begin, t[rows] if left else 1 - t[rows], own, alone)

    def integrate(self, tol: float, most: int, merged: Merged) -> Generator[Probe | Step, Reading, None]:
        """To a relative accuracy of its own, with at most so many evaluations."""
        if not len(self.rows):
            return
        silence, owner = Silence(self), torch.from_numpy(self.rows)

        def ask(probe: Probe) -> Generator[Probe | Step, Reading, Reading]:
            reading = yield replace(probe, owner=owner[probe.owner])
            return replace(reading, owner=probe.owner)

        def tell(step: Step) -> Iterator[Step]:
            moved = self._moved(step)
            yield from silence.before(step) if self.alone else merged.open_parts(moved)
            merged.spread.add(moved)
            yield moved

        outcome = yield from relay(adaptive(self.frame, Straight(), tol, most), ask, tell)
        if self.alone:
            yield from silence.after()
        merged.take(self, outcome)

    def _moved(self, step: Step) -> Step:
        """A step of the side as one of the whole path: its move and slope for a unit of that, its weight less."""
        assert step.t is not None
        at, reading = step.reading.owner, step.reading
        width = torch.from_numpy(self.width)[at]
        slope = None if reading.slope is None else reading.slope / width
        return Step(
            replace(reading, owner=torch.from_numpy(self.rows)[at], slope=slope),
            step.move / width.to(step.move).reshape(-1, *[1] * (step.move.ndim - 1)),
            step.weight * width / self.draws,
            torch.from_numpy(self.begin)[at] + width * step.t,
            torch.full_like(at, self.draw),
            "" if self.alone else self.place.value,
        )


class Silence:
    """Where a side that is alone has its other side, nothing is added: nodes of no gradient and no weight say so.

    The first lies as far beyond the split as the last node before it, so that a line between the two is half above
    and half below what the side is there.
    """

    def __init__(self, side: Side) -> None:
        self.side = side
        self.near = np.full(len(side.rows), np.nan)
        self.like = torch.empty(0)

    def before(self, step: Step) -> Iterator[Step]:
        """Ahead of the first nodes of a right side; and it is noted what is told."""
        assert step.t is not None
        assert step.reading.grad is not None
        self.like = torch.zeros_like(step.reading.grad[:1])
        left = self.side.place is Place.LEFT
        for row, t in zip(step.reading.owner.tolist(), step.t.tolist(), strict=True):
            first = np.isnan(self.near[row])
            if left or first:
                self.near[row] = t
            if first and not left:
                yield from self._nodes(np.array([row]), np.array([0.0]))
                yield from self._nodes(np.array([row]), self._mirrored([row]))

    def after(self) -> Iterator[Step]:
        """Behind the last nodes of a left side."""
        if self.side.place is Place.LEFT:
            every = np.flatnonzero(np.isfinite(self.near))
            yield from self._nodes(every, self._mirrored(every))
            yield from self._nodes(every, np.ones(len(every)))

    def _mirrored(self, rows: npt.ArrayLike) -> Array:
        """As far from the split as the nearest node, on the other side of it; inside the path."""
        begin, width, near = (column[np.asarray(rows)] for column in (self.side.begin, self.side.width, self.near))
        mirrored = begin + width * (2 - near) if self.side.place is Place.LEFT else begin - width * near
        return np.asarray(np.clip(mirrored, 0.0, 1.0))

    def _nodes(self, rows: npt.NDArray[np.int_], t: Array) -> Iterator[Step]:
        if len(rows):
            none = torch.zeros(len(rows), dtype=torch.float64, device="cpu")
            zero = self.like.expand(len(rows), *self.like.shape[1:])
            owner = torch.from_numpy(self.side.rows[rows])
            yield Step(
                Reading(owner, none, zero), zero, none, torch.from_numpy(t), torch.full_like(owner, self.side.draw)
            )


_WORST = (Status.NONFINITE, Status.BUDGET_EXHAUSTED, Status.CONVERGED, Status.FLAT)


class Merged:
    """What the outcomes of all sides of all paths say of the examples."""

    def __init__(self, frame: Frame) -> None:
        self.frame, self.spread = frame, Spread(frame)
        self.status = [Status.FLAT] * frame.examples
        self.note = [""] * frame.examples
        self.squares = np.zeros((frame.examples, frame.draws))
        self.traces: list[list[list[Trace]]] = [[[] for _ in range(frame.draws)] for _ in range(frame.examples)]
        self.opened = False

    def open_parts(self, like: Step) -> Iterator[Step]:
        """Both parts are there, also where nobody has a way to go on a side: a step of no rows in each."""
        if not self.opened:
            self.opened = True
            none = torch.zeros(len(like.reading.owner), dtype=torch.float64, device="cpu")
            for place in Place:
                yield part_of(like, none, place)

    def take(self, side: Side, outcome: Outcome) -> None:
        """Enter a side. The errors of two sides are taken to be independent."""
        for k, example in enumerate(side.rows.tolist()):
            self.status[example] = min(self.status[example], outcome.status[k], key=_WORST.index)
            self.note[example] = self.note[example] or outcome.note[k]
            self.squares[example, side.draw] += 0.0 if outcome.status[k] is Status.FLAT else outcome.error[k] ** 2
            one, begin, width = outcome.trace[k][0], side.begin[k], side.width[k]
            moved = Trace(begin + width * one.t, width * one.weight, one.value, one.gradient_norm)
            self.traces[example][side.draw].append(moved)

    def close(self) -> None:
        """All sides of a path are entered; one without a way to go has no map."""
        if self.spread.present.numel():
            self.spread.close()
        else:
            self.spread.closed += 1

    def outcome(self) -> Outcome:
        bad = [status is Status.NONFINITE for status in self.status]
        spread = zip(bad, self.spread.error(), strict=True)
        return Outcome(
            status=self.status,
            error=[float(e) for e in np.sqrt(self.squares).mean(1)],
            trace=[[_joined(sides) for sides in draws] for draws in self.traces],
            note=self.note,
            spread=[float("nan") if b else s for b, s in spread],
        )


def _joined(traces: list[Trace]) -> Trace:
    """Traces of neighbouring stretches as one."""
    columns = zip(*((t.t, t.weight, t.value, t.gradient_norm) for t in traces), strict=True)
    return Trace(*(np.concatenate(c) for c in columns)) if traces else Trace(*(np.empty(0) for _ in range(4)))
