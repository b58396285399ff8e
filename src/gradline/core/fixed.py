"""A fixed number of nodes: streamed, so that memory does not depend on the number of steps."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import numpy as np
import torch

from gradline.core.flow import Flow, Frame, Need, Outcome, Probe, Reading, Step, Trace
from gradline.core.node_algebra import Array
from gradline.core.rules import Rule
from gradline.status import Status

if TYPE_CHECKING:
    from gradline.core.paths.base import Curve


def fixed(frame: Frame, curve: Curve, rule: Rule, steps: int, *, apart: bool = False) -> Flow:
    """Read `steps` nodes of `rule` on every path of the group and tell each at once; several draws together, if all
    their nodes fit into one batch, unless they have to be told `apart`."""
    examples, draws = frame.examples, frame.draws
    seen: list[list[Trace]] = [[] for _ in range(examples)]
    spread = Spread(frame)
    together = 1 if apart else max(1, frame.room.rows() // (examples * steps))
    for block in (range(first, min(first + together, draws)) for first in range(0, draws, together)):
        tables = []
        for draw in block:
            values = (yield from scores(frame, curve, draw, rule.probes)) if rule.probes else None
            tables.append(rule.table(steps, frame.names, frame.seed, draw, draws, values))
        t, weight = (np.stack(arrays, 1).reshape(-1, steps) for arrays in zip(*tables, strict=True))
        paths = _Paths(frame, curve, block)
        value, norm = np.empty_like(t), np.empty_like(t)
        for first in range(0, steps, size := max(1, frame.room.rows() // len(t))):
            part = slice(first, first + size)
            step = yield from paths.read(t, weight, part)
            yield step
            spread.add(step, block)
            value[:, part], norm[:, part] = _told(step.reading, t[:, part].shape)
        for row, (example, _) in enumerate(np.ndindex(examples, len(block))):
            seen[example].append(Trace(t[row], weight[row], value[row], norm[row]))
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


class _Paths:
    """The paths of a group on some of its draws, R = examples × draws of them."""

    def __init__(self, frame: Frame, curve: Curve, draws: range) -> None:
        self.frame, self.curve = frame, curve
        self.start = frame.start[:, draws.start : draws.stop].flatten(0, 1)
        self.end = frame.end.repeat_interleave(len(draws), 0)
        self.example = torch.arange(frame.examples, device="cpu").repeat_interleave(len(draws))
        self.draw = torch.tensor(draws, device="cpu").repeat(frame.examples)

    def read(self, t: Array, weight: Array, part: slice) -> Generator[Probe, Reading, Step]:
        """Some of the nodes `t (R, n)` with the rule's `weight (R, n)`, as a step."""
        edge = np.column_stack([np.zeros(len(t)), np.minimum(weight.cumsum(1), 1.0)])
        edge[:, -1] = 1.0
        at, cells = torch.from_numpy(t[:, part]), torch.from_numpy(edge[:, part.start : part.stop + 1])
        points = self.curve.point(self.start, self.end, at)
        move = self.curve.over(self.start, self.end, at, cells).expand(points.shape).flatten(0, 1)
        owner, draw = (of.repeat_interleave(at.shape[1]) for of in (self.example, self.draw))
        reading = yield self.frame.probe(points.flatten(0, 1), owner, move)
        share = torch.from_numpy(weight[:, part]).flatten() / self.frame.draws
        return Step(reading, move if reading.pushed is None else reading.pushed, share, at.flatten(), draw)


def _told(reading: Reading, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Scores and norms of gradients."""
    assert reading.grad is not None
    norm = reading.grad.flatten(1).norm(dim=1).cpu().double()
    return reading.value.reshape(shape).numpy(), norm.reshape(shape).numpy()


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
    """How far the maps of the draws lie apart, from a map of each draw that is read and their mean."""

    def __init__(self, frame: Frame) -> None:
        self.examples, self.draws, self.closed = frame.examples, frame.draws, 0
        self.node_map = frame.node_map
        self.present = self.mean = torch.empty(0)  # (B, k, *G) and (B, *G), both in shares of the mean map
        self.scatter = torch.zeros(frame.examples, dtype=torch.float64, device="cpu")  # Σ ‖A_k − Ā‖² so far

    def add(self, step: Step, draws: range = range(1)) -> None:
        """Take in a stretch of the present draws, or of one."""
        if self.draws > 1:
            assert step.reading.grad is not None
            draw = step.draw if step.draw is not None else torch.zeros_like(step.reading.owner)
            maps = self.node_map(step.reading.grad, step.move)
            terms = maps * step.weight.to(maps).reshape(-1, *[1] * (maps.ndim - 1))
            if not self.present.numel() or self.present.shape[1] != len(draws):
                self.present = terms.new_zeros(self.examples, len(draws), *terms.shape[1:])
            row = step.reading.owner * len(draws) + (draw - draws.start if len(draws) > 1 else 0)
            self.present.flatten(0, 1).index_add_(0, row.to(terms.device), terms)

    def close(self) -> None:
        """The present draws are complete."""
        if self.draws > 1:
            if not self.mean.numel():
                self.mean = torch.zeros_like(self.present[:, 0])
            for map_ in self.present.unbind(1):
                self.closed += 1
                off = map_ - self.mean
                self.mean += off / self.closed
                self.scatter += off.flatten(1).norm(dim=1).cpu().double() ** 2 * (1 - 1 / self.closed)
            self.present = torch.zeros_like(self.present)

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
