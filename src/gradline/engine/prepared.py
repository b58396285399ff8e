"""A copy of a network for forwards alone: batch norms folded into convolutions, channels last. Exact up to rounding."""

from __future__ import annotations

import copy
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from gradline.question.trees import floating

CLOSE = 1e-4
"""Largest change of an output that the copy may make, relative to the largest output."""

LARGEST = 2**30
"""Bytes of weights above which no copy is made."""


def prepared(model: object, x: Tensor) -> nn.Module | None:
    """A faster copy of an image network in evaluation mode; None if there is none, or if it says something else.

    It is compared with the model at `x (N, C, H, W)` and at noise like x. Models with hooks, on which somebody looks
    from outside, are not copied.
    """
    if not isinstance(model, nn.Module) or x.ndim != 4 or x.dtype != torch.float32 or not _plain(model):
        return None
    with suppress(Exception), torch.no_grad():  # whatever cannot be copied, traced or called runs as it is
        made: nn.Module = copy.deepcopy(model).requires_grad_(False)
        _fold(made)
        made.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        noise = torch.randn(x[:1].shape, generator=torch.Generator().manual_seed(0)).to(x)
        for points in (x[:1], noise * x.std() + x.mean()):
            if not _same(model(points.clone()), made(points.contiguous(memory_format=torch.channels_last))):
                return None
        return made
    return None


def _plain(model: nn.Module) -> bool:
    size = sum(p.numel() * p.element_size() for p in model.parameters())
    hooked = any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in model.modules())
    folds = any(isinstance(m, nn.BatchNorm2d) for m in model.modules())  # without one a copy gains nothing (measured)
    return folds and not hooked and size <= LARGEST and not any(m.training for m in model.modules())


def _fold(module: nn.Module) -> None:
    """Fold batch norms into the convolutions that are registered in front of them; the check tells if that is wrong."""
    before: tuple[str, nn.Module] | None = None
    for name, child in list(module.named_children()):
        _fold(child)
        if isinstance(child, nn.BatchNorm2d) and child.track_running_stats and before is not None:
            place, convolution = before
            if isinstance(convolution, nn.Conv2d) and convolution.out_channels == child.num_features:
                setattr(module, place, fuse_conv_bn_eval(convolution, child))
                setattr(module, name, nn.Identity())
        before = name, child


def _same(one: Any, other: Any) -> bool:
    mine, its = dict(floating(one)), dict(floating(other))
    return mine.keys() == its.keys() and all(
        mine[k].shape == its[k].shape and float((mine[k] - its[k]).abs().max()) <= CLOSE * float(mine[k].abs().max())
        for k in mine
    )
