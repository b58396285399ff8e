"""Where gradients are read inside the network, and of which regions of x the share in a layer's movement is wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from gradline.errors import InputError, SiteError
from gradline.question.inputs import Inputs
from gradline.question.push import Lift, push
from gradline.question.sites import Layer, Tap


@dataclass(frozen=True, eq=False)
class Shares:
    """What regions of x do at layers, as the `read` of a method: values `(N, regions, *G)`, of several layers flat and
    side by side `(N, regions, ΣG)`.

    `masks`: fractions in [0, 1] that fit x (or what the path drives) without its batch axis, so that `(H, W)` stands
    for all channels, or one for each example; like x where that is a tuple or dict. `difference`: in place of the exact
    derivative, the difference over so much of the path that ends at the node.
    """

    layers: tuple[Layer, ...]
    masks: tuple[Any, ...] = field(repr=False)
    difference: float | None = None


@dataclass(frozen=True, eq=False)
class View:
    """What is looked at, found in a model. `masks`: one for each region, None where the whole of x counts."""

    taps: tuple[Tap, ...]
    masks: tuple[Tensor, ...] | None = None
    difference: float | None = None

    @property
    def label(self) -> str:
        return ", ".join(tap.label for tap in self.taps)

    @property
    def output(self) -> int:
        return self.taps[0].output

    def joined(self, heard: Sequence[Tensor]) -> Tensor:
        """What is heard at the taps, `(R, *G)` each, as one; a copy for each region behind the batch axis."""
        one = heard[0] if len(heard) == 1 else torch.cat([h.flatten(1) for h in heard], 1)
        if self.masks is None:
            return one
        return one.unsqueeze(1).expand(-1, len(self.masks), *one.shape[1:])

    def parted(self, move: Tensor, owner: Tensor) -> list[Tensor]:
        """What of moves `(R, *F)` of the examples `owner` belongs to each region."""
        assert self.masks is not None
        found = []
        for mask in self.masks:
            rows = mask if len(mask) == 1 else mask[owner.to(mask.device)]
            found.append(move * rows.to(move.device, move.dtype))
        return found

    def push(self, lift: Lift, points: Tensor, tangent: Tensor, owner: Tensor) -> tuple[Tensor, Tensor]:
        """What points `(R, *F)` look like here, and how that moves: `(R, *G)` both, or the move of each region."""
        if self.masks is None:
            return push(lift, points, tangent)
        moves = self.parted(tangent, owner)
        if self.difference is not None:
            return _differences(lift, points, tangent, moves, self.difference)
        lifted, first = push(lift, points, moves[0])
        return lifted, torch.stack([first, *(push(lift, points, move)[1] for move in moves[1:])], 1)

    def fitted(self, shape: torch.Size, rows: int) -> View:
        """The same with masks that fit what the path drives, `(rows, *shape)`. Raises `InputError`."""
        if self.masks is None:
            return self
        return replace(self, masks=tuple(as_region(mask, shape, rows) for mask in self.masks))


def _differences(
    lift: Lift, points: Tensor, tangent: Tensor, moves: list[Tensor], width: float
) -> tuple[Tensor, Tensor]:
    """From the end of the stretch before the points: what its region alone changes, in units of the whole path."""
    with torch.no_grad():
        before = points - width * tangent.to(points.dtype)
        base = lift(before.clone())
        moved = [(lift(before + width * move.to(points.dtype)) - base) / width for move in moves]
        return base, torch.stack(moved, 1)


def view_of(read: object, model: Any, inputs: Inputs, *, driven: bool) -> View:
    """The view that a method asks for, in this model. Raises `InputError`, `SiteError`."""
    if isinstance(read, Layer):
        return View((read.find(model),))
    if not isinstance(read, Shares):
        raise SiteError("read as gl.Layer(…)", repr(read))
    masks = tuple(_packed(mask, inputs) for mask in read.masks)
    view = View(tuple(layer.find(model) for layer in read.layers), masks, read.difference)
    return view if driven else view.fitted(inputs.packed.shape[1:], inputs.rows)


def _packed(mask: object, inputs: Inputs) -> Tensor:
    """A mask in the shape that paths have: several entries flat and joined."""
    if isinstance(mask, Tensor):
        if len(inputs.attributed) > 1:
            raise InputError(f"a mask for each entry of x, a {inputs.form.__name__}", "one tensor")
        return mask
    if isinstance(mask, Mapping):
        found = {str(name): part for name, part in mask.items()}
    elif isinstance(mask, list | tuple):
        found = {str(place): part for place, part in enumerate(mask)}
    else:
        raise InputError("a mask as a tensor", type(mask).__name__, "use torch.as_tensor(mask)")
    missing = [name for name in inputs.attributed if not isinstance(found.get(name), Tensor)]
    if missing:
        raise InputError("a mask for each floating-point entry of x", f"none for {', '.join(map(repr, missing))}")
    rows, parts = inputs.rows, {}
    for name in inputs.attributed:
        entry = inputs.entries[name]
        parts[name] = as_region(found[name], entry.shape[1:], rows, empty=True).expand(rows, *entry.shape[1:])
    return inputs.pack(parts)


def as_region(mask: Tensor, shape: torch.Size, rows: int, *, empty: bool = False) -> Tensor:
    """A region of examples `(rows, *shape)` as `(rows or 1, *shape)`, float64 on the CPU. Raises `InputError`.

    Masks of fewer axes are aligned as in broadcasting, `(H, W)` for images; a mask of one axis that only fits the first
    stands for that, tokens for their embeddings. `empty`: zeros alone are allowed.
    """
    expected = f"a mask that broadcasts to {tuple(shape)}, or of shape {(rows, *shape)}, one for each example"
    if mask.is_complex():
        raise InputError("a mask with values in [0, 1]", f"{mask.dtype}")
    whole = mask.detach().to("cpu", torch.float64)
    if whole.ndim == 1 and len(shape) > 1 and len(whole) == shape[0] and len(whole) not in (1, shape[-1]):
        whole = whole.reshape(-1, *[1] * (len(shape) - 1))
    each = whole.ndim == len(shape) + 1
    if each and len(whole) not in (1, rows):
        raise InputError(expected, f"shape {tuple(mask.shape)}")
    try:
        found = whole.broadcast_to((len(whole) if each else 1, *shape))
    except RuntimeError:
        raise InputError(expected, f"shape {tuple(mask.shape)}") from None
    wrong = found[~((found >= 0) & (found <= 1))]
    if len(wrong):
        raise InputError("a mask with values in [0, 1]", f"{float(wrong[0]):g}")
    bare = ~found.flatten(1).any(1)
    if bare.any() and not empty:
        where = f" in example {int(bare.nonzero()[0])}" if len(found) > 1 else ""
        raise InputError(f"a region that covers something{where}", "a mask of zeros")
    return found
