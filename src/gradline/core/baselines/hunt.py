"""The search for the nearest point where a margin changes its sign, all examples of a group side by side.

Each example alternates between two moves. On x's side of the boundary it steps to where the linearised margin vanishes,
and a little beyond; a step to where the model says nothing is halved. On the other side, at the nearest point yet, it
turns towards the point of the boundary, taken as straight there, that is nearest to x: at a nearest point of the
boundary the two are the same (the iteration of Hasofer, Lind, Rackwitz and Fiessler, 1978). A turn after which nothing
nearer is found is halved.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gradline.core.flow import Reading

SETTLED = 1e-3
"""Stop where a turn would bring the boundary nearer by less than this share of its distance."""

SMALLEST = 1 / 32
"""Give up where this share of a turn leads to nothing nearer."""

GRAZE = 1e-4
"""Aim beyond the boundary, at a margin of this share of that at x, so that rounding does not decide on which side."""

CLIPS = 32
"""Most rounds in which features stopped by the box leave to the others what they could not move."""


class Hunt:
    """What is known of B examples `x (B, *F)` whose margin at x is `margin (B,)`, on their way to the boundary.

    `live`: the examples still moving, int64 on the CPU. `best (B, *F)`: the nearest point seen on the other side.
    `side (B,)`: sign of the margin at x. `box`: lowest and highest values `(B, *F)`, or None. `precision`: dtype in
    which points reach the model.
    """

    def __init__(
        self, x: Tensor, margin: Tensor, overshoot: float, box: tuple[Tensor, Tensor] | None, precision: torch.dtype
    ) -> None:
        self.x, self.overshoot, self.box, self.precision = x, overshoot, box, precision
        self.side = torch.where(margin < 0, -1.0, 1.0).to(margin)
        self.scale = margin.abs()
        self.live = torch.arange(len(x), device="cpu")
        self.point, self.best, self.aim = x.clone(), x.clone(), x.clone()
        self.base = x.clone()
        self.near = torch.full_like(margin, torch.inf)
        self.share = torch.ones_like(margin)

    @property
    def lost(self) -> list[int]:
        """Examples whose other side was not seen."""
        return [i for i, near in enumerate(self.near.tolist()) if near == torch.inf]

    def points(self) -> Tensor:
        """Where the live examples are, as the model is given them."""
        return self.point[self.live.to(self.x.device)]

    def learn(self, reading: Reading) -> None:
        """Take margin and gradient at the points of the live examples, and move them."""
        assert reading.grad is not None
        rows, at = self.live, self.live.to(self.x.device)
        x, point, near = self.x[at], self.point[at], self.near[rows]
        margin, grad = reading.value * self.side[rows], reading.grad.to(x) * self.spread(self.side[rows])
        length, slope, size = _norm(point - x), _dot(grad, point - x), _dot(grad, grad)
        steers = torch.isfinite(size) & (size > 0)
        # what was found
        nearer = (margin <= 0) & (length < near)
        seen = torch.isfinite(near)
        step = (margin > 0) & torch.isfinite(margin) & steers & (length < near)
        missed, back = seen & ~nearer & ~step, ~seen & ~nearer & ~step
        self.base[at] = base = torch.where(self.spread(step), point, self.base[at])
        self.near[rows] = torch.where(nearer, length, near)
        self.best[at] = best = torch.where(self.spread(nearer), point, self.best[at])
        # where to turn from there: half way back where the gradient does not say
        graze = GRAZE * self.scale[rows]
        turn = self._nearest(at, x, grad, slope - margin - graze, size)
        turns = nearer & steers & (slope < margin)
        known = torch.where(self.spread(turns), turn, (x + point) / 2)
        self.aim[at] = aim = torch.where(self.spread(nearer), known, self.aim[at])
        reach = length * (slope - margin) / slope  # of the boundary, taken as straight, on the way to the point
        settled = nearer & ((length == 0) | turns & (_norm(turn - x) >= (1 - SETTLED) * reach))
        factor = torch.where(nearer, 2.0, torch.where(missed, 0.5, 1.0)).to(margin)
        self.share[rows] = share = (self.share[rows] * factor).clamp(max=1)
        # the next point
        stepped = self._nearest(at, point, grad, -(1 + self.overshoot) * margin - graze, size)
        turned = torch.lerp(best, aim, self.spread(share))
        moved = torch.where(self.spread(step), stepped, torch.where(self.spread(back), (base + point) / 2, turned))
        self.point[at] = self.rounded(moved)
        self.live = rows[step | nearer & ~settled | missed & (share >= SMALLEST) | back & (length > 0)]

    def rounded(self, point: Tensor) -> Tensor:
        """A point as the model is given it."""
        return point.to(self.precision).to(point.dtype)

    def spread(self, values: Tensor) -> Tensor:
        """Values `(R,)` broadcastable to `(R, *F)`, in x's precision unless boolean."""
        dtype = torch.bool if values.dtype == torch.bool else self.x.dtype
        return values.to(self.x.device, dtype).reshape(-1, *[1] * (self.x.ndim - 1))

    def _nearest(self, at: Tensor, origin: Tensor, grad: Tensor, rise: Tensor, size: Tensor) -> Tensor:
        """The point in the box nearest to `origin` where the margin, taken as straight, has risen by `rise`."""
        moved = origin + self.spread(rise / size) * grad
        if self.box is None:
            return moved
        low, high = (bound[at] for bound in self.box)
        moved, climbs = moved.clamp(low, high), grad * self.spread(torch.sign(rise)) > 0
        for _ in range(CLIPS):
            left = rise - _dot(grad, moved - origin)
            free = torch.where(climbs, moved < high, moved > low) * grad
            open_ = (left.abs() > 1e-6 * rise.abs()) & (_dot(free, free) > 0)
            if not open_.any():
                break
            further = (moved + self.spread(left / _dot(free, free)) * free).clamp(low, high)
            moved = torch.where(self.spread(open_), further, moved)
        return moved


def _norm(way: Tensor) -> Tensor:
    """The length of each row: float64 `(R,)` on the CPU."""
    return _dot(way, way).sqrt()


def _dot(one: Tensor, other: Tensor) -> Tensor:
    """The inner product of each row: float64 `(R,)` on the CPU."""
    return (one * other).reshape(len(one), -1).sum(1).cpu().double()
