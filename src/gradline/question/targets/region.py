"""A target of segmentation models: a channel's mean over a region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradline.errors import TargetError
from gradline.question.targets.base import Target
from gradline.question.targets.reading import Index, at, batch, check_index, column, rows_of, wide


@dataclass(frozen=True, eq=False)
class Region(Target):
    """The mean of a channel over a region of the output `(R, channels, *space)`: Σ m_p y_p / Σ m_p.

    The sum is that times the size of the region, which is fixed: its maps differ by that factor alone. `index`: of the
    channel; a tensor of N means one each; None for an output `(R, *space)` that has no axis of channels. `mask`: in
    [0, 1] or boolean, of a shape that broadcasts to `space`, or `(N, *space)`, one each; without it the pixels where at
    x that channel is the largest (where the output is positive, if it has one channel), frozen there. Raises
    `TargetError` if the region of an example is empty.
    """

    index: Index | None = None
    mask: Tensor | None = None

    def freeze(self, output: Any, rows: int) -> Target:
        maps = _maps(output, rows, self.index)
        index = None if self.index is None else check_index(self.index, maps.shape[1], rows, "channel")
        space = maps.shape[1:] if index is None else maps.shape[2:]
        region = _predicted(maps.detach(), index) if self.mask is None else _check_mask(self.mask, rows, space)
        sizes = region.flatten(1).sum(1).tolist()
        if 0 in sizes:
            _refuse_empty(sizes.index(0), index, given=self.mask is not None, shared=len(sizes) < rows)
        share = 1 / torch.tensor(sizes, dtype=torch.float64).reshape(-1, *[1] * len(space))
        weight = region.to(wide(maps)).to(maps.device) * share.to(wide(maps)).to(maps.device)
        return RegionMean(index, weight, tuple(sizes), given=self.mask is not None)

    def pick(self, output: Any, owner: Tensor) -> Tensor:
        raise TypeError("a Region must be frozen at x first")

    def describe(self, example: int) -> str:
        return f"mean of {_channel(self.index, example)} over the {_kind(self.mask is not None)} region"


@dataclass(frozen=True, eq=False)
class RegionMean(Target):
    """A region settled at x. `weight (N | 1, *space)`: m / Σ m; `sizes`: Σ m."""

    index: Index | None
    weight: Tensor
    sizes: tuple[float, ...]
    given: bool

    def pick(self, output: Any, owner: Tensor) -> Tensor:
        maps = _maps(output, len(owner), self.index)
        values = maps if self.index is None else column(maps, self.index, owner)
        if values.shape[1:] != self.weight.shape[1:]:
            expected = f"the same output at every point as at x, {tuple(self.weight.shape[1:])} a channel"
            raise TargetError(expected, f"{tuple(values.shape[1:])}")
        weight = self.weight.to(values.device) if len(self.weight) == 1 else rows_of(self.weight, owner, values)
        inside = torch.where(weight > 0, values.to(wide(values)), 0)  # 0 times an infinite value outside is no number
        return (inside * weight).flatten(1).sum(1)

    def describe(self, example: int) -> str:
        size = self.sizes[example if len(self.sizes) > 1 else 0]
        unit = "pixels" if self.weight.ndim == 3 else "positions"
        count = f"{size:.0f}" if size == round(size) else f"{size:.1f}"
        return f"mean of {_channel(self.index, example)} over the {_kind(self.given)} region ({count} {unit})"


def _kind(given: bool) -> str:
    return "given" if given else "predicted"


def _channel(index: Index | None, example: int) -> str:
    return "the output" if index is None else f"class {at(index, example)}"


def _maps(output: Any, rows: int, index: Index | None) -> Tensor:
    """The output as `(rows, channels, *space)`; without an index as `(rows, *space)`."""
    axes = "…" if index is None else "channels, …"
    expected = f"model output of shape ({rows}, {axes}) for a region"
    maps = batch(output, rows, expected, "check that the model keeps the batch axis first")
    if maps.ndim < (2 if index is None else 3):
        remedy = "gl.targets.Region(mask=…), without an index, has no axis of channels; gl.Logit explains a class"
        raise TargetError(expected, f"shape {tuple(maps.shape)}", remedy)
    return maps


def _predicted(maps: Tensor, index: Index | None) -> Tensor:
    """Where the channel is the largest, or the only one is positive: `(rows, *space)`, boolean."""
    if index is None:
        return maps > 0
    if maps.shape[1] == 1:
        return maps[:, 0] > 0
    own = torch.as_tensor(index, device=maps.device).reshape(-1, *[1] * (maps.ndim - 2))
    return maps.argmax(1) == own


def _check_mask(mask: object, rows: int, space: torch.Size) -> Tensor:
    """The mask as `(rows | 1, *space)`, boolean or float64, on the CPU."""
    expected = f"a mask that broadcasts to {tuple(space)}, or of shape {(rows, *space)}, one for each example"
    if not isinstance(mask, Tensor):
        raise TargetError(expected, type(mask).__name__)
    if mask.is_complex():
        raise TargetError("a mask with values in [0, 1]", f"{mask.dtype}")
    each = mask.ndim == len(space) + 1
    shape = (mask.shape[0] if each else 1, *space)
    try:
        whole = mask.detach().cpu().broadcast_to(shape)
    except RuntimeError:
        raise TargetError(expected, f"shape {tuple(mask.shape)}") from None
    if shape[0] not in (1, rows):
        raise TargetError(expected, f"shape {tuple(mask.shape)}")
    if mask.dtype == torch.bool:
        return whole
    whole = whole.double()
    wrong = whole[~((whole >= 0) & (whole <= 1))]
    if len(wrong):
        raise TargetError("a mask with values in [0, 1]", f"{float(wrong[0]):g}")
    return whole


def _refuse_empty(example: int, index: Index | None, *, given: bool, shared: bool) -> None:
    where = "" if shared else f" in example {example}"
    if given:
        raise TargetError(f"a mask that covers something{where}", "only zeros")
    what = "the output is positive" if index is None else f"channel {at(index, example)} is predicted"
    raise TargetError(f"a place where {what}{where}", "none", "pass the region, as in gl.targets.Region(3, mask)")
