"""Memory as a budget: what a row costs is measured, what flows keep is booked, the batch is what is left."""

from __future__ import annotations

import ctypes
import math
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from gradline.errors import InputError, MemoryBudgetError

DEFAULT = 512 * 2**20
"""Bytes on a CPU: for convolutional nets that is a batch which still fits the caches, see benchmarks/."""

GPU_SHARE = 0.25
"""Share of a GPU's free memory used by default."""

BACKWARD = 1.4
"""Peak memory of forward and backward over the bytes that autograd saved in the forward (measured, benchmarks/)."""

MOST_ROWS = 4096
"""Rows in a batch at the most."""

CPU = torch.device("cpu")

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def parse(memory: int | str | None, device: torch.device) -> int:
    """Bytes from a number, a text such as "2GiB", or the default of the device. Raises `InputError`."""
    if memory is None:
        return int(GPU_SHARE * torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else DEFAULT
    if isinstance(memory, str):
        match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kmg]?i?b?)\s*", memory, re.IGNORECASE)
        unit = match[2].upper() if match else "?"
        if match and unit in _UNITS and (size := int(float(match[1]) * _UNITS[unit])) > 0:
            return size
    elif isinstance(memory, int) and not isinstance(memory, bool) and memory > 0:
        return memory
    raise InputError('memory as bytes or a text such as "2GiB"', repr(memory))


class Memory:
    """The ledger of one call. Grants rows for the next batch and bytes to be kept between batches."""

    def __init__(self, limit: int, device: torch.device = CPU) -> None:
        self.limit = limit
        self.device = device
        self.kept = 0
        self.row_bytes = 0.0
        self._most = MOST_ROWS

    def rows(self) -> int:
        """Rows that fit beside what is kept: at least one."""
        if self.row_bytes <= 0:
            return 1
        return max(1, min(self._most, math.floor((self.limit - self.kept) / self.row_bytes)))

    def keep(self, nbytes: int) -> bool:
        """Book `nbytes` (negative: give back); False if they and one row do not fit."""
        if nbytes > 0 and self.kept + nbytes + self.row_bytes > self.limit:
            return False
        before = self.rows()
        self.kept += nbytes
        if self.rows() < before:
            release_cached(self.device)
        return True

    def shrink(self, failed_rows: int) -> None:
        """Memory ran out at this batch: never again more than half of it. Raises `MemoryBudgetError` at one row."""
        if failed_rows <= 1:
            raise MemoryBudgetError(
                f"memory ran out on a single row (the budget is {self.limit / 2**20:.0f} MiB, a row was measured at "
                f"{self.row_bytes / 2**20:.1f} MiB); free memory, use a smaller input, or another device"
            )
        self._most = max(1, failed_rows // 2)

    def measure(self, forward: Callable[[Tensor], Any], points: Tensor, model: object) -> Any:
        """Run `forward` on one row, `points (1, *F)`, and learn what a row costs from what autograd saves for it.

        Weights are left out: those a module has, and what a function closes over (no gradient of its own, not one row).
        """
        own = {_address(t) for t in [*model.parameters(), *model.buffers()]} if isinstance(model, nn.Module) else set()
        seen: dict[int | None, int] = {}

        def pack(tensor: Tensor) -> Tensor:
            owner = tensor if tensor._base is None else tensor._base
            weight = owner.is_leaf and (owner.requires_grad or tensor.ndim == 0 or len(tensor) != 1)
            if not weight and (address := _address(tensor)) not in own and address is not None:
                seen[address] = tensor.untyped_storage().nbytes()
            return tensor.detach()  # the tensor itself would hold its own graph alive

        leaf = points.detach().clone().requires_grad_()
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved):
            output = forward(leaf.clone())
        around = 8 * points.element_size() * points.numel()  # point, leaf, gradient, term and their temporaries
        self.row_bytes = BACKWARD * sum(seen.values()) + around
        return output


def _address(tensor: Tensor) -> int | None:
    """Where a tensor's memory is; None for those without one of their own (sparse, say)."""
    try:
        return tensor.untyped_storage().data_ptr()
    except (NotImplementedError, RuntimeError):
        return None


def release_cached(device: torch.device) -> None:
    """Give what the allocator caches back: to the GPU, or (with glibc) to the operating system."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
