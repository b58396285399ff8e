"""A fixed number of nodes: streamed, so that memory does not depend on the number of steps."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import numpy as np
import torch

from gradline.core.flow import Flow, Frame, Need, Outcome, Probe, Reading, Step, Trace
from gradline.core.rules import Rule
from gradline.status import Status

if TYPE_CHECKING:
    from gradline.core.paths.base import Curve


def fixed(frame: Frame, curve: Curve, rule: Rule, steps: int) -> Flow:
    """Read `steps` nodes of `rule` on every path of the group and tell each at once."""
    examples, draws = frame.examples, frame.draws
    seen: list[list[Trace]] = [[] for _ in range(examples)]
    spread = Spread(frame)
    for draw in range(draws):
        values = (yield from scores(frame, curve, draw, rule.probes)) if rule.probes else None
        t, weight = rule.table(steps, frame.names, frame.seed, draw, draws, values)
        edge = np.column_stack([np.zeros(len(t)), np.minimum(weight.cumsum(1), 1.0)])
        edge[:, -1] = 1.0
        value, norm = np.empty_like(t), np.empty_like(t)
        first = 0
        while first < steps:
            last = min(steps, first + max(1, frame.room.rows() // examples))
            at = torch.from_numpy(t[:, first:last])
            count = last - first
            points = curve.point(frame.start[:, draw], frame.end, at)
            owner = torch.arange(examples, device="cpu").repeat_interleave(count)
            cells = torch.from_numpy(edge[:, first : last + 1])
            move = curve.over(frame.start[:, draw], frame.end, at, cells).expand(points.shape).flatten(0, 1)
            reading = yield frame.probe(points.flatten(0, 1), owner, move)
            share = torch.from_numpy(weight[:, first:last]).flatten() / draws
            moved = move if reading.pushed is None else reading.pushed
            step = Step(reading, moved, share, at.flatten(), torch.full_like(owner, draw))
            yield step
            spread.add(step)
            value[:, first:last] = reading.value.reshape(examples, count).numpy()
            norm[:, first:last] = reading.grad.flatten(1).norm(dim=1).reshape(examples, count).cpu().double().numpy()
            first = last
        for example in range(examples):
            seen[example].append(Trace(t[example], weight[example], value[example], norm[example]))
        spread.close()
    ends = np.concatenate([frame.start_score[..., None], np.repeat(frame.end_score[:, None, None], draws, 1)], 2)
    notes = [nonfinite_note(traces, ends[example]) for example, traces in enumerate(seen)]
    return Outcome(
        status=[Status.NONFINITE if note else Status.FIXED for note in notes],
        error=[float("nan")] * examples,
        trace=seen,
        note=notes,
        spread=[float("nan") if note else error for note, error in zip(notes, spread.error(), strict=True)],
    )


def scores(frame: Frame, curve: Curve, draw: int, cells: int) -> Generator[Probe, Reading, np.ndarray]:
    """The score at the edges of equal cells of the path, `(B, cells + 1)`; that at the ends is known already."""
    inside = np.empty((frame.examples, cells - 1))
    count = max(1, frame.room.rows() // frame.examples)
    for first in range(0, cells - 1, count):
        last = min(cells - 1, first + count)
        at = torch.arange(first + 1, last + 1, dtype=torch.float64, device="cpu").expand(frame.examples, -1) / cells
        owner = torch.arange(frame.examples, device="cpu").repeat_interleave(last - first)
        points = curve.point(frame.start[:, draw], frame.end, at)
        reading = yield Probe(points.flatten(0, 1), owner, Need.VALUE)
        inside[:, first:last] = reading.value.reshape(frame.examples, -1).numpy()
    return np.column_stack([frame.start_score[:, draw], inside, frame.end_score])


class Spread:
    """How far the maps of the draws lie apart, from two maps an example whatever the number of draws."""

    def __init__(self, frame: Frame) -> None:
        self.examples, self.draws, self.closed = frame.examples, frame.draws, 0
        self.node_map = frame.node_map
        self.present = self.mean = torch.empty(0)  # both in shares of the mean map
        self.scatter = torch.zeros(frame.examples, dtype=torch.float64, device="cpu")  # Σ ‖A_k − Ā‖² so far

    def add(self, step: Step) -> None:
        """Take in a stretch of the present draw."""
        if self.draws > 1:
            assert step.reading.grad is not None
            maps = self.node_map(step.reading.grad, step.move)
            terms = maps * step.weight.to(maps).reshape(-1, *[1] * (maps.ndim - 1))
            if not self.present.numel():
                self.present, self.mean = (terms.new_zeros(self.examples, *terms.shape[1:]) for _ in range(2))
            self.present.index_add_(0, step.reading.owner.to(terms.device), terms)

    def close(self) -> None:
        """The present draw is complete."""
        if self.draws > 1:
            self.closed += 1
            self.present -= self.mean
            self.mean += self.present / self.closed
            self.scatter += self.present.flatten(1).norm(dim=1).cpu().double() ** 2 * (1 - 1 / self.closed)
            self.present.zero_()

    def error(self) -> list[float]:
        """Standard error of the mean map over the draws, L2; NaN for one draw."""
        if self.draws == 1:
            return [float("nan")] * self.examples
        return [float(e) for e in (self.scatter * self.draws / (self.draws - 1)).sqrt()]


def nonfinite_note(traces: list[Trace], ends: np.ndarray) -> str:
    """Where on the paths of one example the first non-finite reading was, "" if there is none.

    `ends (K, 2)`: the score at the start and the end of each path.
    """
    for place, what in enumerate(("baseline", "input")):
        if not np.isfinite(ends[:, place]).all():
            return f"the score at the {what} is not finite"
    for trace in traces:
        for what, array in (("score", trace.value), ("gradient", trace.gradient_norm)):
            bad = np.flatnonzero(~np.isfinite(array))
            if bad.size:
                return f"the {what} is not finite at t = {trace.t[bad[0]]:.6g} ({bad.size} of {trace.t.size} nodes)"
    return ""
