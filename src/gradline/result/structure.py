"""Values in the structure of x: a tensor, or a tuple or dict of tensors, None where an entry is held."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Structured = Any
"""A tensor `(N, *F)`; a tuple or a dict of such where x is one, with None for entries that are not attributed."""


def mapped(function: Callable[[Tensor], Tensor], values: Structured) -> Structured:
    """The same structure with a function of every tensor."""
    match values:
        case dict():
            return {name: None if v is None else function(v) for name, v in values.items()}
        case tuple():
            return tuple(None if v is None else function(v) for v in values)
        case _:
            return function(values)


def named(values: Structured) -> dict[str, Tensor]:
    """The tensors by name: "" for the only one, else the key or the position."""
    match values:
        case dict():
            return {name: v for name, v in values.items() if v is not None}
        case tuple():
            return {str(place): v for place, v in enumerate(values) if v is not None}
        case _:
            return {"": values}


def shape_of(values: Structured) -> str:
    """The shape of one example, in words: `3×224×224`, `image: 3×8×8, age: 1`."""
    shapes = {name: "×".join(map(str, v.shape[1:])) or "1" for name, v in named(values).items()}
    return ", ".join(f"{name}: {shape}" if name else shape for name, shape in shapes.items())


def flat(values: Structured) -> Tensor:
    """All values of each example in a row: `(N, D)`."""
    return torch.cat([v.flatten(1) if v.ndim > 1 else v.unsqueeze(1) for v in named(values).values()], 1)
