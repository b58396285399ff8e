"""Where a result comes from: enough to repeat it and to notice that something changed."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn

SAMPLE = 1024
"""Elements of each parameter that enter a model's digest, evenly spaced."""


def environment(device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """Versions, device, precision and threads, JSON-ready."""
    return {
        **_installed(),
        "device": str(device),
        "dtype": str(dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


@cache
def _installed() -> dict[str, str]:
    """What does not change while the program runs; looking it up takes milliseconds."""
    from importlib.metadata import version

    return {
        "gradline": version("gradline"),
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def tensor_digest(x: Tensor) -> str:
    """SHA-256 of the shape, the dtype and every value, first 16 hex digits."""
    head = f"{tuple(x.shape)}{x.dtype}".encode()
    return hashlib.sha256(head + _bytes(x)).hexdigest()[:16]


def inputs_digest(entries: Mapping[str, Any]) -> str:
    """That of the only tensor, else SHA-256 over the names and digests of all."""
    digests = {name: tensor_digest(v) for name, v in entries.items() if isinstance(v, Tensor)}
    if len(entries) == 1:
        return next(iter(digests.values()))
    return hashlib.sha256(repr(sorted(digests.items())).encode()).hexdigest()[:16]


def model_digest(model: object) -> str | None:
    """SHA-256 over names, shapes and up to `SAMPLE` values of each parameter and buffer; None without parameters."""
    if not isinstance(model, nn.Module):
        return None
    total = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        if isinstance(tensor, Tensor) and tensor.layout is torch.strided:
            flat = tensor.detach().flatten()
            total.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
            total.update(_bytes(flat[:: max(1, flat.numel() // SAMPLE)]))
    return total.hexdigest()[:16]


def model_name(model: object) -> str:
    """The class of a module, the name of a function."""
    named = model if isinstance(model, FunctionType) else type(model)
    return f"{named.__module__}.{named.__qualname__}"


def _bytes(x: Tensor) -> bytes:
    return x.detach().cpu().resolve_neg().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
