"""Neurons in the order in which they are responsible."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gradline.core import random
from gradline.errors import InputError
from gradline.result.attribution import Attribution


def ranking(a: Attribution | Tensor, *, absolute: bool = False) -> Tensor:
    """The neurons of each example, from most to least responsible: `(N, J)` int64, places in the flattened map.

    Descending values, as the authors rank (Lundstrom et al. 2022); by magnitude if `absolute`. Equal ones keep their
    order. `a`: an attribution at a layer, or its map `(N, *G)`. Raises `InputError` for values that are not finite.
    """
    values = map_of(a).flatten(1)
    return (values.abs() if absolute else values).argsort(dim=1, descending=True, stable=True)


def channel_sums(a: Attribution | Tensor, *, axis: int = 1) -> Tensor:
    """What each channel carries, summed over its positions: `(N, C)` float64.

    `axis`: that of the channels, 1 in `(N, C, H, W)`, 2 or -1 in sequences `(N, T, C)`. Raises `InputError`.
    """
    values = map_of(a)
    if isinstance(axis, bool) or not isinstance(axis, int) or not (0 < axis < values.ndim or -values.ndim < axis < 0):
        raise InputError(f"axis of the channels, 1 to {values.ndim - 1}, or counted from the end", repr(axis))
    return values.double().movedim(axis, 1).flatten(2).sum(2) if values.ndim > 2 else values.double()


def random_ranking(shape: Sequence[int], names: Sequence[str], seed: int = 0) -> Tensor:
    """A map whose ranking is drawn at random: `(N, *shape)` float32, uniform in [0, 1), on the CPU.

    `shape`: of the layer, without the batch axis. The numbers of an example depend on its name and the seed alone.
    """
    size = torch.Size(shape)
    keys = [random.generator(seed, name, "random ranking") for name in names]
    if not keys:
        raise InputError("a name for each example", "none")
    return torch.stack([torch.rand(size, generator=key, device="cpu") for key in keys])


def map_of(a: Attribution | Tensor) -> Tensor:
    """The map `(N, *G)` of a layer. Raises `InputError`."""
    values = a.values if isinstance(a, Attribution) else a
    if not isinstance(values, Tensor) or values.ndim < 2:
        got = f"shape {tuple(values.shape)}" if isinstance(values, Tensor) else type(values).__name__
        raise InputError("a map of a layer, (N, …), or an attribution there", got)
    if not values.isfinite().all():
        raise InputError("a finite map", f"{int((~values.isfinite()).sum())} values that are NaN or infinite")
    return values.detach()
