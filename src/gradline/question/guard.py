"""Leave no trace: the model is evaluated in evaluation mode, and everything is put back."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

_locks: weakref.WeakKeyDictionary[Any, threading.RLock] = weakref.WeakKeyDictionary()
_locks_lock = threading.Lock()


@contextmanager
def undisturbed(model: object, device: torch.device) -> Iterator[None]:
    """Run with gradients on, no module of the model in training mode, and the global random state untouched.

    Training flags are set, not through `model.eval()` (which some models override), and restored one by one, also
    after an exception. Calls on the same model wait for each other while its flags are changed.
    """
    devices = [device] if device.type == "cuda" else []
    with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng(devices), _evaluating(model):
        yield


@contextmanager
def _evaluating(model: object) -> Iterator[None]:
    if not isinstance(model, nn.Module):
        yield
        return
    with _lock(model):
        changed = [m for m in model.modules() if m.training]
        for module in changed:
            module.training = False
        try:
            yield
        finally:
            for module in changed:
                module.training = True


def in_training_mode(model: object) -> bool:
    """Some module of the model is in training mode."""
    return isinstance(model, nn.Module) and any(m.training for m in model.modules())


def _lock(model: nn.Module) -> threading.RLock:
    with _locks_lock:
        return _locks.setdefault(model, threading.RLock())
