"""Everything of the caller's that a call could change, to compare before and after."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules import module as modules

FORWARD = ("_forward_hooks", "_forward_hooks_with_kwargs", "_forward_hooks_always_called")
BEFORE = ("_forward_pre_hooks", "_forward_pre_hooks_with_kwargs")
HOOKS = (*FORWARD, *BEFORE, "_backward_hooks", "_backward_pre_hooks", "_state_dict_hooks")
ATTENTION = ("flash", "mem_efficient", "math", "cudnn")


def state_of(model: nn.Module, x: Any, baseline: Any, context: Any = None) -> dict[str, Any]:
    """Everything of the caller's that a call could change, by name. x, baseline, context: tensors, tuples, dicts."""
    state: dict[str, Any] = {
        "torch's random state": torch.get_rng_state(),
        "numpy's random state": repr(np.random.get_state()),
        "Python's random state": random.getstate(),
        "the gradient mode": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "the default precision": torch.get_default_dtype(),
        "the fast path of attention": torch.backends.mha.get_fastpath_enabled(),
        "the use of cuDNN": torch.backends.cudnn.enabled,
        "the kinds of attention": [getattr(torch.backends.cuda, f"{kind}_sdp_enabled")() for kind in ATTENTION],
        "hooks of every module": [tuple(modules._global_forward_hooks), tuple(modules._global_forward_pre_hooks)],
    }
    state |= {f"{name} of the state": value for name, value in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        state |= {f"gradient of {name}": parameter.grad, f"requires_grad of {name}": parameter.requires_grad}
    for name, part in model.named_modules():
        hooks = [tuple(getattr(part, kind, ())) for kind in HOOKS]
        state |= {f"training mode of '{name}'": part.training, f"hooks of '{name}'": hooks}
    for name, given in [*_leaves("x", x), *_leaves("baseline", baseline), *_leaves("context", context)]:
        state[name] = given
        if isinstance(given, Tensor):
            state[f"graph of {name}"] = (given.requires_grad, given.grad, given._version)
    return {what: value.clone() if isinstance(value, Tensor) else value for what, value in state.items()}


def identical(one: Any, other: Any) -> bool:
    """The same to the last bit."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    return type(one) is type(other) and bool(one == other)


def _leaves(name: str, tree: Any) -> Iterator[tuple[str, Any]]:
    """What tuples and dicts hold, by name: `x`, `x[0]`, `x['mask']`."""
    match tree:
        case Mapping():
            items = list(tree.items())
        case tuple() | list():
            items = list(enumerate(tree))
        case _:
            yield name, tree
            return
    for key, value in items:
        yield from _leaves(f"{name}[{key!r}]", value)
