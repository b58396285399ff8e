"""Where on a straight path the score saturates: forward passes at equal cells, then bisections, then a line."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch

from gradline.core.fixed import scores
from gradline.core.flow import Frame, Need, Probe, Reading
from gradline.core.node_algebra import Array
from gradline.core.paths.straight import Straight

ROUNDING = 8.0
"""Roundings of the largest score by which a threshold has to be exceeded; what a flat score does below is noise."""


class Threshold(StrEnum):
    """What the score has to exceed, for a share φ."""

    ENDS = "F(x') + φ (F(x) − F(x'))"
    MAXIMUM = "φ max F"
    ABSOLUTE = "|F − F(x')| > φ |F(x) − F(x')|"

    def excess(self, seen: Array, phi: float, path: Array) -> Array:
        """By how much the scores `seen (R, m)` exceed it, below 0 where they do not.

        `path (R, n)`: the score along each path, at x' first and at x last.
        """
        first, last = path[:, :1], path[:, -1:]
        match self:
            case Threshold.ENDS:
                return np.asarray((seen - first) - phi * (last - first))
            case Threshold.MAXIMUM:
                return np.asarray(seen - phi * path.max(1, keepdims=True))
            case Threshold.ABSOLUTE:
                return np.asarray(np.abs(seen - first) - phi * np.abs(last - first))


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Where each path saturates, `t (B, K)`, and the `score (B, K)` there; `path (B, K, n)`: it, at equal distances."""

    t: Array
    score: Array
    path: Array


Looking = Generator[Probe, Reading, tuple[Array, Array, Array]]


def first_step(frame: Frame, threshold: Threshold, phi: float, draw: int, steps: int) -> Looking:
    """The beginning `(B,)` of the first of so many steps whose end exceeds the threshold, the score there, and on the
    way `(B, steps + 1)`. 1 where there is none. The published form, which does not look at the baseline.
    """
    path = yield from scores(frame, Straight(), draw, steps)
    beyond = threshold.excess(path[:, 1:], phi, path) > 0
    before = np.where(beyond.any(1), beyond.argmax(1), steps)
    return before / steps, path[np.arange(len(path)), before], path


def crossing(frame: Frame, threshold: Threshold, phi: float, draw: int, *, cells: int, bisections: int) -> Looking:
    """The smallest t `(B,)` at which the score exceeds the threshold, as far as `cells` see it, the score there, and on
    the way `(B, cells + 1)`. 0 where it does so from the baseline on, 1 where it never does.
    """
    path = yield from scores(frame, Straight(), draw, cells)
    slack = ROUNDING * float(torch.finfo(frame.precision).eps) * np.abs(path).max(1)
    excess = threshold.excess(path, phi, path) - slack[:, None]
    found, at_once, every = (excess > 0).any(1), excess[:, 0] > 0, np.arange(len(path))
    after = np.where(found, np.maximum((excess > 0).argmax(1), 1), cells)
    low, high = (after - 1) / cells, after / cells
    before, behind = excess[every, after - 1], excess[every, after]
    for _ in range(bisections):
        middle = (low + high) / 2
        seen = threshold.excess((yield from _scores(frame, draw, middle))[:, None], phi, path)[:, 0] - slack
        low, before = np.where(seen > 0, low, middle), np.where(seen > 0, before, seen)
        high, behind = np.where(seen > 0, middle, high), np.where(seen > 0, seen, behind)
    rise = behind - before
    share = np.divide(-before, rise, out=np.ones_like(rise), where=np.isfinite(rise) & (rise > 0))
    t = np.where(at_once, 0.0, np.where(found, low + (high - low) * share, 1.0))
    inside = (t > 0) & (t < 1)
    score = yield from _scores(frame, draw, t)
    return t, np.where(inside, score, np.where(t > 0, path[:, -1], path[:, 0])), path


def _scores(frame: Frame, draw: int, t: Array) -> Generator[Probe, Reading, Array]:
    """The score at `t (B,)`, one place on each path."""
    points = Straight().point(frame.start[:, draw], frame.end, torch.from_numpy(t)[:, None])
    reading = yield Probe(points.flatten(0, 1), torch.arange(frame.examples, device="cpu"), Need.VALUE)
    return np.asarray(reading.value.numpy())
