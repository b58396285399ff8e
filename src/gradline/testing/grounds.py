"""Where laws are tried: precisions, shapes of features, nets for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gradline.errors import InputError
from gradline.testing.nets import SHAPES, Net, batch, shared

Case = tuple[str, Callable[[], None]]
"""A name "law-precision-shape-place" and the check."""

WIDE = (torch.float64, torch.float32)
ALL = (*WIDE, torch.bfloat16)


@dataclass(frozen=True, eq=False)
class Ground:
    """Inputs and a model for them; `net`, the same, if it is known how to take it apart."""

    name: str
    x: Tensor
    model: Callable[..., Any]
    net: Net | None = None

    @property
    def is_wide(self) -> bool:
        return self.x.dtype in WIDE

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.x.shape[1:])


def grounds(model: nn.Module | None = None, x: Tensor | None = None) -> list[Ground]:
    """What is given, or every precision and shape. Raises `InputError` for a model without examples."""
    if x is None:
        if model is not None:
            raise InputError("examples x= for the model")
        return [ground(dtype, shape) for dtype in ALL for shape in SHAPES]
    name = f"{short(x.dtype)}-given"
    if model is not None:
        return [Ground(name, x, model)]
    net = shared(tuple(x.shape[1:]), x.dtype if x.is_floating_point() else torch.float64)
    return [Ground(name, x, net, net if x.is_floating_point() else None)]


def ground(dtype: torch.dtype, shape: str) -> Ground:
    """Three examples of a shape, and a net for them."""
    net = shared(SHAPES[shape], dtype)
    return Ground(f"{short(dtype)}-{shape}", batch(SHAPES[shape], dtype=dtype), net, net)


def inside(among: list[Ground]) -> Iterator[tuple[str, Net, Tensor]]:
    """Nets to take apart, without and with a bypass, in wide precisions: what to call the place, the net, inputs."""
    for one in among:
        if one.net is not None and one.is_wide:
            yield f"{one.name}-layer", one.net, one.x
            yield f"{one.name}-bypassed", shared(one.shape, one.x.dtype, bypass=True), one.x


def over_shapes(checks: tuple[Callable[..., None], ...], part: Any) -> list[Case]:
    """Checks of (part, x) in wide precisions on every shape."""
    return [
        case(check, f"{short(dtype)}-{name}", part, batch(shape, dtype=dtype))
        for dtype in WIDE
        for name, shape in SHAPES.items()
        for check in checks
    ]


def case(law: Callable[..., None], where: str, *args: Any, **more: Any) -> Case:
    """A law on these arguments."""
    return f"{law.__name__}-{where}" if where else law.__name__, partial(law, *args, **more)


def short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def called(part: object) -> str:
    """A part in at most a line."""
    words = " ".join(repr(part).split())
    return words if len(words) <= 100 else f"{words[:97]}..."
