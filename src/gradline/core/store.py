"""Gradients kept between probes, in slabs of a few nodes each, in half precision when memory is short."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gradline.core.flow import Room

AT_ONCE = 2**18
"""Numbers of node maps that are compared at a time, if one of every path is not more."""

SLAB = 8
"""Nodes a slab. Memory is asked for and given back a slab at a time; nothing is ever copied to grow."""

HALF_ROUNDING = 2.0**-11
"""Largest relative rounding of a float16 significand."""


class GradientStore:
    """Node gradients of R paths, `(R, n, *F)`, in order of arrival. Memory is asked of the engine before it is used.

    When the engine has none left, what is kept turns to float16 with a scale for each node, once. `paired`: a node has
    two maps, `(R, n, 2, *F)`, with a scale each.
    """

    def __init__(self, room: Room, *, paired: bool = False) -> None:
        self._room = room
        self._scaled = 3 if paired else 2  # leading axes that have a scale each
        self._slabs: list[Tensor] = []  # (R, SLAB, *F) each
        self._scales: list[Tensor] = []  # (R, SLAB) or (R, SLAB, 2) each, empty in full precision
        self._granted = 0
        self.is_half = False
        self.count = 0

    def append(self, grads: Tensor) -> bool:
        """Keep `(R, k, *F)` more; False, and nothing kept, if there is no memory for them even in float16."""
        needed = -(-(self.count + grads.shape[1]) // SLAB) - len(self._slabs)
        if needed > 0 and not self._grow(needed, grads):
            return False
        for k in range(grads.shape[1]):
            slab, place = divmod(self.count, SLAB)
            if self.is_half:
                self._put_half(slab, place, grads[:, k])
            else:
                self._slabs[slab][:, place] = grads[:, k]
            self.count += 1
        return True

    def slab(self, index: int) -> Tensor:
        """The gradients of nodes `SLAB · index` and following, as many as there are: `(R, m, *F)`."""
        used = min(SLAB, self.count - SLAB * index)
        kept = self._slabs[index][:, :used]
        if not self.is_half:
            return kept
        scale = self._scales[index][:, :used]
        return kept.to(scale.dtype) * _spread(scale, kept)

    def get(self, rows: np.ndarray, nodes: np.ndarray) -> Tensor:
        """The gradients of nodes `(M,)` of rows `(M,)`, a pair each: `(M, *F)` in working precision."""
        first, slabs = self._slabs[0], np.unique(nodes // SLAB)
        if len(slabs) == 1:
            return self._of_slab(int(slabs[0]), rows, nodes % SLAB)
        dtype = self._scales[0].dtype if self.is_half else first.dtype
        found = torch.empty((len(rows), *first.shape[2:]), dtype=dtype, device=first.device)
        for index in slabs:
            pairs = np.flatnonzero(nodes // SLAB == index)
            kept = self._of_slab(int(index), rows[pairs], nodes[pairs] % SLAB)
            found[torch.from_numpy(pairs).to(first.device)] = kept
        return found

    def _of_slab(self, index: int, rows: np.ndarray, places: np.ndarray) -> Tensor:
        slab = self._slabs[index]
        r, k = (torch.from_numpy(a).to(slab.device) for a in (rows, places))
        if not self.is_half:
            return slab[r, k]
        scale = self._scales[index][r, k]
        return slab[r, k].to(scale.dtype) * _spread(scale, slab[r, k])

    def select(self, rows: np.ndarray) -> None:
        """Keep only these rows."""
        index = torch.from_numpy(rows).to(self._slabs[0].device)
        for kept in (self._slabs, self._scales):
            for k in range(len(kept)):
                kept[k] = kept[k][index]
        self._settle()

    def release(self) -> None:
        """Give all memory back."""
        self._slabs, self._scales = [], []
        self._settle()

    def _grow(self, slabs: int, like: Tensor) -> bool:
        shape = (like.shape[0], SLAB, *like.shape[2:])
        dtype = torch.float16 if self.is_half else like.dtype
        size = slabs * int(np.prod(shape)) * torch.finfo(dtype).bits // 8
        if self._room.keep(size):
            self._granted += size
            self._slabs += [torch.empty(shape, dtype=dtype, device=like.device) for _ in range(slabs)]
            if self.is_half:
                self._scales += [
                    torch.ones(shape[: self._scaled], dtype=like.dtype, device=like.device) for _ in range(slabs)
                ]
            return True
        if self.is_half or like.dtype == torch.float64:
            return False
        self._halve(like)
        return self._grow(slabs, like)

    def _halve(self, like: Tensor) -> None:
        self.is_half = True
        for slab, full in enumerate(self._slabs):
            self._slabs[slab] = torch.empty(full.shape, dtype=torch.float16, device=like.device)
            self._scales.append(torch.ones(full.shape[: self._scaled], dtype=like.dtype, device=like.device))
            for place in range(min(SLAB, self.count - SLAB * slab)):
                self._put_half(slab, place, full[:, place])
        self._settle()

    def _put_half(self, slab: int, place: int, grad: Tensor) -> None:
        peak = grad.abs().flatten(self._scaled - 1).amax(-1)
        scale = torch.where(peak > 0, peak, torch.ones_like(peak))
        self._scales[slab][:, place] = scale
        self._slabs[slab][:, place] = (grad / _spread(scale, grad)).half()

    def _settle(self) -> None:
        used = sum(s.element_size() * s.numel() for s in self._slabs)
        self._room.keep(used - self._granted)
        self._granted = used


def _spread(scale: Tensor, like: Tensor) -> Tensor:
    return scale.reshape(*scale.shape, *[1] * (like.ndim - scale.ndim))
