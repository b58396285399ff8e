"""A path of straight stretches, on which fixed rules move by exact increments."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from gradline.core.flow import Frame
from gradline.core.paths.base import Curve


def place(corners: Tensor, t: Tensor) -> Tensor:
    """Where polylines with `corners (R, V, *F)` are at `t (R, m)`, all stretches equally long in t: `(R, m, *F)`."""
    left, share = _stretch(corners, t)
    behind = torch.arange(len(left), device=left.device).unsqueeze(1)
    weight = share.to(corners).reshape(*share.shape, *[1] * (corners.ndim - 2))
    return torch.lerp(corners[behind, left], corners[behind, left + 1], weight)


def tangent(corners: Tensor, t: Tensor) -> Tensor:
    """How they move there, for a unit of t: `(R, m, *F)`."""
    left, _ = _stretch(corners, t)
    behind = torch.arange(len(left), device=left.device).unsqueeze(1)
    return (corners[behind, left + 1] - corners[behind, left]) * (corners.shape[1] - 1)


def _stretch(corners: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Which stretch t is in, and what share of it lies behind."""
    along = t * (corners.shape[1] - 1)
    left = along.floor().clamp(0, corners.shape[1] - 2)
    return left.long().to(corners.device), along - left


class Polyline(Curve):
    """The polylines of a frame. `corners (B, K, V, *F)`: from the starts to the ends, with these as first and last.

    A row is recognised by its ends, whichever rows are asked for.
    """

    def __init__(self, frame: Frame, corners: Tensor) -> None:
        self.frame, self.corners = frame, corners
        ends = frame.end.repeat_interleave(frame.draws, 0)
        self._rows = {key: row for row, key in enumerate(_keys(frame.start.flatten(0, 1), ends))}

    def point(self, start: Tensor, end: Tensor, t: Tensor) -> Tensor:
        return place(self._of(start, end), t)

    def move(self, start: Tensor, end: Tensor, t: Tensor) -> Tensor:
        return tangent(self._of(start, end), t)

    def _of(self, start: Tensor, end: Tensor) -> Tensor:
        rows = [self._rows[key] for key in _keys(start, end)]
        return self.corners.flatten(0, 1)[torch.tensor(rows, dtype=torch.long, device=self.corners.device)]

    def over(self, start: Tensor, end: Tensor, t: Tensor, edge: Tensor) -> Tensor:
        """What the paths move over cells, exactly: moves add up to x − x' whatever the corners.

        Cells end where the weights so far do. On a straight path it is the rule itself. n equal cells of as many
        stretches: midpoints with `Midpoint`, the trapezoid over corners with `Trapezoid` and n + 1 nodes, the left
        rule by differences with `LeftRiemann`.
        """
        points = place(self._of(start, end), edge)
        width = edge.diff(dim=1).to(points)
        return points.diff(dim=1) / width.reshape(*width.shape, *[1] * (points.ndim - 2))


def _keys(start: Tensor, end: Tensor) -> Iterator[tuple[bytes, bytes]]:
    rows = (tensor.detach().flatten(1).cpu().contiguous().numpy() for tensor in (start, end))
    return ((a.tobytes(), b.tobytes()) for a, b in zip(*rows, strict=True))
