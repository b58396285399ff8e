"""Everything of the caller's that a call could change, to compare before and after."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


def state_of(model: nn.Module, x: Tensor, baseline: Any) -> dict[str, Any]:
    """Everything of the caller's that a call could change, by name."""
    state: dict[str, Any] = {
        "torch's random state": torch.get_rng_state(),
        "numpy's random state": repr(np.random.get_state()),
        "Python's random state": random.getstate(),
        "the gradient mode": torch.is_grad_enabled(),
    }
    state |= {f"{name} of the state": value for name, value in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        state |= {f"gradient of {name}": parameter.grad, f"requires_grad of {name}": parameter.requires_grad}
    for name, part in model.named_modules():
        hooks = (part._forward_hooks, part._forward_pre_hooks, part._backward_hooks, part._backward_pre_hooks)
        state |= {f"training mode of '{name}'": part.training, f"hooks of '{name}'": [len(h) for h in hooks]}
    for name, given in (("x", x), ("baseline", baseline)):
        state[name] = given
        if isinstance(given, Tensor):
            state[f"graph of {name}"] = (given.requires_grad, given.grad, given._version)
    return {what: value.clone() if isinstance(value, Tensor) else value for what, value in state.items()}


def identical(one: Any, other: Any) -> bool:
    """The same to the last bit."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    return type(one) is type(other) and bool(one == other)
