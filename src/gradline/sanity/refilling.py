"""New weights for layers of a copied network: the same for all methods, without a trace in the global random state."""

from __future__ import annotations

import copy
import math
from contextlib import suppress
from enum import StrEnum

import torch
from torch import Tensor, nn

from gradline.core import random
from gradline.sanity.layers import Block, has_statistics, own_tensors


class Refill(StrEnum):
    """What weights become.

    `RESET`: what the layer's own `reset_parameters` makes of them; those that it does not reach, or that have none
    (attention's `in_proj_weight`, class tokens, layer scales), as in `NORMAL`. `NORMAL`: N(0, std²) with the standard
    deviation of the tensor's own entries; of a tensor without spread, their size. `TRUNCATED`: N(0, 0.1²) cut off at
    ±2, as in published code.
    """

    RESET = "reset_parameters, else normal"
    NORMAL = "normal of the tensor's own spread"
    TRUNCATED = "truncated normal of 0.1"


def refill(block: Block, how: Refill, seed: int) -> None:
    """Give every module of the block new weights, each keyed by the seed and its own name; running statistics of batch
    norms become those of a new layer."""
    for name, module in block.members.items():
        fresh = _reset(module, random.generator(seed, name, "reset").initial_seed()) if how is Refill.RESET else {}
        for n, parameter in own_tensors(module).items():
            new = fresh.get(n)
            if new is None:
                new = _drawn(parameter, how, random.generator(seed, f"{name}.{n}", "refill"))
            parameter.data.copy_(new)
        if has_statistics(module):
            module.reset_running_stats()  # type: ignore[operator]


def spread(values: Tensor) -> float:
    """The standard deviation of the entries, N − 1 below; 0 for a single one."""
    return float(values.detach().double().std()) if values.numel() > 1 else 0.0


def noise(shape: torch.Size, generator: torch.Generator) -> Tensor:
    """Standard normal numbers, float64 on the CPU."""
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def _drawn(parameter: Tensor, how: Refill, generator: torch.Generator) -> Tensor:
    if how is Refill.TRUNCATED:
        new = torch.empty(parameter.shape, dtype=torch.float64)
        return nn.init.trunc_normal_(new, std=0.1, a=-2.0, b=2.0, generator=generator)
    size = spread(parameter) or float(parameter.detach().double().square().mean().sqrt())
    return noise(parameter.shape, generator) * size


def _reset(module: nn.Module, seed: int) -> dict[str, Tensor]:
    """What `reset_parameters` makes of a module's own parameters, those that it reaches; it works on a copy, since it
    may reach modules inside as well. It draws from the global random state, which is put back."""
    if not callable(getattr(module, "reset_parameters", None)):
        return {}
    fresh = copy.deepcopy(module).cpu()
    for parameter in own_tensors(fresh).values():
        parameter.data.fill_(math.nan)
    with torch.random.fork_rng(devices=[]), torch.no_grad(), suppress(Exception):  # it may want arguments of its own
        torch.default_generator.manual_seed(seed)
        fresh.reset_parameters()  # type: ignore[operator]
    return {n: p.detach() for n, p in own_tensors(fresh).items() if bool(p.isfinite().all())}
