"""Small networks trained here and now, in a second or two, without a look at global random numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

BATCH = 64


def convolutions(widths: Sequence[int], strides: Sequence[int], classes: int, chance: torch.Generator) -> nn.Sequential:
    """Convolutions of 5 × 5, then 3 × 3, with ReLU, the maximum over space, a linear layer; for colour pictures."""
    layers: list[nn.Module] = []
    before = 3
    for number, (width, stride) in enumerate(zip(widths, strides, strict=True)):
        side = 5 if number == 0 else 3
        layers += [_made(nn.Conv2d, chance, before, width, side, stride=stride, padding=side // 2), nn.ReLU()]
        before = width
    layers += [nn.AdaptiveMaxPool2d(1), nn.Flatten(), _made(nn.Linear, chance, before, classes)]
    return nn.Sequential(*layers)


def fit(model: nn.Module, x: Tensor, y: Tensor, chance: torch.Generator, *, epochs: int, rate: float = 5e-3) -> None:
    """Train a classifier by Adam (Kingma and Ba, 2015), the rate falling to zero along half a cosine.

    Written out, since `torch.optim` takes seconds to import. The model is in evaluation mode thereafter.
    """
    weights = list(model.parameters())
    first, second = ([torch.zeros_like(w) for w in weights] for _ in range(2))
    rows = [r for _ in range(epochs) for r in _batches(len(x), chance)]
    model.train()
    for step, batch in enumerate(rows):
        with torch.enable_grad():
            loss = nn.functional.cross_entropy(model(x[batch]), y[batch])
            slopes = torch.autograd.grad(loss, weights)
        now = rate * (1 + math.cos(math.pi * step / len(rows))) / 2
        with torch.no_grad():
            for weight, slope, m, v in zip(weights, slopes, first, second, strict=True):
                m.lerp_(slope, 1 - 0.9)
                v.lerp_(slope * slope, 1 - 0.999)
                mean, square = m / (1 - 0.9 ** (step + 1)), v / (1 - 0.999 ** (step + 1))
                weight.sub_(now * mean / (square.sqrt() + 1e-8))
    model.eval().requires_grad_(False)


def _batches(count: int, chance: torch.Generator) -> list[Tensor]:
    """All rows in random order, in full batches."""
    order = torch.randperm(count, generator=chance, device="cpu")
    return [*torch.split(order[: count // BATCH * BATCH], BATCH)]


def _made(kind: type[nn.Conv2d] | type[nn.Linear], chance: torch.Generator, *sizes: int, **more: int) -> nn.Module:
    """A layer with He's start from the generator, zero bias; its own start would draw from the global state."""
    skip: Callable[..., nn.Conv2d | nn.Linear] = nn.utils.skip_init
    layer = skip(kind, *sizes, **more, device="cpu", dtype=torch.float32)
    with torch.no_grad():
        fan = layer.weight[0].numel()
        start = torch.randn(layer.weight.shape, generator=chance, dtype=torch.float32, device="cpu")
        layer.weight.copy_(start * (2 / fan) ** 0.5)
        if layer.bias is not None:
            layer.bias.zero_()
    return layer
