"""A fixed number of nodes: streamed, so that memory does not depend on the number of steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from gradline.core.flow import Flow, Frame, Outcome, Probe, Step, Trace
from gradline.core.rules import Rule
from gradline.status import Status

if TYPE_CHECKING:
    from gradline.core.paths.base import Curve


def fixed(frame: Frame, curve: Curve, rule: Rule, steps: int) -> Flow:
    """Read `steps` nodes of `rule` on every path of the group and tell each at once."""
    examples, draws = frame.examples, frame.draws
    seen: list[list[Trace]] = [[] for _ in range(examples)]
    for draw in range(draws):
        t, weight = rule.table(steps, frame.names, frame.seed, draw)
        value, norm = np.empty_like(t), np.empty_like(t)
        first = 0
        while first < steps:
            last = min(steps, first + max(1, frame.room.rows() // examples))
            at = torch.from_numpy(t[:, first:last])
            count = last - first
            points = curve.point(frame.start[:, draw], frame.end, at)
            owner = torch.arange(examples, device="cpu").repeat_interleave(count)
            reading = yield Probe(points.flatten(0, 1), owner)
            move = curve.move(frame.start[:, draw], frame.end, at).expand(points.shape)
            share = torch.from_numpy(weight[:, first:last]).flatten() / draws
            yield Step(reading, move.flatten(0, 1), share)
            value[:, first:last] = reading.value.reshape(examples, count).numpy()
            norm[:, first:last] = reading.grad.flatten(1).norm(dim=1).reshape(examples, count).cpu().double().numpy()
            first = last
        for example in range(examples):
            seen[example].append(Trace(t[example], weight[example], value[example], norm[example]))
    ends = np.concatenate([frame.start_score[..., None], np.repeat(frame.end_score[:, None, None], draws, 1)], 2)
    notes = [nonfinite_note(traces, ends[example]) for example, traces in enumerate(seen)]
    return Outcome(
        status=[Status.NONFINITE if note else Status.FIXED for note in notes],
        error=[float("nan")] * examples,
        trace=seen,
        note=notes,
    )


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
