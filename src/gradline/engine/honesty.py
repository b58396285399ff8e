"""Is what autograd returns the derivative of the score? Differences, jumps and sums along one path say so."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gradline.engine.answer import Answerer
from gradline.engine.precision import HALF, twin, twin_bytes
from gradline.question.targets import Target

PLACES = (0.1729, 0.4811, 0.8443)
"""Where on the path derivatives are compared: nowhere special."""

CELLS, HALVINGS, WORST = 16, 14, 2
"""A jump is looked for in so many cells, of which the worst are halved so often: to 4·10⁻⁶ of the path."""

LOUD = 0.01
"""Share of the score's range along the path that a jump must have to be told."""

MISSED = 0.1
"""Share of that range that the gradients must miss to be told."""


class OnePath:
    """The straight path of one example between `start` and `end (1, *F)`, and one target's score on it."""

    def __init__(self, answerer: Answerer, target: Target, start: Tensor, end: Tensor, owner: Tensor) -> None:
        self.answerer, self.target, self.owner = answerer, target, owner
        self.start, self.end = start.to(answerer.working), end.to(answerer.working)

    def points(self, t: Tensor) -> Tensor:
        return torch.lerp(self.start, self.end, t.to(self.end).reshape(-1, *[1] * (self.end.ndim - 1)))

    def values(self, t: Tensor) -> Tensor:
        """F at `t (n,)`: float64."""
        return self.answerer.values(self.points(t), self.owner.repeat(len(t)), [self.target])[0]

    def slopes(self, t: Tensor) -> Tensor:
        """dF/dt at `t (n,)` by autograd: float64."""
        points = self.points(t)
        move = (self.end - self.start).expand_as(points)
        found = self.answerer.gradients(points, self.owner.repeat(len(t)), [self.target], move).slope
        return (found or [torch.zeros(0)])[0]


def wrong_slope(path: OnePath) -> str:
    """Where the score changes along the path otherwise than its gradient says, in words; "" if nowhere for sure.

    By central differences of two widths that agree with each other, in a float64 copy of the model if one runs.
    """
    score, memory = path.answerer.score, path.answerer.memory
    if twin_bytes(score.model, 8) <= memory.limit:
        wide = Answerer(twin(score, torch.float64), memory, torch.float64)
        try:
            return _wrong_slope(OnePath(wide, path.target, path.start, path.end, path.owner), 1e-5, 0.05)
        except Exception:  # whatever stands against a copy: weights in a closure, types that do not mix
            pass
    return "" if path.answerer.dtype in HALF else _wrong_slope(path, 2**-9, 0.3)


def _wrong_slope(path: OnePath, h: float, tolerance: float) -> str:
    t = torch.tensor(PLACES, dtype=torch.float64, device="cpu")
    around = torch.cat([t + k * h for k in (-2, -1, 1, 2)])
    far, near, ahead, beyond = path.values(around).reshape(4, -1)
    change, wider = (ahead - near) / (2 * h), (beyond - far) / (4 * h)
    slope = path.slopes(t)
    floor = 1e-6 * torch.stack([far, near, ahead, beyond]).abs().max()
    scale = torch.maximum(torch.maximum(change.abs(), slope.abs()), floor)
    doubt = (change - wider).abs()
    off = (change - slope).abs()
    sure = (off > tolerance * scale) & (off > 10 * doubt)
    if int(sure.sum()) < 2:
        return ""
    k = int((off / scale * sure).argmax())
    return (
        f"at t = {PLACES[k]:.2f} of the path from the baseline the score changes by {float(change[k]):.3g} for each "
        f"unit of t, and its gradient says {float(slope[k]):.3g}"
    )


def jump(values: Callable[[Tensor], Tensor], eps: float) -> str:
    """Where the score jumps along the path, in words; "" if no jump was found. `values`: F at `t (n,)`."""
    t = torch.linspace(0, 1, CELLS + 1, dtype=torch.float64, device="cpu")
    seen = values(t)
    extent = float(seen.max() - seen.min())
    worst = seen.diff().abs().topk(WORST).indices
    left, right = t[worst], t[worst + 1]
    below, above = seen[worst], seen[worst + 1]
    for _ in range(HALVINGS):
        middle = (left + right) / 2
        between = values(middle)
        first = (between - below).abs() > (above - between).abs()
        right, above = torch.where(first, middle, right), torch.where(first, between, above)
        left, below = torch.where(first, left, middle), torch.where(first, below, between)
    k = int((above - below).abs().argmax())
    size = float((above - below)[k])
    if not abs(size) > max(LOUD * extent, 64 * eps * float(seen.abs().max())):
        return ""
    where = f"at t = {float(middle[k]):.4f} of the path from the baseline"
    return f"the score jumps by {size:.3g} {where}, {abs(size) / extent:.0%} of its range there"


def missed(path: OnePath) -> str:
    """What the gradients of the path miss of the score's change, in words; "" if it is little, or shrinks."""
    edges = torch.linspace(0, 1, CELLS + 1, dtype=torch.float64, device="cpu")
    seen = path.values(edges)
    change, extent = float(seen[-1] - seen[0]), float(seen.max() - seen.min())
    coarse = float(path.slopes((edges[1:] + edges[:-1]) / 2).mean())
    fine = float(path.slopes((torch.arange(2 * CELLS, dtype=torch.float64, device="cpu") + 0.5) / (2 * CELLS)).mean())
    gaps = change - coarse, change - fine
    if not (min(map(abs, gaps)) > MISSED * extent and gaps[0] * gaps[1] > 0 and abs(gaps[1]) > 0.7 * abs(gaps[0])):
        return ""
    return f"the gradients along the path account for {fine:.3g} of a change of the score of {change:.3g}"
