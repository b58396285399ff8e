"""Leave no trace: the model is evaluated in evaluation mode, and everything is put back."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

_locks: weakref.WeakKeyDictionary[Any, threading.RLock] = weakref.WeakKeyDictionary()
_locks_lock = threading.Lock()


@contextmanager
def undisturbed(model: object, device: torch.device) -> Iterator[bool]:
    """Run with gradients on, no module of the model in training mode, and the global random state untouched.

    Yields whether some module was in training mode. Training flags are set, not through `model.eval()` (which some
    models override), and restored one by one, also after an exception. Calls on the same module wait for each other.
    A module inside a function cannot be seen: call its `eval()` first.
    """
    devices = [device] if device.type == "cuda" else []
    with (
        _evaluating(model) as training,
        _plain_attention(),
        _differentiable_rnns(model),
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.random.fork_rng(devices),
    ):
        yield training


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Without the fast path of `nn.TransformerEncoder`: it runs only without gradients, and then skips hooks and puts
    zeros at masked places, so that F(x) would not be what the path ends at."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


@contextmanager
def _differentiable_rnns(model: object) -> Iterator[None]:
    """cuDNN's recurrent layers have no gradient in evaluation mode: off around them, and only there."""
    model = getattr(model, "__self__", model)
    parts = [m for m in model.modules() if isinstance(m, nn.RNNBase)] if isinstance(model, nn.Module) else []
    before: list[bool] = []
    thread = threading.get_ident()

    def enter(*_: Any) -> None:
        if threading.get_ident() == thread:
            before.append(torch.backends.cudnn.enabled)
            torch.backends.cudnn.enabled = False

    def leave(*_: Any) -> None:
        if threading.get_ident() == thread:
            torch.backends.cudnn.enabled = before.pop()

    with ExitStack() as hooks:
        for part in parts:
            hooks.callback(part.register_forward_pre_hook(enter).remove)
            hooks.callback(part.register_forward_hook(leave, always_call=True).remove)
        yield


@contextmanager
def _evaluating(model: object) -> Iterator[bool]:
    model = getattr(model, "__self__", model)  # model.forward is guarded like model
    if not isinstance(model, nn.Module):
        yield False
        return
    with _lock(model):
        changed = [m for m in model.modules() if getattr(m, "training", False)]  # frozen scripts have no such flag
        for module in changed:
            module.training = False
        try:
            yield bool(changed)
        finally:
            for module in changed:
                module.training = True


def _lock(model: nn.Module) -> threading.RLock:
    with _locks_lock:
        return _locks.setdefault(model, threading.RLock())
