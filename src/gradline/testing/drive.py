"""Drive a flow on a formula: no engine, no model, every message at hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gradline.core.accumulators import Accumulator, GradientTimesMove
from gradline.core.flow import Flow, Frame, Outcome, Probe, Reading, Step


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
    """What came of a flow: values `(B, *F)`, its outcome, and every message in order."""

    values: Tensor
    outcome: Outcome
    probes: list[Probe]
    steps: list[Step]


def frame(
    score: Callable[[Tensor], Tensor],
    x: Tensor,
    start: Tensor | None = None,
    *,
    room: OpenRoom | None = None,
    bounded: bool = False,
    seed: int = 0,
) -> Frame:
    """The frame for `x (B, *F)` from `start (B, K, *F)`, zero by default; `score` maps `(R, *F)` to `(R, 1)`."""
    start = torch.zeros_like(x).unsqueeze(1) if start is None else start
    return Frame(
        start=start,
        end=x,
        start_score=score(start.flatten(0, 1)).detach().double().reshape(start.shape[:2]).numpy(),
        end_score=score(x).detach().double().reshape(-1).numpy(),
        names=tuple(str(i) for i in range(len(x))),
        seed=seed,
        precision=x.dtype,
        bounded=bounded,
        room=room or OpenRoom(),
    )


def drive(flow: Flow, score: Callable[[Tensor], Tensor], x: Tensor, accumulator: Accumulator | None = None) -> Told:
    """Answer every probe with the gradient of `score` and fold every step."""
    accumulator = accumulator or GradientTimesMove()
    values = torch.zeros_like(x)
    probes: list[Probe] = []
    steps: list[Step] = []
    answer: Reading | None = None
    try:
        while True:
            said = flow.send(answer)
            if isinstance(said, Step):
                steps.append(said)
                values.index_add_(0, said.reading.owner, accumulator.term(said).to(values))
                answer = None
            else:
                probes.append(said)
                answer = _read(score, said)
    except StopIteration as end:
        return Told(values, end.value, probes, steps)


def _read(score: Callable[[Tensor], Tensor], probe: Probe) -> Reading:
    leaf = probe.points.detach().clone().requires_grad_()
    value = score(leaf).reshape(-1)
    (grad,) = torch.autograd.grad(value.sum(), leaf)
    return Reading(probe.owner, value.detach().double(), grad)
