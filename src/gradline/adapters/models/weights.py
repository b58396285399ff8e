"""Weights in a file, for a network that a factory builds."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gradline.errors import InputError, MissingExtra, StorageError

SAFE = (".safetensors",)
PICKLED = (".pt", ".pth", ".bin", ".ckpt")
"""Suffixes of weights. The second kind is read with `weights_only`: what is no tensor in it is refused, not run."""

FEW = 5
"""Names listed in an error."""


def with_weights(model: Any, path: str | Path) -> nn.Module:
    """The model with the weights of a file: every name and shape must fit. Raises `InputError`, `StorageError`."""
    if not isinstance(model, nn.Module):
        raise InputError("a torch.nn.Module to load weights into", type(model).__name__)
    path = Path(path)
    state = read_weights(path)
    own = model.state_dict()
    missing, strange = [k for k in own if k not in state], [k for k in state if k not in own]
    shapes = [
        f"{k} {tuple(state[k].shape)} for {tuple(v.shape)}"
        for k, v in own.items()
        if k in state and isinstance(v, Tensor) and v.shape != state[k].shape
    ]
    said = [_listed(text, names) for text, names in (("missing", missing), ("unexpected", strange), ("shape", shapes))]
    if any(said):
        wrapped = missing and all(k.startswith("module.") for k in state)
        remedy = 'saved from DataParallel: remove "module." from the names' if wrapped else "build the same network"
        raise InputError(f"the weights of {type(model).__name__} in {path}", "; ".join(filter(None, said)), remedy)
    model.load_state_dict(state, strict=True)
    return model


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by name. Of a `.pt` that holds more, the entry `state_dict`. Raises `InputError`, `StorageError`."""
    if path.suffix not in (*SAFE, *PICKLED):
        raise InputError(f"weights that end in {', '.join((*SAFE, *PICKLED))}", repr(str(path)))
    if not path.is_file():
        raise InputError("a file of weights", f"{str(path)!r}, which is not there")
    state = _safe(path) if path.suffix in SAFE else _pickled(path)
    held = state.get("state_dict", state) if isinstance(state, Mapping) else state
    if not isinstance(held, Mapping) or not held or not all(isinstance(v, Tensor) for v in held.values()):
        what = ", ".join(map(str, list(state)[:FEW])) if isinstance(state, Mapping) else type(state).__name__
        remedy = "save model.state_dict()"
        raise InputError(f"tensors by name in {path}", what or "nothing", remedy)
    return {str(name): tensor for name, tensor in held.items()}


def _safe(path: Path) -> Any:
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise MissingExtra("reading .safetensors files", "storage") from error
    try:
        return load_file(path)
    except Exception as error:
        raise StorageError(f"cannot read {path}: {type(error).__name__}: {error}") from error


def _pickled(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        remedy = f"save model.state_dict(), or, if you trust the file with this machine, --model pickle:{path}"
        raise InputError(
            f"nothing but tensors in {path}", "objects that unpickling would run code for", remedy
        ) from error
    except Exception as error:
        raise StorageError(f"cannot read {path}: {type(error).__name__}: {error}") from error


def _listed(what: str, names: list[str]) -> str:
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return f"{what}: {', '.join(names[:FEW])}{more}" if names else ""
