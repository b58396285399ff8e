"""Trouble with models, recognised and put into words."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gradline.errors import GradlineError


def is_out_of_memory(error: BaseException) -> bool:
    """The error says that memory ran out, on a GPU or on the host."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError) and not isinstance(error, GradlineError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(
        phrase in text for phrase in ("out of memory", "not enough memory", "can't allocate memory")
    )


def shapes(args: list[Any], named: dict[str, Any]) -> str:
    """What was passed to a model."""
    first = [a for a in [*args, *named.values()] if isinstance(a, Tensor)]
    if len(first) == 1:
        return f"a batch of shape {tuple(first[0].shape)}, {first[0].dtype} on {first[0].device}"
    listed = {name: tuple(v.shape) for name, v in named.items() if isinstance(v, Tensor)}
    shapes = [tuple(a.shape) for a in args if isinstance(a, Tensor)]
    return f"a batch of shapes {shapes or ''}{listed or ''} on {first[0].device}"


def cause(error: BaseException) -> str:
    """An error in a line."""
    return f"{type(error).__name__}: {error}"
