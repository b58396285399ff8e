"""Drive a flow on a formula: no engine, no model, every message at hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gradline.core.accumulators import Accumulator, GradientTimesMove
from gradline.core.flow import Flow, Frame, Need, Outcome, Probe, Reading, Step
from gradline.question.push import push

Formula = Callable[[Tensor], Tensor]


@dataclass(slots=True, eq=False)
class OpenRoom:
    """Grants what is asked: `width` rows a batch, and `most` bytes to keep in all."""

    width: int = 16
    most: float = float("inf")
    kept: int = 0
    estimates: list[float] = field(default_factory=list)

    def rows(self) -> int:
        return self.width

    def keep(self, nbytes: int) -> bool:
        if nbytes > 0 and self.kept + nbytes > self.most:
            return False
        self.kept += nbytes
        return True

    def progress(self, estimate: float) -> None:
        self.estimates.append(estimate)


@dataclass(slots=True, eq=False)
class Told:
    """What came of a flow: values `(B, *G)`, its outcome, and every message in order."""

    values: Tensor
    outcome: Outcome
    probes: list[Probe]
    steps: list[Step]


def frame(
    score: Formula,
    x: Tensor,
    start: Tensor | None = None,
    *,
    room: OpenRoom | None = None,
    bounded: bool = False,
    seed: int = 0,
    accumulator: Accumulator | None = None,
    lift: Formula | None = None,
) -> Frame:
    """The frame for `x (B, *F)` from `start (B, K, *F)`, zero by default; `score` maps `(R, *F)` to `(R, 1)`.

    `accumulator`: of the method that the flow serves, `GradientTimesMove` by default. `lift`: where gradients are read,
    if that is not where the path is driven; it maps points `(R, *F)` to `(R, *G)`, and `score` maps these.
    """
    start = torch.zeros_like(x).unsqueeze(1) if start is None else start
    whole, accumulator = _whole(score, lift), accumulator or GradientTimesMove()
    return Frame(
        start=start,
        end=x,
        start_score=whole(start.flatten(0, 1)).detach().double().reshape(start.shape[:2]).numpy(),
        end_score=whole(x).detach().double().reshape(-1).numpy(),
        names=tuple(str(i) for i in range(len(x))),
        seed=seed,
        precision=x.dtype,
        bounded=bounded,
        room=room or OpenRoom(),
        need=Need.PUSH if lift is not None and accumulator.multiplies else Need.GRADIENT,
        apart=lift is not None,
        node_map=accumulator.node_map,
    )


def drive(
    flow: Flow, score: Formula, x: Tensor, accumulator: Accumulator | None = None, lift: Formula | None = None
) -> Told:
    """Answer every probe from formulas, those that `frame` was given, and fold every step."""
    accumulator = accumulator or GradientTimesMove()
    values = torch.full_like(x if lift is None else lift(x).detach(), accumulator.blank)
    probes: list[Probe] = []
    steps: list[Step] = []
    answer: Reading | None = None
    try:
        while True:
            said = flow.send(answer)
            if isinstance(said, Step):
                steps.append(said)
                accumulator.fold(values, said.reading.owner, said)
                answer = None
            else:
                probes.append(said)
                answer = _read(score, lift, said)
    except StopIteration as end:
        return Told(values, end.value, probes, steps)


def _whole(score: Formula, lift: Formula | None) -> Formula:
    return score if lift is None else lambda points: score(lift(points))


def _read(score: Formula, lift: Formula | None, probe: Probe) -> Reading:
    if probe.of is not None:
        raise ValueError("a formula has one target, and this probe asks for another")
    leaf = probe.points.detach().clone().requires_grad_(probe.need is not Need.VALUE)
    seen = leaf if lift is None else lift(leaf)
    value = score(seen).reshape(-1)
    if probe.need is Need.VALUE:
        return Reading(probe.owner, value.detach().double(), None)
    at_leaf, grad = torch.autograd.grad(value.sum(), [leaf, seen])
    if lift is None or probe.tangent is None:
        return Reading(probe.owner, value.detach().double(), grad)
    slope = (at_leaf * probe.tangent).flatten(1).sum(1).double()
    lifted = pushed = None
    if probe.need is Need.PUSH:
        lifted, pushed = push(lift, probe.points, probe.tangent)
    return Reading(probe.owner, value.detach().double(), grad, slope, lifted, pushed)
