"""The ask/tell protocol between a method and the engine, on one screen.

A flow is a generator. It yields a `Probe` ("what are the value and the gradient at these points?") and is sent a
`Reading`; it yields a `Step` ("this stretch of path counts with this weight") and is sent nothing. When it is done it
returns an `Outcome`. It never sees a model, so it can be tested on formulas (`gradline.testing.drive`).

A flow drives a group of B examples at once. Rows of a probe are flat; `owner` says whose row each one is, so
examples may ask for different numbers of points.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from gradline.status import Status


class Need(Enum):
    """What a probe wants to know at its points."""

    VALUE = "value"
    GRADIENT = "gradient"


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """A question: `points (R, *F)` of the examples `owner (R,)` of the flow's group."""

    points: Tensor
    owner: Tensor
    need: Need = Need.GRADIENT


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """The answer: `value (R,)` float64 on the CPU, `grad (R, *F)` or None, for the probe's `owner (R,)`."""

    owner: Tensor
    value: Tensor
    grad: Tensor | None


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A stretch of path told to the accumulator: a reading, how far it moves `(R, *F)`, its `weight (R,)`."""

    reading: Reading
    move: Tensor
    weight: Tensor


@dataclass(slots=True, eq=False)
class Trace:
    """What was seen along the path of one example: arrays `(n,)` ascending in `t`.

    `t`: position in [0, 1]; `weight`: share of the path in the sum; `value`: the score there;
    `gradient_norm`: L2 norm of the gradient of the score with respect to the input.
    """

    t: np.ndarray
    weight: np.ndarray
    value: np.ndarray
    gradient_norm: np.ndarray


@dataclass(slots=True, eq=False)
class Outcome:
    """What a flow knows at its end, per example of its group: lists of length B.

    `error`: estimated absolute L2 error of the map, NaN where there is no estimate. `trace`: one per draw.
    `note`: a sentence where something needs saying (a non-finite reading, a memory stop), else "".
    """

    status: list[Status]
    error: list[float]
    trace: list[list[Trace]]
    note: list[str] = field(default_factory=list)


class Room(Protocol):
    """What the engine grants a flow."""

    def rows(self) -> int:
        """Rows that the next gradient batch can hold (at least 1)."""

    def keep(self, nbytes: int) -> bool:
        """Ask to keep `nbytes` more between probes (negative: give back); False if they do not fit."""

    def progress(self, estimate: float) -> None:
        """Report the worst current estimate of the group, relative to the map's norm."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """The ground a flow stands on: B examples, each with K paths (draws) that are averaged.

    `start (B, K, *F)`, `end (B, *F)`: the ends of the paths. `start_score (B, K)`, `end_score (B,)`: the score there,
    float64. `names`: the examples' names, the key of their random numbers together with `seed`.
    `precision`: the dtype in which points reach the score and scores come back; `start` and `end` are at least float32.
    `bounded`: the score saturates (a probability). `room`: what the engine grants.
    """

    start: Tensor
    end: Tensor
    start_score: np.ndarray
    end_score: np.ndarray
    names: tuple[str, ...]
    seed: int
    precision: torch.dtype
    bounded: bool
    room: Room

    @property
    def examples(self) -> int:
        return self.end.shape[0]

    @property
    def draws(self) -> int:
        return self.start.shape[1]


Flow = Generator[Probe | Step, Any, Outcome]
