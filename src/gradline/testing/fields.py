"""Scores given by a formula, with Integrated Gradients from zero derived on paper.

Ridge functions `F(x) = h(w·x)` have `A_i = w_i x_i (h(w·x) − h(0)) / (w·x)`, since the gradient keeps its direction
along the line; sums of them add up. Everything is float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Field:
    """A score `function (R, D) -> (R, 1)`, an input `x (1, D)` and the exact map `values (1, D)` from zero."""

    name: str
    function: Callable[[Tensor], Tensor]
    x: Tensor
    values: Tensor

    def __str__(self) -> str:
        return self.name

    def __call__(self, x: Tensor) -> Tensor:
        return self.function(x)


def _row(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


_X, _W = _row(1.0, -2.0, 0.5, 3.0), _row(0.7, 0.1, -1.1, 0.4)


def _ridge(name: str, h: Callable[[Tensor], Tensor]) -> Field:
    along = (_W * _X).sum()
    rise = h(along) - h(torch.zeros_like(along))
    return Field(name, lambda x: h((x * _W.to(x)).sum(1, keepdim=True)), _X, _W * _X / along * rise)


def _column(x: Tensor, i: int) -> Tensor:
    return x[:, i : i + 1]


_POWERS = (1, 2, 3, 5)
_M = torch.tensor([[2.0, -1.0, 0.0, 0.5], [-1.0, 1.0, 0.3, 0.0], [0.0, 0.3, -1.5, 1.0], [0.5, 0.0, 1.0, 0.2]]).double()
_STEP = float(torch.sigmoid(torch.tensor(18.0).double()) - torch.sigmoid(torch.tensor(-12.0).double()))

LINEAR = Field("linear", lambda x: (x * _W.to(x)).sum(1, keepdim=True), _X, _W * _X)
POWERS = Field(
    "separable powers",
    lambda x: sum((_column(x, i) ** p for i, p in enumerate(_POWERS)), torch.zeros_like(_column(x, 0))),
    _X,
    torch.stack([_X[:, i] ** p for i, p in enumerate(_POWERS)], 1),
)
PRODUCT = Field("product", lambda x: _column(x, 0) * _column(x, 1), _row(3.0, -2.0), _row(-3.0, -3.0))
QUADRATIC = Field("quadratic form", lambda x: ((x @ _M.to(x)) * x).sum(1, keepdim=True) / 2, _X, _X * (_X @ _M) / 2)
SOFTPLUS = _ridge("softplus ridge", torch.nn.functional.softplus)
SATURATED = _ridge("saturated sigmoid", lambda s: torch.sigmoid(20 * s - 4))
KINKED = _ridge("kinked relu", lambda s: torch.relu(s - 0.3))
JUMP = Field(
    "narrow jump",
    lambda x: _column(x, 0) + torch.sigmoid(400 * (_column(x, 1) - 0.513)),
    _row(1.0, 1.0),
    _row(1.0, 1.0),  # σ(400 · 0.487) − σ(−400 · 0.513) is one up to 1e-84
)
SINGULAR = Field(
    "singular start",
    lambda x: _column(x, 0).sqrt() + _column(x, 1),
    _row(4.0, 1.0),
    _row(2.0, 1.0),
)
ANTISYMMETRIC = Field(
    "antisymmetric",
    lambda x: torch.sigmoid(30 * _column(x, 0) - 12) - torch.sigmoid(30 * _column(x, 1) - 12),
    _row(1.0, 1.0),
    _row(_STEP, -_STEP),
)
CONSTANT = Field("constant", lambda x: 0 * _column(x, 0) + 2.5, _X, torch.zeros_like(_X))

FIELDS: tuple[Field, ...] = (
    LINEAR,
    POWERS,
    PRODUCT,
    QUADRATIC,
    SOFTPLUS,
    SATURATED,
    KINKED,
    JUMP,
    SINGULAR,
    ANTISYMMETRIC,
    CONSTANT,
)
