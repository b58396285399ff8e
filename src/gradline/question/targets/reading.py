"""What targets read: the tensor in a model's output, and indices into it, one for all examples or one each."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from gradline.errors import TargetError
from gradline.question.trees import shape_of, tensors

Index = int | Tensor
"""A whole number for all examples, or a tensor of N, one each."""


def batch(output: Any, rows: int, expected: str, remedy: str) -> Tensor:
    """The one tensor of the output, real, with `rows` rows. Raises `TargetError` with these words."""
    tensor = _tensor(output)
    if tensor.ndim < 1 or tensor.shape[0] != rows:
        raise TargetError(expected, f"shape {tuple(tensor.shape)}", remedy)
    if tensor.is_complex():
        raise TargetError("real numbers from the model", f"{tensor.dtype}", "pass a function such as lambda z: z.abs()")
    return tensor if tensor.is_floating_point() else tensor.float()  # without a gradient, which is noticed later


def table(output: Any, rows: int) -> Tensor:
    """The output as `(rows, columns)`."""
    expected = f"model output of shape ({rows}, classes)"
    function = "pass a function (output) -> (rows,) as the target"
    tensor = batch(output, rows, expected, f"{function}, and check that the model keeps the batch axis first")
    if tensor.ndim > 2:
        more = ", 0" * (tensor.ndim - 2)
        remedy = f"gl.targets.Element(0{more}) explains one number of it, gl.targets.Region(0) a channel over a region"
        raise TargetError(expected, f"shape {tuple(tensor.shape)}", f"{remedy}; or {function}")
    if tensor.ndim == 2 and tensor.shape[1] == 0:
        raise TargetError(expected, f"shape {tuple(tensor.shape)}, without a class")
    return tensor[:, None] if tensor.ndim == 1 else tensor


def _tensor(output: Any) -> Tensor:
    """The output, or its `logits`, or the only tensor of a tuple or list."""
    if isinstance(output, Tensor):
        return output
    named = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", None)
    if isinstance(named, Tensor):
        return named
    if isinstance(output, tuple | list):
        held = [entry for entry in output if isinstance(entry, Tensor)]
        if len(held) == 1:
            return held[0]
    raise TargetError("a tensor from the model for this target", shape_of(output), _which(output))


def _which(output: Any) -> str:
    """What to do with an output that holds several tensors, or none."""
    function = "pass a function (output) -> (rows,)"
    paths = [path for path, _ in tensors(output)]
    if any(path[-1] == "boxes" for path in paths):
        return f"gl.targets.Box((x1, y1, x2, y2), label) explains a detection; or {function}"
    if not paths:
        return function
    key = next((path[0] for path in paths if len(path) == 1), "name")
    return f"say which entry, as in gl.targets.Entry({key!r}, 3), or {function}"


def wide(tensor: Tensor) -> torch.dtype:
    """The tensor's dtype, float32 at least: what sums and differences are taken in."""
    return torch.promote_types(tensor.dtype, torch.float32)


def check_index(index: object, size: int | None, rows: int, kind: str = "class") -> Index:
    """The index from 0 to `size` - 1, if that is known; a tensor of `rows` is copied. Raises `TargetError`."""
    bounds = "from 0" if size is None else f"from 0 to {size - 1}"
    if isinstance(index, Tensor):
        if index.dtype == torch.bool or index.is_floating_point() or index.is_complex():
            raise TargetError(f"integer {kind} indices", f"{index.dtype}")
        if index.ndim == 0:
            return check_index(int(index), size, rows, kind)
        if index.shape != (rows,):
            raise TargetError(f"{rows} targets, one for each example", f"shape {tuple(index.shape)}")
        index = index.detach().to("cpu", torch.int64, copy=True)
        wrong = index[(index < 0) | (index >= (torch.inf if size is None else size))]
        if len(wrong):
            raise TargetError(f"{kind} indices {bounds}", f"{int(wrong[0])}")
        return index
    if isinstance(index, bool) or not isinstance(index, Integral):
        raise TargetError(f"a {kind} index or a tensor of them", repr(index))
    number = int(index)
    if number < 0 or (size is not None and number >= size):
        raise TargetError(f"a {kind} index {bounds}", f"{number}")
    return number


def rows_of(values: Tensor, owner: Tensor, like: Tensor) -> Tensor:
    """What belongs to each row of `values (N, ...)`: `(R, ...)` on the device of `like`."""
    return values[owner.to(values.device)].to(like.device)


def at(index: Index | None, example: int) -> Any:
    """An example's own index."""
    return int(index[example]) if isinstance(index, Tensor) and index.ndim else index


def column(values: Tensor, index: Index, owner: Tensor) -> Tensor:
    """`values[:, index]` of `values (R, C, ...)`, each row with the index of its example: `(R, ...)`."""
    if isinstance(index, Tensor):
        return values[torch.arange(len(values), device=values.device), rows_of(index, owner, values)]
    return values[:, index]
