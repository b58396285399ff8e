"""The straight line from the baseline to the input."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradline.core.paths.base import Curve


@dataclass(frozen=True)
class Straight(Curve):
    """γ(t) = x' + t (x − x'). The path of Integrated Gradients (Sundararajan et al. 2017, section 3)."""

    def point(self, start: Tensor, end: Tensor, t: Tensor) -> Tensor:
        share = t.to(start).reshape(*t.shape, *[1] * (start.ndim - 1))
        return torch.lerp(start.unsqueeze(1), end.unsqueeze(1), share)

    def move(self, start: Tensor, end: Tensor, t: Tensor) -> Tensor:
        return (end - start).unsqueeze(1)
