"""Starts that only an image has: a colour, a blurred copy."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gradline.core.baselines.base import Baseline, Group, check_floating
from gradline.errors import BaselineError


@dataclass(frozen=True)
class PixelSpace:
    """What the model is given for a black and a white pixel, a value each channel."""

    black: tuple[float, ...]
    white: tuple[float, ...]


@dataclass(frozen=True)
class Black(Baseline):
    """The black image. `pixels` says what the model is given for black; vision cases fill it in."""

    pixels: PixelSpace | None = None

    def check(self, x: Tensor) -> None:
        plain_colour(self, x, None if self.pixels is None else self.pixels.black)

    def start(self, group: Group) -> Tensor:
        return plain_colour(self, group.x, None if self.pixels is None else self.pixels.black)

    def within(self, pixels: PixelSpace) -> Baseline:
        return self if self.pixels is not None else replace(self, pixels=pixels)


@dataclass(frozen=True)
class White(Baseline):
    """The white image. `pixels` says what the model is given for white; vision cases fill it in."""

    pixels: PixelSpace | None = None

    def check(self, x: Tensor) -> None:
        plain_colour(self, x, None if self.pixels is None else self.pixels.white)

    def start(self, group: Group) -> Tensor:
        return plain_colour(self, group.x, None if self.pixels is None else self.pixels.white)

    def within(self, pixels: PixelSpace) -> Baseline:
        return self if self.pixels is not None else replace(self, pixels=pixels)


@dataclass(frozen=True)
class Blur(Baseline):
    """The image itself, blurred by a Gaussian of `sigma > 0` pixels, edges repeated; kernel cut at 3 sigma.

    Raises `BaselineError` unless x is floating-point images `(N, C, H, W)`.
    """

    sigma: float = 10.0

    def __post_init__(self) -> None:
        if not (self.sigma > 0 and math.isfinite(self.sigma)):
            raise BaselineError("sigma > 0 for Blur", f"sigma={self.sigma}")

    def check(self, x: Tensor) -> None:
        check_floating(self, x)
        if x.ndim != 4:
            raise BaselineError("images (N, C, H, W) for Blur", f"shape {tuple(x.shape)}", "use another baseline")

    def start(self, group: Group) -> Tensor:
        x = group.x
        self.check(x)
        radius = max(1, int(3 * self.sigma + 0.5))
        offsets = torch.arange(-radius, radius + 1, dtype=torch.float64, device="cpu")
        kernel = torch.exp(-0.5 * (offsets / self.sigma) ** 2)
        working = x.to(torch.promote_types(x.dtype, torch.float32))
        for axis in (2, 3):
            working = _convolve(working, (kernel / kernel.sum()).to(working), axis, radius)
        return working.to(x.dtype).unsqueeze(1)


def plain_colour(part: Baseline, x: Tensor, colour: tuple[float, ...] | None) -> Tensor:
    """The image of one colour, a start `(B, 1, C, H, W)`. Raises `BaselineError` for a colour that is not known."""
    name = type(part).__name__
    if colour is None:
        raise BaselineError(
            f"{name} is a colour, and x is in the model's own units: pass {name}(PixelSpace(black=…, white=…)) with "
            "what the model is given for black and white, or use gl.explain_image, which knows"
        )
    check_floating(part, x)
    if x.ndim != 4 or x.shape[1] != len(colour):
        raise BaselineError(f"images (N, {len(colour)}, H, W) for {name}", f"shape {tuple(x.shape)}")
    return x.new_tensor(colour).reshape(1, -1, 1, 1).expand_as(x).unsqueeze(1)


def _convolve(image: Tensor, kernel: Tensor, axis: int, radius: int) -> Tensor:
    length = image.shape[axis]
    index = torch.arange(-radius, length + radius, device=image.device).clamp(0, length - 1)
    lines = image.index_select(axis, index).movedim(axis, -1)
    smooth = torch.nn.functional.conv1d(lines.reshape(-1, 1, length + 2 * radius), kernel.reshape(1, 1, -1))
    return smooth.reshape(*lines.shape[:-1], length).movedim(-1, axis)
