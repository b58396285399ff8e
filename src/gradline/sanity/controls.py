"""Maps that know nothing of the model: what a metric makes of them is what it is worth.

Each is an explainer, `(score, x) -> maps`, as methods are for `gl.evaluate(…, explainer=)`. Random numbers are keyed by
what is asked, so that a question has one answer and another model, class or example another one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from gradline.core import random
from gradline.errors import InputError
from gradline.metrics.base import check_positive
from gradline.question.guard import undisturbed
from gradline.question.score import Score
from gradline.question.targets.convert import as_target

Control = Callable[[Score, Any], Tensor]
"""Makes maps of x, `(N, 1, H, W)` of images, that do not depend on what the model does with x."""


@dataclass(frozen=True)
class RandomMap:
    """Uniform noise in [0, 1): of images one value a pixel, at a layer one a value there.

    Drawn anew for every example, target and state of the weights; the same again for the same question.
    """

    seed: int = 0

    def __call__(self, score: Score, x: Any) -> Tensor:
        where, bound = _where(score, x), score.bind(x)
        weights, target = _digest([_sums(score.model)]), as_target(score.target)
        tensors = [value for value in bound.inputs.entries.values() if isinstance(value, Tensor)]
        maps = []
        for i in range(bound.inputs.rows):
            name = f"{_digest([value[i] for value in tensors])} {weights} {target.describe(i)}"
            generator = random.generator(self.seed, name, "random map")
            maps.append(torch.rand(where.shape, generator=generator, dtype=torch.float64))
        return torch.stack(maps).to(where)


@dataclass(frozen=True)
class Edges:
    """The length of the Sobel gradient of the mean over the channels, borders repeated; images."""

    def __call__(self, score: Score, x: Any) -> Tensor:
        x = _images(self, score, x)
        grey = functional.pad(x.double().mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
        across = grey.new_tensor([[1, 0, -1], [2, 0, -2], [1, 0, -1]]) / 8
        kernels = torch.stack([across, across.T]).unsqueeze(1)
        slopes = functional.conv2d(grey, kernels)
        return slopes.square().sum(1, keepdim=True).sqrt().to(x)


@dataclass(frozen=True)
class Centre:
    """A Gaussian in the middle, its standard deviation `width` of the shorter side; images."""

    width: float = 0.25

    def __post_init__(self) -> None:
        check_positive(self, "width", self.width)

    def __call__(self, score: Score, x: Any) -> Tensor:
        x = _images(self, score, x)
        height, width = x.shape[2:]
        rows, columns = (torch.arange(n, dtype=torch.float64) - (n - 1) / 2 for n in (height, width))
        square = (rows[:, None] ** 2 + columns**2) / (self.width * min(height, width)) ** 2
        return torch.exp(-square / 2).to(x).expand(len(x), 1, -1, -1).clone()


@dataclass(frozen=True)
class ConstantMap:
    """1 everywhere: has no order, and the area of what is removed for its only prediction."""

    def __call__(self, score: Score, x: Any) -> Tensor:
        where = _where(score, x)
        return torch.ones_like(where).expand(score.bind(x).inputs.rows, *where.shape).clone()


@dataclass(frozen=True)
class Inverted:
    """The maps of another explainer upside down: see `inverted`. `absolute`: of their sizes."""

    explainer: Control
    absolute: bool = False

    def __call__(self, score: Score, x: Any) -> Tensor:
        maps = self.explainer(score, x)
        return inverted(maps.abs() if self.absolute else maps)


random_map = RandomMap()
edges = Edges()
centre = Centre()
constant = ConstantMap()

CONTROLS: Mapping[str, Control] = {
    "random map": random_map,
    "edge detector": edges,
    "centre": centre,
    "constant": constant,
}
"""What belongs beside the methods of a leaderboard of images; of other inputs the random and the constant one."""


def inverted(maps: Tensor) -> Tensor:
    """max + min − value of each map `(N, *F)`: the same values' range in reverse order, sums over channels included."""
    over = tuple(range(1, maps.ndim))
    return maps.amax(over, keepdim=True) + maps.amin(over, keepdim=True) - maps


def _images(control: object, score: Score, x: Any) -> Tensor:
    if score.site is not None or not isinstance(x, Tensor) or not x.is_floating_point() or x.ndim != 4:
        got = f"shape {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        got = got if score.site is None else f"site={score.site}"
        raise InputError(f"images (N, C, H, W), explained at the input, for {control!r}", got)
    return x.detach()


def _where(score: Score, x: Any) -> Tensor:
    """Something of the shape of a map, on its device and of its type: `(1, H, W)` of images, else like an example where
    the score is driven."""
    bound = score.bind(x)
    if bound.drive is None:
        packed = bound.inputs.packed[0]
        return packed[:1] if packed.ndim == 3 else packed
    with undisturbed(score.model, bound.inputs.anchor.device):
        return bound.survey(torch.zeros(1, dtype=torch.int64), []).heard[bound.drive][0].detach()


def _sums(model: Any) -> Tensor:
    """Two numbers a tensor of the model's state, which change when it does."""
    owner = getattr(model, "__self__", model)
    states = [*owner.parameters(), *owner.buffers()] if isinstance(owner, nn.Module) else []
    whole = [s.detach().double() for s in states if s.is_floating_point()]
    return torch.tensor([(float(s.sum()), float(s.square().sum())) for s in whole], dtype=torch.float64)


def _digest(values: Sequence[Tensor]) -> str:
    found = hashlib.sha256()
    for value in values:
        found.update(value.detach().cpu().double().contiguous().numpy().tobytes())
    return found.hexdigest()
