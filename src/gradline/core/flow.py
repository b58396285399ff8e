"""The ask/tell protocol between a method and the engine, on one screen.

A flow is a generator. It yields a `Probe` ("what are the value and the gradient at these points?") and is sent a
`Reading`; it yields a `Step` ("this stretch of path counts with this weight") and is sent nothing. When it is done it
returns an `Outcome`. It never sees a model, so it can be tested on formulas (`gradline.testing.drive`).

A flow drives a group of B examples at once. Rows of a probe are flat; `owner` says whose row each one is, so
examples may ask for different numbers of points.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
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
    PUSH = "push"


class Of(Enum):
    """Another target of the same model, named by how it follows from the one that is explained."""

    MARGIN = "the class explained less the best other class at x"
    ENTROPY = "the entropy of the classes' distribution, as a share of the largest there can be"
    ENTROPIES = "the mean entropy of labels that do not exclude each other, as a share of the largest"


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """A question: `points (R, *F)` of the examples `owner (R,)` of the flow's group.

    `tangent (R, *F)`: how the path moves there; asked for where gradients are read at another site than the path is
    driven at. `of`: another target of the same model, an `Of` or whatever a call takes as target; None is the one
    explained.
    """

    points: Tensor
    owner: Tensor
    need: Need = Need.GRADIENT
    tangent: Tensor | None = None
    of: object | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """The answer for the probe's `owner (R,)`; `*G` is the shape of the site where gradients are read, often `*F`.

    `value (R,)` float64 on the CPU. `grad (R, *G)`, None if only the value was needed. For a probe with a tangent:
    `slope (R,)` float64, the derivative of the score along the tangent. For a push: `lifted (R, *G)`, the points as
    seen at the site, and `pushed (R, *G)`, the tangent as seen there. `noise (R, 2)` float64, where gradients are
    sampled: standard errors of a feature's gradient, root mean square over features, and of the value.
    `shares (R, M)` float64, where the engine is asked for regions of x: what of the slope is each region's.
    """

    owner: Tensor
    value: Tensor
    grad: Tensor | None
    slope: Tensor | None = None
    lifted: Tensor | None = None
    pushed: Tensor | None = None
    noise: Tensor | None = None
    shares: Tensor | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A stretch of path told to the accumulator: a reading, how far it moves `(R, *F)`, its `weight (R,)`.

    `t`, `draw (R,)`: where on the path and on which of its example's paths it was read, ascending; None where there is
    no path. `part`: the part of the map that it belongs to, kept apart as well; "" for none.
    """

    reading: Reading
    move: Tensor
    weight: Tensor
    t: Tensor | None = None
    draw: Tensor | None = None
    part: str = ""


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
    `spread`: standard error of the mean map over draws, L2, NaN for one draw; empty from flows that do not say.
    `claim`: what the values should add up to, where that is not the difference of the score between the ends; empty
    from others. `details`: more to say of every example, numbers or lists of them by name.
    """

    status: list[Status]
    error: list[float]
    trace: list[list[Trace]]
    note: list[str] = field(default_factory=list)
    spread: list[float] = field(default_factory=list)
    claim: list[float] = field(default_factory=list)
    details: dict[str, list[Any]] = field(default_factory=dict)


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
    `bounded`: the score saturates (a probability). `room`: what the engine grants. `apart`: gradients are read at
    another site than the path is driven at; probes then carry tangents. `need`: what to ask for at the nodes, a push if
    the move has to be known at that site. `node_map(grad, move)`: what a node contributes, per unit of weight.
    `rounded`: the estimate has to allow for the rounding of gradients; not if that is measured elsewhere.
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
    need: Need = Need.GRADIENT
    apart: bool = False
    node_map: Callable[[Tensor, Tensor], Tensor] = torch.mul
    rounded: bool = True

    @property
    def examples(self) -> int:
        return self.end.shape[0]

    @property
    def draws(self) -> int:
        return self.start.shape[1]

    def probe(self, points: Tensor, owner: Tensor, move: Tensor) -> Probe:
        """Ask for what a node of the path needs: `points (R, *F)`, and how the path moves there, `move (R, *F)`."""
        return Probe(points, owner, self.need, move if self.apart else None)


Flow = Generator[Probe | Step, Any, Outcome]


def relay(
    flow: Flow,
    ask: Callable[[Probe], Generator[Probe | Step, Any, Reading]],
    tell: Callable[[Step], Iterable[Step]],
) -> Flow:
    """Another flow, whose questions go through `ask` and whose steps go through `tell`; returns its outcome."""
    answer: Reading | None = None
    while True:
        try:
            said = next(flow) if answer is None else flow.send(answer)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
        if isinstance(said, Probe):
            answer = yield from ask(said)
        else:
            answer = None
            yield from tell(said)
