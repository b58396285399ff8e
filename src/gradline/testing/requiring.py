"""What every law is written with: how to say that it is broken, and how exact numbers can be."""

from __future__ import annotations

import torch
from torch import Tensor

ROUNDING = {torch.float64: 1e-12, torch.float32: 1e-5, torch.float16: 1e-2, torch.bfloat16: 5e-2}
"""How far two orders of summation may differ, relative to the norm of a map, by the model's precision."""


def require(kept: bool, message: str) -> None:
    """An `assert` that `python -O` does not remove."""
    if not kept:
        raise AssertionError(message)


def rows_agree(got: Tensor, due: Tensor, dtype: torch.dtype, message: str, scale: Tensor | None = None) -> None:
    """Raise unless every row of `got` is that of `due` up to rounding, relative to the norm of `scale` (`due`)."""
    size = (due if scale is None else scale).double().flatten(1).norm(dim=1)
    error = (got.double() - due.double()).flatten(1).norm(dim=1)
    worst = float((error / size.clamp_min(1e-300)).max())
    require(bool((error <= ROUNDING[dtype] * size).all()), f"{message}: by {worst:.2g} of its norm")
