"""Models, rules and the yardstick that the comparisons with Captum share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import gradline as gl

RULES = {
    "gausslegendre": gl.rules.GaussLegendre,
    "riemann_middle": gl.rules.Midpoint,
    "riemann_left": gl.rules.LeftRiemann,
    "riemann_right": gl.rules.RightRiemann,
}
"""Captum's rules that are right; the weights of `riemann_trapezoid` do not add up to one."""

EACH = torch.tensor([1, 0, 3])
"""A class for each of three examples."""


def distance(ours: Tensor, theirs: Tensor) -> float:
    """The largest relative L2 difference of two maps over the examples."""
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    return float(((ours - theirs.detach()).flatten(1).norm(dim=1) / theirs.detach().flatten(1).norm(dim=1)).max())


class Skip(nn.Module):
    """`lower` and `upper` in a row, with a way round both; `scale` and `power` are further arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.lower, self.act, self.upper = nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8)
        self.gate, self.head, self.past = nn.GELU(), nn.Linear(8, 4), nn.Linear(6, 4)

    def forward(self, x: Tensor, scale: Tensor | None = None, power: int = 1) -> Tensor:
        y = self.head(self.gate(self.upper(self.act(self.lower(x))))) + 2 * self.past(x) ** 2
        return y if scale is None else (y * scale) ** power


class Conv(nn.Module):
    """Two convolutions and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.relu, self.pool = nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
        self.two, self.gelu, self.head = nn.Conv2d(6, 6, 3), nn.GELU(), nn.Linear(24, 4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.gelu(self.two(self.pool(self.relu(self.one(x))))).flatten(1))
        return y


def skip() -> tuple[nn.Module, Tensor, Tensor]:
    """Model, x and baseline."""
    torch.manual_seed(0)
    return Skip().eval(), torch.randn(3, 6), 0.3 * torch.randn(3, 6)


def conv() -> tuple[nn.Module, Tensor, Tensor]:
    """Model, x and baseline."""
    torch.manual_seed(1)
    return Conv().eval(), torch.randn(3, 3, 8, 8), 0.3 * torch.randn(3, 3, 8, 8)
