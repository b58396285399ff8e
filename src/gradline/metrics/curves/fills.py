"""Fills of published protocols that are no usual start of a path. Each is a `Baseline`."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gradline.core.baselines import Baseline, Group, PixelSpace
from gradline.core.baselines.base import check_floating
from gradline.core.baselines.image import plain_colour
from gradline.errors import BaselineError


@dataclass(frozen=True)
class ZeroPaddedBlur(Baseline):
    """The image convolved with a square kernel of `size` pixels, an odd number, with zeros around the image.

    In model space, so that the borders of a normalised photo fade to the mean colour. The kernel is a Gaussian of
    `sigma` pixels, cut at 4 sigma, whose part beyond `size` is folded back at the kernel's edges: where sigma is large
    it is nearly flat. As in the code of Petsiuk, Das, Saenko (2018).
    """

    size: int = 11
    sigma: float = 5.0

    def __post_init__(self) -> None:
        _check_kernel(self, self.size, self.sigma)

    def check(self, x: Tensor) -> None:
        _check_image(self, x)

    def start(self, group: Group) -> Tensor:
        self.check(group.x)
        return _convolved(group.x, folded(self.size, self.sigma), "constant")


@dataclass(frozen=True)
class ReflectedBlur(Baseline):
    """The image convolved with a Gaussian of `sigma` pixels cut to a kernel of `size`, an odd number, reflected at its
    borders without repeating the edge: the blur of torchvision.

    Raises `BaselineError` for images not larger than half the kernel.
    """

    size: int = 15
    sigma: float = 5.0

    def __post_init__(self) -> None:
        _check_kernel(self, self.size, self.sigma)

    def check(self, x: Tensor) -> None:
        _check_image(self, x)
        if min(x.shape[2:]) <= self.size // 2:
            raise BaselineError(f"images larger than {self.size // 2} pixels for {self}", f"shape {tuple(x.shape)}")

    def start(self, group: Group) -> Tensor:
        self.check(group.x)
        offsets = torch.arange(self.size, dtype=torch.float64) - self.size // 2
        kernel = torch.exp(-0.5 * (offsets / self.sigma) ** 2)
        return _convolved(group.x, kernel / kernel.sum(), "reflect")


@dataclass(frozen=True)
class Grey(Baseline):
    """One grey, `level` of 255 in each channel. `pixels` says what the model is given for black and white."""

    level: float = 127.0
    pixels: PixelSpace | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.level <= 255:
            raise BaselineError("a level from 0 to 255 for Grey", f"level={self.level}")

    def check(self, x: Tensor) -> None:
        plain_colour(self, x, self._colour)

    def start(self, group: Group) -> Tensor:
        return plain_colour(self, group.x, self._colour)

    def within(self, pixels: PixelSpace) -> Baseline:
        return self if self.pixels is not None else replace(self, pixels=pixels)

    @property
    def _colour(self) -> tuple[float, ...] | None:
        if self.pixels is None:
            return None
        ends = zip(self.pixels.black, self.pixels.white, strict=True)
        return tuple(black + self.level / 255 * (white - black) for black, white in ends)


@dataclass(frozen=True)
class Minimum(Baseline):
    """Each example's own smallest value everywhere: what Quantus calls black."""

    def check(self, x: Tensor) -> None:
        check_floating(self, x)

    def start(self, group: Group) -> Tensor:
        self.check(group.x)
        return group.x.amin(tuple(range(1, group.x.ndim)), keepdim=True).expand_as(group.x).unsqueeze(1)


def folded(size: int, sigma: float) -> Tensor:
    """A Gaussian cut at 4 sigma on `size` places, what falls outside reflected at the edges, edge places repeated:
    float64 `(size,)` with sum 1."""
    radius = int(4 * sigma + 0.5)
    offsets = torch.arange(-radius, radius + 1)
    weights = torch.exp(-0.5 * (offsets.double() / sigma) ** 2)
    place = (offsets + size // 2) % (2 * size)
    place = torch.where(place < size, place, 2 * size - 1 - place)
    return torch.zeros(size, dtype=torch.float64).index_add_(0, place, weights / weights.sum())


def _convolved(x: Tensor, kernel: Tensor, padding: str) -> Tensor:
    """Images `(B, C, H, W)` convolved with a symmetric kernel along both axes, as starts `(B, 1, C, H, W)`."""
    working = x.to(torch.promote_types(x.dtype, torch.float32))
    half = len(kernel) // 2
    flat = working.reshape(-1, 1, *x.shape[2:])
    flat = torch.nn.functional.pad(flat, (half, half, half, half), mode=padding)
    weights = kernel.to(flat)
    flat = torch.nn.functional.conv2d(flat, weights.reshape(1, 1, -1, 1))
    flat = torch.nn.functional.conv2d(flat, weights.reshape(1, 1, 1, -1))
    return flat.reshape(x.shape).to(x.dtype).unsqueeze(1)


def _check_kernel(part: Baseline, size: object, sigma: object) -> None:
    if isinstance(size, bool) or not isinstance(size, int) or size < 1 or size % 2 == 0:
        raise BaselineError(f"an odd whole number size for {type(part).__name__}", f"size={size!r}")
    if isinstance(sigma, bool) or not isinstance(sigma, int | float) or not 0 < sigma < math.inf:
        raise BaselineError(f"sigma > 0 for {type(part).__name__}", f"sigma={sigma!r}")


def _check_image(part: Baseline, x: Tensor) -> None:
    check_floating(part, x)
    if x.ndim != 4:
        name = type(part).__name__
        raise BaselineError(f"images (N, C, H, W) for {name}", f"shape {tuple(x.shape)}", "use another fill")
