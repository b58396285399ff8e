"""Starts that are searched for with the model."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from gradline.core.baselines.base import Baseline, Group, check_floating, check_whole
from gradline.core.baselines.hunt import Hunt
from gradline.core.baselines.image import PixelSpace
from gradline.core.flow import Frame, Need, Of, Probe, Reading
from gradline.errors import BaselineError

Bound = float | tuple[float, ...] | None


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a search found: `starts (B, draws, *F)`.

    For each example: `details`, more to say of it by name, as a list over draws; `note`, a sentence that becomes a
    finding, "" for none, or no list for none at all.
    """

    starts: Tensor
    details: dict[str, list[Any]] = field(default_factory=dict)
    note: list[str] = field(default_factory=list)


class Search(Baseline):
    """A start that is searched for with the model: a flow that asks, tells nothing, and returns what it found."""

    @abstractmethod
    def search(self, frame: Frame) -> Generator[Probe, Reading, Found]:
        """The starts for `frame.end`, in its dtype; the frame's own start says nothing yet.

        Raises `BaselineError`, naming the examples, where nothing was found.
        """

    def start(self, group: Group) -> Tensor:
        raise TypeError(f"{type(self).__name__} needs the model: drive its search(frame) instead")

    def check(self, x: Tensor) -> None:
        check_floating(self, x)


@dataclass(frozen=True)
class Boundary(Search):
    """The nearest point found on the decision boundary: min ‖x' − x‖₂ subject to margin(x') <= 0.

    The margin is the explained class less the best other class at x. This rival stays the same: at x' the explained
    class has lost to it, and on the way a third class may have won. Where the rival wins at x already, x' is where the
    explained class draws level, margin(x') >= 0. In both cases the model was read at x' and is on the other side there;
    a point nearer to x by 2^−bisections of the way, at most, was read to be on x's side.

    `steps >= 1`: most gradients an example, beside the one at x. `bisections >= 0`: forward passes. `overshoot` in
    [0, 1): share by which a step goes beyond where the linearised margin vanishes. `low`, `high`: range of a valid
    input, a number or one each channel (axis 1); where x itself is outside, it is the bound. Vision cases fill in black
    and white.

    Raises `BaselineError` for an x of integers and, naming the examples, where the other side is not found. The
    baseline of Boundary-based Integrated Gradients (Wang, Fredrikson and Datta, ICML 2022), who keep the closest result
    of several attacks, about 400 gradients, even if all of them failed.
    """

    steps: int = 40
    bisections: int = 12
    overshoot: float = 0.02
    low: Bound = None
    high: Bound = None

    def __post_init__(self) -> None:
        check_whole(self, "steps", self.steps)
        check_whole(self, "bisections", self.bisections, least=0)
        if not 0 <= self.overshoot < 1:
            raise BaselineError("overshoot in [0, 1) for Boundary", f"overshoot={self.overshoot}")
        low, high = channels(self.low, -math.inf), channels(self.high, math.inf)
        counts = {len(low), len(high)} - {1} or {1}
        pairs = zip(low * (max(counts) // len(low)), high * (max(counts) // len(high)), strict=False)
        if len(counts) > 1 or not all(lowest < highest for lowest, highest in pairs):
            raise BaselineError("low < high in every channel for Boundary", f"low={self.low}, high={self.high}")

    def within(self, pixels: PixelSpace) -> Baseline:
        if self.low is not None or self.high is not None:
            return self
        low = tuple(min(pair) for pair in zip(pixels.black, pixels.white, strict=True))
        return replace(self, low=low, high=tuple(max(pair) for pair in zip(pixels.black, pixels.white, strict=True)))

    def check(self, x: Tensor) -> None:
        super().check(x)
        self._box(x[:1])

    def search(self, frame: Frame) -> Generator[Probe, Reading, Found]:
        x, every = frame.end, torch.arange(frame.examples, device="cpu")
        reading = yield Probe(x, every, of=Of.MARGIN)
        hunt = Hunt(x, reading.value, self.overshoot, self._box(x), frame.precision)
        hunt.learn(reading)
        for _ in range(self.steps):
            if len(hunt.live):
                hunt.learn((yield Probe(hunt.points(), hunt.live, of=Of.MARGIN)))
        if hunt.lost:
            names = ", ".join(frame.names[i] for i in hunt.lost[:5]) + ", …" * (len(hunt.lost) > 5)
            got = f"none in {self.steps} steps for {len(hunt.lost)} of {frame.examples} ({names})"
            remedy = "raise steps=, widen low= and high=, or give these examples another baseline"
            raise BaselineError("a decision boundary within reach of every example", got, remedy)
        inside, outside = x, hunt.best
        for _ in range(self.bisections):
            middle = hunt.rounded((inside + outside) / 2)
            reading = yield Probe(middle, every, Need.VALUE, of=Of.MARGIN)
            over = hunt.spread(reading.value * hunt.side <= 0)
            inside, outside = torch.where(over, inside, middle), torch.where(over, middle, outside)
        return Found(outside.unsqueeze(1))

    def _box(self, x: Tensor) -> tuple[Tensor, Tensor] | None:
        """The least and the largest value of every feature `(B, *F)`, None where nothing was said."""
        if self.low is None and self.high is None:
            return None
        low, high = (shaped(channels(b, -math.inf * s), x, "Boundary") for b, s in ((self.low, 1), (self.high, -1)))
        return torch.minimum(low, x), torch.maximum(high, x)


def channels(bound: Bound, default: float) -> tuple[float, ...]:
    """A bound as one number, or one each channel."""
    if isinstance(bound, tuple):
        return bound
    return (default if bound is None else bound,)


def shaped(bound: tuple[float, ...], x: Tensor, part: str) -> Tensor:
    """A bound that broadcasts to x `(B, *F)`. Raises `BaselineError`, which speaks of `part`."""
    if len(bound) not in (1, x.shape[1]):
        raise BaselineError(f"one bound or {x.shape[1]}, one each channel, for {part}", f"{len(bound)}")
    return x.new_tensor(bound).reshape(1, -1, *[1] * (x.ndim - 2))
