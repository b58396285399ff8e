"""Random starts: every example, draw and input has numbers of its own, the same in any batch and on any device."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gradline.core.baselines.base import Baseline, Group, check_floating, check_whole
from gradline.core.baselines.image import PixelSpace, plain_colour
from gradline.errors import BaselineError


@dataclass(frozen=True)
class Uniform(Baseline):
    """Independent uniform noise in model space: x'_i ~ U(low, high), `draws` times an example.

    `low < high`, finite. Raises `BaselineError` for an x of integers. One of the starts compared by Sturmfels,
    Lundberg and Lee (Distill 2020); they draw it once for all examples.
    """

    low: float = 0.0
    high: float = 1.0
    draws: int = 1
    random = True

    def __post_init__(self) -> None:
        check_whole(self, "draws", self.draws)
        if not (self.low < self.high and math.isfinite(self.low) and math.isfinite(self.high)):
            raise BaselineError("finite low < high for Uniform", f"low={self.low}, high={self.high}")

    def check(self, x: Tensor) -> None:
        check_floating(self, x)

    def start(self, group: Group) -> Tensor:
        self.check(group.x)
        share = _noise(group, self.draws, "Uniform", lambda block, source: block.uniform_(generator=source))
        return (self.low + (self.high - self.low) * share).to(group.x.dtype)


@dataclass(frozen=True)
class PixelNoise(Baseline):
    """Images of independent uniform noise between black and white, `draws` times an example.

    `pixels` says what the model is given for black and white, a value each channel; vision cases fill it in. `Uniform`
    for models whose channels have scales of their own.
    """

    pixels: PixelSpace | None = None
    draws: int = 1
    random = True

    def __post_init__(self) -> None:
        check_whole(self, "draws", self.draws)

    def check(self, x: Tensor) -> None:
        self._ends(x)

    def start(self, group: Group) -> Tensor:
        black, white = self._ends(group.x)
        share = _noise(group, self.draws, "PixelNoise", lambda block, source: block.uniform_(generator=source))
        return (black + (white - black) * share).to(group.x.dtype)

    def within(self, pixels: PixelSpace) -> Baseline:
        return self if self.pixels is not None else replace(self, pixels=pixels)

    def _ends(self, x: Tensor) -> tuple[Tensor, Tensor]:
        known = self.pixels
        return (
            plain_colour(self, x, None if known is None else known.black),
            plain_colour(self, x, None if known is None else known.white),
        )


@dataclass(frozen=True)
class GaussianNoise(Baseline):
    """x with independent Gaussian noise added: x'_i = x_i + sigma · n_i, n_i ~ N(0, 1), `draws` times an example.

    `sigma > 0` in units of the model's input. Raises `BaselineError` for an x of integers. The start of Sturmfels,
    Lundberg and Lee (Distill 2020), who clip it to the range of the pixels; here it is not clipped.
    """

    sigma: float
    draws: int = 1
    random = True

    def __post_init__(self) -> None:
        check_whole(self, "draws", self.draws)
        if not (self.sigma > 0 and math.isfinite(self.sigma)):
            raise BaselineError("finite sigma > 0 for GaussianNoise", f"sigma={self.sigma}")

    def check(self, x: Tensor) -> None:
        check_floating(self, x)

    def start(self, group: Group) -> Tensor:
        self.check(group.x)
        noise = _noise(group, self.draws, "GaussianNoise", lambda block, source: block.normal_(generator=source))
        return (group.x.unsqueeze(1) + self.sigma * noise).to(group.x.dtype)


def _noise(group: Group, draws: int, part: str, fill: Callable[[Tensor, torch.Generator], Tensor]) -> Tensor:
    """Numbers `(B, draws, *F)` that `fill` draws, float32 on the CPU; then in x's precision, at least float32."""
    shape = (len(group.names), draws, *group.x.shape[1:])
    noise = torch.empty(shape, dtype=torch.float32, device="cpu")
    for example in range(shape[0]):
        for draw in range(draws):
            fill(noise[example, draw], group.generator(example, part, draw))
    return noise.to(group.x.device, torch.promote_types(group.x.dtype, torch.float32))
