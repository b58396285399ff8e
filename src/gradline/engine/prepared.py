"""Copies of a network that are faster: batch norms folded, activations in place, layouts that are faster."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from gradline.question.trees import floating

CLOSE = 1e-5
"""Largest change of an output that a copy may make, relative to the largest output."""

NEAR = 0.05
"""Largest relative L2 change of one gradient that a copy may make: activations a rounding away from their kink turn
over, and change a gradient of EfficientNet-Lite0 by up to half a per cent."""

LARGEST = 2**30
"""Bytes of weights above which no copy is made."""

SMALL = 64**2
"""Pixels up to which convolutions that hand each other blocks of channels are faster on a CPU (measured)."""

FAR = 8
"""How much larger than x the points are at which a copy is checked once more: bounded activations saturate there."""

ACTIVATIONS = nn.ReLU, nn.Hardtanh, nn.LeakyReLU, nn.ELU, nn.SiLU, nn.Hardswish


class ChannelsLast(nn.Module):
    """A network that is given images whose channels are the last axis in memory."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, first: Tensor, *rest: Any, **named: Any) -> Any:
        return self.model(first.contiguous(memory_format=torch.channels_last), *rest, **named)


class Blocked(nn.Module):
    """A convolution whose output stays in oneDNN's layout, blocks of channels, for the layers behind it."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        own = convolution
        self.weight, self.bias = own.weight.to_mkldnn(), None if own.bias is None else own.bias.to_mkldnn()
        self.settings = own.stride, own.padding, own.dilation, own.groups

    def forward(self, x: Tensor) -> Tensor:
        return torch.conv2d(x if x.is_mkldnn else x.to_mkldnn(), self.weight, self.bias, *self.settings)  # type: ignore[arg-type]


class Unblocked(nn.Module):
    """A linear layer behind blocked convolutions."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.linear(x.to_dense() if x.is_mkldnn else x)
        return found


def prepared(model: object, x: Tensor, *, differentiable: bool = False) -> nn.Module | None:
    """A faster copy of a convolutional network in evaluation mode; None if there is none that says the same.

    It is compared with the model at `x (N, C, H, W)`, at noise like x and at larger noise. Models with hooks, on which
    somebody looks from outside, are not copied. `differentiable`: for gradients too, not for forwards alone; there must
    be a batch norm to fold then, and gradients are compared as well.
    """
    if not isinstance(model, nn.Module) or x.ndim != 4 or x.dtype != torch.float32 or not _plain(model):
        return None
    small = x.device.type == "cpu" and x[0, 0].numel() <= SMALL and not differentiable
    for layout in (in_blocks, ChannelsLast) if small else (ChannelsLast,):
        with suppress(Exception), torch.no_grad():  # whatever cannot be copied or called runs as it is
            made = copy.deepcopy(model).requires_grad_(False)
            folds = _fold(made)
            if differentiable and not folds:
                return None
            _write_over(made)
            made = layout(made)
            if not all(_same(model(points.clone()), made(points.clone())) for points in _points(x)):
                continue
            if not differentiable or _same_gradient(model, made, x[:1]):
                return made
    return None


def in_blocks(module: nn.Module) -> nn.Module:
    """The module with its convolutions, and the linear layers behind them, exchanged."""
    for name, child in list(module.named_children()):
        if type(child) is nn.Conv2d and child.padding_mode == "zeros":
            setattr(module, name, Blocked(child))
        elif type(child) is nn.Linear:
            setattr(module, name, Unblocked(child))
        else:
            in_blocks(child)
    return module


def _points(x: Tensor) -> Iterator[Tensor]:
    noise = torch.randn(x[:1].shape, generator=torch.Generator().manual_seed(0)).to(x) * x.std()
    yield from (x[:1], x.mean() + noise, x.mean() + FAR * noise)


def _plain(model: nn.Module) -> bool:
    size, modules = sum(p.numel() * p.element_size() for p in model.parameters()), list(model.modules())
    hooked = any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in modules)
    convolves = any(isinstance(m, nn.Conv2d) for m in modules)
    return convolves and not hooked and size <= LARGEST and not any(m.training for m in modules)


def _fold(module: nn.Module) -> int:
    """Fold batch norms into the convolutions that are registered in front of them; the check tells if that is wrong.

    How many there were.
    """
    before: tuple[str, nn.Module] | None = None
    count = 0
    for name, child in list(module.named_children()):
        count += _fold(child)
        if isinstance(child, nn.BatchNorm2d) and child.track_running_stats and before is not None:
            place, convolution = before
            if isinstance(convolution, nn.Conv2d) and convolution.out_channels == child.num_features:
                setattr(module, place, fuse_conv_bn_eval(convolution, child))
                setattr(module, name, nn.Identity())
                count += 1
        before = name, child
    return count


def _write_over(module: nn.Module) -> None:
    """Let activations write over their input; the check tells if somebody reads that again."""
    for child in module.modules():
        if isinstance(child, ACTIVATIONS):
            child.inplace = True


def _same_gradient(model: nn.Module, made: nn.Module, x: Tensor) -> bool:
    """The gradients of a random sum of the outputs lie as near as the rounding at kinks lets them."""
    found = []
    for network in (model, made):
        leaf = x.detach().clone().requires_grad_()
        with torch.enable_grad():
            sums = [
                (t * torch.randn(t.shape, generator=torch.Generator().manual_seed(0)).to(t)).sum()
                for _, t in floating(network(leaf.clone()))
                if t.requires_grad
            ]
            found.append(torch.autograd.grad(torch.stack(sums).sum(), leaf)[0])
    one, other = found
    return bool((one - other).norm() <= NEAR * one.norm())


def _same(one: Any, other: Any) -> bool:
    mine, its = dict(floating(one)), dict(floating(other))
    return mine.keys() == its.keys() and all(
        mine[k].shape == its[k].shape and float((mine[k] - its[k]).abs().max()) <= CLOSE * float(mine[k].abs().max())
        for k in mine
    )
