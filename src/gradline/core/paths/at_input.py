"""No path: one gradient, at the input itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from gradline.core.flow import Flow, Frame, Outcome, Probe, Step, Trace
from gradline.core.paths.base import Budget, Path
from gradline.status import Status


@dataclass(frozen=True)
class AtInput(Path):
    """Read the gradient at x and move by x. Makes no claim: its values add up to nothing in particular."""

    integrates = False
    complete = False

    def flow(self, frame: Frame, budget: Budget) -> Flow:
        traces: list[list[Trace]] = []
        finite: list[bool] = []
        first = 0
        while first < frame.examples:
            rows = torch.arange(first, min(frame.examples, first + frame.room.rows()), device="cpu")
            first += len(rows)
            reading = yield Probe(frame.end[rows], rows)
            yield Step(reading, frame.end[rows], torch.ones(len(rows), dtype=torch.float64, device="cpu"))
            norm = reading.grad.flatten(1).norm(dim=1).cpu().double().numpy()
            for value, size in zip(reading.value.numpy(), norm, strict=True):
                traces.append([Trace(np.ones(1), np.ones(1), np.array([value]), np.array([size]))])
                finite.append(bool(np.isfinite(value) and np.isfinite(size)))
        return Outcome(
            status=[Status.NO_CLAIM if ok else Status.NONFINITE for ok in finite],
            error=[float("nan")] * frame.examples,
            trace=traces,
            note=["" if ok else "the score or its gradient at the input is not finite" for ok in finite],
        )
