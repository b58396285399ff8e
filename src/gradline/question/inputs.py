"""Checks of what the caller hands in, once, at the edge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gradline.errors import InputError


def check_input(x: object) -> Tensor:
    """x as a detached tensor `(N, *F)`, floating and finite. Raises `InputError`."""
    if not isinstance(x, Tensor):
        remedy = "use torch.as_tensor(x)" if hasattr(x, "__array__") else "pass one tensor, batch axis first"
        raise InputError("x as a torch.Tensor with the batch axis first", type(x).__name__, remedy)
    if x.layout is not torch.strided:
        raise InputError("a dense x", f"layout {x.layout}", "use x.to_dense()")
    if x.ndim < 2:
        raise InputError("x of shape (N, …), batch axis first", f"shape {tuple(x.shape)}", "use x.unsqueeze(0)")
    if x.numel() == 0:
        raise InputError("at least one example with at least one feature", f"shape {tuple(x.shape)}")
    if not x.is_floating_point():
        remedy = "convert it with .float(); token ids and other integers have no gradient"
        raise InputError("a floating-point x", f"{x.dtype}", remedy)
    bad = ~torch.isfinite(x)
    if bad.any():
        where = tuple(int(i) for i in bad.nonzero()[0])
        raise InputError("a finite x", f"{int(bad.sum())} NaN or infinite values, the first at {where}")
    return x.detach()


def check_context(context: object, rows: int) -> dict[str, Tensor]:
    """Named tensors with N rows that go to the model beside x and are held fixed. Raises `InputError`."""
    if context is None:
        return {}
    if not isinstance(context, Mapping):
        raise InputError("context as a dict of name: tensor", type(context).__name__)
    for name, value in context.items():
        if not isinstance(value, Tensor) or value.ndim < 1 or value.shape[0] != rows:
            got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise InputError(f"context[{name!r}] as a tensor with {rows} rows, one for each example", got)
    return {str(name): value.detach() for name, value in context.items()}


def check_names(names: Sequence[str] | None, rows: int) -> tuple[str, ...]:
    """One name for each example; by default its index. Raises `InputError`."""
    if names is None:
        return tuple(str(i) for i in range(rows))
    if not isinstance(names, Sequence):
        raise InputError(f"{rows} different names, one for each example", repr(names))
    chosen = (names,) if isinstance(names, str) else tuple(str(n) for n in names)
    if len(chosen) != rows or len(set(chosen)) != rows:
        raise InputError(f"{rows} different names, one for each example", f"{len(chosen)}: {list(chosen)[:5]}")
    return chosen
